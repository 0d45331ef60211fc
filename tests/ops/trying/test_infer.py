"""A drafted schema takes all the samples that it was drafted of, and `try` holds events to a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.mapping.schema import Schema
from ops.errors import OperationError
from ops.trying.infer import _of, infer_schema

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(samples=st.lists(values, min_size=1, max_size=4))
def test_every_sample_fits_the_schema_that_is_drafted_of_them(samples: list[Any]) -> None:
    schema = Schema(_of(samples))
    for sample in samples:
        schema.check({"content": sample, "lines": [json.dumps(sample)]})


def test_what_all_have_is_required_and_what_some_have_may_be_there(tmp_path: Path) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, content in zip(
        paths, [{"id": 1, "rows": [1, 2.5], "x": None}, {"id": 2, "note": "n", "x": "s"}], strict=True
    ):
        path.write_text(json.dumps(content))
    assert infer_schema(paths) == {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "rows": {"type": "array", "items": {"type": "number"}},
            "x": {"type": ["null", "string"]},
            "note": {"type": "string"},
        },
        "required": ["id", "x"],
    }


@pytest.mark.parametrize(
    ("body", "why"), [(b"{", "the content is not JSON: line 1"), (b"a,b", "it is text, and a schema is of JSON")]
)
def test_a_sample_that_is_no_json_is_named(tmp_path: Path, body: bytes, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(body)
    with pytest.raises(OperationError, match=f"a.csv: {why}"):
        infer_schema([path])

"""Of any scalar in a stack file, our reader says what the Pulumi CLI says, or refuses it."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.dialect import Unclear, read_bare
from tests.infra.yaml_v3 import RefusedError, resolve

PIECES = [
    "0",
    "1",
    "7",
    "8",
    "9",
    "12",
    "30",
    "2026",
    "11",
    "x",
    "X",
    "o",
    "b",
    "e",
    "E",
    "f",
    "+",
    "-",
    ".",
    "_",
    ":",
    "T",
    "Z",
]
WORDS = ["yes", "no", "on", "off", "Y", "true", "True", "tRUE", "~", "null", "", "inf", "nan", "NaN", " "]
numbers = st.lists(st.sampled_from([*PIECES, *WORDS]), min_size=1, max_size=8).map("".join)
dates = st.from_regex(
    r"\A[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|\+0[0-9]:00)?)?\Z"
)
scalars = (numbers | dates | st.text(max_size=12) | st.integers().map(str) | st.floats().map(repr)).map(str.strip)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


@given(scalars)
@example("0b-1")
@example("0x_f")
@example("1e400")
@example("\u0661")
@example("00000000000000000000000000000000000000000000000000000000000000000000000000000000000017")
def test_whatever_is_written_is_read_as_the_cli_reads_it_or_refused(text: str) -> None:
    found = read_bare(text)
    if isinstance(found, Unclear):
        assert found.written == text
        assert found.fix.startswith("put it in quotes")
        return
    assert same(found, resolve(text))
    assert not isinstance(found, float) or math.isfinite(found)


@given(st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15).filter(lambda value: "e" not in repr(value)))
def test_a_number_that_is_plainly_written_is_one(value: float) -> None:
    assert read_bare(repr(value)) == value


@given(scalars)
def test_what_is_to_be_written_instead_is_read_by_everybody(text: str) -> None:
    found = read_bare(text)
    if isinstance(found, Unclear) and ", or write " in found.fix:
        assert same(read_bare(found.fix.rpartition(" ")[2]), resolve(text))


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NaN"])
def test_what_is_no_number_of_json_is_refused(text: str) -> None:
    assert isinstance(read_bare(text), Unclear)
    with pytest.raises(RefusedError):
        resolve(text)

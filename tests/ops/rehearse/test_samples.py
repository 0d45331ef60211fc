"""A rehearsal finds samples that fit a trigger, or says that it needs one."""

from types import SimpleNamespace
from typing import Any

import pytest

from ops.errors import OperationError
from ops.rehearse.occasions import occasion
from ops.rehearse.samples import matching_name, takes
from ops.trying.given import read_message


def trigger(prefix: str = "", **source: str) -> Any:
    return SimpleNamespace(name="echo", prefix=prefix, settings={"source": {"prefix": prefix, **source}})


@pytest.mark.parametrize(
    ("prefix", "glob", "expected"),
    [
        ("in/", None, "in/hello.txt"),
        ("in/", "**/*.txt", "in/hello.txt"),
        ("in/", "in/2026/*.txt", "in/2026/hello.txt"),
        ("in/", "**/_SUCCESS", "in/_SUCCESS"),
        ("", "*.manifest.json", "hello.manifest.json"),
        ("", "day-?/[ab]*/**/x", "day-x/ahello/x"),
        ("", "a**b", "ahellob"),
    ],
)
def test_a_sample_file_gets_a_name_that_the_trigger_takes(prefix: str, glob: str | None, expected: str) -> None:
    found = trigger(prefix, **({"glob": glob} if glob else {}))
    assert matching_name(found, "hello.txt") == expected
    assert takes(found, expected)


def test_a_glob_that_no_name_was_found_for_asks_for_one() -> None:
    with pytest.raises(OperationError, match=r"no name was found that '\[!!\]' matches; give FILE one"):
        matching_name(trigger(glob="[!!]"), "hello.txt")


@pytest.mark.parametrize(
    ("body", "data", "attributes"),
    [
        (b'{"attributes": {"a": "b"}, "data": {"x": 1}}', b'{"x": 1}', {"a": "b"}),
        (b'{"attributes": {"a": "b"}, "data": "text"}', b"text", {"a": "b"}),
        (b'{"attributes": {}}', b"", {}),
        (b'{"attributes": {}, "other": 1}', b'{"attributes": {}, "other": 1}', {}),
        (b'{"data": 1}', b'{"data": 1}', {}),
        (b'{"attributes": ["a"]}', b'{"attributes": ["a"]}', {}),
        (b"\xff", b"\xff", {}),
    ],
)
def test_a_file_is_a_message_s_data_or_a_message(body: bytes, data: bytes, attributes: dict[str, str]) -> None:
    assert read_message(body) == (data, attributes)


@pytest.mark.parametrize(
    ("prefix", "glob", "beside"),
    [
        ("in/", "**/_SUCCESS", True),
        ("", "in/*.json", True),
        ("in/", None, False),
        ("in/orders-", None, False),
        ("", "in/marker-*", False),
        ("", "**", False),
    ],
)
def test_a_file_is_passed_over_only_where_a_glob_leaves_out_what_is_announced(
    prefix: str, glob: str | None, beside: bool
) -> None:
    found = trigger(prefix, **({"glob": glob} if glob else {}))
    found.kind, found.reads_content = "gcs", False
    nothing: Any = None
    assert (occasion(nothing, found, None, lambda *_: None).pass_over is not None) is beside

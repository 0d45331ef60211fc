"""Content that was to be data and is not is told from text that is meant as text, and nothing of it is said."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from function_src.launcher.mapping import content
from function_src.launcher.mapping.content import MOST_LINES, MOST_VALUES, BadContentError, broken_json, read_content
from tests.launcher.test_parameters import values

SECRET = "ann@example.org"


def problem(body: bytes, name: str = "a.csv", content_type: str | None = None) -> str | None:
    return broken_json({**read_content(body), "object": {"name": name, "content_type": content_type}})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"a": 1', "line 1, column 8"),
        (b'{"a": 1,\n "b": [1,\n  2', "line 3, column 4"),
        (b'{"owner": "' + SECRET.encode(), "line 1, column 11"),
        (b'\xef\xbb\xbf{"a": 1,}', "line 1, column "),
        (b'{"a": 1}\n{"a": 2}\n', "line 2, column 1"),
        (b'{"a": NaN}', "it has a number that is none there, such as NaN"),
        (b"[" + b"1" * 5000 + b"]", "it has a number that is none there, such as NaN, or one that is too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_broken_json_is_said_to_be_broken_where_it_is(body: bytes, place: str) -> None:
    found = problem(body)
    assert str(found).startswith(f"the content is not JSON: {place}")
    assert SECRET not in str(found)


def test_json_that_nests_too_deeply_is_said_to() -> None:
    assert problem(b"[" * 100_000) == "the content cannot be read as JSON: it nests too deeply"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.json", None),
        ("A.JSON", "application/octet-stream"),
        ("a", "application/json; charset=utf-8"),
        ("a", "application/cloudevents+json"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"rows: 3\n"])
def test_what_is_called_or_declared_json_is_meant_as_json(name: str, content_type: str | None, body: bytes) -> None:
    assert str(problem(body, name, content_type)).startswith("the content is not JSON: line 1, column 1 (")


@pytest.mark.parametrize("body", [b"a,b\n1,2\n", b"rows: 3\n", b"", b"gs://a/b {1}\n"])
def test_text_is_text(body: bytes) -> None:
    assert problem(body) is None
    assert broken_json(read_content(body)) is None


@pytest.mark.parametrize("body", [b"{}", b"3", b"null", b'"a"', b'"{"', b'"{\\"a\\":"'])
def test_json_is_data_whatever_it_holds(body: bytes) -> None:
    assert problem(body, "a.json") is None


@given(
    data=st.dictionaries(st.text(), values, min_size=1) | st.lists(values, min_size=1), end=st.integers(min_value=1)
)
def test_json_that_breaks_off_anywhere_is_broken(data: Any, end: int) -> None:
    text = json.dumps(data)
    cut = text[: end % len(text)]
    assume(cut)
    assert str(problem(cut.encode())).startswith("the content is not JSON: ")


@pytest.mark.parametrize("value", [b"[]", b'{"a":1}', b"0", b'"x"'])
def test_json_of_many_small_values_is_refused_before_it_is_parsed(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten megabytes of them took a quarter of a gigabyte."""
    monkeypatch.setattr(content, "parse", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(BadContentError, match="more than 100000 values"):
        read_content(b" [" + b",".join([value] * (MOST_VALUES + 1)) + b"]")


def test_as_many_values_as_may_be_are_read_and_what_is_no_json_is_not_counted() -> None:
    assert len(read_content(b"[" + b",".join([b"0"] * MOST_VALUES) + b"]")["content"]) == MOST_VALUES
    assert len(read_content(b"a,b\n" * MOST_VALUES)["lines"]) == MOST_VALUES


def test_content_of_more_lines_than_fit_into_memory_is_refused() -> None:
    with pytest.raises(BadContentError, match="more than 100000 lines; pass the file's URI instead"):
        read_content(b"a\n" * (MOST_LINES + 1))


@pytest.mark.parametrize(
    "text", ["", "\n", "a", "a\n", "a\r\n", "a\r\r\n", "a\rb\n\nc", "\n\n", "a\r", "\u2028\x0c\x1c\n", "a\n "]
)
def test_lines_are_what_a_text_file_has(text: str) -> None:
    assert read_content(text.encode())["lines"] == [line.rstrip("\r\n") for line in io.StringIO(text)]

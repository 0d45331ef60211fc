"""Content as people have it: JSON Lines, tables, gzip and marks of the order of bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from function_src.launcher.mapping.content import MOST_ROWS, MOST_VALUES, BadContentError, add_views, read_content
from function_src.launcher.mapping.expression import evaluate, read_expression, read_of_content
from tests.launcher.test_parameters import values

SECRET = "ann@example.org"
names = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1, max_size=5).map(str.strip)
cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=5)


def view(name: str, body: bytes, limit: int = 2**20) -> Any:
    return add_views(read_content(body, limit), {name})[name]


def search(text: str, body: bytes) -> Any:
    expression = read_expression("p", text)
    return evaluate("p", expression, add_views(read_content(body), read_of_content(expression)))


@given(data=st.lists(values), blank=st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]))
def test_records_are_the_values_of_json_lines(data: list[Any], blank: str) -> None:
    lines = [json.dumps(value) for value in data]
    assume(not any(word in line for line in lines for word in ("Infinity", "NaN")))  # which are Python's
    assert view("records", blank.join(lines).encode()) == data


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"a": 1}\n{"a": ', 2),
        (b'{"a": 1}\n\nann@example.org\n', 3),
        (b'{\n  "a": 1\n}\n', 1),
        (b'{"a": NaN}', 1),
        (b"[" * 50_000, 1),
    ],
)
def test_a_line_that_is_no_json_rejects_the_event_and_is_named_without_what_it_says(body: bytes, line: int) -> None:
    with pytest.raises(BadContentError, match=rf"^line {line} of the content is not JSON, and records are") as raised:
        view("records", body)
    assert SECRET not in str(raised.value)


def test_records_of_many_small_values_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(BadContentError, match="JSON of more than 100000 values"):
        view("records", b"0\n" + b"[" + b"0," * MOST_VALUES + b"0]\n")


@given(header=st.lists(names, min_size=2, max_size=4, unique=True), data=st.lists(st.lists(cells, min_size=4)))
def test_rows_are_what_a_writer_of_csv_wrote(header: list[str], data: list[list[str]]) -> None:
    assume(all(header))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    rows = [row[: len(header)] for row in data]
    writer.writerows([header, *rows])
    assert view("rows", file.getvalue().encode()) == [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        pytest.param(
            "id,region\n1,eu\n2,us\n", [{"id": "1", "region": "eu"}, {"id": "2", "region": "us"}], id="comma"
        ),
        pytest.param("\ufeffid;price\r\n1;2,50\r\n", [{"id": "1", "price": "2,50"}], id="as a spreadsheet writes it"),
        pytest.param("id\tname\n1\ta, b\n", [{"id": "1", "name": "a, b"}], id="tabs"),
        pytest.param('"a;b",c\n1,2\n', [{"a;b": "1", "c": "2"}], id="a delimiter in quotes"),
        pytest.param("uri\ngs://b/1\n\ngs://b/2\n", [{"uri": "gs://b/1"}, {"uri": "gs://b/2"}], id="one column"),
        pytest.param(",id\n0,a\n1,b\n", [{"id": "a"}, {"id": "b"}], id="an index without a name"),
        pytest.param('id,note\n1,"two\nlines"\n', [{"id": "1", "note": "two\nlines"}], id="a line's end in quotes"),
        pytest.param("id, region\n1,eu\n", [{"id": "1", "region": "eu"}], id="spaces around a name"),
        pytest.param("id,region\n", [], id="nothing but a header"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_rows_are_maps_of_text_by_the_header(body: str, rows: list[dict[str, str]]) -> None:
    assert view("rows", body.encode()) == rows


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("id,region\n1,eu\n2\n", "the row in line 3 of the content does not fit its header: values 1, names 2"),
        ("id\n1,ann@example.org\n", "the row in line 2 of the content does not fit its header: values 2, names 1"),
        ("id,a,id\n", "columns 1 and 3 of the content's header have one name"),
        ('id,note\n1,"ann@example.org\n2,x\n', "line 3 of the content is not CSV: unexpected end of data"),
        ('id,note\n1,"a"b\n', "line 2 of the content is not CSV: ',' expected after '\"'"),
        (f"id\n{'x' * 140_000}\n", r"line 2 of the content is not CSV: field larger than field limit \(131072\)"),
        (",".join(map(str, range(1000))) + f"\n{',' * 999}" * 100, "the content's rows hold more than 100000 values"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_table_that_is_damaged_rejects_the_event_without_what_it_says(body: str, reason: str) -> None:
    with pytest.raises(BadContentError, match=f"^{reason}") as raised:
        view("rows", body.encode())
    assert SECRET not in str(raised.value)


def test_no_more_than_the_first_rows_are_read_and_what_follows_does_not_matter() -> None:
    body = b"id,region\n" + b"1,eu\n" * MOST_ROWS + b'1,2,3\n"\n'
    assert len(view("rows", body)) == MOST_ROWS


def test_a_view_is_made_only_for_an_expression_that_names_it() -> None:
    assert search("content.a", b'{"a": 1}') == 1
    assert search("records[0].a || content", b'{"a": 1}') == 1
    assert set(search("@", b'{\n"a": 1}')) == {"content", "lines"}


# --- gzip, and marks of the order of bytes -------------------------------------------------------------------------


@given(parts=st.lists(st.binary(max_size=50).map(bytes.hex), min_size=1, max_size=3))
def test_gzip_is_read_as_what_it_holds_in_one_member_or_several(parts: list[str]) -> None:
    packed = b"".join(gzip.compress(part.encode()) for part in parts)
    assert read_content(packed) == read_content("".join(parts).encode())


def test_rows_of_a_packed_table() -> None:
    assert view("rows", gzip.compress("\ufeffid\n1\n".encode())) == [{"id": "1"}]


def test_gzip_is_unpacked_to_the_limit_and_no_further() -> None:
    assert read_content(gzip.compress(b"x" * 1000), 1000)["content"] == "x" * 1000
    with pytest.raises(BadContentError, match=r"^the content holds, unpacked, more than content_limit, 1000 bytes$"):
        read_content(gzip.compress(b"x" * 50_000_000), 1000)


@given(end=st.integers(min_value=2, max_value=30))
def test_gzip_that_breaks_off_anywhere_is_rejected(end: int) -> None:
    packed = gzip.compress(b'{"rows": 3}', mtime=0)
    assert len(packed) > 30
    with pytest.raises(BadContentError, match=r"^the content is gzip that breaks off$"):
        read_content(packed[:end])


@pytest.mark.parametrize(
    "damage", [b"\x1f\x8b\x00text", gzip.compress(b"x" * 9, mtime=0)[:-8] + b"\0" * 8, b"\x1f\x8b\x08" + b"\xff" * 9]
)
def test_gzip_that_is_damaged_is_rejected(damage: bytes) -> None:
    with pytest.raises(BadContentError, match=r"^the content is gzip that "):
        read_content(damage)


def test_what_follows_gzip_and_is_none_is_not_lost_silently() -> None:
    with pytest.raises(BadContentError, match="cannot be unpacked: Not a gzipped file"):
        read_content(gzip.compress(b"a") + b"b")


@pytest.mark.parametrize("text", ["a", "a,b\r\n1,2\r\n", '{"rows": 3}', "käse,brot\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_and_without_its_mark(text: str, encoding: str) -> None:
    with pytest.raises(BadContentError, match=r"^the content is UTF-16; save it as UTF-8$"):
        read_content(text.encode(encoding))


@pytest.mark.parametrize("body", [b"\0", b"\0" * 100, b"a\0\0b", b"", b"a"])
def test_a_nul_alone_makes_no_utf_16(body: bytes) -> None:
    assert read_content(body)["content"] == body.decode()

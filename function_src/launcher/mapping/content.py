"""What stands in a file or a message, as expressions see it. Pure."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping, Sequence, Set
from typing import Any, NoReturn

# Counted before they are made: in memory, a value of JSON takes up to 112 bytes, and a line up to 88, where in a file
# they take three.
MOST_VALUES = MOST_LINES = 100_000
MOST_ROWS = 1000  # that are read; what a run is to get of more, it reads from the file
GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1; no text in UTF-8 starts so
LARGEST = 2**30  # bytes, where nobody sets a limit
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
DELIMITERS = ",\t;"  # of a table: the first that stands in its header, outside of quotes


def holds_too_many(text: str | bytes) -> bool:
    """Whether JSON holds more values than are read."""
    if isinstance(text, bytes):
        return sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES
    return sum(map(text.count, ",[{")) > MOST_VALUES


class BadContentError(ValueError):
    """The content is more than is read, or not what an expression takes it for."""


def read_content(body: bytes, limit: int = LARGEST) -> dict[str, Any]:
    """Returns ``content`` (JSON if it parses, else text) and ``lines``; of gzip, those of what it holds.

    Raises:
        UnicodeDecodeError: it is not UTF-8 text.
        BadContentError: it is UTF-16, or damaged gzip or one of more than ``limit`` bytes, or would take too much
            memory, whatever its size.
    """
    if body.startswith(GZIP):
        body = _unpacked(body, limit)
    if _is_wide(body):
        raise BadContentError("the content is UTF-16; save it as UTF-8")
    text = body.decode("utf-8-sig")
    if text.count("\n") > MOST_LINES:
        raise BadContentError(f"the content has more than {MOST_LINES} lines; pass the file's URI instead")
    if text.lstrip().startswith(("{", "[")) and holds_too_many(text):
        raise BadContentError(f"the content is JSON of more than {MOST_VALUES} values; pass the file's URI instead")
    try:
        content = parse(text)
    except (ValueError, RecursionError):
        content = text
    return {"content": content, "lines": _lines(text)}


def broken_json(document: Mapping[str, Any]) -> str | None:
    """Where the content of an event document stops being JSON; None if it is data, or text that is meant as text.

    Not what stands there: logs must not carry payloads.
    """
    text = document.get("content")
    if not isinstance(text, str) or not is_text(document) or not _meant_as_json(text, document.get("object")):
        return None
    try:
        parse(text)
    except json.JSONDecodeError as error:
        return f"the content is not JSON: line {error.lineno}, column {error.colno} ({error.msg})"
    except RecursionError:
        return "the content cannot be read as JSON: it nests too deeply"
    except ValueError:
        return "the content is not JSON: it has a number that is none there, such as NaN, or one that is too long"
    return None


def is_text(document: Mapping[str, Any]) -> bool:
    """Whether the content of an event document is text that did not parse. A string of JSON is data too."""
    text = document.get("content")
    return isinstance(text, str) and _lines(text) == document.get("lines")


def add_views(document: Mapping[str, Any], wanted: Set[str]) -> Mapping[str, Any]:
    """An event document that has its content, with ``records`` and ``rows`` of it where they are wanted.

    Raises:
        BadContentError: what is wanted of the content is not in it.
    """
    views = {name: read(document["lines"]) for name, read in VIEWS.items() if name in wanted and name not in document}
    return {**document, **views} if views else document


def _records(lines: Sequence[str]) -> list[Any]:
    """The values of JSON Lines (jsonlines.org), one for each line that is not blank."""
    if len(lines) + sum(line.count(mark) for line in lines for mark in ",[{") > MOST_VALUES:
        raise BadContentError(f"the content is JSON of more than {MOST_VALUES} values; pass the file's URI instead")
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(parse(line))
        except (ValueError, RecursionError):
            raise BadContentError(
                f"line {number} of the content is not JSON, and records are JSON, one to a line"
            ) from None
    return records


def _rows(lines: Sequence[str]) -> list[dict[str, str]]:
    """The first rows of a table with a header (RFC 4180), as maps of text. A column without a name, such as an index
    that pandas writes, is left out."""
    first = next(filter(str.strip, lines), "")
    outside = re.sub(r'"[^"]*"', "", first)
    delimiter = next((mark for mark in DELIMITERS if mark in outside), ",")
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows: list[dict[str, str]] = []
    try:
        for cells in reader:
            if not header:
                header = _header(cells)
            elif len(rows) == MOST_ROWS:
                break
            elif cells:
                rows.append(_row(header, cells, reader.line_num))
            if (len(rows) + 1) * len(header) > MOST_VALUES:
                raise BadContentError(
                    f"the content's rows hold more than {MOST_VALUES} values; pass the file's URI instead"
                )
    except csv.Error as error:
        raise BadContentError(f"line {reader.line_num} of the content is not CSV: {error}") from None
    return rows


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for number, name in enumerate(names):
        if name and name in names[:number]:
            raise BadContentError(
                f"columns {names.index(name) + 1} and {number + 1} of the content's header have one name"
            )
    return names


def _row(header: Sequence[str], cells: Sequence[str], line: int) -> dict[str, str]:
    if len(cells) != len(header):
        raise BadContentError(
            f"the row in line {line} of the content does not fit its header: values {len(cells)}, names {len(header)}"
        )
    return {name: cell for name, cell in zip(header, cells, strict=True) if name}


VIEWS = {"records": _records, "rows": _rows}


def _unpacked(body: bytes, limit: int) -> bytes:
    try:
        held = gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
    except EOFError:
        raise BadContentError("the content is gzip that breaks off") from None
    except (OSError, zlib.error) as error:
        raise BadContentError(f"the content is gzip that cannot be unpacked: {error}") from None
    if len(held) > limit:
        raise BadContentError(f"the content holds, unpacked, more than content_limit, {limit} bytes")
    return held


def _is_wide(body: bytes) -> bool:
    """Whether it is UTF-16: by its byte-order mark, or as Latin letters look in it. Those pass for UTF-8, with a NUL
    after each."""
    start = body[:64]
    return body.startswith(WIDE) or (any(start) and not (any(start[::2]) and any(start[1::2])) and len(start) > 1)


def _meant_as_json(text: str, found: Any) -> bool:
    """Whether the object is called or declared JSON, or what stands in it starts as an object or a list does."""
    if isinstance(found, Mapping):
        kind = str(found.get("content_type")).partition(";")[0].strip().lower()
        if str(found.get("name")).lower().endswith(".json") or kind == "application/json" or kind.endswith("+json"):
            return True
    return text.lstrip().startswith(("{", "["))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.rstrip("\r") for line in lines]


def parse(text: str) -> Any:
    """Parses JSON, and nothing that Python alone takes for it; raises ValueError or RecursionError."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is Python's, not JSON's")

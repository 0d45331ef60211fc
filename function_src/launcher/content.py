"""What stands in a file or a message, as expressions see it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

# Counted before they are made: in memory, a value of JSON takes up to 112 bytes, and a line up to 88, where in a file
# they take three.
MOST_VALUES = MOST_LINES = 100_000


def holds_too_many(text: str | bytes) -> bool:
    """Whether JSON holds more values than are read."""
    if isinstance(text, bytes):
        return sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES
    return sum(map(text.count, ",[{")) > MOST_VALUES


class TooManyValuesError(ValueError):
    """The content has more values or lines than are read."""


def read_content(body: bytes) -> dict[str, Any]:
    """Returns ``content`` (JSON if it parses, else text) and ``lines``.

    Raises:
        UnicodeDecodeError: it is not UTF-8 text.
        TooManyValuesError: it would take too much memory, whatever its size.
    """
    text = body.decode("utf-8-sig")
    if text.count("\n") > MOST_LINES:
        raise TooManyValuesError(f"the content has more than {MOST_LINES} lines; pass the file's URI instead")
    if text.lstrip().startswith(("{", "[")) and holds_too_many(text):
        raise TooManyValuesError(
            f"the content is JSON of more than {MOST_VALUES} values; pass the file's URI instead"
        )
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

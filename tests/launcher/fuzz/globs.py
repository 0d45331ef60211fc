"""What docs/events.md says of globs, as slowly as it says it: every way to take a name apart, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

SMALL, LATER = "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz0123456789_"
DIGITS = "0123456789"
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
Part = tuple[str, ...]  # its kind, and what is written of it


class RefusedError(Exception):
    """It is none of what the docs describe."""


def read(glob: str) -> list[Part]:
    """The parts of a glob."""
    if not glob or glob[0] == "/" or glob[:5] == "gs://":
        raise RefusedError
    parts, at = [], 0
    while at < len(glob):
        part, at = _next(glob, at)
        parts.append(part)
    names = [part[1] for part in parts if part[0] == "capture"]
    if len(names) != len(set(names)):
        raise RefusedError
    return parts


def _next(glob: str, at: int) -> tuple[Part, int]:
    rest = glob[at:]
    if rest[0] == "*":
        if rest[:3] == "**/" and (at == 0 or glob[at - 1] == "/"):
            return ("directories",), at + 3
        return (("deep",), at + 2) if rest[:2] == "**" else (("star",), at + 1)
    if rest[0] == "?":
        return ("one",), at + 1
    if rest[0] == "{":
        name, _, kind = rest[1 : _end(rest, "}")].partition(":")
        if not name or name[0] not in SMALL or set(name) - set(LATER) or kind not in ("", "int", "date"):
            raise RefusedError
        return ("capture", name, kind), at + _end(rest, "}") + 1
    if rest[0] == "[":
        written = rest[1 : _end(rest, "]")]
        if not _listed(written.removeprefix("!")) or set(written) & set("{}\\"):
            raise RefusedError
        return ("set", written), at + len(written) + 2
    if rest[0] in "}\\":
        raise RefusedError
    return ("text", rest[0]), at + 1


def _end(rest: str, closing: str) -> int:
    if closing not in rest:
        raise RefusedError
    return rest.index(closing)


def _listed(written: str) -> list[tuple[str, str]]:
    """The ranges of a set; a character alone is one of itself."""
    ranges = []
    while written:
        size = 3 if len(written) > 2 and written[1] == "-" else 1
        low, high = written[0], written[size - 1]
        if low > high:
            raise RefusedError
        ranges.append((low, high))
        written = written[size:]
    return ranges


def capture(glob: str, name: str) -> dict[str, Any] | None:
    """What the captures take; None where the name does not fit."""
    parts = read(glob)

    @cache
    def ends(number: int, at: int) -> int | None:
        """Where this part ends, on the first way on which the rest of the parts takes the rest of the name."""
        for end in _ends(parts[number], name, at):
            last = number + 1 == len(parts)
            if end == len(name) if last else ends(number + 1, end) is not None:
                return end
        return None

    found: dict[str, Any] = {}
    at = 0
    for number, part in enumerate(parts):
        end = ends(number, at)
        if end is None:
            return None
        if part[0] == "capture":
            text = name[at:end]
            if part[2] == "date" and not _is_a_day(text):
                return None
            found[part[1]] = int(text) if part[2] == "int" and len(text) <= 15 else text
        at = end
    return found


def _ends(part: Part, name: str, at: int) -> Iterator[int]:
    """Where a part that starts there may end: what it takes least comes first."""
    here = name[at : at + 1]
    match part:
        case ("text", character):
            yield from [at + 1] if here == character else []
        case ("one",):
            yield from [at + 1] if here and here != "/" else []
        case ("set", written):
            among = any(low <= here <= high for low, high in _listed(written.removeprefix("!")))
            yield from [at + 1] if here and here != "/" and among != (written[0] == "!") else []
        case ("star",):
            yield from (end for end in range(at, len(name) + 1) if "/" not in name[at:end])
        case ("deep",):
            yield from range(at, len(name) + 1)
        case ("directories",):
            yield from (end for end in range(at, len(name) + 1) if end == at or name[end - 1] == "/")
        case ("capture", _, ""):
            yield from (end for end in range(at + 1, len(name) + 1) if "/" not in name[at:end])
        case ("capture", _, "int"):
            yield from (end for end in range(at + 1, len(name) + 1) if set(name[at:end]) <= set(DIGITS))
        case ("capture", _, "date"):
            written = "".join("d" if letter in DIGITS else letter for letter in name[at : at + 10])
            yield from [at + 10] if written == "dddd-dd-dd" else []


def _is_a_day(text: str) -> bool:
    year, month, day = map(int, text.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return year > 0 and 0 < month < 13 and 0 < day <= DAYS[month - 1] + (leap and month == 2)

"""What yaml.v3 makes of a scalar without quotes, from its resolve.go (v3.0.1) and Go's strconv and time.

The engine's tests hold this to the CLI itself, and the product's own reader is held to this.
"""

from __future__ import annotations

import calendar
import json
import re
import string
from typing import Any

WORDS: dict[str, Any] = {
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
}
DIGITS = string.digits + string.ascii_lowercase
STYLE = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
DAY = r"(\d{4})-(\d{1,2})-(\d{1,2})"
CLOCK = r"(\d{1,2}):(\d{1,2}):(\d{1,2})([.,]\d+)?"


class RefusedError(Exception):
    """The CLI refuses the file, since JSON has no such number."""


def resolve(text: str) -> Any:
    """The value as JSON hands it on: of a time the text ``time``, whatever it is then written as."""
    if text in WORDS:
        return WORDS[text]
    if re.fullmatch(r"\.(nan|NaN|NAN)|[-+]?\.(inf|Inf|INF)", text):
        raise RefusedError
    if text[0] == ".":
        return number(text) if STYLE.match(text) else text
    if text[0] not in "+-0123456789":
        return text
    if is_time(text):
        return "time"
    plain = text.replace("_", "")
    for read in (parse_int, parse_uint):
        if (found := read(plain, 0)) is not None:
            return found
    if STYLE.match(plain) and isinstance(found := number(plain), int | float):
        return found
    for prefix, base in (("0b", 2), ("0o", 8)):
        if plain.startswith(prefix) and (found := parse_int(plain[2:], base)) is not None:
            return found
        if plain.startswith(f"-{prefix}") and (found := parse_int(f"-{plain[3:]}", base)) is not None:
            return found
    return text


def number(text: str) -> Any:
    """A float as Go's encoding/json writes it and Python reads it; text where it is too large for strconv."""
    found = float(text)
    if abs(found) == float("inf"):
        return text
    return int(found) if abs(found) < 1e21 and found == int(found) else json.loads(json.dumps(found))


def parse_int(text: str, base: int) -> int | None:
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    found = digits(rest, base)
    if found is None or found > 2**63 - (sign != "-"):
        return None
    return -found if sign == "-" else found


def parse_uint(text: str, base: int) -> int | None:
    found = digits(text, base)
    return found if found is not None and found < 2**64 else None


def digits(text: str, base: int) -> int | None:
    if base == 0:
        base = 10
        if text[:1] == "0":
            known = {"0b": 2, "0o": 8, "0x": 16}.get(text[:2].lower()) if len(text) >= 3 else None
            base, text = (known, text[2:]) if known else (8, text[1:] or "0")
    allowed = DIGITS[:base]
    if not text or any(letter.lower() not in allowed or not letter.isascii() for letter in text):
        return None
    found = 0
    for letter in text:
        found = found * base + allowed.index(letter.lower())
    return found


def is_time(text: str) -> bool:
    shape = re.match(rf"{DAY}(?:[Tt]{CLOCK}(?:Z|[-+]\d\d:\d\d)| +{CLOCK})?\Z", text, re.ASCII)
    if not shape:
        return False
    year, month, day = map(int, shape.groups()[:3])
    clock = [int(part) for part in (*shape.groups()[3:6], *shape.groups()[7:10]) if part]
    right = 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 4, month)[1]
    return right and (not clock or (clock[0] < 24 and clock[1] < 60 and clock[2] < 60))

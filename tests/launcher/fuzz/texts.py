"""What docs/configuration.md says of the functions for text, a letter at a time."""

# ruff: noqa: RUF001 letters that look like others are what is meant here

from __future__ import annotations

from typing import Any

from tests.launcher.fuzz.globs import RefusedError

# Unicode's UnicodeData.txt and SpecialCasing.txt, of letters that change their number or depend on their neighbours.
CAPITALS = {
    "a": "A", "b": "B", "i": "I", "é": "É", "ı": "I", "ß": "SS", "ﬁ": "FI", "ŉ": "\u02bcN", "ǆ": "Ǆ", "ǅ": "Ǆ",
    "σ": "Σ", "ς": "Σ", "α": "Α", "ΐ": "\u0399\u0308\u0301", "𐐨": "𐐀", "ᾳ": "\u0391\u0399",
}  # fmt: skip
SMALLS = {
    "A": "a", "B": "b", "I": "i", "É": "é", "İ": "i\u0307", "ẞ": "ß", "Ǆ": "ǆ", "ǅ": "ǆ", "Α": "α", "𐐀": "𐐨",
    "\u212a": "k", "\u212b": "å",
}  # fmt: skip
PLAIN = " .-1/😀中٣"
IGNORED = "\u0301.'"  # between a sigma and what decides whether it is the last letter of its word (Case_Ignorable)
# PropList.txt, White_Space.
WHITE = "".join(
    map(chr, [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
)
LETTERS = {*CAPITALS, *SMALLS, "Σ"}
SPACES = " \t\n\r"  # RFC 8259, section 2
ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def upper(text: str) -> str:
    """By the tables."""
    return "".join(CAPITALS.get(letter, letter) for letter in text)


def lower(text: str) -> str:
    """By the tables, and a capital sigma by its place: the Unicode Standard, table 3-17, Final_Sigma."""
    made = []
    for at, letter in enumerate(text):
        before = [one for one in text[:at] if one not in IGNORED][-1:]
        after = [one for one in text[at + 1 :] if one not in IGNORED][:1]
        last = bool(before) and before[0] in LETTERS and not (after and after[0] in LETTERS)
        made.append(("ς" if last else "σ") if letter == "Σ" else SMALLS.get(letter, letter))
    return "".join(made)


def trim(text: str) -> str:
    """Without white space around it."""
    while text and text[0] in WHITE:
        text = text[1:]
    while text and text[-1] in WHITE:
        text = text[:-1]
    return text


def _stands(text: str, part: str, at: int) -> bool:
    return all(text[at + number : at + number + 1] == letter for number, letter in enumerate(part))


def split(text: str, separator: str) -> list[str]:
    """The parts of a text; each letter where nothing separates them."""
    if not separator:
        return [*text]
    parts, at = [""], 0
    while at < len(text):
        if _stands(text, separator, at):
            parts.append("")
            at += len(separator)
        else:
            parts[-1] += text[at]
            at += 1
    return parts


def replace(text: str, old: str, new: str) -> str:
    """Another part in the place of each; of nothing, which stands before and after each letter."""
    if not old:
        return new + "".join(letter + new for letter in text)
    made, at = "", 0
    while at < len(text):
        here = _stands(text, old, at)
        made += new if here else text[at]
        at += len(old) if here else 1
    return made


def find_first(text: str, part: str) -> int | None:
    """Where the part begins."""
    return next((at for at in range(len(text)) if part and _stands(text, part, at)), None)


def find_last(text: str, part: str) -> int | None:
    """Where the part begins, the last time."""
    return next((at for at in reversed(range(len(text))) if part and _stands(text, part, at)), None)


def parse_json(text: str) -> Any:
    """By RFC 8259, from left to right. Of two equal names the last counts; a number is Python's own."""
    value, at = _value(text, _after_spaces(text, 0))
    if _after_spaces(text, at) != len(text):
        raise RefusedError
    return value


def _after_spaces(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in SPACES:
        at += 1
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    for word, value in {"true": True, "false": False, "null": None}.items():
        if text.startswith(word, at):
            return value, at + len(word)
    match text[at : at + 1]:
        case '"':
            return _string(text, at + 1)
        case "[":
            return _members(text, at + 1, "]")
        case "{":
            pairs, at = _members(text, at + 1, "}")
            return dict(pairs), at
    return _number(text, at)


def _members(text: str, at: int, closing: str) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _after_spaces(text, at)
    if text[at : at + 1] == closing:
        return found, at + 1
    while True:
        value, at = _pair(text, at) if closing == "}" else _value(text, at)
        found.append(value)
        at = _after_spaces(text, at)
        if text[at : at + 1] == closing:
            return found, at + 1
        at = _after_spaces(text, _past(text, at, ","))


def _pair(text: str, at: int) -> tuple[tuple[str, Any], int]:
    name, at = _string(text, _past(text, at, '"'))
    value, at = _value(text, _after_spaces(text, _past(text, _after_spaces(text, at), ":")))
    return (name, value), at


def _past(text: str, at: int, wanted: str) -> int:
    if text[at : at + 1] != wanted:
        raise RefusedError
    return at + 1


def _string(text: str, at: int) -> tuple[str, int]:
    units: list[str] = []
    while True:
        letter = text[at : at + 1]
        if letter == '"':
            return _joined(units), at + 1
        if not letter or letter < " ":
            raise RefusedError
        if letter != "\\":
            units.append(letter)
            at += 1
        elif (escaped := text[at + 1 : at + 2]) == "u":
            digits = text[at + 2 : at + 6]
            if len(digits) < 4 or set(digits) - set("0123456789abcdefABCDEF"):
                raise RefusedError
            units.append("\\" + chr(int(digits, 16)))
            at += 6
        elif escaped in ESCAPED and escaped:
            units.append(ESCAPED[escaped])
            at += 2
        else:
            raise RefusedError


def _joined(units: list[str]) -> str:
    """Two halves of a character that were escaped one after the other are one (section 7)."""
    made, at = "", 0
    while at < len(units):
        two = [ord(unit[1]) if len(unit) == 2 else 0 for unit in units[at : at + 2]]
        if len(two) == 2 and 0xD800 <= two[0] < 0xDC00 <= two[1] < 0xE000:
            made += chr(0x10000 + (two[0] - 0xD800) * 0x400 + two[1] - 0xDC00)
            at += 2
        else:
            made += units[at][-1]
            at += 1
    return made


def _number(text: str, at: int) -> tuple[float, int]:
    start = at
    at += text[at : at + 1] == "-"
    at, whole = _digits(text, at)
    if len(whole) > 1 and whole[0] == "0":
        raise RefusedError
    before = at
    if text[at : at + 1] == ".":
        at, _ = _digits(text, at + 1)
    if text[at : at + 1] in ("e", "E"):
        at += 1
        at += text[at : at + 1] in ("+", "-")
        at, _ = _digits(text, at)
    return (int(text[start:at]) if at == before else float(text[start:at])), at


def _digits(text: str, at: int) -> tuple[int, str]:
    start = at
    while text[at : at + 1] and text[at] in "0123456789":
        at += 1
    if at == start:
        raise RefusedError
    return at, text[start:at]

"""YAML as the Pulumi CLI reads it. Pure; ``kfp_connect`` has the same module, to the letter.

The CLI reads stack files with Go's yaml.v3 and hands on what it read as JSON. Other readers, PyYAML and editors among
them, make something else of dates, zeros, exponents and large numbers. A scalar that means the same to all, or is
plainly text to the CLI (``on``, ``12:30``), is read; any other is :class:`Unclear`.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import yaml

YAML = "tag:yaml.org,2002:"
MERGE, TEXT = f"{YAML}merge", f"{YAML}str"
BARE = "bare"  # the tag of a scalar that has neither quotes nor a tag
TYPES = {f"{YAML}int": (int,), f"{YAML}float": (int, float), f"{YAML}bool": (bool,), f"{YAML}null": (type(None),)}
READABLE = {BARE, TEXT, f"{YAML}map", f"{YAML}seq", *TYPES}
WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
}
WHOLE = {
    16: re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"),
    2: re.compile(r"([-+]?)0[bB]([01]+)|0b([-+][01]+)"),
    8: re.compile(r"([-+]?)(?:0[oO]([0-7]+)|(0[0-7]*))|0o([-+][0-7]+)"),
    10: re.compile(r"([-+]?)([1-9][0-9]*)"),
}
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
CLOCK = r"(\d\d?):(\d\d?):(\d\d?)(?:[.,](\d+))?"
ZONE = r"Z|[-+]\d\d:\d\d"
TIME = re.compile(rf"(\d{{4}})-(\d\d?)-(\d\d?)(?:[Tt]{CLOCK}({ZONE})| +{CLOCK})?", re.ASCII)
EXACT = 2**53  # up to here every reader of JSON keeps a whole number
WITH_EXPONENT = 1e21  # from here Go writes a number with one, and it is no whole number to who reads that
LONGEST = 40  # of what is shown of a scalar, and suggested to write
QUOTE = "put it in quotes"
IN_FILE = "write it into the file as it is, or run pulumi itself"


@dataclass(frozen=True)
class Unclear:
    """A scalar that the Pulumi CLI reads as something else than others do, and that was hardly meant so."""

    written: str
    problem: str
    fix: str = QUOTE

    def __str__(self) -> str:
        return self.written


class StackLoader(yaml.SafeLoader):
    """A file as the Pulumi CLI reads it, and of that only what JSON can hold."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """The tag of a node that has none."""
        if kind is yaml.ScalarNode:
            return TEXT if not implicit[0] else MERGE if value == "<<" else BARE
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]  # PyYAML has no types

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """What a node holds. What only the CLI refuses becomes an error of the file, with its place."""
        if node.tag not in READABLE:
            raise _wrong(node, "found no such tag")
        if isinstance(node, yaml.ScalarNode) and node.tag != TEXT and not _is_quoted(node):
            if node.tag != BARE and type(by_the_cli(node.value)) not in TYPES.get(node.tag, ()):
                raise _wrong(node, "found no such value")
            return read_bare(node.value)
        found = node.value if _is_quoted(node) else super().construct_object(node, deep)
        if isinstance(found, str) and re.search("[\ud800-\udfff]", found):
            raise _wrong(node, "found half a character")
        return found

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A map whose keys are text, as JSON has them: to Python ``1`` and ``true`` would be the same key."""
        self.flatten_mapping(node)
        return {self._construct_key(key): self.construct_object(value, deep) for key, value in node.value}

    def _construct_key(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise _wrong(node, "found unhashable key")
        found = self.construct_object(node)
        return found if found is None or isinstance(found, str | Unclear) else json.dumps(found)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Takes in what stands at ``<<``, which to the CLI is the same in quotes."""
        for key, _ in node.value:
            if key.value == "<<" and key.style:
                raise _wrong(key, "found a merge in quotes")
        super().flatten_mapping(node)


def _is_quoted(node: yaml.Node) -> bool:
    """Whether it is text by its style, also where ``!`` stands before it."""
    return isinstance(node, yaml.ScalarNode) and node.tag == BARE and bool(node.style)


def _wrong(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def unreadable(value: Any) -> tuple[str, str] | None:
    """What is wrong with a value of which the file alone does not say what it is, and what mends it."""
    if isinstance(value, Unclear):
        written = value.written if len(value.written) <= LONGEST else f"{value.written[:LONGEST]}…"
        return f"{written} {value.problem}", value.fix
    if isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str):
        return "is a secret, which only Pulumi can read", IN_FILE
    return None


def set_elsewhere(key: str, document: Any, project: Any) -> tuple[str, str] | None:
    """What is wrong with a key that a stack file has not, where it may have a value all the same, and what mends it.

    The CLI takes it from the ``project``'s file, Pulumi.yaml, or from the environments that the stack file names.
    """
    shared = _block(project, "config")
    own = key.removeprefix(f"{project['name']}:") if shared and "name" in project else key
    value = shared.get(key, shared.get(own))
    if (value.get("value") if isinstance(value, dict) else value) is not None:
        return "stands in Pulumi.yaml, and the stack file alone is read here", IN_FILE
    if names := document.get("environment") if isinstance(document, dict) else None:
        listed = ", ".join(map(str, names)) if isinstance(names, list) else "its own"
        return f"may come from the file's environment ({listed}), which only Pulumi can read", IN_FILE
    return None


def _block(document: Any, name: str) -> dict[Any, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def read_bare(text: str) -> Any:
    """What a scalar without quotes is to the Pulumi CLI, or :class:`Unclear`."""
    if time := _time(text):
        return Unclear(text, f"is the text {time} to the Pulumi CLI, and a date to others")
    found, others = by_the_cli(text), _by_others(text)
    if isinstance(found, float) and not math.isfinite(found):
        return Unclear(text, "is a number that the Pulumi CLI refuses", f"{QUOTE}, or leave it out")
    if _is_number(found):
        return _read_number(text, found, others)
    if isinstance(found, str) and ":" not in text and (others is None or _is_number(others)):
        return Unclear(text, f"is text to the Pulumi CLI, and {_kind(others)} to others")
    return found


def _read_number(text: str, found: float, others: Any) -> float | Unclear:
    number = int(found) if float(found).is_integer() and abs(found) < WITH_EXPONENT else found
    if isinstance(number, int) and abs(number) > EXACT:
        return Unclear(text, "is a whole number beyond 2^53, of which the Pulumi CLI or others lose digits")
    if not _is_number(others) or number != others:
        said = f"is the number {_plain(number)} to the Pulumi CLI, and {_kind(others)} to others"
        return Unclear(text, said, _quote_or_write(number))
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _quote_or_write(number: float) -> str:
    """The fix of a number: as text, or written so that it means the same to all, where that is short."""
    return f"{QUOTE}, or write {_plain(number)}" if abs(number) <= EXACT and "e" not in _plain(number) else QUOTE


def _plain(number: float) -> str:
    written = f"{Decimal(str(number)):f}"
    return written if len(written) <= LONGEST else str(number)


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else "an error" if value is None else f"the number {value}"


def by_the_cli(text: str) -> Any:
    """What yaml.v3 makes of a scalar without quotes; a date is no value of JSON, and stays the text that it is."""
    if text in WORDS:
        return WORDS[text]
    plain = text if text[0] == "." else text.replace("_", "")
    if text[0] not in "+-.0123456789" or _time(text):
        return text
    whole = _whole(plain)
    if whole is not None:
        return whole
    number = float(plain) if FLOAT.fullmatch(plain) else math.inf
    return number if math.isfinite(number) else text


def _whole(text: str) -> int | None:
    """What Go's strconv reads, if it has room for it."""
    for base, pattern in WHOLE.items():
        if (found := pattern.fullmatch(text)) and len(text.lstrip("+-0")) <= 70:
            number = int("".join(filter(None, found.groups())), base)
            highest = 2**64 if text[0] not in "+-" else 2**63
            return number if -(2**63) <= number < highest else None
    return None


def _by_others(text: str) -> Any:
    """What YAML 1.1 makes of it, a date left as text; nothing if that is an error."""
    reader = yaml.SafeLoader("")
    tag = reader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # PyYAML has no types
    try:
        return reader.construct_object(yaml.ScalarNode(tag, text)) if tag in TYPES else text
    except ValueError:
        return None


def _time(text: str) -> str:
    """A date or a time as Go writes it, nothing if it is none."""
    found = TIME.fullmatch(text)
    if not found:
        return ""
    year, month, day, *rest = found.groups()
    hour, minute, second, fraction = rest[:4] if rest[0] else rest[5:]
    zone = rest[4] or "Z"
    try:
        # Only whether a calendar has it: in no zone.
        known = datetime(int(year) or 4, int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))  # noqa: DTZ001
    except ValueError:
        return ""
    part = (fraction or "")[:9].rstrip("0")
    offset = zone.replace(":", "")
    named = "+0000 UTC" if zone in ("Z", "+00:00", "-00:00") else f"{offset} {offset}"
    return f"{year}{known:-%m-%d %H:%M:%S}{'.' * bool(part)}{part} {named}"

"""What kind of value an expression gives on every event, and what in it is null or fails on each.

JMESPath answers a question that makes no sense with null, and says nothing: an index into text, a comparison of texts
by ``<``, equality of a number and a text. A ``when`` of that kind skips every event for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from function_src.launcher.mapping.expression import TYPES, plain_path
from function_src.launcher.mapping.fitting import show
from function_src.launcher.mapping.functions import Functions
from infra.mapping.documents import (
    ANY,
    COUNT,
    DIGITS,
    LIST,
    MAP,
    NOTHING,
    TEXT,
    TRUTH,
    Document,
    Loose,
    Partly,
    Row,
    Rows,
    Texts,
)

Kind = str | Mapping[str, Any]
JMESPATH = {TEXT: "string", COUNT: "number", TRUTH: "boolean", LIST: "array", MAP: "object", NOTHING: "null"}
GIVEN_BY = {
    **dict.fromkeys(("abs", "ceil", "find_first", "find_last", "floor", "length", "sum"), COUNT),
    **dict.fromkeys(("contains", "ends_with", "starts_with"), TRUTH),
    **dict.fromkeys(("add_time", "join", "to_string", "type"), TEXT),
    **dict.fromkeys(("format_time", "lower", "replace", "trim", "upper"), DIGITS),
    **dict.fromkeys(("keys", "map", "sort", "sort_by", "split", "to_array", "values"), LIST),
    "merge": MAP,
}
OF_TEXT = "ask with starts_with(), ends_with() or contains()"
ALWAYS_NULL = "it is null for every event"
UNNAMED = "what stands before it"
IN_ORDER = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def infer(node: Mapping[str, Any], document: Document) -> tuple[str, list[str]]:
    """The kind of value that a parsed expression gives, in the words of documents.py, and what is wrong with it."""
    reader = _Reader()
    kind = reader.read(node, document, "")
    return _word(kind), list(dict.fromkeys(reader.problems))


class _Reader:
    """Follows an expression with kinds in the place of values. After a problem it goes on with anything."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, node: Mapping[str, Any], kind: Kind, at: str | None = None) -> Kind:
        """The kind that a node gives.

        ``kind`` is that of what it is evaluated on, and ``at`` what that is called: empty for the event, None where
        it has no name.
        """
        children: Sequence[Any] = node["children"]
        match node["type"]:
            case "current" | "identity":
                return kind
            case "literal":
                return _of_value(node["value"])
            case "field":
                return self._field(node["value"], kind)
            case "subexpression" | "pipe" | "index_expression":
                return self._chain(children, kind, at)
            case "projection" | "filter_projection" | "value_projection":
                return self._projection(node, kind, at)
            case "flatten":
                self._base(children[0], kind, at, LIST, "[]")
                return LIST
            case "comparator":
                return self._comparison(node, kind, at)
            case "or_expression" | "and_expression":
                left, right = (self.read(child, kind, at) for child in children)
                return left if left == right else ANY
            case "not_expression":
                self.read(children[0], kind, at)
                return TRUTH
            case "function_expression":
                return self._call(node, kind, at)
            case "multi_select_list":
                for child in children:
                    self.read(child, kind, at)
                return LIST
            case "multi_select_dict":
                return {child["value"]: self.read(child["children"][0], kind, at) for child in children}
            case "expref":
                self.read(children[0], ANY)
        return ANY

    def _chain(self, children: Sequence[Mapping[str, Any]], kind: Kind, at: str | None) -> Kind:
        found, name = kind, at
        for child in children:
            if child["type"] in ("index", "slice"):
                wanted = "an index" if child["type"] == "index" else "a slice"
                found = self._part(name, found, wanted, _of_one(found) if child["type"] == "index" else found)
                name = None
            else:
                found, name = self.read(child, found, name), _name(child, name)
        return found

    def _part(self, name: str | None, kind: Kind, what: str, given: Kind) -> Kind:
        """What an index or a slice takes, which is a part of a list."""
        if _word(kind) in (LIST, ANY):
            return given
        fix = OF_TEXT if _word(kind) == TEXT else "name its field"
        self.problems.append(
            f"{name or UNNAMED} is {_word(kind)}, and {what} takes a part of a list: {ALWAYS_NULL}; {fix}"
        )
        return ANY

    def _field(self, name: str, kind: Kind) -> Kind:
        if isinstance(kind, Row):
            return DIGITS
        if isinstance(kind, Mapping):
            if name in kind or isinstance(kind, Partly):
                found: Kind = kind.get(name, ANY)
                return found
            self.problems.append(f"{show(name)} is null for every event: what it is taken of has {', '.join(kind)}")
        elif kind not in (ANY, MAP) or isinstance(kind, Loose):
            self.problems.append(f"{show(name)} is null for every event: what it is taken of is {_word(kind)}")
        return ANY

    def _projection(self, node: Mapping[str, Any], kind: Kind, at: str | None) -> Kind:
        base, right, *condition = node["children"]
        before = len(self.problems)
        wanted, mark = (MAP, ".*") if node["type"] == "value_projection" else (LIST, "[*]")
        one = _of_one(self._base(base, kind, at, wanted, "[?]" if condition else mark))
        given = self.read(right, one)
        for child in condition:
            self.read(child, one)
        if len(self.problems) > before:
            return ANY
        return Texts(LIST) if given == TEXT else LIST

    def _base(self, node: Mapping[str, Any], kind: Kind, at: str | None, wanted: str, mark: str) -> Kind:
        """What is gone through, which is null unless it is a list, or a map."""
        given = self.read(node, kind, at)
        found = _word(given)
        if found not in (wanted, ANY):
            self.problems.append(f"{_called(node, at)} is {found}, and {mark} goes through {wanted}: {ALWAYS_NULL}")
        return given

    def _comparison(self, node: Mapping[str, Any], kind: Kind, at: str | None) -> Kind:
        """Python's JMESPath compares the order of numbers and of texts, but of a number and a text it fails."""
        kinds = [_word(self.read(child, kind, at)) for child in node["children"]]
        left, right = (
            f"{_called(child, at)} is {found}" for child, found in zip(node["children"], kinds, strict=True)
        )
        sign = IN_ORDER.get(node["value"])
        if sign and (unordered := {TRUTH, LIST, MAP, NOTHING} & {*kinds}):
            wrong = left if kinds[0] in unordered else right
            self.problems.append(f"{wrong}, and {sign} compares numbers, or texts: {ALWAYS_NULL}")
        elif len({*kinds}) == 2 and not {ANY, NOTHING} & {*kinds}:
            never = "it fails on every event" if sign else "they are never equal"
            self.problems.append(f"{left} and {right}: {never}{_quotes(node, kinds)}")
        return TRUTH

    def _call(self, node: Mapping[str, Any], kind: Kind, at: str | None) -> Kind:
        name, given = node["value"], [self.read(child, kind, at) for child in node["children"]]
        signature = Functions.FUNCTION_TABLE[name]["signature"]
        for number, found in enumerate(map(_word, given)):
            allowed = signature[min(number, len(signature) - 1)]["types"]
            if not allowed or found == ANY or node["children"][number]["type"] == "expref":
                continue
            if JMESPATH[found] not in {str(one).partition("-")[0] for one in allowed}:
                self._refuse(name, allowed, found)
            elif isinstance(given[number], Texts) and allowed == ["array-number"]:
                self._refuse(name, allowed, TEXT)
        return given[0] if name == "reverse" else GIVEN_BY.get(name, ANY)

    def _refuse(self, name: str, allowed: Sequence[Any], found: str) -> None:
        wanted = " or ".join(TYPES.get(str(one), str(one)) for one in allowed)
        self.problems.append(f"{name}() takes {wanted}, not {found}")


def _of_one(kind: Kind) -> Kind:
    """The kind of what is in a list."""
    return TEXT if isinstance(kind, Texts) else Row(MAP) if isinstance(kind, Rows) else ANY


def _word(kind: Kind) -> str:
    if isinstance(kind, Mapping):
        return MAP
    return TEXT if isinstance(kind, Loose) else str(kind)


def _of_value(value: Any) -> Kind:
    if isinstance(value, Mapping):
        return {name: _of_value(item) for name, item in value.items()}
    kinds = {bool: TRUTH, str: TEXT, int: COUNT, float: COUNT, list: LIST, type(None): NOTHING}
    return kinds.get(type(value), ANY)


def _name(node: Mapping[str, Any], at: str | None) -> str | None:
    """What a part of an expression is called, if it is a path from what is called ``at``."""
    if node["type"] in ("current", "identity"):
        return at
    path = plain_path(node)
    return ".".join(filter(None, [at, *path])) if path and at is not None else None


def _called(node: Mapping[str, Any], at: str | None) -> str:
    """What a part of an expression is called in a sentence."""
    if node["type"] == "literal":
        return show(node["value"])
    return _name(node, at) or (f"{node['value']}()" if node["type"] == "function_expression" else UNNAMED)


def _quotes(node: Mapping[str, Any], kinds: Sequence[str]) -> str:
    """How to write the literal of a comparison, where only its quotes are wrong."""
    for child in _literals(node):
        if isinstance(child, str) and COUNT in kinds and child.lstrip("-").isdigit():
            return f"; write `{child}`"
        if isinstance(child, int | float) and TEXT in kinds:
            if node["value"] in IN_ORDER:
                return "; take to_number() of it"
            return f"; write '{str(child).lower()}'"
    return ""


def _literals(node: Mapping[str, Any]) -> Iterator[Any]:
    yield from (child["value"] for child in node["children"] if child["type"] == "literal")

"""JMESPath expressions over the event document: what they read, what they give, and what is wrong with them in words.

Pure: the program that deploys checks expressions with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import jmespath
from jmespath.exceptions import (
    EmptyExpressionError,
    IncompleteExpressionError,
    JMESPathTypeError,
    LexerError,
    ParseError,
)
from jmespath.parser import ParsedResult

from .content import VIEWS, broken_json, is_text
from .fitting import show
from .functions import OPTIONS, BadArgumentError, Functions, bad_call

NO_JSON = "the content is text, and no JSON"
# Of the event documents of all sources together. Views of the content are in one that an expression names them in.
ROOTS = frozenset({"content", "event", "lines", "log", "message", "object", "path"})
CONTENT_ROOTS = frozenset({"content", "lines", *VIEWS})
CHAINS = ("subexpression", "index_expression", "pipe", "flatten")
# JMESPath's own errors are ValueErrors. Beside them it lets through what Python says to contains('a', `1`), to
# infinity rounded, and to an expression or a document that nests too deeply.
EXPRESSION_ERRORS = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
INSTEAD = {  # of what people write who know another language
    "=": "; to compare, write ==",
    "-": '; put a name that has a dash in double quotes, as in content."a-b"',
    **dict.fromkeys(("and", "AND", "&"), "; write &&"),
    **dict.fromkeys(("or", "OR", "/"), "; write ||"),
    **dict.fromkeys(("not", "NOT"), "; write !"),
    **dict.fromkeys(("in", "IN"), "; write contains(LIST, VALUE)"),
    **dict.fromkeys(("is", "IS"), "; write == `null`"),
    **dict.fromkeys(("like", "LIKE", "~"), "; write starts_with(), ends_with() or contains()"),
    **dict.fromkeys(("+", "*", "%"), "; JMESPath does not calculate: let the pipeline do that"),
    ">": "; write != for what differs",
    "?": "; write &&, || or [?CONDITION]",
}
MEANT = {  # functions of other languages, in lower case and without underscores
    **dict.fromkeys(("len", "size", "count"), "length"),
    **dict.fromkeys(("startswith", "hasprefix"), "starts_with"),
    **dict.fromkeys(("endswith", "hassuffix"), "ends_with"),
    **dict.fromkeys(("has", "exists", "includes", "includesany", "test"), "contains"),
    **dict.fromkeys(("int", "float", "number", "double", "tonumber"), "to_number"),
    **dict.fromkeys(("str", "string", "text", "tostring"), "to_string"),
    **dict.fromkeys(("coalesce", "ifnull", "default"), "not_null"),
    **dict.fromkeys(("concat", "implode"), "join"),
    **dict.fromkeys(("tolower", "lowercase", "lcase", "downcase", "asciidowncase"), "lower"),
    **dict.fromkeys(("toupper", "uppercase", "ucase", "upcase", "asciiupcase"), "upper"),
    **dict.fromkeys(("strip", "trimspace"), "trim"),
    **dict.fromkeys(("explode", "splits"), "split"),
    **dict.fromkeys(("indexof", "find", "strpos", "instr"), "find_first"),
    **dict.fromkeys(("gsub", "sub", "regexreplace", "replaceall"), "replace"),
    **dict.fromkeys(("fromjson", "jsonparse", "jsondecode", "decodejson", "parsejson"), "parse_json"),
    **dict.fromkeys(("strftime", "formatdate", "formatdatetime", "dateformat", "date"), "format_time"),
    **dict.fromkeys(("dateadd", "adddate", "timeadd", "datesub", "timeoffset"), "add_time"),
}
TYPES = {  # JMESPath's names, and those of Python that it lets through for what is in a list
    **dict.fromkeys(("string", "str"), "text"),
    **dict.fromkeys(("number", "int", "float"), "a number"),
    **dict.fromkeys(("boolean", "bool"), "true or false"),
    **dict.fromkeys(("array", "list"), "a list"),
    **dict.fromkeys(("object", "dict"), "a map"),
    **dict.fromkeys(("null", "NoneType"), "nothing (null)"),
    "array-string": "a list of text",
    "array-number": "a list of numbers",
    "expref": "an expression (&)",
}


class BadMappingError(ValueError):
    """An expression, or the configuration of a parameter, is wrong, whatever the event."""


class UnmappableError(ValueError):
    """This event gives no value, or none that fits: for an input of the pipeline, or for ``when``."""


def read_expression(what: str, text: Any) -> ParsedResult:
    """Parses an expression and looks at each call in it; JMESPath itself would do so only when it comes to the call.

    Raises:
        BadMappingError: it is not JMESPath, or calls a function that is none or with the wrong number of arguments.
    """
    if not isinstance(text, str):
        raise BadMappingError(f"{what}: {show(text)} is not JMESPath, which is text; put it in quotes")
    try:
        expression = jmespath.compile(text)
        problems = list(_bad_calls(expression.parsed))
    except EXPRESSION_ERRORS as error:
        raise BadMappingError(f"{what}: {show(text)} is not JMESPath: {_syntax(error)}") from None
    if problems:
        raise BadMappingError(f"{what}: {show(text)}: {min(problems)}")
    return expression


def evaluate(what: str, expression: ParsedResult, document: Mapping[str, Any], *, of_data: bool = False) -> Any:
    """Evaluates an expression on an event document; ``of_data``: text has no fields for it, even if meant as text.

    Raises:
        UnmappableError: it fails, for example at a value of a type that a function does not take; or it asks for a
            field of what is no data. That would be null, and skip a half-written file for ever, or launch it.
    """
    if problem := _no_data(expression, document, of_data=of_data):
        raise UnmappableError(f"{what}: the expression asks for a field of the content, and {problem}")
    try:
        return expression.search(document, OPTIONS)
    except EXPRESSION_ERRORS as error:
        reason = failure(error) + for_want_of_data(expression, document)
        raise UnmappableError(f"{what}: the expression fails on this event: {reason}") from None


def failure(error: Exception) -> str:
    """Why an expression has no value on an event, without the event's values, which can be all of a file."""
    if isinstance(error, JMESPathTypeError):
        wanted = " or ".join(TYPES.get(name, name) for name in error.expected_types)
        return f"{error.function_name}() takes {wanted}, not {TYPES.get(error.actual_type, error.actual_type)}"
    if isinstance(error, BadArgumentError):
        return str(error)
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, ValueError | ArithmeticError):
        return "it rounds what is no number, or infinite"
    return "it compares or joins values of different types"


def for_want_of_data(expression: ParsedResult | None, document: Mapping[str, Any]) -> str:
    """What to add where an expression asks in vain for data: that its content is broken JSON, and not the mapping."""
    problem = broken_json(document) if expression and "content" in roots(expression.parsed) else None
    return f": {problem}" if problem else ""


def _no_data(expression: ParsedResult, document: Mapping[str, Any], *, of_data: bool) -> str | None:
    """Why there is nothing in the content, for an expression that asks for something in it. What asks for the content
    as a whole too may have asked what it is."""
    uses = list(_uses_of_content(expression.parsed))
    if not any(uses):
        return None
    return broken_json(document) or (NO_JSON if of_data and all(uses) and is_text(document) else None)


def _uses_of_content(node: Mapping[str, Any], *, inside: bool = False) -> Iterator[bool]:
    """Each use of the content that an expression makes: whether of something in it, or of all of it."""
    if node["type"] == "field":
        yield from [inside] if node["value"] == "content" else []
        return
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] in CHAINS or "projection" in node["type"]:
        yield from _uses_of_content(children[0], inside=True)
        return
    for child in children:
        yield from _uses_of_content(child)


def read_of_content(expression: ParsedResult | None) -> Set[str]:
    """What an expression reads of the content: the content itself, its lines, or a view of it."""
    return roots(expression.parsed) & CONTENT_ROOTS if expression else frozenset()


def reads_event(expression: ParsedResult | None) -> bool:
    """Whether what an expression gives depends on the event."""
    return expression is not None and any(True for _ in paths(expression.parsed))


def roots(node: Mapping[str, Any]) -> Set[str]:
    """The top-level fields of the event document that an expression reads; all but views for ``@``."""
    found = list(paths(node))
    return ROOTS if [] in found else {path[0] for path in found}


def paths(node: Mapping[str, Any]) -> Iterator[list[str]]:
    """The paths that an expression follows from the top of the event document; an empty one for ``@``, all of it.

    Only the first child of a chain is evaluated on the document; the rest on what it returned.
    """
    if (path := plain_path(node)) is not None:
        yield path
    elif node["type"] in ("current", "identity"):
        yield []
    elif node["type"] not in ("expref", "literal"):
        chained = node["type"] in CHAINS or "projection" in node["type"]
        children = [child for child in node["children"] if isinstance(child, dict)]
        for child in children[:1] if chained else children:
            yield from paths(child)


def plain_path(node: Mapping[str, Any]) -> list[str] | None:
    """``["object", "uri"]`` for ``object.uri``; None for an expression that is more than a path."""
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] == "subexpression":
        parts = [plain_path(child) for child in node["children"]]
        return None if None in parts else [name for part in parts if part for name in part]
    return None


def _bad_calls(node: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the calls and slices in an expression, whatever they are given."""
    if node["type"] == "function_expression":
        name = node["value"]
        if name not in Functions.FUNCTION_TABLE:
            meant = MEANT.get(name.lower().replace("_", ""))
            yield f"there is no function {name}()" + (f"; did you mean {meant}()?" if meant else "")
        elif problem := bad_call(name, node["children"]):
            yield problem
    if node["type"] == "slice" and node["children"][2] == 0:
        yield "a slice with the step 0 takes nothing; leave the step out"
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _bad_calls(child)


def _syntax(error: Exception) -> str:
    """What is wrong with an expression's text, where, and what may be meant instead."""
    match error:
        case EmptyExpressionError():
            return "it is empty"
        case IncompleteExpressionError() | ParseError(token_type="EOF"):
            return "it breaks off at its end"
        case LexerError() if error.message.startswith("Unclosed"):
            return f"the {error.lexer_value[0]} at character {error.lexer_position + 1} has no other; close it"
        case ParseError():
            place = f"at character {error.lex_position + 1}"
            token: Any = error.token_value  # a number where one stands
            instead = f"; write numbers as `{token}`" if isinstance(token, int) else INSTEAD.get(str(token), "")
            return f"{show(token)} {place} does not belong there{instead}"
        case RecursionError():
            return "it nests too deeply"
    return "it has a number that is too long"

"""Maps an event to run parameters with JMESPath expressions over the event document.

Pure: the program that deploys checks a mapping with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from .fitting import UNFIT, as_type
from .package import Input

ABSENT: Any = object()
CONTENT_ROOTS = frozenset({"content", "lines"})
ROOTS = CONTENT_ROOTS | {"event", "log", "message", "object"}  # of the event documents of all sources together
CHAINS = ("subexpression", "index_expression", "pipe", "flatten")
LONGEST_VALUE_SHOWN = 60
# What KFP's API server expands in parameters (common/util/parameter_formatter.go), and what opens a template tag of
# Argo, whose workflow holds a run's parameters as text (argocompiler/dag.go) and which evaluates even {{=this}}.
# Neither can be escaped.
EXPANDED = re.compile(r"\[\[(RunUUID|CurrentTime|ScheduledTime|Index)|\{\{")
# JMESPath's own errors are ValueErrors. Beside them it lets through what Python says to contains('a', `1`), to
# infinity rounded, and to an expression or a document that nests too deeply.
EXPRESSION_ERRORS = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)


class BadMappingError(ValueError):
    """The configuration of a parameter is wrong, whatever the event."""


class UnmappableError(ValueError):
    """This event gives no value, or none that fits: for an input of the pipeline, or for ``when``."""


@dataclass(frozen=True)
class Parameter:
    """Where one run parameter comes from: an expression, a default, or a literal (a default alone)."""

    expression: ParsedResult | None
    default: Any = ABSENT


def read_parameter(name: str, config: Any) -> Parameter:
    """Reads ``object.uri``, ``{from: object.uri, default: x}`` or ``{value: x}``.

    Raises:
        BadMappingError: another shape, or an expression that JMESPath cannot parse or has not the functions for.
    """
    if isinstance(config, str):
        config = {"from": config}
    if not isinstance(config, dict) or set(config) not in ({"from"}, {"from", "default"}, {"value"}):
        raise BadMappingError(
            f"parameter {name!r} is {show(config)}; write an expression, {{from: EXPRESSION, default: VALUE}} "
            "or {value: VALUE}"
        )
    if "value" in config:
        return Parameter(None, config["value"])
    return Parameter(read_expression(f"parameter {name!r}", config["from"]), config.get("default", ABSENT))


def read_expression(what: str, text: Any) -> ParsedResult:
    """Parses an expression and looks at each call in it; JMESPath itself would do so only when it comes to the call.

    Raises:
        BadMappingError: it is not JMESPath, or calls a function that is none or with the wrong number of arguments.
    """
    try:
        expression = jmespath.compile(text)
        problems = list(_bad_calls(expression.parsed))
    except EXPRESSION_ERRORS as error:
        raise BadMappingError(f"{what}: {text!r} is not JMESPath: {brief(error)}") from None
    if problems:
        raise BadMappingError(f"{what}: {text!r}: {min(problems)}")
    return expression


def needs_content(parameters: Mapping[str, Parameter]) -> bool:
    """Whether any parameter reads the object's content, so that the launcher must fetch it."""
    return any(reads_content(parameter.expression) for parameter in parameters.values())


def reads_content(expression: ParsedResult | None) -> bool:
    """Whether an expression reads the object's content."""
    return expression is not None and bool(roots(expression.parsed) & CONTENT_ROOTS)


def roots(node: Mapping[str, Any]) -> Set[str]:
    """The top-level fields of the event document that an expression reads; all of them for ``@``."""
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
    """What is wrong with the calls in an expression, whatever they are given."""
    if node["type"] == "function_expression":
        name, given = node["value"], len(node["children"])
        function = Functions.FUNCTION_TABLE.get(name)
        if function is None:
            yield f"JMESPath has no function {name}()"
        elif (given < (wanted := len(function["signature"]))) or (
            given > wanted and not function["signature"][-1].get("variadic")
        ):
            yield f"{name}() takes {wanted} argument{'s' * (wanted > 1)}, not {given}"
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _bad_calls(child)


def run_parameters(
    parameters: Mapping[str, Parameter], inputs: Mapping[str, Input], document: Mapping[str, Any]
) -> dict[str, Any]:
    """Evaluates every parameter on an event document.

    A parameter without a value falls back to its default, then to the package's, then to the pipeline's own.

    Raises:
        UnmappableError: a required input has no value, or a value does not fit its input.
    """
    values = {name: spec.value for name, spec in inputs.items() if spec.value is not None}
    for name, parameter in parameters.items():
        if (found := _value(name, parameter, document)) is not None:
            values[name] = found
    missing = [name for name, spec in inputs.items() if spec.required and name not in values]
    if missing:
        raise UnmappableError(f"the event gives no value for parameter {missing[0]!r}, which the pipeline requires")
    return {name: fit(name, value, inputs[name]) for name, value in values.items()}


def _value(name: str, parameter: Parameter, document: Mapping[str, Any]) -> Any:
    """A parameter's value; None if there is none.

    What comes out of an event arrives as it is, or not at all. What the stack file itself says may be a macro.
    """
    what = f"parameter {name!r}"
    found = evaluate(what, parameter.expression, document) if parameter.expression else None
    if found is None:
        return None if parameter.default is ABSENT else parameter.default
    try:
        expanded = EXPANDED.search(str(found))
    except RecursionError:
        raise UnmappableError(f"{what} nests too deeply to be sent") from None
    if expanded:
        raise UnmappableError(
            f"{what} holds {expanded[0]!r}, which KFP would expand, so that the run would get something else; "
            "write the text to a file and pass its URI"
        )
    return found


def evaluate(what: str, expression: ParsedResult, document: Mapping[str, Any]) -> Any:
    """Evaluates an expression on an event document.

    Raises:
        UnmappableError: it fails, for example at a value of a type that a function does not take.
    """
    try:
        return expression.search(document)
    except EXPRESSION_ERRORS as error:
        raise UnmappableError(f"{what}: the expression fails on this event: {brief(error)}") from None


def fit(name: str, value: Any, spec: Input) -> Any:
    """Returns the value as its input wants it; text that spells a number or a boolean is read when one is wanted.

    Raises:
        UnmappableError: the value is of another type (2.5 is no integer, 3 is no string), or no allowed literal.
    """
    fitted = as_type(spec.type, value)
    if fitted is UNFIT:
        raise UnmappableError(f"parameter {name!r} is {describe(value)}, which is no {spec.type}")
    if spec.literals and fitted not in spec.literals:
        raise UnmappableError(f"parameter {name!r} is {describe(value)}; the pipeline allows {list(spec.literals)}")
    return fitted


def brief(error: Exception) -> str:
    """JMESPath's message without the drawing of the expression that follows it, and without the event's values."""
    if isinstance(error, JMESPathTypeError):  # its message shows the value, which can be all of a file
        return f"{error.function_name}() takes {' or '.join(error.expected_types)}, not {error.actual_type}"
    return str(error).partition(", for expression")[0].partition("\n")[0]


def describe(value: Any) -> str:
    """What a value is, without what it says: it may come from a file, and logs must not carry payloads."""
    if isinstance(value, str | list | dict):
        return f"a {type(value).__name__} of length {len(value)}"
    return show(value)


def show(value: Any) -> str:
    """A short value as it is, a long one by its size."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE_SHOWN else f"a {type(value).__name__} of {len(text)} characters"

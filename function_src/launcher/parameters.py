"""Maps an event to run parameters with JMESPath expressions over the event document.

Pure: the program that deploys checks a mapping with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from .package import Input

ABSENT: Any = object()
CONTENT_ROOTS = frozenset({"content", "lines"})
LARGEST_INTEGER = 2**53 - 1  # KFP carries numbers as JSON doubles
INTEGER = re.compile(r"[+-]?[0-9]{1,16}")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
LONGEST_VALUE_SHOWN = 60
# JMESPath's own errors are ValueErrors. Beside them it lets through what Python says to contains('a', `1`), to
# infinity rounded, and to an expression or a document that nests too deeply.
EXPRESSION_ERRORS = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)


class BadMappingError(ValueError):
    """The configuration of a parameter is wrong, whatever the event."""


class UnmappableError(ValueError):
    """This event gives a parameter no value, or one that does not fit the pipeline's input."""


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
    try:
        expression = jmespath.compile(config["from"])
        unknown = _functions(expression.parsed) - Functions.FUNCTION_TABLE.keys()
    except EXPRESSION_ERRORS as error:
        raise BadMappingError(f"parameter {name!r}: {config['from']!r} is not JMESPath: {_brief(error)}") from None
    if unknown:
        raise BadMappingError(f"parameter {name!r}: {config['from']!r}: JMESPath has no function {min(unknown)}()")
    return Parameter(expression, config.get("default", ABSENT))


def needs_content(parameters: Mapping[str, Parameter]) -> bool:
    """Whether any expression reads the object's content, so that the launcher must fetch it."""
    return any(p.expression and roots(p.expression.parsed) & CONTENT_ROOTS for p in parameters.values())


def roots(node: Mapping[str, Any]) -> set[str]:
    """The top-level fields of the event document that an expression reads; all of them for ``@``.

    Only the first child of a chain is evaluated on the document; the rest on what it returned.
    """
    if node["type"] == "field":
        return {node["value"]}
    if node["type"] in ("current", "identity"):
        return {"event", "message", "object", *CONTENT_ROOTS}
    if node["type"] in ("expref", "literal"):
        return set()
    chained = node["type"] in ("subexpression", "index_expression", "pipe", "flatten") or "projection" in node["type"]
    children = [child for child in node["children"] if isinstance(child, dict)]
    return set().union(*map(roots, children[:1] if chained else children))


def _functions(node: Mapping[str, Any]) -> set[str]:
    """The functions that an expression calls. JMESPath itself looks for them only when it comes to the call."""
    called = {node["value"]} if node["type"] == "function_expression" else set()
    return called.union(*(_functions(child) for child in node["children"] if isinstance(child, dict)))


def run_parameters(
    parameters: Mapping[str, Parameter], inputs: Mapping[str, Input], document: Mapping[str, Any]
) -> dict[str, Any]:
    """Evaluates every parameter on an event document.

    A parameter without a value falls back to its default, then to the pipeline's own.

    Raises:
        UnmappableError: a required input has no value, or a value does not fit its input.
    """
    values = {name: _value(name, parameter, document) for name, parameter in parameters.items()}
    missing = [name for name, spec in inputs.items() if spec.required and values.get(name) is None]
    if missing:
        raise UnmappableError(f"the event gives no value for parameter {missing[0]!r}, which the pipeline requires")
    return {name: fit(name, value, inputs[name]) for name, value in values.items() if value is not None}


def _value(name: str, parameter: Parameter, document: Mapping[str, Any]) -> Any:
    found = None
    if parameter.expression:
        try:
            found = parameter.expression.search(document)
        except EXPRESSION_ERRORS as error:
            raise UnmappableError(
                f"parameter {name!r}: the expression fails on this event: {_brief(error)}"
            ) from None
    return parameter.default if found is None and parameter.default is not ABSENT else found


def fit(name: str, value: Any, spec: Input) -> Any:
    """Returns the value as its input wants it; text that spells a number or a boolean is read when one is wanted.

    Raises:
        UnmappableError: the value is of another type (2.5 is no integer, 3 is no string), or no allowed literal.
    """
    fitted = FITTERS.get(spec.type, lambda _: ABSENT)(value)
    if fitted is ABSENT:
        raise UnmappableError(f"parameter {name!r} is {_kind(value)}, which is no {spec.type}")
    if spec.literals and fitted not in spec.literals:
        raise UnmappableError(f"parameter {name!r} is {_kind(value)}; the pipeline allows {list(spec.literals)}")
    return fitted


def _string(value: Any) -> Any:
    return value if isinstance(value, str) else ABSENT


def _integer(value: Any) -> Any:
    if isinstance(value, str) and INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) <= LARGEST_INTEGER else ABSENT


def _double(value: Any) -> Any:
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER:
        value = float(value)
    return value if isinstance(value, float) and math.isfinite(value) else ABSENT


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), ABSENT)
    return value if isinstance(value, bool) else ABSENT


def _list(value: Any) -> Any:
    return value if isinstance(value, list) and _is_json(value) else ABSENT


def _struct(value: Any) -> Any:
    return value if isinstance(value, dict) and _is_json(value) else ABSENT


def _is_json(value: Any) -> bool:
    """Whether a value can be sent: Python reads 1e999 as infinity, and JMESPath can return an expression."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


FITTERS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": _string,
    "NUMBER_INTEGER": _integer,
    "NUMBER_DOUBLE": _double,
    "BOOLEAN": _boolean,
    "LIST": _list,
    "STRUCT": _struct,
}


def _brief(error: Exception) -> str:
    """JMESPath's message without the drawing of the expression that follows it, and without the event's values."""
    if isinstance(error, JMESPathTypeError):  # its message shows the value, which can be all of a file
        return f"{error.function_name}() takes {' or '.join(error.expected_types)}, not {error.actual_type}"
    return str(error).partition(", for expression")[0].partition("\n")[0]


def _kind(value: Any) -> str:
    """What a value is, without what it says: it may come from a file, and logs must not carry payloads."""
    if isinstance(value, str | list | dict):
        return f"a {type(value).__name__} of length {len(value)}"
    return show(value)


def show(value: Any) -> str:
    """A short value as it is, a long one by its size."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE_SHOWN else f"a {type(value).__name__} of {len(text)} characters"

"""Maps an event to run parameters with JMESPath expressions over the event document.

Pure: the program that deploys checks a mapping with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from jmespath.parser import ParsedResult

from ..package import Input
from .expression import (
    BadMappingError,
    UnmappableError,
    evaluate,
    for_want_of_data,
    read_expression,
    read_of_content,
    reads_event,
)
from .fitting import UNFIT, as_type, describe, expanded, show

ABSENT: Any = object()


@dataclass(frozen=True)
class Parameter:
    """Where one run parameter comes from: an expression, a default, or a literal (a default alone)."""

    expression: ParsedResult | None
    default: Any = ABSENT


UNMAPPED = Parameter(None)


def read_parameter(name: str, config: Any) -> Parameter:
    """Reads ``object.uri``, ``{from: object.uri, default: x}`` or ``{value: x}``.

    Raises:
        BadMappingError: another shape, or an expression that JMESPath cannot parse or has not the functions for.
    """
    if isinstance(config, str):
        config = {"from": config}
    if not isinstance(config, dict) or set(config) not in ({"from"}, {"from", "default"}, {"value"}):
        listed = "; YAML reads brackets as a list: put the expression in quotes" if isinstance(config, list) else ""
        raise BadMappingError(
            f"parameter {name!r} is {show(config)}; write an expression, {{from: EXPRESSION, default: VALUE}} "
            f"or {{value: VALUE}}{listed}"
        )
    if "value" in config:
        return Parameter(None, config["value"])
    return Parameter(read_expression(f"parameter {name!r}", config["from"]), config.get("default", ABSENT))


def needed_content(parameters: Mapping[str, Parameter]) -> Set[str]:
    """What parameters read of the content; if that is anything, the launcher must fetch it."""
    return frozenset().union(*(read_of_content(parameter.expression) for parameter in parameters.values()))


def run_parameters(
    parameters: Mapping[str, Parameter], inputs: Mapping[str, Input], document: Mapping[str, Any], target: str
) -> dict[str, Any]:
    """Evaluates every parameter on an event document, for a kind of target.

    A parameter without a value falls back to its default, then to the package's, then to the pipeline's own.

    Raises:
        UnmappableError: a required input has no value, or a value does not fit its input, or would be expanded.
    """
    values = {
        name: _run_parameter(name, parameters.get(name, UNMAPPED), spec, document, target)
        for name, spec in inputs.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _run_parameter(name: str, parameter: Parameter, spec: Input, document: Mapping[str, Any], target: str) -> Any:
    """What an input gets; None if that is left to the pipeline."""
    expression = parameter.expression
    found = _found(name, expression, document, target)
    in_words = describe if found is not None and reads_event(expression) else show
    if found is None and parameter.default is not ABSENT:
        found = parameter.default
    if found is None:
        found = spec.value
    if found is None and spec.required:
        why = for_want_of_data(expression, document)
        raise UnmappableError(f"the event gives no value for parameter {name!r}, which the pipeline requires{why}")
    try:
        return None if found is None else fit(name, found, spec, in_words)
    except UnmappableError as error:
        raise UnmappableError(f"{error}{for_want_of_data(expression, document)}") from None


def _found(name: str, expression: ParsedResult | None, document: Mapping[str, Any], target: str) -> Any:
    """What an expression gives; None if it gives nothing, or there is none.

    What comes out of an event arrives as it is, or not at all. What the stack file itself says, preview has checked.
    """
    what = f"parameter {name!r}"
    found = evaluate(what, expression, document) if expression else None
    refuse_expanded(what, found, target)
    return found


def refuse_expanded(what: str, value: Any, target: str, *, but_macros: bool = False) -> None:
    """Refuses a value that would not arrive as it is, since a kind of target would expand text in it.

    Raises:
        UnmappableError: it would be.
    """
    try:
        found = expanded(value, target, but_macros=but_macros)
    except RecursionError:
        raise UnmappableError(f"{what} nests too deeply to be sent") from None
    if found:
        text, by = found
        raise UnmappableError(
            f"{what} holds {text!r}, which {by} would expand, so that the run would get something else; "
            "write the text to a file and pass its URI"
        )


def fit(name: str, value: Any, spec: Input, in_words: Callable[[Any], str] = describe) -> Any:
    """Returns the value as its input wants it; text that spells a number or a boolean is read when one is wanted.

    ``in_words`` says what the value is where it does not fit: of what comes from an event, not what it says.

    Raises:
        UnmappableError: the value is of another type (2.5 is no integer, 3 is no string), or no allowed literal.
    """
    fitted = as_type(spec.type, value)
    if fitted is UNFIT:
        raise UnmappableError(f"parameter {name!r} is {in_words(value)}, which is no {spec.type}")
    if spec.literals and fitted not in spec.literals:
        allowed = ", ".join(map(show, spec.literals))
        raise UnmappableError(f"parameter {name!r} is {in_words(value)}; the pipeline allows {allowed}")
    return fitted

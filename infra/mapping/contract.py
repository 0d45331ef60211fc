"""Checks a trigger against its pipeline before anything is deployed, with the code that runs in the function."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from jmespath.parser import ParsedResult

from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.expression import (
    BadMappingError,
    UnmappableError,
    paths,
    plain_path,
    read_expression,
    read_of_content,
    reads_event,
)
from function_src.launcher.mapping.fitting import show
from function_src.launcher.mapping.parameters import (
    ABSENT,
    fit,
    needed_content,
    read_parameter,
    refuse_expanded,
    run_parameters,
)
from function_src.launcher.package import Input
from infra.errors import ConfigurationError, printable
from infra.mapping.documents import ANY, COUNT, LIST, MAP, NOTHING, TEXT, TRUTH, Document, kind_at, look_up
from infra.mapping.inference import infer
from infra.mapping.schemas import ContentSchema

# Values in other languages; in JMESPath they stand in backticks, and without them are fields.
VALUES = {**dict.fromkeys(("null", "none", "nil", "undefined"), "null"), "true": "true", "false": "false"}
FITTING = {
    TEXT: {"STRING"},
    COUNT: {"NUMBER_INTEGER", "NUMBER_DOUBLE"},
    MAP: {"STRUCT"},
    LIST: {"LIST"},
    TRUTH: {"BOOLEAN"},
}


def check_parameters(
    where: str, config: Mapping[str, Any], inputs: Mapping[str, Input], document: Document, target: str
) -> bool:
    """Checks a trigger's ``parameters`` against its pipeline's inputs, what the events of its source hold, and its
    kind of target.

    Returns whether content is read.

    Raises:
        ConfigurationError: one line for each parameter that the pipeline does not have, input that nobody maps,
            bad expression, unknown field, type that cannot fit, and text that would be expanded.
    """
    problems = [
        f"{where}.{printable(name)}: {problem}"
        for name, value in config.items()
        for problem in _check(name, value, inputs, document, target)
    ]
    problems += [
        f"{where}: the pipeline requires {name!r} ({spec.type}) and nothing maps it; add {name}: EXPRESSION"
        for name, spec in inputs.items()
        if spec.required and name not in config
    ]
    problems += [f"{where}: the package's runtimeConfig: {problem}" for problem in _check_package(inputs, target)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return bool(needed_content({name: read_parameter(name, value) for name, value in config.items()}))


def check_condition(where: str, config: str | None, document: Document) -> bool:
    """Checks a trigger's ``when``, if it has one; returns whether it reads content.

    Raises:
        ConfigurationError: a bad expression, an unknown field, or what is neither true nor false.
    """
    if config is None:
        return False
    try:
        condition = read_condition(config)
    except BadMappingError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if problems := _check_expression(condition, document) or _check_truth(condition, document):
        raise ConfigurationError("\n".join(f"{where}: {problem}" for problem in problems))
    return bool(read_of_content(condition))


def check_given(
    where: str, config: Mapping[str, Any], inputs: Mapping[str, Input], schema: ContentSchema | None
) -> list[str]:
    """What a pipeline requires and a schema leaves open, where the mapping names a field of it and no default."""
    problems = []
    for name, value in config.items() if schema else ():
        parameter, spec = read_parameter(name, value), inputs[name]
        path = plain_path(parameter.expression.parsed) if parameter.expression else None
        if not path or path[0] != "content" or not spec.required or spec.value is not None:
            continue
        open_at = schema.may_be_missing(path[1:]) if schema and parameter.default in (ABSENT, None) else None
        if open_at and schema:
            problems.append(
                f"{where}.{printable(name)}: {open_at} may be missing or null by {schema.file}, and the pipeline "
                f"requires {name!r}; say there that it is required, or give a default"
            )
    return problems


def check_once(where: str, config: str | None, document: Document) -> bool:
    """Checks a trigger's ``once_per``, if it has one; returns whether it reads content.

    Raises:
        ConfigurationError: a bad expression, an unknown field, or one value for every event.
    """
    if config is None:
        return False
    try:
        expression = read_expression("once_per", config)
    except BadMappingError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    problems = _check_expression(expression, document)
    if not problems and not reads_event(expression):
        problems = [f"{show(config)} is the same for every event, so that only the first would ever be launched"]
    if problems:
        raise ConfigurationError("\n".join(f"{where}: {problem}" for problem in problems))
    return bool(read_of_content(expression))


def _check_package(inputs: Mapping[str, Input], target: str) -> list[str]:
    given = {name: spec for name, spec in inputs.items() if spec.value is not None}
    try:
        run_parameters({}, given, {}, target)
        for name, spec in given.items():
            _check_literal(name, spec.value, target)
    except UnmappableError as error:
        return [str(error)]
    return []


def _check(name: str, config: Any, inputs: Mapping[str, Input], document: Document, target: str) -> list[str]:
    if name not in inputs:
        close = difflib.get_close_matches(name, inputs, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return [f"the pipeline has no such parameter; {hint}it has: {', '.join(inputs) or 'none'}"]
    try:
        parameter = read_parameter(name, config)
        if parameter.default not in (ABSENT, None):
            fit(name, parameter.default, inputs[name], show)
            _check_literal(name, parameter.default, target)
        if not reads_event(parameter.expression):
            run_parameters({name: parameter}, {name: inputs[name]}, {}, target)
    except (BadMappingError, UnmappableError) as error:
        return [str(error)]
    if parameter.expression is None:
        return []
    expression = parameter.expression
    return _check_expression(expression, document) or _check_type(expression, inputs[name], document)


def _check_literal(name: str, value: Any, target: str) -> None:
    """Refuses what would be expanded in a value that stands written: but for macros of KFP, which are meant."""
    refuse_expanded(f"parameter {name!r}", value, target, but_macros=True)


def _check_expression(expression: ParsedResult, document: Document) -> list[str]:
    """What is wrong with an expression on every event: a field that no event has, a value that a function refuses."""
    problems = [
        f"{problem}{_meant(path, expression.expression)}"
        for path in paths(expression.parsed)
        if (problem := look_up(path, document)[1])
    ]
    if not problems:
        problems += [f"{show(expression.expression)}: {problem}" for problem in infer(expression.parsed, document)[1]]
    return problems


def _meant(path: Sequence[str], text: str) -> str:
    """What to write in the place of a field that there is not, and that was meant as a value."""
    if literal := VALUES.get(path[0].lower()):
        return f"; write `{literal}`"
    return "; text stands in '...', and \"...\" is a field" if f'"{path[0]}"' in text else ""


def _check_truth(condition: ParsedResult, document: Document) -> list[str]:
    kind, _ = infer(condition.parsed, document)
    if kind in (TRUTH, ANY):
        return []
    return [f"{show(condition.expression)} is {kind}, which is neither true nor false; compare it with something"]


def _check_type(expression: ParsedResult, spec: Input, document: Document) -> list[str]:
    """Whether what an expression gives can fit. Text may: an input may take what it spells, unless it is known."""
    path = plain_path(expression.parsed)
    kind = kind_at(path, document) if path else infer(expression.parsed, document)[0]
    if kind in (ANY, NOTHING) or spec.type in FITTING[kind] or (kind == TEXT and not path):
        return []
    return [f"{printable(expression.expression)} is {kind}, which never fits {spec.type}"]

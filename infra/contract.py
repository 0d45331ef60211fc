"""Checks a trigger against its pipeline before anything is deployed, with the code that runs in the function."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from function_src.launcher.package import Input
from function_src.launcher.parameters import (
    ABSENT,
    BadMappingError,
    Parameter,
    UnmappableError,
    fit,
    needs_content,
    read_parameter,
)
from infra.errors import ConfigurationError

TEXT, COUNT, MAP, ANY = "text", "a number", "a map", "anything"
# The event document, field by field; digits arrive as text. `content` can be any JSON.
DOCUMENT: Mapping[str, Any] = {
    "object": {
        "uri": TEXT,
        "bucket": TEXT,
        "name": ANY,
        "generation": ANY,
        "size": COUNT,
        "content_type": TEXT,
        "time_created": TEXT,
        "metadata": MAP,
    },
    "message": {"id": ANY, "data": ANY, "attributes": MAP, "publish_time": TEXT},
    "event": {"id": ANY, "kind": TEXT, "time": TEXT, "key": TEXT},
    "content": ANY,
    "lines": "a list",
}
FITTING = {
    TEXT: {"STRING"},
    COUNT: {"NUMBER_INTEGER", "NUMBER_DOUBLE"},
    MAP: {"STRUCT"},
    "a list": {"LIST"},
}


def check_parameters(where: str, config: Mapping[str, Any], inputs: Mapping[str, Input]) -> bool:
    """Checks a trigger's ``parameters`` against its pipeline's inputs; returns whether content is read.

    Raises:
        ConfigurationError: one line for each parameter that the pipeline does not have, input that nobody maps,
            bad expression, unknown field, and type that cannot fit.
    """
    problems = [f"{where}.{problem}" for name, value in config.items() for problem in _check(name, value, inputs)]
    problems += [
        f"{where}: the pipeline requires {name!r} ({spec.type}) and nothing maps it; add {name}: EXPRESSION"
        for name, spec in inputs.items()
        if spec.required and name not in config
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return needs_content({name: read_parameter(name, value) for name, value in config.items()})


def _check(name: str, config: Any, inputs: Mapping[str, Input]) -> list[str]:
    if name not in inputs:
        close = difflib.get_close_matches(name, inputs, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return [f"{name}: the pipeline has no such parameter; {hint}it has: {', '.join(inputs) or 'none'}"]
    try:
        parameter = read_parameter(name, config)
        if parameter.default is not ABSENT:
            fit(name, parameter.default, inputs[name])
    except (BadMappingError, UnmappableError) as error:
        return [f"{name}: {error}"]
    return [f"{name}: {problem}" for problem in _check_path(parameter, inputs[name])]


def _check_path(parameter: Parameter, spec: Input) -> list[str]:
    """Follows a plain path such as ``object.uri`` through the document; says nothing of other expressions."""
    path = _path(parameter.expression.parsed) if parameter.expression else None
    if path is None:
        return []
    found: Any = DOCUMENT
    for depth, name in enumerate(path):
        if not isinstance(found, Mapping):
            return []
        if name not in found:
            inside = ".".join(path[:depth]) or "the event"
            return [f"{'.'.join(path)} does not exist; {inside} has: {', '.join(found)}"]
        found = found[name]
    shown = "a map" if isinstance(found, Mapping) else found
    fitting = FITTING.get(shown)
    return (
        [f"{'.'.join(path)} is {shown}, which never fits {spec.type}"] if fitting and spec.type not in fitting else []
    )


def _path(node: Mapping[str, Any]) -> list[str] | None:
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] == "subexpression":
        parts = [_path(child) for child in node["children"]]
        return None if None in parts else [name for part in parts if part for name in part]
    return None

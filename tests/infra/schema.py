"""Checks a resource's inputs against the types of the Pulumi SDK, as the engine's schema check would.

Pulumi's mocks check nothing: a misspelt nested key passes. The SDK knows its own types, but only under private
names; they are used here and nowhere else.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pulumi_gcp  # noqa: F401 registers the modules
from pulumi import _types
from pulumi.runtime import rpc

from rehearsal.program import Resource


def problems(resource: Resource) -> list[str]:
    """Unknown keys and missing required ones, at any depth."""
    module = rpc._RESOURCE_MODULES[resource.type.rpartition(":")[0]][0]
    cls = _class_of(module, resource.type)
    return list(_check(resource.name, resource.inputs, _args_of(cls)))


def _class_of(module: Any, token: str) -> type:
    package = __import__(module.mod_info["fqn"], fromlist=["_"])
    found: type = getattr(package, module.mod_info["classes"][token])
    return found


def _args_of(cls: type) -> type:
    package = inspect.getmodule(cls)
    found: type = getattr(package, f"{cls.__name__}Args")
    return found


def _check(path: str, values: Mapping[str, Any], args: type) -> Iterator[str]:
    names = _types.input_type_py_to_pulumi_names(args)
    types = _types.input_type_types(args)
    required = {
        names[key]
        for key, parameter in inspect.signature(args).parameters.items()
        if key in names and parameter.default is inspect.Parameter.empty
    }
    yield from (f"{path}: required {key} is missing" for key in required - values.keys())
    for key, value in values.items():
        if key not in types:
            yield f"{path}: {key} is unknown"
        else:
            yield from _descend(f"{path}.{key}", value, types[key])


def _descend(path: str, value: Any, kind: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and (inner := _input_type(kind)):
        yield from _check(path, value, inner)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _descend(f"{path}[{number}]", item, kind)


def _input_type(kind: Any) -> type | None:
    """The ...Args class somewhere inside an annotation such as Input[Sequence[Input[Args]]]."""
    if isinstance(kind, type) and _types.is_input_type(kind):
        return kind
    candidates = (_input_type(part) for part in get_args(kind)) if get_origin(kind) else iter(())
    return next((found for found in candidates if found), None)

"""Drafts a JSON Schema of samples: what all of them have is required, and what some have may be there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from function_src.launcher.mapping.content import BadContentError, broken_json, read_content
from ops.errors import OperationError

DRAFT = "http://json-schema.org/draft-07/schema#"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def infer_schema(samples: Sequence[Path]) -> dict[str, Any]:
    """A schema of draft-07 that all samples fit. To be read, and made stricter, by a person.

    Raises:
        OperationError: a sample is no JSON, or none was given.
    """
    return {"$schema": DRAFT, **_of([_read(path) for path in samples])}


def _read(path: Path) -> Any:
    try:
        found = read_content(path.read_bytes())
    except (BadContentError, UnicodeDecodeError) as error:
        raise OperationError(f"{path}: {error}") from None
    if isinstance(found["content"], str):
        raise OperationError(f"{path}: {broken_json(found) or 'it is text, and a schema is of JSON'}")
    return found["content"]


def _of(values: Iterable[Any]) -> dict[str, Any]:
    """The schema of several values in one place."""
    found = list(values)
    maps = [value for value in found if isinstance(value, dict)]
    lists = [value for value in found if isinstance(value, list)]
    kinds = sorted({TYPES.get(type(value), "object" if isinstance(value, dict) else "array") for value in found})
    if {"integer", "number"} <= {*kinds}:
        kinds.remove("integer")
    schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    if maps:
        schema |= _of_maps(maps)
    if any(lists):
        schema["items"] = _of(item for value in lists for item in value)
    return schema


def _of_maps(maps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for value in maps for name in value))
    required = [name for name in names if all(name in value for value in maps)]
    properties = {name: _of(value[name] for value in maps if name in value) for name in names}
    return {"properties": properties, **({"required": required} if required else {})}


def as_text(schema: Mapping[str, Any]) -> str:
    """A schema as it is kept in a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

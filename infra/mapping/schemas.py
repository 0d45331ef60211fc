"""A trigger's JSON Schema: read, held to what the function understands, and made into what preview knows of content.

Draft-07 is what the function's validator knows. Of a later draft it would pass over keywords without a word, so they
are refused here, and so are references to other files, which it would fetch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from function_src.launcher.mapping.schema import Schema
from infra.errors import ConfigurationError
from infra.mapping.documents import ANY, COUNT, DIGITS, LIST, MAP, TRUTH, Partly, Texts
from infra.syntax import explain_json

ROOT = Path(__file__).resolve().parent.parent.parent

LATER = {  # keywords of drafts 2019-09 and 2020-12 that draft-07 does not have
    *("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"),
    *("dependentRequired", "dependentSchemas", "maxContains", "minContains", "prefixItems"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
BY_NAME = ("properties", "patternProperties", "definitions", "$defs", "dependencies")  # maps of schemas, by names
KINDS = {"string": DIGITS, "integer": COUNT, "number": COUNT, "boolean": TRUTH, "array": LIST, "object": MAP}


@dataclass(frozen=True)
class ContentSchema:
    """A schema by the name of its file, as it is deployed, and as a kind of content."""

    file: str
    text: str
    definition: Mapping[str, Any]

    @property
    def kind(self) -> Any:
        """What stands in content that fits: as document_of has it."""
        return _kind(self.definition, self.definition, 0)

    def may_be_missing(self, path: Sequence[str]) -> str | None:
        """The part of a path below ``content`` that need not be there, or may be null; None if all of it is there."""
        found: Any = self.definition
        for depth, name in enumerate(path, 1):
            found = _resolved(found, self.definition)
            if (
                not isinstance(found, Mapping)
                or found.get("type") != "object"
                or name not in found.get("required", ())
            ):
                return ".".join(("content", *path[:depth]))
            found = found.get("properties", {}).get(name, {})
        found = _resolved(found, self.definition)
        kinds = found.get("type") if isinstance(found, Mapping) else None
        may_be_null = "null" in kinds if isinstance(kinds, list) else kinds is None and "enum" not in found
        return ".".join(("content", *path)) if may_be_null else None


def read_content_schema(file: str, root: Path = ROOT) -> ContentSchema:
    """Reads a schema by its path from the project's root.

    Raises:
        ConfigurationError: there is none, or it is more than the function understands.
    """
    path = root / file
    if not path.is_file():
        raise ConfigurationError(f"there is no {file}; give the schema's path from the project's root")
    try:
        definition = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {explain_json(error)}") from None
    if not isinstance(definition, dict):
        raise ConfigurationError(f"{file} is no schema, which is a map; `pipeline-trigger schema infer` drafts one")
    if problem := next(_problems(definition), None):
        raise ConfigurationError(f"{file}: {problem}")
    try:
        Schema(definition)
    except ValueError as error:
        raise ConfigurationError(f"{file} {error}") from None
    return ContentSchema(file, json.dumps(definition, sort_keys=True, separators=(",", ":")), definition)


def _problems(schema: Any, pointer: str = "") -> Iterator[str]:
    """What in a schema the function would not look at, or look up elsewhere."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from _problems(item, f"{pointer}/{number}")
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        here = f"{pointer}/{name}"
        if name in LATER:
            yield f"{here} is of a later draft than 7, and the function would not look at it; write it in draft-07"
        elif name == "$ref" and not str(value).startswith("#"):
            yield f"{here} leads to another file, which the function would fetch; write here what it holds"
        elif name in BY_NAME and isinstance(value, dict):
            for key, item in value.items():
                yield from _problems(item, f"{here}/{key}")
        elif name not in ("enum", "const", "default", "examples"):
            yield from _problems(value, here)


def _kind(schema: Any, top: Mapping[str, Any], depth: int) -> Any:
    found = _resolved(schema, top)
    if not isinstance(found, Mapping) or depth > 20:  # one that refers to itself has no end
        return ANY
    kind = found.get("type")
    if kind == "object" and "properties" in found:
        fields = {name: _kind(item, top, depth + 1) for name, item in found["properties"].items()}
        return fields if found.get("additionalProperties") is False and fields else Partly(fields)
    if kind == "array" and _kind(found.get("items"), top, depth + 1) == DIGITS:
        return Texts(LIST)
    return KINDS.get(kind, ANY) if isinstance(kind, str) else ANY


def _resolved(schema: Any, top: Mapping[str, Any]) -> Any:
    """A schema in the place of a reference to it within the file."""
    for _ in range(20):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        found: Any = top
        for part in str(schema["$ref"]).removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name, {}) if isinstance(found, Mapping) else {}
        schema = found
    return {}

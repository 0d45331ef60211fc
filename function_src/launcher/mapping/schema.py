"""Whether the content of an event is what a JSON Schema says, by draft-07 (json-schema.org/draft-07).

The library is imported only where a trigger has a schema, and compiles it once, when the process starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .content import broken_json
from .expression import UnmappableError
from .fitting import show

ODD = (AttributeError, LookupError, TypeError, ValueError)  # what the library says to a schema of another shape
FILE = "schema.json"  # in the archive, beside the package


class Schema:
    """A schema that was compiled. Defaults in it change nothing, and it is looked up nowhere."""

    def __init__(self, definition: Any) -> None:
        """Raises ValueError for what is no schema."""
        import fastjsonschema

        self._refusal: type[Exception] = fastjsonschema.JsonSchemaValueException
        try:
            self._validate: Callable[[Any], Any] = fastjsonschema.compile(definition, use_default=False)
        except (fastjsonschema.JsonSchemaException, re.error, *ODD) as error:
            raise ValueError(f"is no JSON Schema: {error}") from None

    def check(self, document: Mapping[str, Any]) -> None:
        """Looks at the content of an event document.

        Raises:
            UnmappableError: it is another. Where, is said by a JSON Pointer (RFC 6901), and not what stands there.
        """
        try:
            self._validate(document["content"])
        except self._refusal as error:
            why = broken_json(document) or f"the content does not fit the schema: {_told(error)}"
            raise UnmappableError(why) from None
        except RecursionError:
            raise UnmappableError("the content nests too deeply for the schema") from None


def read_schema(directory: Path) -> Schema | None:
    """The schema of an archive, if there is one."""
    path = directory / FILE
    return Schema(json.loads(path.read_bytes())) if path.is_file() else None


def _told(error: Any) -> str:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.path[1:])
    if error.rule == "required" and isinstance(error.value, dict):
        missing = ", ".join(name for name in error.rule_definition if name not in error.value)
        return f"{pointer or 'the top'} lacks {missing}"
    return f"{pointer or 'the top'} breaks {error.rule}: {show(error.rule_definition)}"

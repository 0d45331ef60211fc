"""Property values as the engine sends them, and how two sets of inputs differ.

Structs carry what JSON cannot as maps with a signature, and an unknown value as one particular string
(pulumi/pulumi sdk/go/common/resource/sig and resource/plugin/rpc.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
DEFAULTS = "__defaults"

Values = Mapping[str, Any]


def from_struct(struct: Any) -> dict[str, Any]:
    """A Struct's values; whole numbers as integers."""
    values: dict[str, Any] = MessageToDict(struct)
    return values


def to_struct(values: Values) -> Struct:
    """The opposite."""
    struct = Struct()
    struct.update(values)
    return struct


def given(values: Values) -> dict[str, Any]:
    """Inputs without the note of which of them are defaults, and without what is null."""
    return {key: value for key, value in values.items() if key != DEFAULTS and value is not None}


def is_unknown(value: Any) -> bool:
    """Whether a value is, or holds, one that is not known yet."""
    if isinstance(value, Mapping):
        return any(map(is_unknown, value.values()))
    return any(map(is_unknown, value)) if isinstance(value, list) else value == UNKNOWN


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where inputs differ: the property's path, and `add`, `delete` or `update`. An unknown value differs."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if SIGNATURE in old or SIGNATURE in new:
            if old.get("hash") != new.get("hash"):  # archives: what is in them, not where they lie
                yield path, "update"
            return
        old, new = given(old), given(new)
        for key in sorted(old.keys() | new.keys()):
            inside = f'{path}["{key}"]' if "." in key or "/" in key else f"{path}.{key}".lstrip(".")
            if key not in old:
                yield inside, "add"
            elif key not in new:
                yield inside, "delete"
            else:
                yield from differences(old[key], new[key], inside)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, f"{path}[{number}]")
    elif old != new:
        yield path, "update"

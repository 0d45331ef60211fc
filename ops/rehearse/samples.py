"""Samples of events that fit a trigger: names of objects, and messages."""

from __future__ import annotations

import re

from function_src.launcher.mapping.glob import DATE, INT, Glob
from function_src.launcher.objects import made_by_a_tool
from ops.errors import OperationError
from rehearsal.environment import RunningTrigger


def takes(trigger: RunningTrigger, name: str) -> bool:
    """Whether a trigger takes up an object of that name."""
    source = trigger.settings["source"]
    glob, include = source.get("glob"), frozenset(source.get("include", ()))
    if made_by_a_tool({"name": name, "size": 1}, include):
        return False
    return name.startswith(trigger.prefix) and (not glob or Glob(glob).matches(name))


def matching_name(trigger: RunningTrigger, name: str) -> str:
    """A name for an object like ``name`` that the trigger takes up.

    Raises:
        OperationError: none was found.
    """
    glob = trigger.settings["source"].get("glob", "")
    filled = re.sub(r"\*+/?|\?|\[.[^\]]*\]|\{.*?\}", lambda wild: _fill(wild[0], name), glob)
    candidates = (trigger.prefix + name, Glob(glob).head + name if glob else name, filled, trigger.prefix + filled)
    for candidate in candidates:
        if takes(trigger, candidate):
            return candidate
    raise OperationError(f"trigger {trigger.name}: no name was found that {glob!r} matches; give FILE one")


def _fill(wild: str, name: str) -> str:
    """Something that a part of a glob matches."""
    if wild == "**/":
        return ""
    if wild.startswith("*"):
        return name.split(".", maxsplit=1)[0] + ("/" if wild.endswith("/") else "")
    if wild.startswith("{"):
        return {INT: "7", DATE: "2026-11-22"}.get(wild.strip("{}").partition(":")[2], "x")
    return "x" if wild == "?" else wild[1]

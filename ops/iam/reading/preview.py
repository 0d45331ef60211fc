"""Reads what `pulumi preview --json` prints: the permissions before and after, of the steps that it shows.

The shape is the engine's PreviewDigest (pulumi/pulumi sdk/pkg/display/json.go). A replacement is one logical step, or
three with `--show-replacement-steps`; both say the same here, since permissions are collected by side and compared
by identity. A step whose state the engine left out, or whose operation is new to us, counts as not known, never as
harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.errors import OperationError
from ops.iam.reading.access import access_of, access_of_config
from ops.iam.reading.permissions import Permission, gives_access, withholds
from ops.iam.reading.ways import is_read
from policy.declarations import is_production
from policy.rules import violations

NEW_ONLY = {"create", "import"}
OLD_ONLY = {"delete", "delete-replaced"}
NO_CHANGE = {"read", "read-replacement", "refresh", "discard", "discard-replaced", "remove-pending-replace"}
DRY = "pulumi preview --json --show-sames > preview.json"
STACK = "pulumi:pulumi:Stack"


@dataclass
class Preview:
    """Both sides of a preview, how many steps they came from, and the rules that its other steps break."""

    project: str  # the stack's own
    before: list[Permission] = field(default_factory=list)
    after: list[Permission] = field(default_factory=list)
    iam_steps: int = 0
    other_steps: int = 0
    violations: list[str] = field(default_factory=list)
    whole: bool = False  # whether it has what stays too, or nothing stays


def read_preview(document: Any, name: str) -> Preview:
    """Collects the permissions of a preview.

    Raises:
        OperationError: this is no preview, or one that failed and so does not show every step.
    """
    steps = _steps(document, name)
    config = document.get("config")
    config = config if isinstance(config, Mapping) else {}
    production, preview = is_production(config), Preview(str(config.get("gcp:project", "")))
    preview.after += access_of_config(config)
    for number, step in enumerate(steps):
        if (
            not isinstance(step, Mapping)
            or not isinstance(step.get("op"), str)
            or not isinstance(step.get("urn"), str)
        ):
            raise OperationError(f"{name}: steps[{number}] has no `op` and `urn`; make it anew: {DRY}")
        preview.whole |= step["op"] == ("create" if type_of(step) == STACK else "same")
        if step["op"] not in NO_CHANGE and _collect(step, preview):
            preview.iam_steps += 1
        else:
            preview.other_steps += 1
        preview.violations += [found for found in _violations(step, production) if found not in preview.violations]
    return preview


def _violations(step: Mapping[str, Any], production: bool) -> list[str]:
    """The rules that a resource breaks that gives no permissions: a public bucket, a function that all may call."""
    if step["op"] in NO_CHANGE | OLD_ONLY | {"same"} or gives_access(type_of(step)):
        return []
    broken = violations(type_of(step), _inputs(step, "newState"), production=production)
    return [f"{name_of(step)}: {violation.message} ({violation.rule})" for violation in broken]


def _steps(document: Any, name: str) -> list[Any]:
    if not isinstance(document, Mapping) or not ({"steps", "changeSummary"} & document.keys()):
        raise OperationError(
            f"{name} is not the output of a preview: it has no `steps`; make one with: {DRY}, and "
            "compare two manifests with: pipeline-trigger iam diff BEFORE AFTER"
        )
    diagnostics = document.get("diagnostics")
    listed = diagnostics if isinstance(diagnostics, list) else []
    failed = [found for found in listed if isinstance(found, Mapping) and found.get("severity") == "error"]
    if failed:
        message = str(failed[0].get("message", "")).strip().splitlines() or ["no message"]
        raise OperationError(
            f"{name} is of a preview that failed, so steps are missing from it: {message[0]}; mend that first: {DRY}"
        )
    steps = document.get("steps")
    if steps is None:  # as Go leaves out an empty list
        return []
    if not isinstance(steps, list):
        raise OperationError(f"{name}: `steps` is no list; make it anew: {DRY}")
    return steps


def type_of(step: Mapping[str, Any]) -> str:
    """A step's resource type: in ``urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`` what follows the last parent."""
    parts = str(step["urn"]).split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else ""


def name_of(step: Mapping[str, Any]) -> str:
    """A step's resource, as its program calls it."""
    return str(step["urn"]).rsplit("::", 1)[-1]


def _collect(step: Mapping[str, Any], preview: Preview) -> bool:
    """Adds what a step does to access to both sides; returns whether it does anything to it."""
    operation = step["op"]
    old = _access(step, "oldState", preview.project) if operation not in NEW_ONLY else []
    new = _access(step, "newState", preview.project) if operation not in OLD_ONLY else []
    if operation in OLD_ONLY and _state(step, "oldState").get("retainOnDelete"):
        new = old
    elif operation == "delete" and is_read(type_of(step)):
        old = [found for found in old if not found.two_sided]  # what its inputs guarded goes with it
    before, after = (preview.after, preview.before) if withholds(type_of(step)) else (preview.before, preview.after)
    before += old
    after += new
    return bool(old or new)


def _access(step: Mapping[str, Any], side: str, project: str) -> list[Permission]:
    state = _state(step, side)
    if state.get("custom") is False:  # a component is its children, which have steps of their own
        return []
    return access_of(
        type_of(step),
        _inputs(step, side),
        str(step["urn"]),
        project=project,
        apart="" if step["op"] == "same" else side,
        state_id=str(state.get("id") or ""),
    )


def _inputs(step: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    inputs = _state(step, side).get("inputs")
    return inputs if isinstance(inputs, Mapping) else {}


def _state(step: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """A step's resource before or after it; empty where the engine could not write that down."""
    state = step.get(side)
    return state if isinstance(state, Mapping) else {}

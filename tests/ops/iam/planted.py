"""Changes planted into a preview of a stack that stands, as the engine shows it with --show-sames.

They are made when they are planted: to list them evaluates no program.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, ParamSpec

from rehearsal.program import evaluate, read_stack
from tests.ops.iam.previews import state, step
from tests.plans import PROD

Step = dict[str, Any]
Plant = Callable[[], Step]
P = ParamSpec("P")


def _later(make: Callable[P, Step]) -> Callable[P, Plant]:
    def arranged(*arguments: P.args, **named: P.kwargs) -> Plant:
        return partial(make, *arguments, **named)

    return arranged


@cache
def _standing() -> dict[str, dict[str, Any]]:
    """Every resource of the sample for production, by its name and its kind."""
    plan = evaluate(*read_stack(str(PROD)))
    states = (state(r.type, r.name, plain(r.inputs)) for r in plan.resources if r.in_cloud)
    return {one["urn"].split("::", 2)[2]: one for one in states}


def plain(value: Any) -> Any:
    """Inputs as a preview writes them."""
    return json.loads(json.dumps(value, default=lambda _: "(an archive)"))


def standing(name: str) -> dict[str, Any]:
    """A resource of the stack, by the end of its type and its name: ``Function::orders-launcher``."""
    [found] = [one for urn, one in _standing().items() if urn.endswith(f":{name}")]
    return found


def document(*plants: Plant, config: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The preview in which these steps take the place of what stands."""
    changed = [plant() for plant in plants]
    changes = {one["urn"] for one in changed}
    same = [step("same", one, one) for one in _standing().values() if one["urn"] not in changes]
    return {"config": {"gcp:project": "acme-ml-prod", **(config or {})}, "steps": [*same, *changed]}


@_later
def edit(what: str, operation: str = "update", /, **changes: Any) -> Step:
    """What stands, with other inputs: ``serviceConfig__ingressSettings="ALLOW_ALL"``; None takes one out."""
    before = standing(what)
    return step(operation, before, edited(before, **changes))


def edited(before: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    after = copy.deepcopy(dict(before))
    for path, value in changes.items():
        *parents, key = path.split("__")
        block = after["inputs"]
        for parent in parents:
            block = block.setdefault(parent, {})
        if value is None:
            block.pop(key, None)
        else:
            block[key] = value
    return after


@_later
def trigger(**changes: Any) -> Step:
    """The settings of the orders trigger's launcher with changes: ``target__host="https://..."``."""
    name = "Function::orders-launcher"
    settings = json.loads(standing(name)["inputs"]["serviceConfig"]["environmentVariables"]["TRIGGER"])
    other = edited({"inputs": settings}, **changes)["inputs"]
    return edit(name, serviceConfig__environmentVariables__TRIGGER=json.dumps(other, sort_keys=True))()


@_later
def new(kind: str, /, **inputs: Any) -> Step:
    """A resource that was not there."""
    return step("create", None, state(kind, "planted", inputs))


@_later
def gone(kind: str, /, **inputs: Any) -> Step:
    """A resource that is deleted."""
    return step("delete", state(kind, "planted", inputs))


@_later
def changed(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Step:
    """A resource that stood beside the stack's, and has other inputs now."""
    return step("update", state(kind, "planted", before), state(kind, "planted", after))

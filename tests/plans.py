"""The product's own stacks, their plans, and what is kept of them to compare: `make golden` writes that anew.

They are copies of the samples that the product comes with, as these were: the samples are whoever's the checkout is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml

from infra.resources.foundation import SERVICES
from ops.iam.kept import document
from rehearsal.program import ROOT, Plan, Resource, evaluate, read_stack

GOLDEN = Path(__file__).parent / "golden"
STACKS = Path(__file__).parent / "stacks"
DEV, PROD = (STACKS / f"Pulumi.{name}.yaml" for name in ("dev", "prod"))
EXAMPLES = sorted((ROOT / "examples").glob("Pulumi.*.yaml"))
STACK_FILES = [DEV, PROD, *EXAMPLES]
TRIGGERS = "event-triggered-pipelines:triggers"
# What changes with every edit of the launcher and every release of kfp is not what a reviewer looks for here.
HASHES = {r"launcher-[0-9a-f]{12}\.zip": "launcher-CONTENT_HASH.zip", r"sha256:[0-9a-f]{64}": "sha256:DIGEST"}


def dev_config(**changes: Any) -> dict[str, str]:
    """The dev stack's configuration with changes to its trigger: ``source__prefix="in/"``; None takes a key out."""
    _, config = read_stack(str(DEV))
    triggers = json.loads(config[TRIGGERS])
    for path, value in changes.items():
        *parents, key = path.split("__")
        block = triggers[0]
        for parent in parents:
            block = block.setdefault(parent, {})
        if value is None:
            del block[key]
        else:
            block[key] = value
    return {**config, TRIGGERS: json.dumps(triggers)}


def plan(**changes: Any) -> Plan:
    """The dev stack's plan with changes to its trigger."""
    return evaluate("dev", dev_config(**changes))


def render(rendered: Plan) -> str:
    """A plan as YAML: the tree of resources, each with its inputs and what it waits for."""
    names = {resource.urn: _short(resource) for resource in rendered.resources}

    def tree(parent: str) -> dict[str, Any]:
        children = sorted((r for r in rendered.resources if r.parent == parent), key=_short)
        return {_short(child): _entry(child, names) | tree(child.urn) for child in children}

    stack = next(resource.parent for resource in rendered.resources if resource.parent not in names)
    document = {**tree(stack), "exports": _plain(rendered.exports)}
    text = yaml.safe_dump(document, sort_keys=False, width=110, default_flow_style=False)
    for pattern, placeholder in HASHES.items():
        text = re.sub(pattern, placeholder, text)
    return (
        f"# The plan of stack {rendered.stack}, written by `make golden`: its diff is the review of a change.\n{text}"
    )


def _short(resource: Resource) -> str:
    return f"{resource.type.rsplit(':', 1)[-1]} {resource.name}"


def _entry(resource: Resource, names: Mapping[str, str]) -> dict[str, Any]:
    services = {f"Service {name}" for name in SERVICES}
    waits = {names[urn] for urn in resource.dependencies}
    if services <= waits:
        waits = (waits - services) | {"every Service"}
    entry: dict[str, Any] = {"inputs": _plain(resource.inputs)} if resource.inputs else {}
    return entry | ({"waits for": sorted(waits)} if waits else {})


def _plain(value: Any) -> Any:
    if isinstance(value, pulumi.AssetArchive):
        return {"archive of": sorted(value.assets)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in sorted(value.items())}
    return [_plain(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for file in (DEV, PROD):
        planned = evaluate(*read_stack(str(file)))
        (GOLDEN / f"{planned.stack}.yaml").write_text(render(planned))
    document.update(STACKS)

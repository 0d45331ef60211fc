"""The plan of a stack that the real engine has made: what a rehearsal then stands up is what `pulumi up` made.

It is made on the small cloud, in a folder of its own that goes when it was read.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from infra.configuration.stack_file import find_stack
from infra.resources import propagation
from rehearsal.engine.cli import find_cli
from rehearsal.engine.cloud import Cloud
from rehearsal.engine.given import given_by
from rehearsal.engine.values import SIGNATURE, given
from rehearsal.engine.workspace import Workspace
from rehearsal.leash import scratch
from rehearsal.program import Plan, Resource

NOT_PLANNED = ("pulumi:pulumi:Stack", "pulumi:providers:")
CREATED = re.compile(r"^ \+ +(?!pulumi:pulumi:Stack)(\S+) (\S+) created")


@dataclass(frozen=True)
class Made:
    """What the engine made, as a plan; which engine it was, and for how many seconds it was at work."""

    plan: Plan
    version: str
    seconds: float


class EngineError(Exception):
    """The engine did not make the stack. The message is what it said."""


def make_with_engine(expected: Plan, stack: str, say: Callable[[str], None]) -> Made:
    """Makes a stack with `pulumi up`; the plan that is returned is what the engine's state has.

    Args:
        expected: what an evaluation of the same stack plans. It tells what must be there before.
        stack: as :func:`find_stack` takes it.
        say: hears of each resource as it is made.

    Raises:
        NoEngineError: there is no Pulumi CLI.
        EngineError: it failed.
    """
    cli = find_cli()
    cloud = Cloud(_project(expected))
    cloud.given = given_by(expected)
    with (
        tempfile.TemporaryDirectory(prefix="engine-", dir=scratch()) as folder,
        nothing_is_late(),
        Workspace(Path(folder), cloud, cli) as workspace,
    ):
        shutil.copy(find_stack(stack), workspace.stack_file(expected.stack))
        _done(workspace, "stack", "init", expected.stack)
        started = time.monotonic()
        _up(workspace, expected.stack, say)
        seconds = time.monotonic() - started
        exported = _done(workspace, "stack", "export", "--stack", expected.stack)
        version = _done(workspace, "version").strip()
    resources = json.loads(exported)["deployment"]["resources"]
    return Made(_plan(expected, resources, cloud), version, seconds)


@contextmanager
def nothing_is_late() -> Iterator[None]:
    """Nothing waits for grants to be known everywhere: in the small cloud they are at once."""
    before = propagation.SECONDS_UNTIL_EFFECTIVE
    propagation.SECONDS_UNTIL_EFFECTIVE = 0
    try:
        yield
    finally:
        propagation.SECONDS_UNTIL_EFFECTIVE = before


def _up(workspace: Workspace, stack: str, say: Callable[[str], None]) -> None:
    with workspace.running("up", "--stack", stack, "--skip-preview") as engine:
        said = []
        for line in engine.stdout or ():
            said.append(line)
            if found := CREATED.match(line):
                say(f"pulumi up: {found[1].rsplit(':', 1)[-1]} {found[2]}")
        errors = engine.stderr.read() if engine.stderr else ""
    if engine.returncode:
        raise EngineError("".join(said) + errors)


def _done(workspace: Workspace, *arguments: str) -> str:
    done = workspace.run(*arguments)
    if done.status:
        raise EngineError(done.said)
    return done.stdout


def _project(plan: Plan) -> str:
    """The Google Cloud project that a plan is for."""
    return str(plan.of_type("projects/service:Service")[0].inputs["project"])


def _plan(expected: Plan, resources: list[Any], cloud: Cloud) -> Plan:
    planned = [state for state in resources if not state["type"].startswith(NOT_PLANNED)]
    (stack,) = [state for state in resources if state["type"] == NOT_PLANNED[0]]
    return Plan(
        expected.project,
        expected.stack,
        tuple(_resource(state, cloud) for state in planned),
        _without_notes(stack.get("outputs", {})),
    )


def _resource(state: Mapping[str, Any], cloud: Cloud) -> Resource:
    inputs, outputs = _without_notes(state.get("inputs", {})), _without_notes(state.get("outputs", {}))
    if state["type"].endswith(":BucketObject"):  # the state keeps the hash of what was uploaded, the cloud has it
        inputs["source"] = _archive(cloud.things[state["id"]].inputs["source"])
    return Resource(
        urn=state["urn"],
        type=state["type"],
        name=state["urn"].split("::", 3)[3],
        inputs=inputs,
        parent=state.get("parent", ""),
        dependencies=tuple(sorted(state.get("dependencies", ()))),
        hooks={},
        custom=state["custom"],
        id=state.get("id", ""),
        outputs=outputs,
    )


def _archive(uploaded: Mapping[str, Any]) -> pulumi.AssetArchive:
    return pulumi.AssetArchive(
        {
            name: pulumi.FileAsset(asset["path"]) if "path" in asset else pulumi.StringAsset(asset["text"])
            for name, asset in uploaded["assets"].items()
        }
    )


def _without_notes(values: Any) -> Any:
    """Values without the provider's notes of what it filled in."""
    if isinstance(values, Mapping) and SIGNATURE not in values:
        return {key: _without_notes(value) for key, value in given(values).items()}
    return [_without_notes(value) for value in values] if isinstance(values, list) else values

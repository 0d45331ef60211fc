"""What a stack that stands is made of, as far as replaying needs it: its outputs, from the Pulumi CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import OperationError
from rehearsal.program import ROOT, read_stack


@dataclass(frozen=True)
class DeployedTrigger:
    """A trigger that stands. ``source`` is what its launcher knows of it; the others are full Pub/Sub names."""

    name: str
    id: str
    source: Mapping[str, Any]
    topic: str
    dead_letters: str


@dataclass(frozen=True)
class Deployment:
    """A stack that stands. ``ledger`` is a bucket, which forgets after ``ledger_days``."""

    stack: str
    ledger: str
    ledger_days: int
    triggers: tuple[DeployedTrigger, ...]

    @property
    def project(self) -> str:
        """The project that the triggers are in."""
        return self.triggers[0].id.split("/")[0]

    def choose(self, trigger: str | None) -> tuple[DeployedTrigger, ...]:
        """The one trigger of that name, or all of them.

        Raises:
            OperationError: there is none of that name.
        """
        if trigger is None:
            return self.triggers
        chosen = tuple(found for found in self.triggers if found.name == trigger)
        if not chosen:
            names = ", ".join(found.name for found in self.triggers)
            raise OperationError(f"stack {self.stack} has no trigger {trigger!r}; it has: {names}")
        return chosen


def read_deployment(stack: str) -> Deployment:
    """Asks the Pulumi CLI for a stack's outputs.

    Raises:
        OperationError: the CLI is missing or refuses, or the stack has no such outputs.
        ConfigurationError: there is no such stack file.
    """
    name, _ = read_stack(stack)
    if not shutil.which("pulumi"):
        raise OperationError("the Pulumi CLI is not installed: curl -fsSL https://get.pulumi.com | sh")
    command = ["pulumi", "stack", "output", "--json", "--stack", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return deployment(name, json.loads(done.stdout))


def deployment(stack: str, outputs: Mapping[str, Any]) -> Deployment:
    """The deployment that a stack's outputs describe.

    Raises:
        OperationError: it has never been deployed, or by an older version of the program.
    """
    try:
        triggers = tuple(DeployedTrigger(name, **values) for name, values in sorted(outputs["triggers"].items()))
        return Deployment(stack, outputs["ledger"], int(outputs["ledger_days"]), triggers)
    except (KeyError, TypeError):
        raise OperationError(
            f"stack {stack} has no outputs that say what stands; deploy it: make up STACK={stack}"
        ) from None

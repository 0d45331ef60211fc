"""Asks the Pulumi CLI about a stack, and has it change its state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OperationError
from rehearsal.program import ROOT

LONGEST = 300  # characters of what the CLI said


def pulumi(*arguments: str) -> str:
    """Runs a command of the CLI in the project; returns what it prints.

    Raises:
        OperationError: it fails; the message has its last words.
    """
    done = subprocess.run(["pulumi", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-LONGEST:]
        raise OperationError(f"`pulumi {arguments[0]} {arguments[1]}` failed: {said}")
    return done.stdout


def pulumi_json(*arguments: str) -> dict[str, Any]:
    """The same, of a command that prints an object in JSON."""
    try:
        found = json.loads(said := pulumi(*arguments))
    except ValueError:
        raise OperationError(f"`pulumi {' '.join(arguments)}` printed no JSON: {said[:LONGEST]}") from None
    return found if isinstance(found, dict) else {}


def export(stack: str) -> dict[str, Any]:
    """A stack's state, as `pulumi stack import` takes it.

    Raises:
        OperationError: there is no such stack, or its backend cannot be reached.
    """
    return pulumi_json("stack", "export", "--stack", stack)


def resources_of(exported: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources in an exported state."""
    return list((exported.get("deployment") or {}).get("resources") or [])


def pending_of(exported: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources that were being made when an engine was killed."""
    operations = (exported.get("deployment") or {}).get("pending_operations") or []
    return [operation["resource"] for operation in operations if operation.get("type") == "creating"]


def select(stack: str, file: Path) -> int:
    """Selects a stack, and makes it where there is none; returns the CLI's exit status.

    The CLI writes a new stack's encryption salt to `Pulumi.STACK.yaml` in the root, wherever the stack file is. It is
    put into that file, as an update would have it.
    """
    if (
        subprocess.run(["pulumi", "stack", "select", stack], cwd=ROOT, capture_output=True, check=False).returncode
        == 0
    ):
        return 0
    usual = ROOT / f"Pulumi.{stack}.yaml"
    there = usual.exists()
    done = subprocess.run(["pulumi", "stack", "select", stack, "--create"], cwd=ROOT, check=False)
    if not there and usual.exists() and usual != file:
        _move_settings(usual, file)
    return done.returncode


def _move_settings(stray: Path, file: Path) -> None:
    settings, text = yaml.safe_load(stray.read_text()) or {}, file.read_text()
    kept = yaml.safe_load(text) or {}
    new = {name: value for name, value in settings.items() if name not in kept}
    file.write_text(yaml.safe_dump(new) + text if new else text)
    stray.unlink()

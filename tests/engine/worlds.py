"""A stack file, a cloud and a state, and what tests do with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rehearsal.engine.cloud import Cloud
from rehearsal.engine.workspace import Done, Workspace
from rehearsal.program import read_stack
from tests.plans import TRIGGERS

Change = Mapping[str, Any]


class World:
    """One stack in a workspace. What its file says, tests change through ``config`` and ``triggers``."""

    def __init__(self, folder: Path, cloud: Cloud, cli: Path, file: Path) -> None:
        self.stack, config = read_stack(str(file))
        self.triggers: list[Any] = json.loads(config.pop(TRIGGERS))
        self.config: dict[str, Any] = dict(config)
        self.cloud, self.cli, self.folder, self.file = cloud, cli, folder, file
        self.workspace = Workspace(folder, cloud, cli)

    def start(self) -> World:
        """Makes the stack, with nothing in it."""
        self.workspace.__enter__()
        self.write()
        done = self.workspace.run("stack", "init", self.stack)
        assert not done.status, done.said
        return self

    def copy(self, folder: Path) -> World:
        """The same stack in another place, to go on from here."""
        twin = World(folder, self.cloud.copy(), self.cli, self.file)
        twin.config, twin.triggers = dict(self.config), json.loads(json.dumps(self.triggers))
        shutil.copytree(self.workspace.state, twin.workspace.state, dirs_exist_ok=True)
        shutil.copy(self.workspace.stack_file(self.stack), twin.workspace.stack_file(self.stack))
        twin.workspace.__enter__()
        return twin

    def close(self) -> None:
        self.workspace.__exit__()

    def write(self) -> None:
        """Writes the stack file, and keeps what the CLI wrote into it."""
        path = self.workspace.stack_file(self.stack)
        kept = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**kept, "config": {**self.config, TRIGGERS: self.triggers}}))

    def operate(self, verb: str, *arguments: str, previewed: bool = False) -> Done:
        """Runs `up`, `preview`, `refresh` or `destroy`; first a preview of it only where that is what is tried."""
        self.write()
        usual = {"destroy": ["--run-program", "--skip-preview"], "preview": []}.get(verb, ["--skip-preview"])
        return self.workspace.run(verb, "--stack", self.stack, *([] if previewed else usual), *arguments)

    def up(self, *arguments: str) -> Done:
        """An `up` that succeeds."""
        done = self.operate("up", *arguments)
        assert not done.status, done.said
        return done

    def fail(self, verb: str = "up", *arguments: str, previewed: bool = False) -> str:
        """An operation that fails; returns all that is said."""
        done = self.operate(verb, *arguments, previewed=previewed)
        assert done.status, done.said
        return done.said

    def changes(self, *arguments: str) -> dict[str, list[str]]:
        """What a preview would do: the names of resources by what is done to them; components are left out."""
        done = self.operate("preview", "--json", *arguments)
        assert not done.status, done.said
        found: dict[str, list[str]] = {}
        for step in json.loads(done.stdout)["steps"]:
            state = step.get("newState") or step["oldState"]
            if step["op"] not in ("same", "refresh") and state.get("custom"):
                found.setdefault(step["op"], []).append(_name(step["urn"]))
        return {operation: sorted(names) for operation, names in found.items()}

    def changed(self) -> dict[str, list[str]]:
        """What an `up` has changed in the state: the names of resources by what was done to them."""
        before = {resource["urn"]: resource for resource in self.resources() if resource["custom"]}
        self.up()
        after = {resource["urn"]: resource for resource in self.resources() if resource["custom"]}
        found: dict[str, list[str]] = {}
        for urn in sorted(before.keys() | after.keys(), key=_name):
            old, new = before.get(urn), after.get(urn)
            if old and new and (old.get("inputs"), old.get("id")) != (new.get("inputs"), new.get("id")):
                found.setdefault("update" if old["id"] == new["id"] else "replace", []).append(_name(urn))
            elif not (old and new):
                found.setdefault("create" if new else "delete", []).append(_name(urn))
        return found

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds, read from where the CLI keeps it."""
        (kept,) = self.workspace.state.glob(f".pulumi/stacks/*/{self.stack}.json")
        resources: list[dict[str, Any]] = json.loads(kept.read_text())["checkpoint"]["latest"].get("resources") or []
        return resources

    def outputs(self) -> dict[str, Any]:
        (stack,) = [resource for resource in self.resources() if resource["type"] == "pulumi:pulumi:Stack"]
        outputs: dict[str, Any] = stack["outputs"]
        return outputs


def _name(urn: str) -> str:
    """``Topic echo-events``, of a URN."""
    kind, name = urn.split("::")[2].rsplit(":", 1)[-1], urn.split("::", 3)[3]
    return f"{kind} {name}"

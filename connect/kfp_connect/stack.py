"""The KFP target of a trigger, as it stands in a stack file: what clients must know of it.

The rest of the file is not looked at: whether it is right is for those to say who deploy it. What is read here is
read as they read it, and what is wrong with it is said in their words; a test compares.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kfp_connect.dialect import StackLoader, set_elsewhere, unreadable
from kfp_connect.problems import ConnectError, Problem

T = TypeVar("T")
TRIGGERS = "event-triggered-pipelines:triggers"
ALSO_TRIGGERS = ("triggers", "event-triggered-pipelines:config:triggers")  # to Pulumi the same key
STACK_FILE = "Pulumi.{}.yaml"
SHAPES: Mapping[type, str] = {list: "list", dict: "block of keys", str: "text"}
FIXES = {  # by what was wanted and what was given, where the one for a word or a number would not do
    ("list", "a block of keys"): "put a dash before the first key of each: - name: ...",
    ("block of keys", "a list"): "leave out the dash",
    **{("text", given): "write text instead" for given in ("a block of keys", "a list", "empty")},
}


@dataclass(frozen=True)
class Block:
    """A block of keys, and the place where it stands."""

    file: str
    place: str
    keys: Mapping[str, Any]

    def get(self, name: str, shape: type[T], fix: str) -> T | None:
        """The value of a key, None if it is left out.

        Raises:
            ConnectError: it is of another shape, which ``fix`` mends.
        """
        value = self.keys.get(name)
        if found := unreadable(value):
            raise self.wrong(name, *found)
        if value is not None and not isinstance(value, shape):
            wanted, given = SHAPES[shape], _given(value)
            raise self.wrong(name, f"is {given}, which is no {wanted}", FIXES.get((wanted, given), fix))
        return value

    def require(self, name: str, shape: type[T], fix: str) -> T:
        """The value of a key that must be there; raises as :meth:`get` does."""
        value = self.get(name, shape, fix)
        if value is None:
            raise self.wrong(name, "is missing", f"add {name.rpartition(':')[2]}")
        return value

    def block(self, name: str, fix: str) -> Block:
        """A block in this one; raises as :meth:`get` does."""
        return Block(self.file, self._key(name), self.require(name, dict, fix))

    def text(self, name: str) -> str | None:
        """The text of a key, None if it is left out; raises as :meth:`get` does."""
        return self.get(name, str, "write it in quotes")

    def wrong(self, name: str, problem: str, fix: str) -> ConnectError:
        """What is wrong with a key, and what mends it."""
        return ConnectError(Problem.BAD_STACK, FILE=self.file, KEY=self._key(name), PROBLEM=problem, FIX=fix)

    def _key(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def _given(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a block of keys" if isinstance(value, dict) else "a list"
    return (repr(value) if value else "empty") if isinstance(value, str) else json.dumps(value)


def read_target(stack: str | os.PathLike[str], trigger: str | None) -> Block:
    """Returns the KFP target of a trigger, or that of the first trigger which has one.

    Raises:
        ConnectError: there is none, or no such file, or it is wrong.
    """
    path = _find_file(str(stack))
    targets = {str(each.text("name")): each.block("target", "write kind: ...") for each in _read_triggers(path)}
    usable = [name for name, target in targets.items() if target.text("kind") == "kfp"]
    stack_name, listed = _name(path), ", ".join(usable)
    if trigger and trigger not in targets:
        known = ", ".join(targets) or "there is none"
        raise ConnectError(Problem.NO_TRIGGER, STACK=stack_name, TRIGGER=trigger, TRIGGERS=known)
    if not usable:
        raise ConnectError(Problem.NO_TARGET, STACK=stack_name)
    wanted = trigger or usable[0]
    if wanted not in usable:
        kind = targets[wanted].keys.get("kind")
        target = "Vertex AI" if kind == "vertex" else f"a target of kind {kind}"
        raise ConnectError(Problem.NOT_KFP, STACK=stack_name, TRIGGER=wanted, TARGET=target, TRIGGERS=listed)
    return targets[wanted]


def _find_file(stack: str) -> Path:
    """The file at a path. A name, a file's or ``dev`` for Pulumi.dev.yaml, is looked for here and in what is above.

    So a notebook in a directory of a checkout finds the checkout's own.
    """
    is_file = stack.endswith((".yaml", ".yml"))
    wanted = Path(stack if is_file else STACK_FILE.format(stack.removeprefix("Pulumi.")))
    folders = [wanted.parent] if len(wanted.parts) > 1 else [Path.cwd(), *Path.cwd().parents]
    for folder in folders:
        if (folder / wanted.name).is_file():
            return folder / wanted.name
    there = next(filter(None, (sorted(folder.glob(STACK_FILE.format("*"))) for folder in folders)), [])
    stacks = ", ".join(_name(path) for path in there) or "those beside your Pulumi.yaml"
    raise ConnectError(Problem.NO_STACK, FILE=wanted, STACKS=stacks)


def _name(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").rsplit(".", 1)[0]


def _read_triggers(path: Path) -> list[Block]:
    try:
        document = _document(path)
        config = dict(document["config"] if "environment" not in document else document.get("config") or {})
        given = next((config[key] for key in (TRIGGERS, *ALSO_TRIGGERS) if key in config), None)
        triggers = json.loads(given) if isinstance(given, str) else given
        elsewhere = set_elsewhere(TRIGGERS, document, _project(path)) if triggers is None else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError) as error:
        raise ConnectError(Problem.NOT_A_STACK, FILE=path.name, REASON=_reason(error)) from None
    found = Block(path.name, "", {TRIGGERS: triggers})
    if elsewhere:
        raise found.wrong(TRIGGERS, *elsewhere)
    listed = found.require(TRIGGERS, list, "add a trigger, as Pulumi.dev.yaml does")
    numbered = Block(path.name, "", {f"{TRIGGERS}[{number}]": each for number, each in enumerate(listed)})
    return [numbered.block(name, "write key: value, or leave it out") for name in numbered.keys]


def _document(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8-sig"), StackLoader)  # noqa: S506 it is a SafeLoader


def _project(path: Path) -> Any:
    """The project's own file, which lies beside its stacks or above them."""
    near = (folder / "Pulumi.yaml" for folder in path.resolve().parents)
    return next((_document(file) for file in near if file.is_file()), None)


def _reason(error: Exception) -> str:
    match error:
        case yaml.MarkedYAMLError(problem=problem, problem_mark=yaml.Mark(line=line, column=column)):
            return f"line {line + 1}, column {column + 1}: {problem}"
        case KeyError() | TypeError():
            return "it has none"
    return str(error).partition("\n")[0]

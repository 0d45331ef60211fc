"""A stack file as it lies on the disk, read as the Pulumi CLI would. Pure: no Pulumi here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.configuration.explain import KEYS, PROJECT, closest
from infra.dialect import MERGE, StackLoader, Unclear, set_elsewhere, unreadable
from infra.errors import ConfigurationError, printable
from infra.syntax import explain_yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FILE_ENDINGS = (".yaml", ".yml")
BLOCKS = ("config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider")  # what Pulumi reads of a file
REQUIRED = ("gcp:project", "gcp:region", f"{PROJECT}:triggers")


def read_stack(stack: str, root: Path = ROOT) -> tuple[str, dict[str, str]]:
    """Reads a stack file, which is found as by :func:`find_stack`; returns the stack's name and configuration.

    Raises:
        ConfigurationError: there is no such file, it is not YAML, or it says something twice or where nobody looks.
    """
    path = find_stack(stack, root)
    try:
        config = _configuration(_text(path), root)
    except _WrongFileError as error:
        raise ConfigurationError(in_file(path.name, error.problems)) from None
    return _name(path), config


def find_stack(stack: str, root: Path = ROOT) -> Path:
    """The file of a stack: of a path that one, of ``dev``, ``Pulumi.dev`` or ``Pulumi.dev.yaml`` the checkout's.

    Raises:
        ConfigurationError: there is none.
    """
    name = stack if stack.endswith(FILE_ENDINGS) else f"Pulumi.{stack.removeprefix('Pulumi.')}.yaml"
    for path in (Path(name), root / name) if name == stack else (root / name,):
        if path.is_file():
            return path
    problem = f"there is no stack file {name}" if stack.strip() else "the stack's name is empty"
    there = ", ".join(stack_names(root))
    fix = f"choose one of {there}, or give a file's path" if there else "give a file's path"
    raise ConfigurationError(f"{problem}; {fix}")


def stack_names(root: Path = ROOT) -> list[str]:
    """The stacks that have a file in the checkout."""
    return sorted(_name(path) for path in root.glob("Pulumi.*.yaml"))


def _name(path: Path) -> str:
    return path.name.removeprefix("Pulumi.").rsplit(".", 1)[0]


def in_file(name: str, problems: Iterable[str]) -> str:
    """Problems as a list under the name of the file that has them."""
    return f"{name}:" + "".join(f"\n  {printable(problem)}" for problem in problems)


class _WrongFileError(Exception):
    """What is wrong with a file, problem by problem."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise _WrongFileError(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _WrongFileError(f"line {line}: a character that is not UTF-8; save the file as UTF-8") from None


def _configuration(text: str, root: Path) -> dict[str, str]:
    """The configuration in a stack file's text: lists and maps as JSON, as the engine hands them over."""
    try:
        loader = StackLoader(text)
        node = loader.get_single_node()
        if node is None:
            return {}
        if twice := [*_repeated(loader, node)]:
            raise _WrongFileError(*twice)
        document = loader.construct_document(node)
        config = _config_of(document)
        if problems := [*_unreadable(config), *_elsewhere(config, document, root)]:
            raise _WrongFileError(*problems)
        return {key: "" if value is None else _as_text(value) for key, value in config.items()}
    except (yaml.YAMLError, RecursionError) as error:
        raise _WrongFileError(explain_yaml(error, text)) from None


def _config_of(document: Any) -> dict[str, Any]:
    """What stands in the block ``config:``, under the keys' full names."""
    config = document.get("config") if isinstance(document, dict) else document
    if not isinstance(config, dict | None):
        raise _WrongFileError("it is not a stack file; write a block `config:` with NAMESPACE:KEY: VALUE in it")
    keys = [_as_text(key) for key in config or ()]
    problems = [
        *(problem for block in document or () if (problem := _strange(_as_text(block)))),
        *(f"{key}: is no NAMESPACE:KEY; {_meant_by(key)}" for key in keys if not _full_name(key)),
    ]
    if problems:
        raise _WrongFileError(*problems)
    return {_full_name(key): value for key, value in zip(keys, (config or {}).values(), strict=True)}


def _unreadable(value: Any, place: str = "", within: tuple[int, ...] = ()) -> Iterator[str]:
    """What in a value is read as one thing here and as another there, or by nobody but Pulumi, each with its place.

    A secret that is none of our keys' is Pulumi's business.
    """
    found = unreadable(value)
    if found and (isinstance(value, Unclear) or place.startswith(KEYS)):
        yield f"{place}: {'; '.join(found)}"
    if id(value) in within:  # by an alias, which is said when it is written as JSON
        return
    inside = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, each in inside:
        problem, fix = ("is empty", "give it a name") if key is None else unreadable(key) or ("", "")
        if problem:
            yield f"{place}: a key {problem}; {fix}"
        below = f"{place}[{key}]" if isinstance(value, list) else f"{place}.{_as_text(key)}" if place else str(key)
        yield from _unreadable(each, below, (*within, id(value)))


def _elsewhere(config: Mapping[str, Any], document: Any, root: Path) -> Iterator[str]:
    """Our keys that the file has not, where what may have them is not read here."""
    file = root / "Pulumi.yaml"
    project = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    for key in KEYS:
        named = document if key in REQUIRED else None
        if config.get(key) is None and (found := set_elsewhere(key, named, project)):
            yield f"{key}: {'; '.join(found)}"


def _strange(block: str) -> str:
    """What is wrong with a block beside ``config:``, if it was meant to be read. It may well hold anchors instead."""
    if _full_name(block) in KEYS:
        return f"{block}: stands beside config, where nobody reads it; indent it to stand below config"
    meant = "" if block in BLOCKS else closest(block.lower(), BLOCKS)
    return f"{block}: unknown block; did you mean {meant}?" if meant else ""


def _meant_by(key: str) -> str:
    meant = closest(key, KEYS)
    return f"did you mean {meant}?" if meant else f"write it as {KEYS[0]} is written"


def _full_name(key: str) -> str:
    """A key of ``config:`` as Pulumi has it: without a namespace it is the project's. Nothing for what is no key."""
    match key.split(":"):
        case [name]:
            return f"{PROJECT}:{name}"
        case [namespace, name] | [namespace, "config", name]:
            return f"{namespace}:{name}"
    return ""


def _repeated(loader: StackLoader, root: yaml.Node) -> Iterator[str]:
    """The keys that stand twice in one block. Readers of YAML take the last and say nothing, Pulumi's own excepted.

    A key that the block has beside ``<<`` and from it is none of them: to override is what merging is for.
    """
    blocks = [value for key, value in _pairs(root) if key.value == "config"]
    waiting, seen = [(root, "")], set()
    while waiting:
        node, hint = waiting.pop()
        if id(node) in seen:  # by another alias
            continue
        seen.add(id(node))
        first: dict[str, int] = {}
        for key, _ in _pairs(node):
            name = "<<" if key.tag == MERGE else _as_text(loader.construct_object(key))
            name = _full_name(name) if node in blocks else name
            line = key.start_mark.line + 1
            if name in first:
                yield f"line {line}: {key.value} stands in line {first[name]} already; take one of them out{hint}"
            first.setdefault(name, line)
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        waiting += [(item, ", or start another item of the list with a dash") for item in reversed(items)]
        waiting += [(value, "") for _, value in reversed(_pairs(node))]


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a block; what is no key, such as a list, is said when the block is read."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _as_text(value: Any) -> str:
    try:
        return str(value) if isinstance(value, str | Unclear) else json.dumps(value)
    except ValueError:
        raise _WrongFileError("an alias (*) stands within what it names; take it out") from None

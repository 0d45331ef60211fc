"""All that somebody may do, or all that may be done to something: what, why, and by which path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from ops.errors import OperationError
from ops.iam.comparing.report import place
from ops.iam.kept.document import roles_of
from ops.iam.kept.manifest import Entry, Manifest
from ops.iam.paths.edges import node_of
from ops.iam.paths.paths import Path, paths_of
from ops.tables import visible


@dataclass(frozen=True)
class Explained:
    """What stands of one name in a manifest: held by it, given on it, and the paths from it, and to it or through."""

    name: str
    held: tuple[tuple[Entry, str], ...]  # with what the role holds
    given: tuple[tuple[Entry, str], ...]
    onward: tuple[Path, ...]
    reached: tuple[Path, ...]


def explain(manifest: Manifest, name: str) -> Explained:
    """Everything about a principal or a resource, by its name, its address or a part that no other has.

    Raises:
        OperationError: nobody and nothing is called so, or several are.
    """
    paths = paths_of([entry.permission for entry in manifest.grants])
    found = _found(manifest, paths, name)
    roles = roles_of(manifest)

    def listed(of: Callable[[Entry], bool]) -> tuple[tuple[Entry, str], ...]:
        return tuple((entry, roles.holds(entry.role)) for entry in manifest.grants if of(entry))

    return Explained(
        found,
        listed(lambda e: found in _names_of_holder(e)),
        listed(lambda e: found not in _names_of_holder(e) and node_of(e.permission) == found),
        tuple(path for path in paths if path.who == found),
        tuple(path for path in paths if any(step.target == found for step in path.steps)),
    )


def _names_of_holder(entry: Entry) -> tuple[str, ...]:
    return entry.member, entry.member.replace(":", " ", 1)


def _found(manifest: Manifest, paths: list[Path], name: str) -> str:
    nodes = {e.member if not e.is_way else _names_of_holder(e)[1] for e in manifest.grants}
    nodes |= {node_of(entry.permission) for entry in manifest.grants}
    nodes |= {node for path in paths for node in (path.who, path.whom)}
    principals = {entry.principal: entry.member for entry in manifest.grants if not entry.is_way}
    exact = {n for n in nodes if name in (n, n.split(":", 1)[-1], n.split(" ", 1)[-1])}
    alike = exact or ({principals[name]} if name in principals else {n for n in nodes if name in n})
    if len(alike) == 1:
        return alike.pop()
    if not alike:
        raise OperationError(f"nothing in stack {manifest.stack} is called {name}; there: {', '.join(sorted(nodes))}")
    raise OperationError(f"several are called {name}: {', '.join(sorted(alike))}; write one of them out")


def to_terminal(explained: Explained, console: Console) -> None:
    """Prints it as sentences, one on each line."""
    console.print(Text(explained.name, "bold"))
    for heading, lines in _sections(explained):
        if lines:
            console.print(Text(heading, "bold"))
            for line in lines:
                console.print(Text(f"  {visible(line)}"), soft_wrap=True, highlight=False)


def _sections(explained: Explained) -> list[tuple[str, list[str]]]:
    return [
        ("has", [_line(entry, holds, place(entry.permission)) for entry, holds in explained.held]),
        ("given on it", [_line(entry, holds, f"to {entry.member}") for entry, holds in explained.given]),
        ("and so", [f"{path.verb} {path.whom}: it {path.by}" for path in explained.onward]),
        ("reached by", [str(path) for path in explained.reached]),
    ]


def _line(entry: Entry, holds: str, where: str) -> str:
    condition = f" if {entry.condition}" if entry.condition else ""
    why = f": {entry.reason}" if entry.reason else ""
    listed = f" [{holds}]" if holds else ""
    return f"{entry.role} {where}{condition}{why}{listed}"


def to_json(explained: Explained) -> dict[str, Any]:
    """The same for a program."""

    def entries(listed: tuple[tuple[Entry, str], ...]) -> list[dict[str, Any]]:
        return [{**entry.model_dump(), "holds": holds.split()} for entry, holds in listed]

    def paths(listed: tuple[Path, ...]) -> list[dict[str, Any]]:
        return [{"who": p.who, "whom": p.whom, "becomes": p.becomes, "by": p.by} for p in listed]

    return {
        "name": explained.name,
        "has": entries(explained.held),
        "given": entries(explained.given),
        "onward": paths(explained.onward),
        "reached_by": paths(explained.reached),
    }

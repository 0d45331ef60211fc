"""Who can become whom, transitively: the shortest way from each principal to each account."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ops.iam.catalogue.roles import pinned
from ops.iam.paths.edges import ACCOUNT, BUILT, IMAGE, Edge, edges_of
from ops.iam.reading.custom import custom_roles
from ops.iam.reading.permissions import Permission

ENTERED = {
    "bucket": "may write to",
    "function": "may change",
    "repository": "may push to",
    "topic": "may publish to",
}


@dataclass(frozen=True)
class Path:
    """How one comes to be, or to start, an account."""

    steps: tuple[Edge, ...]

    @property
    def who(self) -> str:
        """Where it starts."""
        return self.steps[0].source

    @property
    def whom(self) -> str:
        """The account at its end."""
        return self.steps[-1].target

    @property
    def becomes(self) -> bool:
        """Whether it may do all that the account may, and not only start what runs as it."""
        return all(step.becomes for step in self.steps)

    @property
    def ends(self) -> tuple[str, str, bool]:
        """What tells two paths apart: who comes to whom, and how near."""
        return self.who, self.whom, self.becomes

    @property
    def verb(self) -> str:
        """What it comes to, in words."""
        return "can become" if self.becomes else "can start runs as"

    @property
    def by(self) -> str:
        """Its steps, in words."""
        first, *others = self.steps
        return ", which ".join([f"{first.how} {first.target}", *(f"{step.how} {step.target}" for step in others)])

    def __str__(self) -> str:
        return f"{self.starts} {self.verb} {self.whom}: {'this' if _entered(self.who) else 'it'} {self.by}"

    @property
    def starts(self) -> str:
        """Who that is: a principal, or whoever may write to a thing."""
        return f"whoever {_entered(self.who)} {self.who}" if _entered(self.who) else self.who


def _entered(node: str) -> str:
    """How one comes to a thing that is no principal; empty for one."""
    return ENTERED.get(node.split(" ", 1)[0], "")


def paths_of(permissions: Iterable[Permission]) -> list[Path]:
    """The shortest path between every two that have one, sorted."""
    listed = list(permissions)
    edges = edges_of(listed, pinned().also(custom_roles(listed)))
    ahead: dict[str, list[Edge]] = {}
    for edge in edges:
        ahead.setdefault(edge.source, []).append(edge)
    found = {path.ends: path for start in sorted(ahead) for path in _from(start, ahead)}
    return [found[ends] for ends in sorted(found)]


def new_paths(before: Sequence[Permission], after: Sequence[Permission]) -> list[Path]:
    """The paths that a change opens."""
    known = {path.ends for path in paths_of(before)}
    return [path for path in paths_of(after) if path.ends not in known]


def _from(start: str, ahead: dict[str, list[Edge]]) -> Iterator[Path]:
    """Nearest first. Who only starts what runs as an account does not use what the account was granted."""
    seen = {(start, True)}
    waiting: deque[tuple[str, bool, tuple[Edge, ...]]] = deque([(start, True, ())])
    while waiting:
        node, became, steps = waiting.popleft()
        if steps and node.startswith(ACCOUNT) and node != start:
            yield Path(steps)
        for edge in ahead.get(node, ()):
            then = became and edge.becomes
            if _open(edge, steps, became) and (edge.target, then) not in seen:
                seen.add((edge.target, then))
                waiting.append((edge.target, then, (*steps, edge)))


def _open(edge: Edge, steps: Sequence[Edge], became: bool) -> bool:
    """Whether a step can be taken: only code is built, and a grant is used by whoever has become its holder."""
    if edge.how == BUILT:
        return became and not (steps and steps[-1].how == IMAGE)
    return became or not edge.granted

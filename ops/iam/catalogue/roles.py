"""The pinned catalogue: role to permissions, and what may be concluded from it.

A wrong list would fool a reviewer, so what is concluded errs to one side: what is listed is certainly held, and only
a role that is marked complete holds certainly nothing else. A role that is not here may hold everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

FILE = Path(__file__).with_name("roles.yaml")


@dataclass(frozen=True)
class Role:
    """What is known of a role. ``includes`` are roles that are wholly within it."""

    known: Literal["complete", "extract"]
    permissions: frozenset[str]
    includes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Roles by name; of a stack's custom roles, those that it defines itself."""

    roles: Mapping[str, Role]
    as_of: str = ""

    def also(self, custom: Mapping[str, Iterable[str]]) -> Catalogue:
        """With roles whose definition is at hand, and so is complete."""
        defined = {name: Role("complete", frozenset(permissions)) for name, permissions in custom.items()}
        return Catalogue({**self.roles, **defined}, self.as_of)

    def at_least(self, role: str) -> frozenset[str]:
        """What a role certainly holds; nothing is certain of one that is not here."""
        return frozenset().union(*(self.roles[name].permissions for name in self._within(role)))

    def at_most(self, role: str) -> frozenset[str] | None:
        """All that a role holds; None where that is not known."""
        found = self.roles.get(role)
        return found.permissions if found and found.known == "complete" else None

    def contain(self, held: Iterable[str], role: str) -> bool:
        """Whether whoever holds some roles may do already all that another role allows."""
        roles = list(held)
        if any(role in self._within(one) for one in roles):
            return True
        wanted = self.at_most(role)
        return wanted is not None and wanted <= self.union(roles)

    def union(self, roles: Iterable[str]) -> frozenset[str]:
        """What some roles together certainly hold."""
        return frozenset().union(*map(self.at_least, roles))

    def holds(self, role: str) -> str:
        """What a role holds, in words to look for; of a role that is not here, that it is not."""
        if not is_role(role):
            return ""
        if role not in self.roles:
            return "(not in the catalogue)"
        more = [] if self.at_most(role) is not None else ["(and more)"]
        return " ".join([*sorted(self.at_least(role)), *more])

    def _within(self, role: str) -> Iterator[str]:
        if found := self.roles.get(role):
            yield role
            for name in found.includes:
                yield from self._within(name)


def is_role(name: str) -> bool:
    """Whether it is granted as a role; the rest are permissions, and words of our own."""
    return name.startswith(("roles/", "projects/", "organizations/"))


@cache
def pinned(file: Path = FILE) -> Catalogue:
    """The catalogue that comes with the product."""
    document = yaml.safe_load(file.read_text())
    return Catalogue({name: _role(entry) for name, entry in document["roles"].items()}, str(document["as_of"]))


def _role(entry: Mapping[str, object]) -> Role:
    families: Mapping[str, list[str]] = entry["holds"]  # type: ignore[assignment]  # a test reads the whole file
    permissions = frozenset(f"{thing}.{verb}" for thing, verbs in families.items() for verb in verbs)
    known: Literal["complete", "extract"] = entry["known"]  # type: ignore[assignment]  # as above
    return Role(known, permissions, tuple(entry.get("includes", ())))  # type: ignore[arg-type]  # as above

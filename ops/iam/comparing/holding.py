"""What is held before a change, in permissions of IAM, by whom and on what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.iam.catalogue.roles import Catalogue, is_role
from ops.iam.comparing.words import unlisted, widened
from ops.iam.reading.permissions import CUSTOM_ROLE, Permission


@dataclass(frozen=True)
class Held:
    """Permissions before a change, with the catalogue of then."""

    permissions: Iterable[Permission]
    catalogue: Catalogue
    _there: dict[tuple[str, str, str], list[Permission]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.permissions:
            if not one.apart and is_role(one.role):
                self._there.setdefault((one.member, one.kind, one.resource), []).append(one)

    def by(self, wanted: Permission) -> str:
        """The roles that whoever wants one has on the same thing, or on its project, under no narrower condition."""
        return ", ".join(self._roles(wanted))

    def contain(self, wanted: Permission, catalogue: Catalogue) -> bool:
        """Whether all that a grant allows was held before. ``catalogue`` is that of afterwards."""
        if wanted.apart or wanted.authoritative or not is_role(wanted.role):
            return False
        roles, most = self._roles(wanted), catalogue.at_most(wanted.role)
        if most is not None and not wanted.role.startswith("roles/"):
            return bool(roles) and most <= self.catalogue.union(roles)
        return bool(roles) and self.catalogue.contain(roles, wanted.role)

    def gains(self, wanted: Permission, catalogue: Catalogue) -> tuple[tuple[str, ...], bool, str]:
        """The permissions that a grant adds, whether these are all, and a sentence that says so."""
        if not is_role(wanted.role):
            return ((wanted.role,) if wanted.kind == CUSTOM_ROLE else ()), True, ""
        if wanted.role not in catalogue.roles:
            return (), False, unlisted(wanted.role)
        gained = tuple(sorted(catalogue.at_least(wanted.role) - self.catalogue.union(self._roles(wanted))))
        exact = catalogue.at_most(wanted.role) is not None
        return gained, exact, widened(gained, exact=exact)

    def _roles(self, wanted: Permission) -> list[str]:
        places = [(wanted.kind, wanted.resource)]
        if wanted.resource.startswith("projects/") and wanted.kind != "projects":
            places.append(("projects", wanted.resource.split("/")[1]))
        there = (one for place in places for one in self._there.get((wanted.member, *place), ()))
        return sorted({one.role for one in there if one.condition in ("", wanted.condition)})

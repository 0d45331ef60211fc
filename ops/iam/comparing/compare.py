"""What a change does to permissions: each is broadened, narrowed, moved or unchanged.

"Wider" is a small model, and errs to one side. Only two things are narrower for certain: what is gone, and what has
a condition that it did not have. Another condition, another role, a role on a parent resource and whatever is not
known are broadened, since whether one set of permissions contains another is Google Cloud's to know and not ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ops.iam.comparing.risks import Risk, risks_of
from ops.iam.reading.permissions import WIDE, Permission

Effect = Literal["broadened", "moved", "narrowed", "unchanged"]
ROLE = ("roles/", "projects/", "organizations/")
EFFECTS: tuple[Effect, ...] = ("broadened", "moved", "narrowed", "unchanged")  # as they are listed


@dataclass(frozen=True)
class Change:
    """One permission, before and after. ``what`` says in words what became of it."""

    effect: Effect
    what: str
    before: Permission | None
    after: Permission | None
    risks: tuple[Risk, ...] = ()

    @property
    def high(self) -> bool:
        """Whether nobody should approve this in passing."""
        return any(risk.level == "high" for risk in self.risks)

    @property
    def permission(self) -> Permission:
        """As it is afterwards, or was where it is gone."""
        found = self.after or self.before
        assert found  # noqa: S101 a change has one side at least
        return found


def compare(before: Iterable[Permission], after: Iterable[Permission]) -> list[Change]:
    """Every permission of both sides in exactly one change, the ones to look at first."""
    old, new = _by_identity(before), _by_identity(after)
    changes = [_kept(old[permission], new[permission]) for permission in old.keys() & new.keys()]
    lost, gained = set(old) - set(new), set(new) - set(old)
    for was, now in _pairs(lost, gained, lambda p: (p.role, p.member, p.kind, p.resource)):
        changes.append(_recondition(old[was], new[now]))
    for was, now in _pairs(lost, gained, lambda p: (p.role, p.member, p.kind, p.condition)):
        changes.append(Change("moved", f"moved from {was.resource}", old[was], new[now]))
    changes += [Change("broadened", _added(new[now], lost), None, new[now]) for now in gained]
    changes += [Change("narrowed", "removed", old[was], None) for was in lost]
    return sorted((_with_risks(change) for change in changes), key=_order)


def _by_identity(permissions: Iterable[Permission]) -> dict[Permission, Permission]:
    """One for each identity, with all that is known of it where several resources give the same."""
    found: dict[Permission, Permission] = {}
    for one in permissions:
        other = found.get(one, one)
        found[one] = replace(
            one,
            authoritative=one.authoritative or other.authoritative,
            violations=tuple(dict.fromkeys(other.violations + one.violations)),
            given_by=one.given_by | other.given_by,
        )
    return found


def _pairs(
    lost: set[Permission], gained: set[Permission], likeness: Callable[[Permission], Hashable]
) -> list[tuple[Permission, Permission]]:
    """Takes what is alike out of both sets, in pairs. What is hidden is like nothing."""
    sides: dict[Hashable, tuple[list[Permission], list[Permission]]] = defaultdict(lambda: ([], []))
    for side, permissions in enumerate((lost, gained)):
        for permission in sorted(permissions, key=_identity):
            if not permission.apart:
                sides[likeness(permission)][side].append(permission)
    pairs = [pair for one, other in sides.values() for pair in zip(one, other, strict=False)]
    lost -= {was for was, _ in pairs}
    gained -= {now for _, now in pairs}
    return pairs


def _kept(was: Permission, now: Permission) -> Change:
    if now.authoritative and not was.authoritative:
        return Change("unchanged", "now given by an authoritative resource", was, now)
    return Change("unchanged", "", was, now)


def _recondition(was: Permission, now: Permission) -> Change:
    if not was.condition:
        return Change("narrowed", "condition added", was, now)
    if not now.condition:
        return Change("broadened", f"condition removed: {was.condition}", was, now)
    return Change("broadened", f"condition changed from {was.condition}", was, now)


def _added(now: Permission, lost: Iterable[Permission]) -> str:
    """How a permission came in: beside what the same member loses, the reader sees a replacement as one."""
    if not now.role.startswith(ROLE):
        return "added"
    theirs = sorted((p for p in lost if p.member == now.member), key=_identity)
    roles = [p.role for p in theirs if (p.kind, p.resource) == (now.kind, now.resource)]
    if roles:
        return f"role replaces {', '.join(roles)}"
    if now.kind in WIDE and (narrower := [p.resource for p in theirs if p.role == now.role and p.kind not in WIDE]):
        return f"role added on a parent of {', '.join(narrower)}"
    return "added"


def _with_risks(change: Change) -> Change:
    """What is gone or only kept is no risk of this change, except for what an authoritative resource removes."""
    newly_authoritative = change.effect == "unchanged" and change.what
    if change.after and (change.effect in ("broadened", "moved") or newly_authoritative):
        return replace(change, risks=tuple(risks_of(change.after)))
    return change


def _order(change: Change) -> tuple[int, bool, tuple[str, ...]]:
    return EFFECTS.index(change.effect), not change.high, _identity(change.permission)


def _identity(permission: Permission) -> tuple[str, ...]:
    p = permission
    return p.member, p.kind, p.resource, p.role, p.condition, p.apart

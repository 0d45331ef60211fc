"""What a change does to permissions: each is broadened, narrowed or unchanged.

"Wider" is a small model, and errs to one side. Narrower for certain are what is gone, what has a condition that it
did not have, and a role all of whose permissions were held there before, by the pinned catalogue. Another condition,
another resource, a role on a parent and whatever is not known are broadened, and so is what goes without having been
read: it may have been a guard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ops.iam.catalogue.roles import Catalogue, pinned
from ops.iam.comparing.holding import Held
from ops.iam.comparing.risks import Risk, risks_of
from ops.iam.comparing.words import added, became, narrowed
from ops.iam.reading.custom import custom_roles
from ops.iam.reading.permissions import Permission

Effect = Literal["broadened", "narrowed", "unchanged"]
EFFECTS: tuple[Effect, ...] = ("broadened", "narrowed", "unchanged")  # as they are listed
AUTHORITATIVE = "now given by an authoritative resource"
GONE = "gone without having been read: it may have been a guard"


@dataclass(frozen=True)
class Change:
    """One permission, before and after. ``what`` says in words what became of it; the rest, which permissions of IAM.

    ``gained`` is all of it where ``exact``; else the catalogue knows no more than that.
    """

    effect: Effect
    what: str
    before: Permission | None
    after: Permission | None
    risks: tuple[Risk, ...] = ()
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    exact: bool = True

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


def compare(
    before: Iterable[Permission], after: Iterable[Permission], catalogue: Catalogue | None = None
) -> list[Change]:
    """Every permission of both sides in exactly one change, the ones to look at first."""
    old, new = _by_identity(before), _by_identity(after)
    roles = catalogue or pinned()
    held, wanted = Held(old, roles.also(custom_roles(old))), roles.also(custom_roles(new))
    changes = [_kept(old[permission], new[permission]) for permission in old.keys() & new.keys()]
    lost, gained = set(old) - set(new), set(new) - set(old)
    for was, now in _pairs(lost, gained, lambda p: (p.role, p.member, p.kind, p.resource)):
        changes.append(_recondition(old[was], new[now]))
    contained = {now for now in gained if held.contain(now, wanted)}
    within = _pairs(lost, contained, lambda p: (p.member, p.kind, p.resource, p.condition))
    changes += [_narrower(old[was], new[now], held.catalogue, wanted) for was, now in within]
    changes += [Change("unchanged", f"held already by {held.by(now)}", None, new[now]) for now in contained]
    gained -= contained | {now for _, now in within}
    for was, now in _pairs(lost, gained, lambda p: (p.role, p.member, p.kind, p.condition)):
        changes.append(_broader(became(old[was], new[now]), old[was], new[now], held, wanted))
    changes += [_broader(added(now, lost), None, new[now], held, wanted) for now in gained]
    changes += [_gone(old[was]) for was in lost]
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
        return Change("unchanged", AUTHORITATIVE, was, now)
    return Change("unchanged", "", was, now)


def _recondition(was: Permission, now: Permission) -> Change:
    if not was.condition:
        return Change("narrowed", "condition added", was, now)
    if not now.condition:
        return Change("broadened", f"condition removed: {was.condition}", was, now)
    return Change("broadened", f"condition changed from {was.condition}", was, now)


def _narrower(was: Permission, now: Permission, before: Catalogue, after: Catalogue) -> Change:
    """A role in the place of another, which held all of it."""
    lost = tuple(sorted(before.at_least(was.role) - after.at_least(now.role)))
    return Change("narrowed", narrowed(was, lost), was, now, lost=lost)


def _broader(what: str, was: Permission | None, now: Permission, held: Held, roles: Catalogue) -> Change:
    gained, exact, said = held.gains(now, roles)
    parts = (said,) if what == "added" and said else (what, said)
    return Change("broadened", "; ".join(filter(None, parts)), was, now, gained=gained, exact=exact)


def _gone(was: Permission) -> Change:
    return Change("broadened", GONE, was, None) if was.two_sided else Change("narrowed", "removed", was, None)


def _with_risks(change: Change) -> Change:
    """What is gone or only kept is no risk of this change, except for what an authoritative resource removes."""
    newly_authoritative = change.effect == "unchanged" and change.what == AUTHORITATIVE
    if (change.after and change.effect == "broadened") or newly_authoritative or change.what == GONE:
        return replace(change, risks=tuple(risks_of(change.permission)))
    return change


def _order(change: Change) -> tuple[int, bool, tuple[str, ...]]:
    return EFFECTS.index(change.effect), not change.high, _identity(change.permission)


def _identity(permission: Permission) -> tuple[str, ...]:
    p = permission
    return p.member, p.kind, p.resource, p.role, p.condition, p.apart

"""The sentences about a change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ops.iam.catalogue.roles import is_role
from ops.iam.reading.permissions import DESTINATION, WIDE, Permission

SHOWN = 6  # permissions in a sentence; --json lists all


def became(was: Permission, now: Permission) -> str:
    """That the same is so on another thing."""
    verb = "moved from" if is_role(now.role) or now.kind == DESTINATION else "was"
    return f"{verb} {was.resource}"


def added(now: Permission, lost: Iterable[Permission]) -> str:
    """How a permission came in: beside what the same member loses, the reader sees a replacement as one."""
    if not is_role(now.role):
        return "added"
    theirs = sorted((p for p in lost if p.member == now.member), key=lambda p: (p.role, p.kind, p.resource))
    roles = [p.role for p in theirs if (p.kind, p.resource) == (now.kind, now.resource)]
    if roles:
        return f"role replaces {', '.join(roles)}"
    if now.kind in WIDE and (narrower := [p.resource for p in theirs if p.role == now.role and p.kind not in WIDE]):
        return f"role added on a parent of {', '.join(narrower)}"
    return "added"


def narrowed(was: Permission, lost: Sequence[str]) -> str:
    """That a role is in the place of another, which held all of it."""
    return f"in the place of {was.role}: narrowed by {_counted(lost)}" if lost else f"in the place of {was.role}"


def widened(gained: Sequence[str], *, exact: bool) -> str:
    """Which permissions come in, and whether these are all."""
    if exact:
        return f"broadened by exactly {_counted(gained)}"
    return f"broadened by at least {_counted(gained)}; of the rest of this role the catalogue has no list"


def unlisted(role: str) -> str:
    """That nobody has said what a role holds."""
    return (
        f"the catalogue does not know {role}, so it counts as everything; add it: "
        f"pipeline-trigger iam catalogue update {role}"
    )


def _counted(permissions: Sequence[str]) -> str:
    if not permissions:
        return "no permission that is listed"
    more = f" and {len(permissions) - SHOWN} more" if len(permissions) > SHOWN else ""
    these = "this permission" if len(permissions) == 1 else f"these {len(permissions)} permissions"
    return f"{these}: {', '.join(permissions[:SHOWN])}{more}"

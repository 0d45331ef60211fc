"""What to look at twice in a permission: ``high`` is a broken rule of the policy, and the rest a note."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ops.iam.reading.permissions import DESTINATION, UNREAD, WIDE, Permission
from policy.rules import IMPERSONATION, RULES

ACCESS_TOKEN = "access-token"  # noqa: S105 what kind is shown, and none itself
DESCRIPTIONS = {rule.name: rule.description for rule in RULES}


@dataclass(frozen=True)
class Risk:
    """One reason to look twice; ``rule`` names the rule that a high one breaks."""

    level: Literal["high", "note"]
    text: str
    rule: str = ""


def label(rule: str) -> str:
    """What breaks a rule, in short: ``basic role`` for ``no-basic-role``."""
    return rule.removeprefix("no-").replace("-", " ").replace("project wide", "project-wide")


def risks_of(permission: Permission) -> list[Risk]:
    """Every reason to look twice at a permission, the high ones first."""
    high = [Risk("high", label(rule), rule) for rule in permission.violations]
    return high + [Risk("note", text) for text in _notes(permission)]


def _notes(permission: Permission) -> Iterator[str]:
    if IMPERSONATION.fullmatch(permission.role) and permission.kind not in WIDE:
        yield "impersonation: may act as this account"
    if permission.kind in WIDE:
        yield f"{WIDE[permission.kind]}-wide" + (", narrowed by the condition" if permission.condition else "")
    if permission.kind == DESTINATION and permission.role == ACCESS_TOKEN:
        yield "whoever answers there may do what the account may, for an hour: an access token cannot be narrowed"
    if permission.hidden:
        names = sorted(urn.rsplit("::", 1)[-1] for urn in permission.given_by)
        yield f"not known, taken for the widest: see {', '.join(names)}"
    if permission.role == UNREAD:
        yield "gives or withholds access in a way of its own: read its diff"

"""What to look at twice in a permission: ``high`` is a broken rule of the policy, and the rest a note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ops.iam.reading.permissions import UNREAD, WIDE, Permission
from ops.iam.reading.ways import WAYS
from policy.rules import IMPERSONATION, RULES

DESCRIPTIONS = {rule.name: rule.description for rule in RULES}
# What is known of the types that are not read, the first that fits.
UNREAD_KINDS = (
    (
        re.compile(r"orgpolicy/|OrganizationPolicy|organizations/Policy"),
        "an organisation policy: what it forbids, others may",
    ),
    (re.compile(r"accesscontextmanager/"), "a perimeter, or who is let through it"),
    (re.compile(r"I[aA][mM]AuditConfig"), "which accesses are recorded; without it nobody learns who read what"),
    (re.compile(r"tags/"), "a tag, which conditions of grants and of policies read"),
    (re.compile(r"iam/Work(load|force)\w+"), "who of another identity provider may come in, as whom"),
    (
        re.compile(r"DenyPolicy|AccessBoundaryPolicy|PolicyBinding|ntitlement"),
        "gives or withholds access in a way of its own: read its diff",
    ),
    (re.compile(r"^gcp:|^\w+/\w+$"), "a type that is not read here, so it may give access: review it"),
    (re.compile(r""), "another provider, of which nothing is read here: review it"),
)


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
    if permission.role in WAYS:
        yield WAYS[permission.role][1]
    if permission.hidden:
        names = sorted(urn.rsplit("::", 1)[-1] for urn in permission.given_by)
        yield f"not known, taken for the widest: see {', '.join(names)}"
    if permission.role == UNREAD:
        yield next(said for pattern, said in UNREAD_KINDS if pattern.search(permission.kind))

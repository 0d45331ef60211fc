"""What a comparison cannot show, said where it matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ops.iam.catalogue.roles import is_role
from ops.iam.comparing.compare import Change
from ops.iam.comparing.report import place
from ops.iam.reading.permissions import Permission

AGENTS = (
    "Google Cloud gives its service agents roles of their own when an API is enabled; they stand in no program and "
    "in no {where}."
)
SHARED = (
    "To Google Cloud equal grants are one: where another stack or a person gave the same, what is narrowed here is "
    "taken from them too, and no {where} shows it."
)
AUTHORITATIVE = (
    "An authoritative resource removes every other member, also those that no {where} knows; ask `gcloud` for the "
    "policy first of: {those}."
)
RENAMED = (
    "A resource that gives {role} on {place} is deleted, and another gives the same: Pulumi deletes last, which "
    "takes the permission away from both. Use an alias, or run `pulumi up --refresh` again afterwards."
)
PARTIAL = (
    "This preview has only what changes: what stays is on no path here, and nothing counts as held already; make "
    "it with `pulumi preview --json --show-sames`."
)
HIDDEN = "What is unknown until applied, or secret, is counted as broadened: look at it in the program."


def caveats_of(changes: Sequence[Change], where: str) -> list[str]:
    """What to say under a table of changes; ``where`` is what they were read from, preview or manifest."""
    return list(dict.fromkeys(_caveats(changes, where)))


def _caveats(changes: Sequence[Change], where: str) -> Iterator[str]:
    for change in changes:
        now = change.permission
        if change.before and change.effect == "unchanged" and change.before.given_by - now.given_by:
            yield RENAMED.format(role=now.role, place=place(now))
    emptied = sorted({f"{p.role} on {place(p)}" for p in map(_authoritative, changes) if p})
    if emptied:
        yield AUTHORITATIVE.format(where=where, those=", ".join(emptied))
    if any(change.permission.hidden for change in changes):
        yield HIDDEN
    if any(c.before and c.before != c.after and is_role(c.before.role) for c in changes):
        yield SHARED.format(where=where)
    if changes:
        yield AGENTS.format(where=where)


def _authoritative(change: Change) -> Permission | None:
    """What a change gives authoritatively that was not there, or not so, before."""
    changed = change.effect != "unchanged" or change.what
    return change.after if changed and change.after and change.after.authoritative else None

"""Who may keep records in the ledger: each trigger's launcher its own, and the fences of its runs theirs."""

from __future__ import annotations

import pulumi

from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant, Principal

# Directories of the ledger, each with one for each trigger: what its launcher keeps, and what its fences do.
KEPT = ("claims", "outcomes", "rejected")
STARTED, ONCE = "started", "once"


def let_record(
    trigger: str, launcher: Principal, foundation: Foundation, parent: pulumi.Resource, *, once: bool
) -> list[Grant]:
    """Lets a launcher create, read, replace and remove its trigger's records, and neither read nor forge others'.

    ``once``: the trigger has ``once_per``, and its launcher also keeps whose a value is.
    It may list all of them, by which it learns their names: whoever may not list a bucket is answered 403 for an
    object that is not there, and not 404 (storage/docs/json_api/v1/status-codes).
    """
    return [
        Grant(
            "roles/storage.objectUser",
            on=_records_of(trigger, foundation),
            to=launcher,
            reason="The launcher claims each event in the ledger, and records what became of it",
            condition=_only(
                f"Records of trigger {trigger}",
                foundation,
                *(f"{kind}/{trigger}" for kind in (*KEPT, *([ONCE] if once else []))),
            ),
            parent=parent,
        ),
        foundation.grant(
            "roles/storage.legacyBucketReader",
            on=grants.on_bucket("launch-ledger", foundation.ledger.name),
            to=launcher,
            reason="Only who may list the ledger is told that it has no record of an event yet",
        ),
    ]


def let_fence(trigger: str, runner: Principal, foundation: Foundation, parent: pulumi.Resource) -> list[Grant]:
    """Lets the fences of a trigger's runs note in the ledger whose an event is, and read who was there first."""
    reasons = {
        "roles/storage.objectCreator": "The fence of a run notes which workflow works for its event",
        "roles/storage.objectViewer": "A fence that comes second reads whose note is there, and can change none",
    }
    condition = _only(f"Notes of fences of trigger {trigger}", foundation, f"{STARTED}/{trigger}")
    own = _records_of(trigger, foundation)
    return [
        Grant(role, on=own, to=runner, reason=reason, condition=condition, parent=parent)
        for role, reason in reasons.items()
    ]


def _records_of(trigger: str, foundation: Foundation) -> grants.Scope:
    return grants.on_bucket(f"{trigger}-records", foundation.ledger.name)


def _only(title: str, foundation: Foundation, *directories: str) -> dict[str, pulumi.Input[str]]:
    """The condition that something is a record in one of some directories of the ledger."""
    start = pulumi.Output.concat("projects/_/buckets/", foundation.ledger.name, "/objects/")
    named = [pulumi.Output.concat('resource.name.startsWith("', start, where, '/")') for where in directories]
    return {"title": title, "expression": pulumi.Output.all(*named).apply(" || ".join)}

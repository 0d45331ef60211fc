"""Finds the events that somebody names, by whatever they have at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from function_src.launcher.mapping.content import parse
from function_src.launcher.once import KIND, hash_of
from ops.errors import OperationError
from ops.launches.absence import Absence, explain_absence
from ops.launches.cloud import Cloud
from ops.launches.deployment import Deployment
from ops.launches.history import Launch, read_history
from ops.launches.sweep import find_missing
from ops.launches.words import read_reference

KEY = re.compile(r"(?:.+-)?([0-9a-f]{32})")  # alone, or in the id of a job of Vertex AI


@dataclass(frozen=True)
class Found:
    """The events that a reference names; if it names none but an object, why that was no event."""

    launches: Sequence[Launch]
    absences: Sequence[Absence] = ()


def find(cloud: Cloud, deployment: Deployment, text: str, trigger: str | None = None) -> Found:
    """Finds events by subject, key, the id of a run or message, an object's URI, or anything that these stand in.

    A key is looked up by its name; to find anything else, all of the ledger is listed.

    Raises:
        OperationError: it names nothing that is known, there is no such trigger, or Google Cloud refuses.
    """
    reference = deployment.name_bucket(read_reference(text))
    key = KEY.fullmatch(reference)
    known = read_history(cloud, deployment, trigger, key[1] if key else "")
    if found := [launch for launch in known if launch.is_named(reference)]:
        return Found(found)
    if reference.startswith("gs://"):
        told = list(explain_absence(cloud, deployment, reference, trigger))
        launches = [one for one in told if isinstance(one, Launch)]
        return Found(launches, [one for one in told if isinstance(one, Absence)])
    if key and deployment.stack:
        missing = find_missing(cloud, deployment, trigger).missing
        if found := [launch for launch in missing if launch.is_named(reference)]:
            return Found(found)
    raise OperationError(_unheard_of(deployment, reference))


def find_by_value(cloud: Cloud, deployment: Deployment, text: str, trigger: str | None = None) -> Found:
    """Finds the event that has a value of ``once_per``: JSON, or else text.

    Raises:
        OperationError: no event has it, there is no such trigger, or Google Cloud refuses.
    """
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        value = text
    bucket = cloud.storage.bucket(deployment.ledger)
    found: list[Launch] = []
    for chosen in deployment.choose(trigger):
        if owner := bucket.get_blob(f"{KIND}/{chosen.name}/{hash_of(value)}"):
            found += read_history(cloud, deployment, chosen.name, (owner.metadata or {})["key"])
    if not found:
        raise OperationError(
            f"no event of {deployment.called} has the value {json.dumps(value)} of once_per; text that looks like a "
            "number stands in quotes: --by '\"17\"'"
        )
    return Found(found)


def find_to_replay(cloud: Cloud, deployment: Deployment, text: str, trigger: str | None = None) -> Sequence[Launch]:
    """Finds events to replay.

    Raises:
        OperationError: as :func:`find`, or the object was no event.
    """
    found = find(cloud, deployment, text, trigger)
    if not found.launches:
        raise OperationError("; ".join(f"{one.event} cannot be replayed: {one.why}" for one in found.absences))
    return found.launches


def _unheard_of(deployment: Deployment, reference: str) -> str:
    known = f"neither the ledger, the dead letters nor the trigger buckets of {deployment.called} know"
    if not deployment.stack:
        known = f"{deployment.called} does not know"
    return f"{known} {reference}; pipeline-trigger launches list shows what is known"

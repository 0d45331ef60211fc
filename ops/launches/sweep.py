"""Files that no event has ever told of: they were there before the notification, or their event never came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.cloud.storage import Blob

from ops.launches.cloud import Cloud
from ops.launches.deployment import DeployedTrigger, Deployment
from ops.launches.events import event_of, notification
from ops.launches.history import Launch, read_history
from ops.launches.words import State


@dataclass(frozen=True)
class Sweep:
    """What a comparison of trigger buckets and ledger found.

    ``too_old``: how many files are older than the ledger's memory. They may well have been launched.
    """

    missing: tuple[Launch, ...]
    too_old: int


def find_missing(cloud: Cloud, deployment: Deployment, trigger: str | None = None) -> Sweep:
    """Compares the live objects of trigger buckets with the ledger and the dead letters.

    Raises:
        OperationError: there is no such trigger, or Google Cloud refuses.
    """
    known = {launch.key for launch in read_history(cloud, deployment, trigger)}
    remembered = deployment.remembered_since
    missing: list[Launch] = []
    too_old = 0
    for chosen in deployment.choose(trigger):
        unheard_of = [launch for launch in _files(cloud, chosen) if launch.key not in known]
        missing += [launch for launch in unheard_of if launch.at >= remembered]
        too_old += len(unheard_of)
    return Sweep(tuple(missing), too_old - len(missing))


def unheard_of(trigger: DeployedTrigger, blob: Blob) -> Launch | None:
    """The event that an object would be to a trigger; None if it takes none up."""
    event = event_of(trigger, notification(blob))
    return Launch(trigger, event.key, State.MISSING, event.subject, None, blob.time_created) if event else None


def _files(cloud: Cloud, trigger: DeployedTrigger) -> Iterator[Launch]:
    """The events that a trigger's live objects would be."""
    if trigger.kind == "gcs":
        blobs = cloud.storage.list_blobs(trigger.source["bucket"], prefix=trigger.source["prefix"])
        yield from filter(None, (unheard_of(trigger, blob) for blob in blobs))

"""Files that no event has ever told of: they were there before the notification, or their event never came."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from google.cloud.storage import Blob

from infra.configuration.settings import LONGEST_DEAD_LETTER
from ops.launches.cloud import Cloud
from ops.launches.deployment import DeployedTrigger, Deployment
from ops.launches.events import event_of, notification
from ops.launches.history import Launch, read_history
from ops.launches.words import State
from ops.printing import show_moment

LEAST_DAYS = LONGEST_DEAD_LETTER + 1  # that a ledger can have been told to remember, at any time


@dataclass(frozen=True)
class Sweep:
    """What a comparison of trigger buckets and ledger found.

    ``unknown`` are files that are older than the ledger's memory. They may well have been launched.
    """

    missing: tuple[Launch, ...]
    unknown: tuple[Launch, ...]


@dataclass(frozen=True)
class Memory:
    """Since when the ledger knows of every event, and why not for longer."""

    since: datetime
    why: str

    def unknown(self, launch: Launch) -> Launch:
        """An event of before, of which it may say nothing whatever became of it."""
        why = (
            f"it was written {show_moment(launch.at)}, and the ledger remembers what came after "
            f"{show_moment(self.since)}: {self.why}. It may have been launched, and been forgotten. If it was not: "
            f"pipeline-trigger replay {shlex.quote(launch.event)} --again --because REASON"
        )
        return replace(launch, state=State.UNKNOWN, why=why)


def read_memory(cloud: Cloud, deployment: Deployment) -> Memory:
    """How far back the ledger remembers.

    Not for ``ledger_days`` yet, if that was raised lately: it does not know again what it had forgotten by then. How
    many days that were, Cloud Storage does not say of a bucket, only when it was changed last: the fewest count that
    there can have been.

    Raises:
        NotFound, Forbidden: as Cloud Storage has it.
    """
    ledger = cloud.storage.get_bucket(deployment.ledger)
    days = timedelta(days=deployment.ledger_days)
    return max(
        Memory(ledger.time_created, "the ledger was made then"),
        Memory(datetime.now(UTC) - days, f"it remembers {days.days} days"),
        Memory(
            ledger.updated - timedelta(days=LEAST_DAYS),
            f"it was changed {show_moment(ledger.updated)}, and may have kept records {LEAST_DAYS} days until then",
        ),
        key=lambda memory: memory.since,
    )


def find_missing(cloud: Cloud, deployment: Deployment, trigger: str | None = None) -> Sweep:
    """Compares the live objects of trigger buckets with the ledger and the dead letters.

    Raises:
        OperationError: there is no such trigger, or Google Cloud refuses.
    """
    known = {launch.key for launch in read_history(cloud, deployment, trigger)}
    memory = read_memory(cloud, deployment)
    files = [
        found for chosen in deployment.choose(trigger) for found in _files(cloud, chosen) if found.key not in known
    ]
    return Sweep(
        tuple(launch for launch in files if launch.at >= memory.since),
        tuple(memory.unknown(launch) for launch in files if launch.at < memory.since),
    )


def unheard_of(trigger: DeployedTrigger, blob: Blob) -> Launch | None:
    """The event that an object would be to a trigger; None if it takes none up."""
    event = event_of(trigger, notification(blob))
    return Launch(trigger, event.key, State.MISSING, event.subject, None, blob.time_created) if event else None


def _files(cloud: Cloud, trigger: DeployedTrigger) -> Iterator[Launch]:
    """The events that a trigger's live objects would be."""
    if trigger.kind == "gcs":
        blobs = cloud.storage.list_blobs(trigger.source["bucket"], prefix=trigger.source["prefix"])
        yield from filter(None, (unheard_of(trigger, blob) for blob in blobs))

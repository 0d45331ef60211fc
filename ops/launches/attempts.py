"""What the launcher's log says of the attempts that came to nothing, and when the next one is due.

The ledger says neither: an attempt that certainly started nothing leaves no record there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ops.errors import OperationError
from ops.launches.cloud import Cloud
from ops.launches.history import Launch
from ops.launches.words import State

UNDECIDED = (State.OPEN, State.MISSING, State.DEAD_LETTERED)
LOOKS_BACK = timedelta(days=2)  # before what is known of an event; 100 attempts take about 16 hours
ENTRIES_READ = 200


@dataclass(frozen=True)
class Attempts:
    """Attempts that ended in ``retry``, as far as the log is read: how many, when the last was, and why they failed.

    ``errors`` are the last two reasons that differ, the latest first. ``unread`` says why the log could not be read.
    """

    count: int = 0
    last: datetime | None = None
    errors: tuple[str, ...] = ()
    unread: str | None = None


def read_attempts(cloud: Cloud, launch: Launch) -> Attempts | None:
    """Reads the log of an event that has no outcome; None for one that has."""
    if launch.state not in UNDECIDED:
        return None
    if launch.trigger.project is None:
        return Attempts(unread="the ledger does not say in which project the log is")
    try:
        entries = cloud.log_entries(launch.trigger.project, log_query(launch), ENTRIES_READ)
    except OperationError as error:
        return Attempts(unread=str(error))
    failed = [entry for entry in entries if entry["jsonPayload"].get("outcome") == "retry"]
    reasons = dict.fromkeys(str(entry["jsonPayload"].get("reason")) for entry in failed)
    return Attempts(len(failed), _moment(failed[0]) if failed else None, tuple(reasons)[:2])


def next_attempt(launch: Launch, attempts: Attempts) -> datetime | None:
    """When Pub/Sub should deliver the event next, by the subscription's backoff: an estimate. None if nobody knows.

    A dead letter is delivered no more.
    """
    if launch.state is State.DEAD_LETTERED or launch.trigger.backoff is None or attempts.last is None:
        return None
    shortest, longest = launch.trigger.backoff
    return attempts.last + timedelta(seconds=min(shortest * 2 ** (attempts.count - 1), longest))


def log_query(launch: Launch) -> str:
    """What finds the lines of an event in Cloud Logging."""
    since = launch.at - LOOKS_BACK
    return (
        f'resource.type="cloud_run_revision" jsonPayload.key="{launch.key}" timestamp>="{since:%Y-%m-%dT%H:%M:%SZ}"'
    )


def log_url(launch: Launch) -> str | None:
    """The query in the Logs Explorer, whose time range the query's own replaces; None if the project is unknown."""
    project = launch.trigger.project
    return project and (
        f"https://console.cloud.google.com/logs/query;query={quote(log_query(launch), safe='')}?project={project}"
    )


def _moment(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["timestamp"])

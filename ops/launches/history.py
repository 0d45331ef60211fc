"""What became of a stack's events: the ledger's outcomes, its open claims, and the dead letters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from google.cloud.storage import Blob

from function_src.launcher.kfp import run_id
from function_src.launcher.run import MOST_POSTS, doubt
from ops.launches.cloud import Cloud
from ops.launches.deployment import DeployedTrigger, Deployment
from ops.launches.events import event_of, published_at
from ops.launches.words import State

LISTED = "items(name,generation,metadata,updated),nextPageToken"
BY_MESSAGE = ("pubsub:", "schedule:")  # how a subject starts whose event is known by the id of its message


@dataclass(frozen=True)
class Launch:
    """One event and where it is. ``event`` is its subject, ``gs://bucket/name#generation``.

    ``message_id`` is known of what has an outcome or is a dead letter; ``why`` is said of what is missing or unknown,
    and ``doubt`` where a workflow that no run shows may be running for it. ``kept``: what was rejected once is there
    to be replayed.
    """

    trigger: DeployedTrigger
    key: str
    state: State
    event: str
    run_id: str | None
    at: datetime
    message_id: str | None = None
    why: str | None = None
    doubt: str | None = None
    kept: bool = False

    @property
    def replay_broke_off(self) -> bool:
        """Whether it was rejected, and a replay of it has not come to anything yet. Another one harms nothing."""
        return self.state is State.OPEN and self.kept

    @property
    def must_be_asked_for(self) -> bool:
        """Whether a replay would start a second workflow beside one that may be running, or nothing at all."""
        return self.state is State.DOUBTFUL or (self.state is State.REJECTED and self.doubt is not None)

    def is_named(self, reference: str) -> bool:
        """Whether this is what a key, the id of a run or a message, a subject, or a gs:// URI alone names."""
        subjects = self.event, self.event.rsplit("#", 1)[0], *(self.event.removeprefix(kind) for kind in BY_MESSAGE)
        return reference in (self.key, self.run_id, self.message_id, *subjects)


def read_history(cloud: Cloud, deployment: Deployment, trigger: str | None = None, key: str = "") -> list[Launch]:
    """All that is known, the latest first.

    An event has one entry: its outcome, else that it is doubtful, else its dead letter, else its claim.

    Dead letters are pulled and put back, so a listing can miss some that somebody else has just pulled; where nobody
    says where they are kept, it has none. With ``key``, the ledger is asked for that launch alone: it may be large.

    Raises:
        OperationError: there is no such trigger, or Pub/Sub refuses.
    """
    found: list[Launch] = []
    for chosen in deployment.choose(trigger):
        letters = read_dead_letters(cloud, chosen)
        kept, claims, outcomes = ([*read(cloud, deployment, chosen, key)] for read in (_kept, _claims, _outcomes))
        doubtful = [claim for claim in claims if claim.state is State.DOUBTFUL]
        entries = itertools.chain(kept, claims, letters, doubtful, outcomes)
        keys = {launch.key for launch in kept}
        found += {one.key: replace(one, kept=one.key in keys) for one in entries}.values()
    return sorted(found, key=lambda launch: launch.at, reverse=True)


def read_records(cloud: Cloud, deployment: Deployment, launch: Launch) -> list[Mapping[str, Any]]:
    """The ledger's records of an event, the latest first: its outcome, and those that a replay set aside."""
    place = f"{launch.trigger.name}/{launch.key}"
    bucket = cloud.storage.bucket(deployment.ledger)
    earlier = sorted(cloud.storage.list_blobs(bucket, prefix=f"replayed/{place}/"), key=lambda blob: blob.name)
    last = bucket.get_blob(f"outcomes/{place}")
    blobs = [*earlier, *([last] if last else [])]
    return [json.loads(blob.download_as_bytes()) for blob in reversed(blobs)]


def _outcomes(cloud: Cloud, deployment: Deployment, trigger: DeployedTrigger, key: str) -> Iterator[Launch]:
    for found, blob, about in _listed(cloud, deployment, "outcomes", trigger, key):
        event, run = about.get("event", "an unreadable delivery"), about.get("run_id")
        message_id, doubtful = about.get("message_id"), about.get("doubt")
        try:
            state, why = State(about.get("outcome", "")), None
        except ValueError:
            state, why = State.UNKNOWN, f"gs://{deployment.ledger}/{blob.name} says no outcome: no launcher wrote it"
        yield Launch(trigger, found, state, event, run, blob.updated, message_id, why, doubtful)


def _claims(cloud: Cloud, deployment: Deployment, trigger: DeployedTrigger, key: str) -> Iterator[Launch]:
    for found, blob, about in _listed(cloud, deployment, "claims", trigger, key):
        posts, event, run = int(about.get("posts", 1)), about.get("event", "an event"), run_id(found)
        if posts < MOST_POSTS:
            yield Launch(trigger, found, State.OPEN, event, None, blob.updated)
        else:
            why = doubt(f"{posts} POSTs may have reached the endpoint, and there is no run", run)
            yield Launch(trigger, found, State.DOUBTFUL, event, run, blob.updated, doubt=why)


def _kept(cloud: Cloud, deployment: Deployment, trigger: DeployedTrigger, key: str) -> Iterator[Launch]:
    """Rejected deliveries: of one without an outcome, the replay broke off."""
    for found, blob, _ in _listed(cloud, deployment, "rejected", trigger, key):
        yield Launch(trigger, found, State.OPEN, "a rejected delivery", None, blob.updated)


def _listed(
    cloud: Cloud, deployment: Deployment, kind: str, trigger: DeployedTrigger, key: str
) -> Iterator[tuple[str, Blob, Mapping[str, str]]]:
    prefix = f"{kind}/{trigger.name}/{key}"
    for blob in cloud.storage.list_blobs(deployment.ledger, prefix=prefix, fields=LISTED):
        yield blob.name.rsplit("/", 1)[-1], blob, blob.metadata or {}


def read_dead_letters(cloud: Cloud, trigger: DeployedTrigger) -> Sequence[Launch]:
    """What is in a trigger's dead-letter subscription, be the event launched by now or not."""
    if not trigger.dead_letters:
        return ()
    letters = list(cloud.pull(trigger.dead_letters))
    cloud.put_back(trigger.dead_letters, letters)
    return [dead_letter(trigger, letter.message) for letter in letters]


def dead_letter(trigger: DeployedTrigger, message: Mapping[str, Any]) -> Launch:
    """A message of the dead-letter subscription, as an entry of the history."""
    event = event_of(trigger, message)
    name = f"message {message['messageId']}"
    key, subject = (event.key, event.subject) if event else (name.replace(" ", "-"), name)
    return Launch(trigger, key, State.DEAD_LETTERED, subject, None, published_at(message), message["messageId"])

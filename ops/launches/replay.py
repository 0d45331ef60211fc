"""Hands an event to the launcher once more.

Under the same key, so that an event which did launch meanwhile starts nothing. A run for an event that was launched
before has to be asked for, with a reason, and gets a key of its own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Bucket

from ops.errors import OperationError
from ops.launches.cloud import Cloud
from ops.launches.deployment import DeployedTrigger, Deployment
from ops.launches.events import as_first_published, asking_again, event_of, notification
from ops.launches.history import Launch, dead_letter
from ops.launches.words import State


def replay(cloud: Cloud, deployment: Deployment, launches: Collection[Launch]) -> int:
    """Replays events that did not launch; returns how many messages were published.

    Raises:
        OperationError: an event was launched or skipped, or nothing is left to replay it from.
    """
    for launch in launches:
        if launch.state in (State.LAUNCHED, State.SKIPPED):
            raise OperationError(
                f"{launch.event} was {launch.state}: a replay would start nothing. For one more run: "
                f"pipeline-trigger replay {launch.key} --again --because REASON"
            )
        if launch.must_be_asked_for:
            raise OperationError(
                f"{launch.event} is {launch.state}: {launch.doubt}. Should there be none: "
                f"pipeline-trigger replay {launch.key} --again --because REASON"
            )
    published = sum(
        _take_letters(
            cloud,
            trigger,
            {launch.key for launch in launches if launch.trigger == trigger},
            partial(_replay_letter, cloud, trigger),
        )
        for trigger in deployment.triggers
        if any(launch.state is State.DEAD_LETTERED and launch.trigger == trigger for launch in launches)
    )
    for launch in launches:
        if launch.state is State.MISSING:
            cloud.publish(launch.trigger.topic, _announcement(cloud, launch))
            published += 1
        elif launch.state in (State.REJECTED, State.OPEN):
            _replay_kept(cloud, deployment, launch)
            published += 1
    return published


def launch_again(cloud: Cloud, deployment: Deployment, launch: Launch, because: str) -> str:
    """Asks for one more run of an event; returns its launch key. What was doubtful is settled by that.

    Raises:
        OperationError: the object is gone, or nothing is left of the message.
    """
    message = asking_again(_message_of(cloud, deployment, launch), because)
    event = event_of(launch.trigger, message)
    key = event.key if event else launch.key
    cloud.publish(launch.trigger.topic, message)
    if launch.state is State.DOUBTFUL:
        _settle(cloud, deployment, launch, f"started again as {key}: {because}")
    return key


def _settle(cloud: Cloud, deployment: Deployment, launch: Launch, reason: str) -> None:
    """Ends a doubt: further deliveries are duplicates, and the dead letter is taken off. What was launched meanwhile
    stays launched."""
    about = {"outcome": State.DOUBTFUL.value, "event": launch.event, "doubt": launch.doubt}
    record = {
        **about,
        "trigger": launch.trigger.id,
        "key": launch.key,
        "run_id": launch.run_id,
        "reason": reason,
        "recorded_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    outcome = cloud.storage.bucket(deployment.ledger).blob(f"outcomes/{launch.trigger.name}/{launch.key}")
    outcome.metadata = about
    with contextlib.suppress(PreconditionFailed):
        outcome.upload_from_string(json.dumps(record, sort_keys=True), "application/json", if_generation_match=0)
    _take_letters(cloud, launch.trigger, {launch.key}, lambda _: None)


def _take_letters(
    cloud: Cloud, trigger: DeployedTrigger, keys: Collection[str], use: Callable[[Mapping[str, Any]], None]
) -> int:
    """Takes messages off the dead-letter subscription, each after it was used; returns how many.

    Used first and acknowledged then: whatever happens between, the message is not lost.
    """
    others, count = [], 0
    for letter in cloud.pull(trigger.dead_letters):
        if dead_letter(trigger, letter.message).key not in keys:
            others.append(letter)
            continue
        use(letter.message)
        cloud.acknowledge(trigger.dead_letters, letter)
        count += 1
    cloud.put_back(trigger.dead_letters, others)
    return count


def _replay_letter(cloud: Cloud, trigger: DeployedTrigger, message: Mapping[str, Any]) -> None:
    cloud.publish(trigger.topic, as_first_published(trigger, message))


def _replay_kept(cloud: Cloud, deployment: Deployment, launch: Launch) -> None:
    """Opens a rejected event again, then publishes what was rejected."""
    bucket = cloud.storage.bucket(deployment.ledger)
    place = f"{launch.trigger.name}/{launch.key}"
    kept = bucket.get_blob(f"rejected/{place}")
    if kept is None:
        raise OperationError(
            f"{launch.event} is {launch.state} and no delivery of it was kept: it will be delivered again by itself, "
            "or its delivery is in the dead-letter subscription already"
        )
    push = _push_in(kept.download_as_bytes())
    if push is None:
        raise OperationError(
            f"what was delivered as {launch.event} is no Pub/Sub message, so it cannot be published; it is "
            f"gs://{deployment.ledger}/rejected/{place}"
        )
    topic = launch.trigger.topic or cloud.topic_of(str(push.get("subscription")))
    _set_aside(bucket, place)
    cloud.publish(topic, as_first_published(launch.trigger, push["message"]))
    kept.delete()


def _set_aside(bucket: Bucket, place: str) -> None:
    """Moves an outcome out of the launcher's way. Only the one that was read: a newer one stands.

    Where the record says that nothing can have been started, its claim is open to the next delivery: as it stands it
    counts for a POST, and the event would be in doubt from then on. That comes last: the claim keeps others away.
    """
    outcome, claim = bucket.get_blob(f"outcomes/{place}"), bucket.get_blob(f"claims/{place}")
    if outcome is None:
        return
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {**json.loads(outcome.download_as_bytes()), "replayed_at": moment}
    aside = bucket.blob(f"replayed/{place}/{moment}")
    aside.upload_from_string(json.dumps(record, sort_keys=True), "application/json", if_generation_match=0)
    outcome.delete(if_generation_match=outcome.generation)
    if claim and "doubt" in record and record["doubt"] is None:  # which older launchers did not say
        claim.metadata = {**claim.metadata, "posts": "0"}
        with contextlib.suppress(NotFound, PreconditionFailed):
            claim.patch(if_generation_match=claim.generation)


def _push_in(delivery: bytes) -> Mapping[str, Any] | None:
    """The Pub/Sub push in a delivery, as Pub/Sub sends it or as a structured CloudEvent: message and subscription."""
    try:
        body = json.loads(delivery)
    except ValueError:
        return None
    for push in (body, body.get("data") if isinstance(body, dict) else None):
        if isinstance(push, dict) and isinstance(push.get("message"), dict):
            return push
    return None


def _message_of(cloud: Cloud, deployment: Deployment, launch: Launch) -> dict[str, Any]:
    """The message of an event: the announcement of its object, or what the dead letters or the ledger kept."""
    if launch.event.startswith("gs://"):
        return _announcement(cloud, launch)
    letters = list(cloud.pull(launch.trigger.dead_letters))
    cloud.put_back(launch.trigger.dead_letters, letters)
    kept = cloud.storage.bucket(deployment.ledger).get_blob(f"rejected/{launch.trigger.name}/{launch.key}")
    found = [letter.message for letter in letters if dead_letter(launch.trigger, letter.message).key == launch.key]
    if kept and (push := _push_in(kept.download_as_bytes())):
        found.append(push["message"])
    if not found:
        raise OperationError(f"{launch.event} is about no object; publish its message again instead")
    return as_first_published(launch.trigger, found[0])


def _announcement(cloud: Cloud, launch: Launch) -> dict[str, Any]:
    uri, _, generation = launch.event.rpartition("#")
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    blob = cloud.storage.bucket(bucket).get_blob(name, generation=int(generation))
    if blob is None:
        raise OperationError(f"{launch.event} is gone from the bucket; there is nothing to launch from")
    return notification(blob)

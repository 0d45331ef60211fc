"""Hands an event to the launcher once more.

Under the same key, so that an event which did launch meanwhile starts nothing. A run for an event that was launched
before has to be asked for, with a reason, and gets a key of its own.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Bucket

from ops.errors import OperationError
from ops.launches.cloud import Cloud, google_errors
from ops.launches.deployment import DeployedTrigger, Deployment
from ops.launches.events import Asked, as_first_published, asking_again, event_of, meant_for, notification, signed
from ops.launches.history import Launch, dead_letter
from ops.launches.words import State


@dataclass(frozen=True)
class Replayed:
    """What came of one event's replay: the launch key that its run gets, or why it was not replayed."""

    launch: Launch
    key: str | None
    refusal: str | None


def replay(cloud: Cloud, deployment: Deployment, launches: Collection[Launch], asked: Asked) -> list[Replayed]:
    """Replays events that did not launch. Each stands alone: what keeps one from it keeps no other."""
    done = {
        launch.key: _try(launch, partial(_replay_one, cloud, deployment, launch, asked))
        for launch in launches
        if launch.state is not State.DEAD_LETTERED
    }
    for trigger in deployment.triggers:
        letters = [one for one in launches if one.state is State.DEAD_LETTERED and one.trigger == trigger]
        if letters:
            done |= _replay_letters(cloud, trigger, letters, asked)
    return [done[launch.key] for launch in launches]


def launch_again(cloud: Cloud, deployment: Deployment, launches: Collection[Launch], asked: Asked) -> list[Replayed]:
    """Asks for one more run of each event. What was doubtful is settled by that."""
    return [_try(launch, partial(_launch_again, cloud, deployment, launch, asked)) for launch in launches]


def _try(launch: Launch, step: Callable[[], str]) -> Replayed:
    """Takes a step for one event, which returns its key."""
    try:
        with google_errors():
            return Replayed(launch, step(), None)
    except OperationError as error:
        return Replayed(launch, None, str(error))


def _replay_one(cloud: Cloud, deployment: Deployment, launch: Launch, asked: Asked) -> str:
    again = f"pipeline-trigger replay {launch.key} --again --because REASON"
    if launch.state in (State.LAUNCHED, State.SKIPPED):
        raise OperationError(
            f"{launch.event} was {launch.state}: a replay would start nothing. For one more run: {again}"
        )
    if launch.must_be_asked_for:
        raise OperationError(f"{launch.event} is {launch.state}: {launch.doubt}. Should there be none: {again}")
    if launch.state is State.UNKNOWN:
        raise OperationError(f"{launch.event} is {launch.state}: {launch.why}")
    if launch.state is State.MISSING:
        cloud.publish(launch.trigger.topic, signed(_announcement(cloud, launch), asked))
    else:
        _replay_kept(cloud, deployment, launch, asked)
    return launch.key


def _launch_again(cloud: Cloud, deployment: Deployment, launch: Launch, asked: Asked) -> str:
    message = asking_again(_message_of(cloud, deployment, launch), asked)
    event = event_of(launch.trigger, message)
    key = event.key if event else launch.key
    cloud.publish(launch.trigger.topic, message)
    if launch.state is State.DOUBTFUL:
        _settle(cloud, deployment, launch, f"started again as {key}: {asked.because}")
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
    _take_letters(cloud, launch.trigger, {launch.key}, lambda *_: True)


def _replay_letters(
    cloud: Cloud, trigger: DeployedTrigger, launches: Collection[Launch], asked: Asked
) -> dict[str, Replayed]:
    """Publishes dead letters again."""
    gone = "its dead letter is not to be had: somebody else has just pulled it; try again in ten minutes"
    done = {launch.key: Replayed(launch, None, gone) for launch in launches}

    def publish(launch: Launch, message: Mapping[str, Any]) -> str:
        cloud.publish(trigger.topic, signed(as_first_published(trigger, message), asked))
        return launch.key

    def use(key: str, message: Mapping[str, Any]) -> bool:
        done[key] = _try(done[key].launch, partial(publish, done[key].launch, message))
        return done[key].refusal is None

    _take_letters(cloud, trigger, done, use)
    return done


def _take_letters(
    cloud: Cloud, trigger: DeployedTrigger, keys: Collection[str], use: Callable[[str, Mapping[str, Any]], bool]
) -> None:
    """Takes dead letters of some events off their subscription, each after it was used: ``use`` says whether it was.

    Used first and acknowledged then: whatever happens between, the message is not lost.
    """
    others = []
    for letter in cloud.pull(trigger.dead_letters):
        key = dead_letter(trigger, letter.message).key
        if key in keys and use(key, letter.message):
            cloud.acknowledge(trigger.dead_letters, letter)
        else:
            others.append(letter)
    cloud.put_back(trigger.dead_letters, others)


def _replay_kept(cloud: Cloud, deployment: Deployment, launch: Launch, asked: Asked) -> None:
    """Opens a rejected event again, then publishes what was rejected.

    That stays where it is: the next delivery may be rejected too, and whatever breaks off can be replayed once more.
    It is written anew, so that the ledger keeps it for as long as the record of the next rejection.
    """
    bucket = cloud.storage.bucket(deployment.ledger)
    place = f"{launch.trigger.name}/{launch.key}"
    kept = bucket.get_blob(f"rejected/{place}")
    if kept is None:
        raise OperationError(
            f"{launch.event} is {launch.state} and no delivery of it was kept: it will be delivered again by itself, "
            "or its delivery is in the dead-letter subscription already"
        )
    delivery = kept.download_as_bytes()
    push = _push_in(delivery)
    if push is None:
        raise OperationError(
            f"what was delivered as {launch.event} is no Pub/Sub message, so it cannot be published; it is "
            f"gs://{deployment.ledger}/rejected/{place}"
        )
    topic = launch.trigger.topic or cloud.topic_of(str(push.get("subscription")))
    with contextlib.suppress(PreconditionFailed):  # somebody else's replay has just done it
        kept.upload_from_string(delivery, "application/json", if_generation_match=kept.generation)
    _set_aside(bucket, place, asked)
    cloud.publish(topic, signed(as_first_published(launch.trigger, push["message"]), asked))


def _set_aside(bucket: Bucket, place: str, asked: Asked) -> None:
    """Moves an outcome out of the launcher's way. Only the one that was read: a newer one stands.

    Where the record says that nothing can have been started, its claim is open to the next delivery: as it stands it
    counts for a POST, and the event would be in doubt from then on. That comes last: the claim keeps others away.
    """
    outcome, claim = bucket.get_blob(f"outcomes/{place}"), bucket.get_blob(f"claims/{place}")
    if outcome is None:
        return
    try:
        told = {f"replayed_{name}": value for name, value in asdict(asked).items()}
        record = {**json.loads(outcome.download_as_bytes()), **told}
    except (ValueError, TypeError):
        raise OperationError(f"gs://{bucket.name}/outcomes/{place} is no record; look at it, and delete it") from None
    aside = bucket.blob(f"replayed/{place}/{asked.at}")
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
    return meant_for(launch.trigger, notification(blob))

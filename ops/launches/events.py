"""Messages and what they are about: read with the launcher's own code, so that keys cannot differ."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud.storage import Blob

from function_src.launcher.event import AGAIN, BECAUSE, REPLAYED, Event, read_event
from function_src.launcher.sources import FIRST_ID, FIRST_TIME, FOR_TRIGGER, BadDeliveryError, read_source
from ops.errors import OperationError
from ops.launches.deployment import DeployedTrigger

DEAD_LETTER = "CloudPubSubDeadLetterSource"
PUBLISHED = f"{DEAD_LETTER}TopicPublishTime"
LONGEST_REASON = 600  # bytes: Pub/Sub takes 1024 for an attribute, which also says who and when


@dataclass(frozen=True)
class Asked:
    """Who asked for a replay, when and why (which may be empty). Goes along with the message, into every record."""

    by: str
    because: str
    at: str

    @classmethod
    def now(cls, by: str, because: str) -> Asked:
        """At this moment.

        Raises:
            OperationError: the reason is too long to go along.
        """
        if len(because.encode()) > LONGEST_REASON:
            raise OperationError(
                f"--because: is longer than {LONGEST_REASON} bytes, which is what a message can carry"
            )
        return cls(by, because, datetime.now(UTC).isoformat(timespec="milliseconds"))


def event_of(trigger: DeployedTrigger, message: Mapping[str, Any]) -> Event | None:
    """The event that a message announces to a trigger; None where it announces none that the trigger takes up."""
    event = _taken_up(trigger, message)
    return event if isinstance(event, Event) else None


def passed_over_because(trigger: DeployedTrigger, message: Mapping[str, Any]) -> str | None:
    """Why a trigger takes up no event of what a message announces; None if it does."""
    event = _taken_up(trigger, message)
    return None if isinstance(event, Event) else event


def _taken_up(trigger: DeployedTrigger, message: Mapping[str, Any]) -> Event | str:
    source = read_source(trigger.source, trigger.id)
    try:
        event = read_event(trigger.id, source, {}, json.dumps({"message": message}).encode())
        return source.check(event.document) or event
    except BadDeliveryError as error:
        return str(error)


def as_first_published(trigger: DeployedTrigger, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message to publish again: without what Pub/Sub added to it.

    Where the id of a message is the identity of its event, id and time go along: Pub/Sub will give it others. So does
    the trigger, since others may be subscribed to the topic.
    """
    attributes = {name: text for name, text in _attributes(message).items() if not name.startswith(DEAD_LETTER)}
    if trigger.kind in ("pubsub", "schedule"):
        first = {FIRST_ID: message["messageId"], FIRST_TIME: published_at(message).isoformat()}
        attributes = first | attributes
    return meant_for(trigger, {"data": message.get("data", ""), "attributes": attributes})


def meant_for(trigger: DeployedTrigger, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message to publish again for one trigger alone, where others may be subscribed to its topic."""
    to_it = {FOR_TRIGGER: trigger.id} if trigger.kind in ("pubsub", "schedule") or trigger.source.get("topic") else {}
    return {**message, "attributes": to_it | {**_attributes(message)}}


def published_at(message: Mapping[str, Any]) -> datetime:
    """When a message was first published: a dead letter says it in an attribute."""
    return datetime.fromisoformat(_attributes(message).get(PUBLISHED) or message["publishTime"])


def signed(message: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """A message to publish again that says who asked for it."""
    return {**message, "attributes": {**_attributes(message), REPLAYED: json.dumps(asdict(asked))}}


def asking_again(message: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """A message that asks for one more run of the event that ``message`` announces."""
    again = {AGAIN: uuid.uuid4().hex, BECAUSE: asked.because}
    return signed({**message, "attributes": {**_attributes(message), **again}}, asked)


def notification(blob: Blob) -> dict[str, Any]:
    """The message with which Cloud Storage announces an object.

    Source: https://cloud.google.com/storage/docs/pubsub-notifications.
    """
    resource = {
        "kind": "storage#object",
        "bucket": blob.bucket.name,
        "name": blob.name,
        "generation": str(blob.generation),
        "size": str(blob.size),
        "contentType": blob.content_type,
        "timeCreated": blob.time_created.isoformat().replace("+00:00", "Z"),
        "metadata": blob.metadata or {},
    }
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": blob.bucket.name,
        "objectId": blob.name,
        "objectGeneration": str(blob.generation),
    }
    return {"data": base64.b64encode(json.dumps(resource).encode()).decode(), "attributes": attributes}


def _attributes(message: Mapping[str, Any]) -> Mapping[str, str]:
    return message.get("attributes") or {}

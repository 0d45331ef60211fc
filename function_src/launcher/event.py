"""Reads a delivery: takes a Pub/Sub message out of its wrapping, and makes the event document of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .mapping.content import BadContentError, read_content
from .mapping.fitting import show
from .sources import BadDeliveryError, GcsSource, Message, Source, read_json

PUBSUB_EVENT = "google.cloud.pubsub.topic.v1.messagePublished"
STORAGE_EVENT = "google.cloud.storage.object.v1.finalized"
# Attributes of a message that asks for one more run of an event: something that no other such message has, and why.
AGAIN, BECAUSE = "launch-again", "launch-because"
LONGEST_ATTRIBUTE = 1024  # as Pub/Sub has it
LONGEST_WRAPPING = 1024 * 1024  # bytes around a message's data: a hundred attributes of 1280, as JSON escapes them
REPLAYED = "launch-replayed"  # of any message that a person published again: who, when and why, as JSON


@dataclass(frozen=True)
class Event:
    """One occurrence. ``document`` is what expressions see, without content.

    ``subject`` and the shorter ``label`` are for people. ``data`` is the message's, or None where the content is an
    object's.
    """

    identity: tuple[str, ...]
    subject: str
    label: str
    document: Mapping[str, Any] = field(hash=False)
    data: bytes | None = None

    @property
    def object(self) -> Mapping[str, Any]:
        """The object that an event of Cloud Storage is about: uri, bucket, name, generation, size and more."""
        found: Mapping[str, Any] = self.document["object"]
        return found

    @property
    def key(self) -> str:
        """The launch key: what the run's id is computed from."""
        return str(self.document["event"]["key"])

    def content(self, limit: int) -> dict[str, Any]:
        """Returns ``content`` and ``lines`` of the message.

        Raises:
            BadDeliveryError: its data holds more than ``limit`` bytes, or is nothing that read_content reads.
        """
        data = self.data or b""
        if len(data) > limit:
            raise BadDeliveryError(f"the Pub/Sub message's data holds more than content_limit, {limit} bytes")
        try:
            return read_content(data, limit)
        except UnicodeDecodeError:
            raise BadDeliveryError("the Pub/Sub message's data is not UTF-8 text") from None
        except BadContentError as error:
            raise BadDeliveryError(str(error)) from None

    @property
    def moment(self) -> datetime:
        """When it happened, by Google's clocks: an object's creation, which a notification may tell of days later;
        else its own time. The beginning of time where neither can be read."""
        found = self.document.get("object", {})
        try:
            return datetime.fromisoformat(found.get("time_created") or self.document["event"]["time"]).astimezone(UTC)
        except (ValueError, OverflowError):
            return datetime.min.replace(tzinfo=UTC)

    @property
    def again_because(self) -> str | None:
        """Why somebody asked for one more run of an event that was launched before; None for the first."""
        attributes = self.document["message"].get("attributes", {})
        return str(attributes.get(BECAUSE, "")) if attributes.get(AGAIN) else None

    @property
    def replayed(self) -> str | None:
        """Who had it delivered again, when and why; None for an event as it came."""
        asked = self.document["message"].get("attributes", {}).get(REPLAYED)
        return None if asked is None else str(asked)[:LONGEST_ATTRIBUTE]


def launch_key(trigger_id: str, identity: tuple[str, ...]) -> str:
    """Hashes a trigger and an event's identity to 32 hexadecimal digits.

    The trigger's id holds project and stack, so that two stacks with one endpoint and one bucket do not take
    each other's runs for their own.
    """
    return hashlib.sha256(json.dumps([trigger_id, *identity]).encode()).hexdigest()[:32]


def check_size(body: bytes, limit: int) -> None:
    """Looks at an HTTP request before any of it is read: its message's data may have ``limit`` bytes.

    Raises:
        BadDeliveryError: it is larger, and as many at once as an instance takes would not fit into memory.
    """
    if len(body) > 4 * limit // 3 + LONGEST_WRAPPING:
        raise BadDeliveryError(
            f"the delivery has {len(body)} bytes: its message is larger than content_limit, {limit} bytes"
        )


def read_event(trigger_id: str, source: Source, headers: Mapping[str, str], body: bytes) -> Event:
    """Reads an HTTP request that delivers an event of a source.

    Takes a Pub/Sub push, wrapped as Pub/Sub sends it or as a CloudEvent (binary or structured), and a
    CloudEvent of Cloud Storage itself. The names in ``headers`` are lower case.

    Raises:
        BadDeliveryError: the request holds no event of this kind of source.
    """
    if not body:
        raise BadDeliveryError("the delivery is empty")
    kind, event_id, data = _unwrap(headers, read_json(body, "the delivery"))
    if kind == STORAGE_EVENT and isinstance(source, GcsSource):
        message: Message | None = None
        found = source.read_object(data)
    elif kind == PUBSUB_EVENT:
        message = _message(data)
        found = source.read(message)
    else:
        raise BadDeliveryError(f"the delivery is a CloudEvent of type {show(kind)}; expected {PUBSUB_EVENT}")
    fields = message.fields if message else {}
    again = fields.get("attributes", {}).get(AGAIN)
    identity = (*found.identity, "again", str(again)) if again else found.identity
    event = {
        "id": fields.get("id") or event_id,
        "kind": source.kind,
        "time": found.time,
        "key": launch_key(trigger_id, identity),
    }
    document = {**found.parts, "message": fields, "event": event}
    return Event(identity, found.subject, found.label, document, found.data)


def _unwrap(headers: Mapping[str, str], body: Any) -> tuple[str, str, Any]:
    """Returns type, id and data of the CloudEvent that the request amounts to."""
    if "ce-type" in headers:
        return headers["ce-type"], headers.get("ce-id", ""), body
    if headers.get("content-type", "").startswith("application/cloudevents+json") and isinstance(body, dict):
        return str(body.get("type")), str(body.get("id", "")), body.get("data")
    return PUBSUB_EVENT, "", body


def _message(push: Any) -> Message:
    message = push.get("message") if isinstance(push, dict) else None
    if not isinstance(message, dict):
        raise BadDeliveryError("the delivery has no Pub/Sub message")
    attributes, data = message.get("attributes") or {}, message.get("data") or ""
    if not isinstance(attributes, dict) or not isinstance(data, str):
        raise BadDeliveryError("the Pub/Sub message has attributes or data of the wrong type")
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError:
        raise BadDeliveryError("the Pub/Sub message's data is not base64") from None
    fields = {
        "id": str(message.get("messageId") or message.get("message_id") or ""),
        "data": decoded.decode(errors="replace"),
        "attributes": attributes,
        "ordering_key": str(message.get("orderingKey") or message.get("ordering_key") or ""),
        "publish_time": str(message.get("publishTime") or message.get("publish_time") or ""),
    }
    return Message(fields, decoded)

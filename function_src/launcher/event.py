"""Reads a delivery: what happened, and what makes it the same event when it is delivered again.

Cloud Storage says that one event can arrive as several messages with several ids, so a message id identifies
nothing here: bucket, name and generation do (docs: storage/docs/pubsub-notifications).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .parameters import show

PUBSUB_EVENT = "google.cloud.pubsub.topic.v1.messagePublished"
STORAGE_EVENT = "google.cloud.storage.object.v1.finalized"
FINALIZE = "OBJECT_FINALIZE"
# Attributes of a message that asks for one more run of an event: something that no other such message has, and why.
AGAIN, BECAUSE = "launch-again", "launch-because"
SURROGATE = re.compile("[\ud800-\udfff]")


class BadDeliveryError(ValueError):
    """The delivery is not an event of this trigger, and no later delivery of it will be."""


@dataclass(frozen=True)
class Event:
    """One occurrence. ``document`` is what expressions see, without the object's content."""

    identity: tuple[str, ...]
    document: Mapping[str, Any] = field(hash=False)

    @property
    def object(self) -> Mapping[str, Any]:
        """The object that the event is about: uri, bucket, name, generation, size and more."""
        found: Mapping[str, Any] = self.document["object"]
        return found

    @property
    def key(self) -> str:
        """The launch key: what the run's id is computed from."""
        return str(self.document["event"]["key"])

    @property
    def subject(self) -> str:
        """The object and its generation, for people: ``gs://bucket/name#generation``."""
        return f"{self.object['uri']}#{self.object['generation']}"

    @property
    def again_because(self) -> str | None:
        """Why somebody asked for one more run of an event that was launched before; None for the first."""
        attributes = self.document["message"].get("attributes", {})
        return str(attributes.get(BECAUSE, "")) if attributes.get(AGAIN) else None


def launch_key(trigger_id: str, identity: tuple[str, ...]) -> str:
    """Hashes a trigger and an event's identity to 32 hexadecimal digits.

    The trigger's id holds project and stack, so that two stacks with one endpoint and one bucket do not take
    each other's runs for their own.
    """
    return hashlib.sha256(json.dumps([trigger_id, *identity]).encode()).hexdigest()[:32]


def read_event(trigger_id: str, headers: Mapping[str, str], body: bytes) -> Event:
    """Reads an HTTP request that delivers a Cloud Storage event.

    Takes a Pub/Sub push, wrapped as Pub/Sub sends it or as a CloudEvent (binary or structured), and a
    CloudEvent of Cloud Storage itself. The names in ``headers`` are lower case.

    Raises:
        BadDeliveryError: the request holds no finalized object.
    """
    if not body:
        raise BadDeliveryError("the delivery is empty")
    kind, event_id, data = _unwrap(headers, _json(body, "the delivery"))
    if kind == STORAGE_EVENT:
        message: dict[str, Any] = {}
        resource = data
    elif kind == PUBSUB_EVENT:
        message = _message(data)
        resource = _notified_object(message)
    else:
        raise BadDeliveryError(f"the delivery is a CloudEvent of type {show(kind)}; expected {PUBSUB_EVENT}")
    found = _object(resource)
    identity: tuple[str, ...] = ("gcs", found["bucket"], found["name"], found["generation"])
    if again := message.get("attributes", {}).get(AGAIN):
        identity += ("again", str(again))
    event = {
        "id": message.get("id") or event_id,
        "kind": "gcs",
        "time": message.get("publish_time") or found["time_created"],
        "key": launch_key(trigger_id, identity),
    }
    return Event(identity, {"object": found, "message": message, "event": event})


def _unwrap(headers: Mapping[str, str], body: Any) -> tuple[str, str, Any]:
    """Returns type, id and data of the CloudEvent that the request amounts to."""
    if "ce-type" in headers:
        return headers["ce-type"], headers.get("ce-id", ""), body
    if headers.get("content-type", "").startswith("application/cloudevents+json") and isinstance(body, dict):
        return str(body.get("type")), str(body.get("id", "")), body.get("data")
    return PUBSUB_EVENT, "", body


def _message(push: Any) -> dict[str, Any]:
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
    return {
        "id": str(message.get("messageId") or message.get("message_id") or ""),
        "data": decoded.decode(errors="replace"),
        "attributes": attributes,
        "publish_time": str(message.get("publishTime") or message.get("publish_time") or ""),
    }


def _notified_object(message: Mapping[str, Any]) -> Any:
    kind = message["attributes"].get("eventType", FINALIZE)
    if kind != FINALIZE:
        raise BadDeliveryError(f"the notification's eventType is {show(kind)}; only {FINALIZE} launches")
    return _json(message["data"], "the Pub/Sub message's data")


def _object(resource: Any) -> dict[str, Any]:
    """Reads an object resource of the JSON API. Numbers arrive as numbers or as strings; both are taken."""
    if not isinstance(resource, dict):
        raise BadDeliveryError("the delivery names no Cloud Storage object")
    bucket, name, generation = (resource.get(key) for key in ("bucket", "name", "generation"))
    if not (_is_name(bucket) and _is_name(name)):
        raise BadDeliveryError("the delivery names no Cloud Storage object: bucket or name is missing")
    if not _is_count(generation):
        raise BadDeliveryError(f"the object's generation is {show(generation)}; expected a number")
    size, metadata = resource.get("size"), resource.get("metadata")
    return {
        "uri": f"gs://{bucket}/{name}",
        "bucket": bucket,
        "name": name,
        "generation": str(generation),
        "size": int(size) if _is_count(size) and size is not None else None,
        "content_type": resource.get("contentType"),
        "time_created": str(resource.get("timeCreated") or ""),
        "metadata": metadata if isinstance(metadata, dict) else {},
    }


def _is_name(value: object) -> bool:
    """Whether the value is text that UTF-8 can carry. JSON can spell half a character, and nothing is called so."""
    return isinstance(value, str) and value != "" and not SURROGATE.search(value)


def _is_count(value: object) -> bool:
    """Whether the value is a 64-bit count, as a number or in digits."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit() and len(text) < 20


def _json(text: bytes | str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadDeliveryError(f"{what} is not JSON") from None

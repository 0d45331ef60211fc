"""Deliveries of Cloud Storage events, in every wrapping that the launcher takes."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from function_src.launcher.event import PUBSUB_EVENT, STORAGE_EVENT

Delivery = tuple[dict[str, str], bytes]
TRIGGER_ID = "acme-ml-dev/dev/echo"
# When the events happen, however long the tests take: an old one may have been launched before, under another ledger.
FRESH = "2126-11-22T10:00:00.000Z"
OBJECT: Mapping[str, Any] = {
    "kind": "storage#object",
    "bucket": "acme-incoming",
    "name": "incoming/orders 7.csv",
    "generation": "1712345678901234",
    "size": "12",
    "contentType": "text/csv",
    "timeCreated": FRESH,
    "metadata": {"owner": "ann"},
}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def message(data: bytes, message_id: str = "1", **attributes: str) -> dict[str, Any]:
    """What Pub/Sub pushes."""
    return {
        "message": {
            "data": base64.b64encode(data).decode(),
            "attributes": attributes,
            "messageId": message_id,
            "publishTime": FRESH,
        },
        "subscription": "projects/acme-ml-dev/subscriptions/echo",
    }


def notification(resource: Mapping[str, Any], message_id: str = "1") -> dict[str, Any]:
    return message(as_json(resource), message_id, eventType="OBJECT_FINALIZE", payloadFormat="JSON_API_V1")


def push(resource: Mapping[str, Any], message_id: str = "1") -> Delivery:
    """A Pub/Sub push as Pub/Sub sends it."""
    return {"content-type": "application/json"}, as_json(notification(resource, message_id))


def binary_push(resource: Mapping[str, Any], message_id: str = "1") -> Delivery:
    """A Pub/Sub message as a CloudEvent in binary mode."""
    return {"ce-type": PUBSUB_EVENT, "ce-id": message_id}, as_json(notification(resource, message_id))


def structured_push(resource: Mapping[str, Any], message_id: str = "1") -> Delivery:
    """A Pub/Sub message as a CloudEvent in structured mode."""
    event = {"type": PUBSUB_EVENT, "id": message_id, "data": notification(resource, message_id)}
    return {"content-type": "application/cloudevents+json; charset=utf-8"}, as_json(event)


def binary_storage_event(resource: Mapping[str, Any], message_id: str = "1") -> Delivery:
    """A Cloud Storage CloudEvent in binary mode."""
    return {"ce-type": STORAGE_EVENT, "ce-id": message_id, "content-type": "application/json"}, as_json(resource)


def structured_storage_event(resource: Mapping[str, Any], message_id: str = "1") -> Delivery:
    """A Cloud Storage CloudEvent in structured mode."""
    event = {"type": STORAGE_EVENT, "id": message_id, "data": resource}
    return {"content-type": "application/cloudevents+json"}, as_json(event)


WRAPPINGS = [push, binary_push, structured_push, binary_storage_event, structured_storage_event]

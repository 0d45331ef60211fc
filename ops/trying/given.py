"""Makes the delivery of an event that nobody has sent, by what a person says of it."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from function_src.launcher.event import STORAGE_EVENT
from function_src.launcher.mapping.content import read_content
from function_src.launcher.sources import FINALIZE, GcsSource
from function_src.launcher.storage import ObjectUnusableError
from infra.cron import SHOWN, read_cron
from ops.errors import OperationError
from ops.trying.planned import PlannedTrigger

Content = Callable[[int], Mapping[str, Any]]
BESIDE = ".meta.json"  # what a bucket says of the file that it stands beside
OF_AN_OBJECT = ("name", "metadata", "content_type", "time_created", "generation")


@dataclass(frozen=True)
class Given:
    """An event to try, as the request that delivers it.

    ``content`` reads what stands in the object, up to a number of bytes; None if nobody gave it. ``made_up`` says
    what of the event's identity is, and therefore of key and run id. ``notes`` are for people.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    made_up: str = ""
    notes: tuple[str, ...] = ()


def given_object(trigger: PlannedTrigger, uri: str | None, file: Path | None) -> Given:
    """A new object: named by its URI, or by its name in the trigger's bucket; a file is what stands in it.

    Raises:
        OperationError: the trigger has no bucket, or what lies beside the file cannot be read.
    """
    source = trigger.launcher.source
    if not isinstance(source, GcsSource):
        raise OperationError(f"trigger {trigger.name} takes no objects: its source is {trigger.kind}")
    said = said_beside(file) if file else {}
    bucket = f"{trigger.name}-bucket" if trigger.own_bucket else source.bucket
    name = uri or str(said.get("name") or f"{source.prefix}{file.name if file else ''}")
    notes = (f"gs://{bucket} stands for the bucket that the stack makes",) if trigger.own_bucket else ()
    if name.startswith("gs://"):
        notes = ()
        bucket, _, name = name.removeprefix("gs://").partition("/")
    if not bucket or not name:
        raise OperationError(f"{uri} names no object; write gs://BUCKET/NAME, or its name in the trigger's bucket")
    body = file.read_bytes() if file else b""
    now = datetime.now(UTC)
    resource = {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": str(said.get("generation") or int(now.timestamp() * 1_000_000)),
        "metageneration": "1",
        "size": str(len(body)) if file else None,
        "contentType": said.get("content_type") or mimetypes.guess_type(name)[0] or "application/octet-stream",
        "storageClass": "STANDARD",
        "md5Hash": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() if file else None,
        "timeCreated": said.get("time_created") or _stamp(now),
        "metadata": said.get("metadata", {}),
    }
    attributes = {"eventType": FINALIZE, "payloadFormat": "JSON_API_V1", "bucketId": bucket, "objectId": name}
    given = _message(json.dumps(resource).encode(), attributes, now, "generation")
    return replace(given, content=content_of(body) if file else None, notes=notes)


def given_message(data: bytes, attributes: Mapping[str, str]) -> Given:
    """A message that somebody publishes now."""
    return _message(data, attributes, datetime.now(UTC), "message's id")


def given_entries(text: bytes, name: str) -> Iterator[Given]:
    """Log entries: one, or a list of them as `gcloud logging read --format json` prints it.

    Raises:
        OperationError: it is no JSON.
    """
    found = _json(text, name)
    for entry in found if isinstance(found, list) else [found]:
        yield _message(json.dumps(entry).encode(), {}, datetime.now(UTC), "")


def given_firing(trigger: PlannedTrigger, moment: datetime) -> Given:
    """A firing of a schedule: without a zone, the moment is by the schedule's own clock.

    Raises:
        OperationError: the trigger has no schedule.
    """
    if trigger.job is None:
        raise OperationError(f"trigger {trigger.name} has no schedule: its source is {trigger.kind}")
    target, zone = trigger.job["pubsubTarget"], trigger.job["timeZone"]
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    data = base64.b64decode(target.get("data") or "")
    given = _message(data, target["attributes"], local.astimezone(UTC), "message's id")
    return replace(given, notes=tuple(_about_firing(trigger.job["schedule"], zone, local)))


def given_deliveries(text: bytes) -> Iterator[Given]:
    """Deliveries as they came: a push, a CloudEvent, pulled messages, dead letters, entries of rejected/.

    What is none of these is tried as it is, so that the launcher says why.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        yield Given(text)
        return
    received = found.get("receivedMessages", [found]) if isinstance(found, dict) else found
    for item in received if isinstance(received, list) else [received]:
        yield _as_delivered(item)


def content_of(body: bytes) -> Content:
    """Reads what stands in a file as the launcher reads an object."""

    def read(limit: int) -> Mapping[str, Any]:
        if len(body) > limit:
            raise ObjectUnusableError(f"the object holds more than content_limit, {limit} bytes")
        try:
            return read_content(body, limit)
        except UnicodeDecodeError:
            raise ObjectUnusableError("the object is not UTF-8 text") from None

    return read


def _as_delivered(item: Any) -> Given:
    body = json.dumps(item).encode()
    match item:
        case {"type": str(), "specversion": str()}:
            return Given(body, {"content-type": "application/cloudevents+json"})
        case {"kind": "storage#object"}:  # of a CloudEvent whose head was not kept
            return Given(body, {"ce-type": STORAGE_EVENT})
        case {"messageId": _} | {"message_id": _}:
            return Given(as_push(item))
    return Given(body)


def _about_firing(cron: str, zone: str, local: datetime) -> Iterator[str]:
    """Whether a schedule fires then, and when it does next."""
    schedule = read_cron(cron)
    clock = f"{local.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    upcoming = schedule.after(local - timedelta(minutes=1), zone)
    following = [next(upcoming) for _ in range(SHOWN + 1)]
    if local.replace(second=0, microsecond=0) == following[0]:
        yield f"{cron} ({zone}) fires at {clock}"
        following.pop(0)
    else:
        yield f"{cron} ({zone}) does not fire at {clock}: it is tried all the same"
    times = ", ".join(f"{fires:%a %Y-%m-%d %H:%M %Z}" for fires in following[:SHOWN])
    yield f"after that it fires at {times}"


def _message(data: bytes, attributes: Mapping[str, str], moment: datetime, made_up: str) -> Given:
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": "1",
        "publishTime": _stamp(moment),
    }
    return Given(as_push(message), made_up=made_up)


def as_push(message: Mapping[str, Any]) -> bytes:
    """The body of the request with which Pub/Sub delivers a message."""
    return json.dumps({"message": message}).encode()


def read_message(body: bytes) -> tuple[bytes, Mapping[str, str]]:
    """A message from a file: ``{"attributes": {...}, "data": ...}``, or else all of it is data."""
    try:
        written = json.loads(body)
    except ValueError:
        return body, {}
    if not isinstance(written, dict) or written.keys() - {"attributes", "data"}:
        return body, {}
    if not isinstance(written.get("attributes"), dict):
        return body, {}
    data = written.get("data", "")
    return (data if isinstance(data, str) else json.dumps(data)).encode(), written["attributes"]


def said_beside(file: Path) -> Mapping[str, Any]:
    """What stands in the file beside a sample: name, metadata and such of the object."""
    beside = file.with_name(file.name + BESIDE)
    if not beside.is_file():
        return {}
    said = _json(beside.read_bytes(), str(beside))
    if (
        not isinstance(said, dict)
        or not isinstance(said.get("metadata", {}), dict)
        or said.keys() - set(OF_AN_OBJECT)
    ):
        raise OperationError(f"{beside} has other keys than {', '.join(OF_AN_OBJECT)}, of which metadata is a map")
    return said


def _json(text: bytes, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OperationError(f"{name} is not JSON: {error}") from None


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

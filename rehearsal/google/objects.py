"""What Cloud Storage keeps and promises, without HTTP: objects, generations, preconditions, notifications.

Nothing here is locked. A precondition and the write that depends on it are one step because every call runs on the
one loop that serves the stand-ins; once they are being served, a caller on another thread uses ``Loopback.call``.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

import google_crc32c

from rehearsal.google.errors import ConditionNotMetError, StorageError, invalid, not_found

SERVICE = "https://storage.googleapis.com"
DEFAULT_CONTENT_TYPE = "application/octet-stream"
WRITABLE = ("contentType", "metadata", "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage")
EVENT_TYPES = ("OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE")
PAYLOAD_FORMATS = ("JSON_API_V1", "NONE")
TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")
MAX_NAME_BYTES = 1024

Publish = Callable[[str, bytes, dict[str, str]], None]
"""Takes a topic (``projects/P/topics/T``), the data and the attributes of one message. Must not raise."""


@dataclass(frozen=True)
class Object:
    """One generation of an object. A patch makes another value, so whoever holds this one never sees it change."""

    bucket: str
    name: str
    generation: int
    updated: int
    body: bytes
    attributes: Mapping[str, Any]
    metageneration: int = 1

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The checksums as Cloud Storage writes them: base64, and CRC32C big-endian."""
        crc32c = google_crc32c.value(self.body).to_bytes(4, "big")
        md5 = hashlib.md5(self.body, usedforsecurity=False).digest()
        return {"crc32c": base64.b64encode(crc32c).decode(), "md5": base64.b64encode(md5).decode()}

    def resource(self, service: str = SERVICE) -> dict[str, Any]:
        """The object resource. ``service`` is where its links lead: Google's client downloads from ``mediaLink``."""
        path = f"b/{self.bucket}/o/{quote(self.name, safe='')}"
        version = f"{self.generation}/{self.metageneration}"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{service}/storage/v1/{path}",
            "mediaLink": f"{service}/download/storage/v1/{path}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "storageClass": "STANDARD",
            "size": str(len(self.body)),
            "md5Hash": self.hashes["md5"],
            "crc32c": self.hashes["crc32c"],
            "etag": base64.b64encode(version.encode()).decode(),
            "timeCreated": rfc3339(self.generation),
            "updated": rfc3339(self.updated),
            "timeStorageClassUpdated": rfc3339(self.generation),
            **self.attributes,
        }


@dataclass(frozen=True)
class Conditions:
    """What a request demands of the live object: ``generation`` selects it (404), the rest are preconditions (412).

    Generation 0 stands for "no live object". NotMatch fails where there is none, whatever its number
    (https://cloud.google.com/storage/docs/json_api/v1/objects/insert).
    """

    generation: int | None = None
    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    def check(self, live: Object | None) -> None:
        """Raises ConditionNotMetError unless every precondition holds."""
        generation, metageneration = (live.generation, live.metageneration) if live else (0, 0)
        if self.generation_match not in (None, generation) or self.metageneration_match not in (None, metageneration):
            raise ConditionNotMetError(unchanged=False)
        if self.generation_not_match is not None and generation in (0, self.generation_not_match):
            raise ConditionNotMetError(unchanged=True)
        if self.metageneration_not_match is not None and metageneration in (0, self.metageneration_not_match):
            raise ConditionNotMetError(unchanged=True)


UNCONDITIONAL = Conditions()


@dataclass(frozen=True)
class Notification:
    """A notification configuration: which events of a bucket go to which topic, and in what form."""

    id: str
    topic: str
    prefix: str
    event_types: Sequence[str]
    payload_format: str

    def wants(self, event_type: str, name: str) -> bool:
        """Whether an event is for this configuration. One without event types gets every event."""
        return name.startswith(self.prefix) and (not self.event_types or event_type in self.event_types)

    def message(self, event_type: str, obj: Object, at: int, **extra: str) -> tuple[bytes, dict[str, str]]:
        """Data and attributes, as in https://docs.cloud.google.com/storage/docs/pubsub-notifications#format."""
        data = json.dumps(obj.resource()).encode() if self.payload_format == "JSON_API_V1" else b""
        return data, {
            "notificationConfig": f"projects/_/buckets/{obj.bucket}/notificationConfigs/{self.id}",
            "eventType": event_type,
            "payloadFormat": self.payload_format,
            "bucketId": obj.bucket,
            "objectId": obj.name,
            "objectGeneration": str(obj.generation),
            "eventTime": rfc3339(at, "microseconds"),
            **extra,
        }


@dataclass
class Bucket:
    """A bucket and what is in it. Of its settings only the location is kept, and when one was changed last.

    While ``refusal`` is set none of its objects can be read: one of REFUSALS, say.
    """

    name: str
    location: str
    created: int
    updated: int = 0
    refusal: StorageError | None = None
    objects: dict[str, Object] = field(default_factory=dict)
    notifications: dict[str, Notification] = field(default_factory=dict)
    notification_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class ObjectStore:
    """Buckets of objects, without versioning: a generation that was overwritten or deleted is gone."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._last_tick = 0
        self.buckets: dict[str, Bucket] = {}

    def create_bucket(self, name: str, location: str = "US") -> None:
        """Creates an empty bucket; a name that is taken is a conflict (409)."""
        if name in self.buckets:
            raise StorageError(409, "conflict", f"The bucket {name} exists already.")
        self.buckets[name] = Bucket(name, location, self._tick())

    def bucket(self, name: str) -> Bucket:
        """The bucket with this name, or 404."""
        if name not in self.buckets:
            raise not_found(f"The bucket {name} does not exist.")
        return self.buckets[name]

    def delete_bucket(self, name: str) -> None:
        """Deletes an empty bucket; one that is not empty is a conflict (409)."""
        if self.bucket(name).objects:
            raise StorageError(409, "conflict", f"The bucket {name} is not empty.")
        del self.buckets[name]

    def add_notification(
        self,
        bucket: str,
        topic: str,
        *,
        prefix: str = "",
        event_types: Sequence[str] = (),
        payload_format: str = "JSON_API_V1",
    ) -> Notification:
        """Sends the bucket's events to a topic (``projects/P/topics/T``), at once and not within 30 seconds."""
        if not TOPIC.fullmatch(topic) or payload_format not in PAYLOAD_FORMATS or set(event_types) - set(EVENT_TYPES):
            raise invalid(f"Invalid notification: {topic}, {payload_format}, {event_types}")
        owner = self.bucket(bucket)
        config = Notification(str(next(owner.notification_ids)), topic, prefix, tuple(event_types), payload_format)
        owner.notifications[config.id] = config
        return config

    def write(self, bucket: str, name: str, body: bytes, content_type: str = DEFAULT_CONTENT_TYPE) -> dict[str, Any]:
        """Writes an object as an upload does, notifications and all, and returns the object resource."""
        return self.put(bucket, name, body, {"contentType": content_type}).resource()

    def put(
        self, bucket: str, name: str, body: bytes, attributes: Mapping[str, Any], only: Conditions = UNCONDITIONAL
    ) -> Object:
        """Makes a new generation. An overwrite is two events: the old generation's end is one of its own."""
        objects = self.bucket(bucket).objects
        if not 0 < len(name.encode()) <= MAX_NAME_BYTES or name in (".", "..") or {"\r", "\n"} & set(name):
            raise invalid(f"Invalid object name: {name!r}")
        replaced = objects.get(name)
        only.check(replaced)
        generation = self._tick()
        written = objects[name] = Object(bucket, name, generation, generation, body, attributes)
        if replaced is None:
            self._notify("OBJECT_FINALIZE", written)
        else:
            self._notify("OBJECT_FINALIZE", written, overwroteGeneration=str(replaced.generation))
            self._notify("OBJECT_DELETE", replaced, overwrittenByGeneration=str(generation))
        return written

    def get(self, bucket: str, name: str, only: Conditions = UNCONDITIONAL) -> Object:
        """The live object. Without one it is 404, even if a precondition fails as well."""
        found = self.bucket(bucket)
        if found.refusal:
            raise found.refusal
        live = found.objects.get(name)
        if live is None or only.generation not in (None, live.generation):
            raise not_found(f"No such object: {bucket}/{name}")
        only.check(live)
        return live

    def patch(self, bucket: str, name: str, changes: Mapping[str, Any], only: Conditions = UNCONDITIONAL) -> Object:
        """Changes writable attributes, custom metadata key by key; None removes. The generation stays."""
        live = self.get(bucket, name, only)
        attributes = _merge(live.attributes, {key: value for key, value in changes.items() if key in WRITABLE})
        patched = replace(live, attributes=attributes, metageneration=live.metageneration + 1, updated=self._tick())
        self.bucket(bucket).objects[name] = patched
        self._notify("OBJECT_METADATA_UPDATE", patched)
        return patched

    def delete(self, bucket: str, name: str, only: Conditions = UNCONDITIONAL) -> None:
        """Deletes the live object, for good."""
        deleted = self.get(bucket, name, only)
        del self.bucket(bucket).objects[name]
        self._notify("OBJECT_DELETE", deleted)

    def listing(self, bucket: str, prefix: str, delimiter: str, start: str) -> dict[str, Object | None]:
        """Names from ``start`` on, in order. Names that go on after a delimiter share one entry, which holds None."""
        entries: dict[str, Object | None] = {}
        for name, obj in sorted(self.bucket(bucket).objects.items()):
            if name.startswith(prefix) and name >= start:
                end = name.find(delimiter, len(prefix)) if delimiter else -1
                if end < 0:
                    entries[name] = obj
                else:
                    entries[name[: end + len(delimiter)]] = None
        return entries

    def _tick(self) -> int:
        """Now, in microseconds, but later than ever before: no two writes get the same generation."""
        self._last_tick = max(time.time_ns() // 1000, self._last_tick + 1)
        return self._last_tick

    def _notify(self, event_type: str, obj: Object, **extra: str) -> None:
        at = self._tick()
        for config in self.bucket(obj.bucket).notifications.values():
            if config.wants(event_type, obj.name):
                self._publish(config.topic, *config.message(event_type, obj, at, **extra))


def _merge(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396), which is what PATCH means in the JSON API."""
    merged = {**old, **changes}
    for key, value in changes.items():
        if isinstance(value, Mapping):
            merged[key] = _merge(old.get(key, {}), value)
    return {key: value for key, value in merged.items() if value is not None}


def rfc3339(microseconds: int, precision: str = "milliseconds") -> str:
    """A time in microseconds since 1970, as the API writes it."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec=precision)[:-6] + "Z"

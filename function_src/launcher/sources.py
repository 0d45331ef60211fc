"""The kinds of source, each with the answer to what makes two deliveries the same event.

- ``gcs``: bucket, name and generation. Cloud Storage says that one event can arrive as several messages with several
  ids (docs: storage/docs/pubsub-notifications), so a message id identifies nothing there.
- ``pubsub``: the attribute ``launch_key`` where the publisher sets it, else the message's id. Two messages with the
  same data are two events: only the publisher can know that it meant one.
- ``log``: the entry's log, timestamp and insert id, by which Cloud Logging itself tells duplicates.
- ``schedule``: the message's id. Cloud Scheduler publishes each firing once and does not say in the message when it
  was due, so the id is all that tells a redelivery from the next firing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .mapping.content import MOST_VALUES, holds_too_many
from .mapping.fitting import show
from .mapping.glob import Glob
from .objects import IN_ATTRIBUTES, NoObjectError, made_by_a_tool, read_resource

FINALIZE = "OBJECT_FINALIZE"
LAUNCH_KEY = "launch_key"
# Attributes of a message that was published again: the id and the time that it had at first, and the one trigger that
# it is for.
FIRST_ID, FIRST_TIME, FOR_TRIGGER = "launch-first-id", "launch-first-time", "launch-for"


class BadDeliveryError(ValueError):
    """The delivery is not an event of this trigger, and no later delivery of it will be."""


@dataclass(frozen=True)
class Message:
    """A Pub/Sub message: ``fields`` as expressions see them, and its ``data`` as it was published."""

    fields: Mapping[str, Any]
    data: bytes

    @property
    def first_id(self) -> str:
        """The id under which the message was first published, unique within its topic."""
        found = str(self.fields["attributes"].get(FIRST_ID) or self.fields["id"])
        if not found:
            raise BadDeliveryError("the Pub/Sub message has no id")
        return found

    @property
    def first_time(self) -> str:
        """When it was first published: a pipeline may take the day from it."""
        return str(self.fields["attributes"].get(FIRST_TIME) or self.fields["publish_time"])


@dataclass(frozen=True)
class Occurrence:
    """What a source makes of a message.

    ``subject`` and the shorter ``label`` are for people; ``parts`` go into the event document; ``data`` is what its
    content is read from, None where that is an object.
    """

    identity: tuple[str, ...]
    subject: str
    label: str
    time: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    data: bytes | None = None


class Source(Protocol):
    """Where a trigger's events come from."""

    @property
    def kind(self) -> str:
        """Its kind, as in a stack file."""

    def read(self, message: Message) -> Occurrence:
        """Reads a message of this source, or raises BadDeliveryError."""

    def check(self, document: Mapping[str, Any], /) -> str | None:
        """Returns why the source passes an event over; raises BadDeliveryError for one of another source."""


@dataclass(frozen=True)
class GcsSource:
    """New objects of a bucket. Passed over are those that the glob does not match, and those that tools make for
    their own ends, but for the kinds in ``include``.

    ``topic`` is one that was there before the stack. It may carry what else happens in the bucket, and others, and
    what was published again for another trigger than ``trigger_id``: all that is passed over too.
    """

    bucket: str
    prefix: str
    glob: Glob | None = None
    include: frozenset[str] = frozenset()
    topic: str = ""
    trigger_id: str = ""
    kind: str = "gcs"

    def read(self, message: Message) -> Occurrence:
        """Reads a notification of Cloud Storage. One without a payload says in its attributes which object it is."""
        attributes, published = message.fields["attributes"], message.fields["publish_time"]
        change = attributes.get("eventType", FINALIZE)
        if change != FINALIZE and not self.topic:
            raise BadDeliveryError(f"the notification's eventType is {show(change)}; only {FINALIZE} launches")
        if attributes.get("payloadFormat") == "NONE":
            return self.read_object({key: attributes.get(name) for key, name in IN_ATTRIBUTES.items()}, published)
        return self.read_object(read_json(message.data, "the Pub/Sub message's data"), published)

    def read_object(self, resource: Any, published: str = "") -> Occurrence:
        """Reads an object resource of the JSON API, which a message or a CloudEvent brought."""
        try:
            found = read_resource(resource)
        except NoObjectError as error:
            raise BadDeliveryError(str(error)) from None
        identity = ("gcs", found["bucket"], found["name"], found["generation"])
        subject, label = f"{found['uri']}#{found['generation']}", found["name"].rsplit("/", 1)[-1]
        parts = {"object": found}
        if self.glob and self.glob.captures:
            parts["path"] = self.glob.capture(found["name"]) or {}
        return Occurrence(identity, subject, label, published or found["time_created"], parts)

    def check(self, document: Mapping[str, Any]) -> str | None:
        """Refuses objects of other buckets: who may publish to the topic must not choose what is read and run."""
        uri, bucket, name = (document["object"][key] for key in ("uri", "bucket", "name"))
        if bucket != self.bucket or not name.startswith(self.prefix):
            if self.topic:
                return f"it is not in gs://{self.bucket}/{self.prefix}"
            raise BadDeliveryError(f"{uri} is not in gs://{self.bucket}/{self.prefix}, where this trigger looks")
        change = document["message"].get("attributes", {}).get("eventType", FINALIZE)
        if change != FINALIZE:
            return f"its eventType is {show(change)}"
        if self.glob and not self.glob.matches(name):
            return f"its name does not match {self.glob.text}"
        return _for_another(document, self.trigger_id) or made_by_a_tool(document["object"], self.include)


@dataclass(frozen=True)
class PubSubSource:
    """Messages of a topic. ``topic`` is the one that was there before the stack; an id is unique within it only.

    Others may be subscribed to it: what was published again for ``trigger_id`` is for that trigger alone.
    """

    trigger_id: str
    topic: str = ""
    kind: str = "pubsub"

    def read(self, message: Message) -> Occurrence:
        """Takes any message that has an identity."""
        key = message.fields["attributes"].get(LAUNCH_KEY)
        if key:
            identity, subject, label = ("pubsub", LAUNCH_KEY, str(key)), f"pubsub:{LAUNCH_KEY}={key}", str(key)
        else:
            label = message.first_id
            identity, subject = ("pubsub", self.topic, label), f"pubsub:{label}"
        return Occurrence(identity, subject, label, message.first_time, data=message.data)

    def check(self, document: Mapping[str, Any]) -> str | None:
        """Takes up whatever is on the topic, but for replays: what is not wanted, Pub/Sub has filtered."""
        return _for_another(document, self.trigger_id)


@dataclass(frozen=True)
class LogSource:
    """Log entries that a sink exports."""

    kind: str = "log"

    def read(self, message: Message) -> Occurrence:
        """Reads a LogEntry."""
        entry = read_json(message.data, "the Pub/Sub message's data")
        parts = [entry.get(key) if isinstance(entry, dict) else None for key in ("logName", "timestamp", "insertId")]
        if not all(isinstance(part, str) and part for part in parts):
            raise BadDeliveryError("the message is no log entry: logName, timestamp or insertId is missing")
        name, timestamp, insert_id = map(str, parts)
        label = name.rsplit("%2F", 1)[-1].rsplit("/", 1)[-1]
        identity = ("log", name, timestamp, insert_id)
        return Occurrence(identity, f"log:{name}#{insert_id}", label, timestamp, {"log": entry}, message.data)

    def check(self, _: Mapping[str, Any]) -> None:
        """Only the sink may publish to the topic, and it has filtered."""


@dataclass(frozen=True)
class ScheduleSource:
    """Firings of a Cloud Scheduler job."""

    kind: str = "schedule"

    def read(self, message: Message) -> Occurrence:
        """Takes any message: what a firing carries is the payload of the stack file."""
        published = message.first_time
        identity, subject = ("schedule", message.first_id), f"schedule:{message.first_id}"
        return Occurrence(identity, subject, published[:16], published, data=message.data)

    def check(self, _: Mapping[str, Any]) -> None:
        """Only Cloud Scheduler may publish to the topic."""


def read_source(config: Mapping[str, Any], trigger_id: str) -> Source:
    """Reads ``source`` of TRIGGER, where the kind says which keys there are.

    Raises:
        KeyError, ValueError: a key is missing, or there is no such kind.
    """
    match config["kind"]:
        case "gcs":
            return GcsSource(
                config["bucket"],
                config["prefix"],
                Glob(config["glob"]) if "glob" in config else None,
                frozenset(config.get("include", ())),
                config.get("topic", ""),
                trigger_id,
            )
        case "pubsub":
            return PubSubSource(trigger_id, config.get("topic", ""))
        case "log":
            return LogSource()
        case "schedule":
            return ScheduleSource()
    raise ValueError(f"source.kind is {config['kind']!r}")


def read_json(text: bytes | str, what: str) -> Any:
    """Parses JSON, or raises BadDeliveryError."""
    if holds_too_many(text):
        raise BadDeliveryError(f"{what} is JSON of more than {MOST_VALUES} values")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadDeliveryError(f"{what} is not JSON") from None


def _for_another(document: Mapping[str, Any], trigger_id: str) -> str | None:
    """Why a message that was published again is not for this trigger; None if it is, or is no such message."""
    meant = document["message"].get("attributes", {}).get(FOR_TRIGGER, trigger_id)
    return None if meant == trigger_id else f"it was published again for {show(meant)}"

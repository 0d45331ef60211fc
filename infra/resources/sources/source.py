"""Where events come from. A source is made first, and told last where to send its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pulumi
import pulumi_gcp as gcp

from infra.configuration import source_settings
from infra.configuration.source_settings import PubSubSource
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant, Principal
from infra.resources.sources.log_sink import LogSink
from infra.resources.sources.schedule import Schedule
from infra.resources.sources.trigger_bucket import AnnouncedBucket, TriggerBucket


class Source(Protocol):
    """What sends a trigger's events."""

    @property
    def settings(self) -> Mapping[str, pulumi.Input[Any]]:
        """What the launcher must know of it: the block `source` of TRIGGER."""

    @property
    def exports(self) -> Mapping[str, pulumi.Input[str]]:
        """What people must know of it: outputs of the stack, without the trigger's name."""

    def let_read(self, launcher: Principal, /) -> list[Grant]:
        """Lets the launcher read what the event is about, for triggers that map its content."""

    def open(self, topic: gcp.pubsub.Topic, after: Sequence[pulumi.Resource], /) -> None:
        """Sends events to the topic from now on: no sooner than ``after``."""


class Messages:
    """The source `pubsub`: whoever may publish to the topic, which is none of the stack's business."""

    def __init__(self, source: PubSubSource) -> None:
        topic = {"topic": source.topic} if source.topic else {}
        self.settings: dict[str, pulumi.Input[str]] = {"kind": "pubsub", **topic}
        self.exports: dict[str, pulumi.Input[str]] = {}

    def let_read(self, _: Principal) -> list[Grant]:
        """Nothing: the data is in the message."""
        return []

    def open(self, _topic: gcp.pubsub.Topic, _after: Sequence[pulumi.Resource]) -> None:
        """Nothing: others publish when they like."""


def make_source(
    name: str,
    source: source_settings.Source,
    foundation: Foundation,
    labels: dict[str, str],
    parent: pulumi.Resource,
) -> Source:
    """Makes what a source needs, but for what sends the events."""
    match source:
        case source_settings.GcsSource(bucket=str(bucket), topic=str()):
            return AnnouncedBucket(bucket, source, foundation)
        case source_settings.GcsSource():
            return TriggerBucket(name, source, foundation, labels, parent)
        case source_settings.PubSubSource():
            return Messages(source)
        case source_settings.LogSource():
            return LogSink(name, source, foundation, parent)
        case source_settings.ScheduleSource():
            return Schedule(name, source, foundation, parent)

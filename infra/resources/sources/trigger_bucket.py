"""The source `gcs`: a bucket whose new objects are events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.configuration.source_settings import GcsSource
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant
from infra.resources.told import UNMOVED

SECONDS_A_DAY = 86_400
READER, READS = "roles/storage.objectViewer", "A parameter or `when` reads what is in its files"


class TriggerBucket(pulumi.ComponentResource):
    """A bucket whose new objects are events; the stack's own, or one that was there before.

    Its notifications go to a topic of ours. A function's own Cloud Storage trigger would filter by bucket only,
    keep a failed event for 24 hours and then drop it, with no dead letter (terraform-provider-google#25069).
    The bucket is never emptied by a destroy: the files in it are the user's. Several triggers on one bucket have a
    notification each, so each is told of every new object.
    """

    def __init__(
        self, name: str, source: GcsSource, foundation: Foundation, labels: dict[str, str], parent: pulumi.Resource
    ) -> None:
        super().__init__(
            "event-triggered-pipelines:index:TriggerBucket",
            f"{name}-bucket",
            None,
            pulumi.ResourceOptions(parent=parent),
        )
        self._name = name
        self._source = source
        self._foundation = foundation
        self._bucket_name: pulumi.Input[str] = source.bucket or self._make(name, source, labels)
        self.settings = _settings(source, self._bucket_name)
        self.exports = {"bucket": self._bucket_name}
        self.register_outputs({})

    def let_read(self, launcher: grants.Principal) -> list[Grant]:
        """Lets the launcher read files, for triggers with a parameter or a `when` that reads what is in them."""
        if self._source.bucket:
            return [_let_read(self._source.bucket, launcher, self._foundation)]
        on = grants.on_bucket(f"{self._name}-bucket", self._bucket_name)
        return [Grant(READER, on=on, to=launcher, reason=READS, parent=self)]

    def open(self, topic: gcp.pubsub.Topic, after: Sequence[pulumi.Resource]) -> None:
        """Sends events to the topic, once everything that handles them stands (``after``).

        Not before: a topic without a subscription loses what is published to it, silently.
        """
        may_publish = Grant(
            "roles/pubsub.publisher",
            on=grants.on_topic(f"{self._name}-events", topic),
            to=self._foundation.storage_agent,
            reason="Cloud Storage announces new objects on the trigger's topic",
            parent=self,
        )
        gcp.storage.Notification(
            f"{self._name}-new-objects",
            bucket=self._bucket_name,
            topic=topic.id,
            payload_format="JSON_API_V1",
            event_types=["OBJECT_FINALIZE"],
            object_name_prefix=self._source.announced or None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_publish, *after]),
        )

    def _make(self, name: str, source: GcsSource, labels: dict[str, str]) -> pulumi.Output[str]:
        location = source.location or self._foundation.settings.region
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            project=self._foundation.settings.project,
            location=location,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=source.soft_delete_days * SECONDS_A_DAY
            ),
            labels=labels,
            # Where it was made it stays: elsewhere it would be another bucket, and this one and its files be deleted.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=self._foundation.services, ignore_changes=["location"]
            ),
        )
        made = pulumi.Output.all(bucket.name, bucket.location)
        return made.apply(lambda values: _unmoved(name, values[0], values[1], location))


class AnnouncedBucket:
    """A bucket whose owner announces its new objects on a topic that was there before: in any project."""

    def __init__(self, bucket: str, source: GcsSource, foundation: Foundation) -> None:
        self._bucket = bucket
        self._foundation = foundation
        self.settings = {**_settings(source, bucket), "topic": str(source.topic)}
        self.exports: dict[str, pulumi.Input[str]] = {"bucket": bucket}

    def let_read(self, launcher: grants.Principal) -> list[Grant]:
        """Lets the launcher read files, for triggers with a parameter or a `when` that reads what is in them."""
        return [_let_read(self._bucket, launcher, self._foundation)]

    def open(self, _topic: gcp.pubsub.Topic, _after: Sequence[pulumi.Resource]) -> None:
        """Nothing: the bucket's owner has told Cloud Storage where to announce."""


def _settings(source: GcsSource, bucket: pulumi.Input[str]) -> dict[str, pulumi.Input[Any]]:
    """What the launcher must know of its source."""
    glob = {"glob": source.glob} if source.glob else {}
    include = {"include": source.meant} if source.meant else {}
    return {"kind": "gcs", "bucket": bucket, "prefix": source.prefix, **glob, **include}


def _let_read(bucket: str, launcher: grants.Principal, foundation: Foundation) -> Grant:
    """A grant on a bucket that was there before, which other triggers may read too."""
    return foundation.grant(READER, on=grants.on_bucket(bucket, bucket), to=launcher, reason=READS)


def _unmoved(trigger: str, bucket: str, made_in: str, wanted: str) -> str:
    """The bucket's name; or, if it is not where it is wanted, a text that nothing is made with."""
    place = made_in.lower()
    if place == wanted.lower():
        return bucket
    return (
        f"{UNMOVED}trigger {trigger}, source.location: {bucket} is in {place}, and would not go to {wanted}. Keep it "
        f"with `location: {place}` in the block source, or give the trigger another name: that makes a new bucket, "
        "and deletes this one once it is empty"
    )

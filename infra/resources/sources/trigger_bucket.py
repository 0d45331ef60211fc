"""The source `gcs`: a bucket whose new objects are events."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from infra.configuration.source_settings import GcsSource
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant
from infra.resources.told import UNMOVED

SECONDS_A_DAY = 86_400


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
        self.exports = {"bucket": self._bucket_name}
        self.register_outputs({})

    @property
    def settings(self) -> dict[str, pulumi.Input[str]]:
        """What the launcher must know of its source."""
        glob = {"glob": self._source.glob} if self._source.glob else {}
        return {"kind": "gcs", "bucket": self._bucket_name, "prefix": self._source.prefix, **glob}

    def let_read(self, launcher: grants.Principal) -> list[Grant]:
        """Lets the launcher read files, for triggers with a parameter or a `when` that reads what is in them."""
        role, reason = "roles/storage.objectViewer", "A parameter or `when` reads what is in its files"
        if self._source.bucket:  # which other triggers may read too
            on = grants.on_bucket(self._source.bucket, self._source.bucket)
            return [self._foundation.grant(role, on=on, to=launcher, reason=reason)]
        on = grants.on_bucket(f"{self._name}-bucket", self._bucket_name)
        return [Grant(role, on=on, to=launcher, reason=reason, parent=self)]

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

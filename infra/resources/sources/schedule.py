"""The source `schedule`: a Cloud Scheduler job that publishes to the trigger's topic."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from infra.configuration.source_settings import ScheduleSource
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant


class Schedule(pulumi.ComponentResource):
    """A job that publishes one message when it is due.

    It does not call the function: through Pub/Sub a firing has the same patience, dead letter and identity as any
    event. It does not try again when publishing fails, since a message that was published all the same would start a
    second run; Cloud Scheduler logs the failure.
    """

    def __init__(self, name: str, source: ScheduleSource, foundation: Foundation, parent: pulumi.Resource) -> None:
        super().__init__(
            "event-triggered-pipelines:index:Schedule",
            f"{name}-schedule",
            None,
            pulumi.ResourceOptions(parent=parent),
        )
        self._name = name
        self._source = source
        self._foundation = foundation
        self.settings: dict[str, pulumi.Input[str]] = {"kind": "schedule"}
        self.exports: dict[str, pulumi.Input[str]] = {}
        self.register_outputs({})

    def let_read(self, _: grants.Principal) -> list[Grant]:
        """Nothing: the payload is in the message."""
        return []

    def open(self, topic: gcp.pubsub.Topic, after: Sequence[pulumi.Resource]) -> None:
        """Starts the clock, once everything that handles a firing stands (``after``)."""
        may_publish = Grant(
            "roles/pubsub.publisher",
            on=grants.on_topic(f"{self._name}-events", topic),
            to=self._foundation.scheduler_agent,
            reason="Cloud Scheduler publishes each firing; its agent's own role, on the project, may be gone",
            parent=self,
        )
        gcp.cloudscheduler.Job(
            f"{self._name}-schedule",
            project=self._foundation.settings.project,
            region=self._foundation.settings.region,
            description=f"Fires trigger {self._name}",
            schedule=self._source.cron,
            time_zone=self._source.time_zone,
            retry_config=gcp.cloudscheduler.JobRetryConfigArgs(retry_count=0),
            pubsub_target=gcp.cloudscheduler.JobPubsubTargetArgs(
                topic_name=topic.id,
                data=base64.b64encode(self._source.data.encode()).decode() or None,
                attributes={"cron": self._source.cron, "time_zone": self._source.time_zone},  # one must have either
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[may_publish, *after]),
        )

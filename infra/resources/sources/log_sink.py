"""The source `log`: a sink that exports log entries to the trigger's topic."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from infra.configuration.source_settings import LogSource
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant, Principal
from infra.resources.told import told

# What launchers and ledgers are called in any stack: a resource's own name, and what the engine adds to it.
CAUSED = {
    "launchers": 'resource.labels.service_name=~"-launcher-[0-9a-f]{7}$"',
    "ledger": 'protoPayload.resourceName=~"^projects/_/buckets/launch-ledger-[0-9a-f]{7}/"',
}


class LogSink(pulumi.ComponentResource):
    """Entries of the stack's project that the filter selects, except those that such stacks cause themselves.

    The launchers write a line for each delivery, Cloud Run one for each request, and audit logs can have one for each
    record in the ledger: a wide filter would select these, and each would be the next event, for ever. Those of other
    stacks too: of two with wide filters, each would be told of what the other does.
    """

    def __init__(self, name: str, source: LogSource, foundation: Foundation, parent: pulumi.Resource) -> None:
        super().__init__(
            "event-triggered-pipelines:index:LogSink", f"{name}-log", None, pulumi.ResourceOptions(parent=parent)
        )
        self._name = name
        self._source = source
        self._foundation = foundation
        self.settings: dict[str, pulumi.Input[str]] = {"kind": "log"}
        self.exports: dict[str, pulumi.Input[str]] = {}
        self.register_outputs({})

    def let_read(self, _: Principal) -> list[Grant]:
        """Nothing: the entry is in the message."""
        return []

    def open(self, topic: gcp.pubsub.Topic, after: Sequence[pulumi.Resource]) -> None:
        """Makes the sink last of all. Who writes for it is known only then, so what is logged until the grant is
        effective, a few minutes, is exported to nowhere."""
        sink = gcp.logging.ProjectSink(
            f"{self._name}-entries",
            project=self._foundation.settings.project,
            destination=pulumi.Output.concat("pubsub.googleapis.com/", topic.id),
            filter=self._source.filter,
            exclusions=[
                gcp.logging.ProjectSinkExclusionArgs(name=name, filter=caused) for name, caused in CAUSED.items()
            ],
            unique_writer_identity=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )
        writer = told(f"who writes for sink {self._name}-entries", sink.writer_identity)
        Grant(
            "roles/pubsub.publisher",
            on=grants.on_topic(f"{self._name}-events", topic),
            to=Principal(f"{self._name}-sink", writer),
            reason="Cloud Logging exports the entries that the trigger's filter selects to its topic",
            parent=self,
        )

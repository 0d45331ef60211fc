"""One trigger: a source, the delivery of its events, the launcher, and the way into the target."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.check import CheckedTrigger
from infra.configuration.capacity import LEASE_SECONDS
from infra.configuration.target_settings import KfpTarget
from infra.resources.delivery import BACKOFF_SECONDS, Delivery
from infra.resources.foundation import Foundation
from infra.resources.launcher import Launcher
from infra.resources.records import let_record
from infra.resources.sources.source import make_source
from infra.resources.targets import grant_access, grant_fence, target_settings


class PipelineTrigger(pulumi.ComponentResource):
    """Composes one trigger in the order in which events will pass it, and opens the tap last."""

    def __init__(self, trigger: CheckedTrigger, foundation: Foundation) -> None:
        settings = trigger.settings
        name, stack = settings.name, foundation.settings
        super().__init__("event-triggered-pipelines:index:PipelineTrigger", name)
        labels = foundation.labels | {"trigger": name}

        source = make_source(name, settings.source, foundation, labels, self)
        configuration: dict[str, Any] = {
            "id": pulumi.Output.concat(foundation.origin.project, "/", foundation.origin.stack, "/", name),
            "source": source.settings,
            "parameters": settings.parameters,
            "content_limit": settings.content_limit,
            "ledger": foundation.ledger.name,
            "lease_seconds": LEASE_SECONDS,
            "timeout_seconds": settings.function.timeout_seconds,
            "target": target_settings(
                settings.target, trigger.package.pipeline_root, stack, source.settings.get("bucket")
            ),
        }
        if settings.when is not None:
            configuration["when"] = settings.when
        if settings.once_per is not None:
            configuration["once_per"] = settings.once_per
        if settings.once_within_days is not None:
            configuration["once_within_days"] = settings.once_within_days
        launcher = Launcher(settings, trigger.archive, configuration, foundation, labels, self)
        access = grant_access(settings.target, launcher.principal, foundation)
        access += let_record(name, launcher.principal, foundation, self, once=settings.once_per is not None)
        access += grant_fence(name, settings.target, foundation, self)
        if trigger.reads_content:
            access += source.let_read(launcher.principal)
        delivery = Delivery(name, settings.delivery, settings.source, launcher, access, foundation, labels, self)
        if delivery.topic:
            source.open(delivery.topic, [delivery, *access])

        self.exports: dict[str, pulumi.Input[str]] = {
            **{f"{name}-{what}": value for what, value in source.exports.items()},
            f"{name}-topic": delivery.topic_name,
            **(
                {f"{name}-subscription": delivery.subscription.name}
                if settings.source.kind == "pubsub" or not delivery.topic
                else {}
            ),
            f"{name}-function-uri": launcher.endpoint,
            f"{name}-dead-letter-subscription": delivery.dead_letters.name,
            f"{name}-launcher-identity": launcher.email,
            f"{name}-package-digest": trigger.package.digest,
        }
        # What `pipeline-trigger launches` and `replay` need to know of a trigger that stands.
        self.deployed: dict[str, pulumi.Input[Any]] = {
            "id": configuration["id"],
            "source": configuration["source"],
            "topic": delivery.topic.id if delivery.topic else delivery.topic_name,
            "dead_letters": delivery.dead_letters.id,
            "attempts": settings.delivery.attempts,
            "backoff": list(BACKOFF_SECONDS),
        }
        if isinstance(settings.target, KfpTarget) and settings.target.runs_retention_days:
            self.deployed["runs_retention_days"] = settings.target.runs_retention_days
        self.register_outputs({})

"""One trigger: a source, the delivery of its events, the launcher, and the way into the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from function_src.launcher.package import Package, read_package
from infra.configuration.settings import TRIGGERS, StackSettings, TriggerSettings, in_stack_file
from infra.configuration.source_settings import GcsSource
from infra.configuration.target_settings import KfpTarget
from infra.errors import ConfigurationError
from infra.package.caching import override_caching
from infra.package.contract import check_condition, check_parameters
from infra.package.packaging import Archive, compile_pipeline, launcher_archive
from infra.resources.delivery import BACKOFF_SECONDS, Delivery
from infra.resources.foundation import Foundation
from infra.resources.launcher import Launcher
from infra.resources.sources import make_source
from infra.resources.targets import grant_access, loop, target_settings


@dataclass(frozen=True)
class CheckedTrigger:
    """A trigger whose pipeline compiled and whose mapping fits it."""

    settings: TriggerSettings
    package: Package
    archive: Archive
    reads_content: bool


def check_triggers(settings: StackSettings) -> list[CheckedTrigger]:
    """Compiles and checks every trigger before the first resource is made.

    Raises:
        ConfigurationError: the problems of all triggers together.
    """
    checked, problems = [], []
    for number, trigger in enumerate(settings.triggers):
        try:
            checked.append(_check(f"{TRIGGERS}[{number}]", trigger))
        except ConfigurationError as error:
            problems += str(error).splitlines()
    if problems:
        raise ConfigurationError(in_stack_file(settings.stack, problems))
    return checked


def _check(where: str, settings: TriggerSettings) -> CheckedTrigger:
    try:
        package, text = compile_pipeline(settings.pipeline)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.pipeline: {error}") from None
    reads_content, problems = False, []
    if problem := package.unfit_for(settings.target.kind):
        problems.append(f"{where}.pipeline: pipeline {settings.pipeline!r}: {problem}")
    for check in (
        partial(check_parameters, f"{where}.parameters", settings.parameters, package.inputs, settings.source.kind),
        partial(check_condition, f"{where}.when", settings.when, settings.source.kind),
    ):
        try:
            reads_content |= check()
        except ConfigurationError as error:
            problems.append(str(error))
    bucket = settings.source.bucket if isinstance(settings.source, GcsSource) else None
    if problem := loop(bucket, settings.target.pipeline_root or package.pipeline_root):
        problems.append(f"{where}.target.pipeline_root: {problem}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    if isinstance(settings.target, KfpTarget):
        text = override_caching(text, settings.target.enable_caching)
        package = read_package(text.encode())
    return CheckedTrigger(settings, package, launcher_archive(text), reads_content)


# Longer than a launch can take, with time left for a server that is slow to start what it was asked for. After a
# crash an event waits for this long.
LEASE_SECONDS = 300


class PipelineTrigger(pulumi.ComponentResource):
    """Composes one trigger in the order in which events will pass it, and opens the tap last."""

    def __init__(self, trigger: CheckedTrigger, foundation: Foundation) -> None:
        settings = trigger.settings
        name, stack = settings.name, foundation.settings
        super().__init__("event-triggered-pipelines:index:PipelineTrigger", name)
        labels = foundation.labels | {"trigger": name}

        source = make_source(name, settings.source, foundation, labels, self)
        configuration: dict[str, Any] = {
            "id": f"{stack.project}/{stack.stack}/{name}",
            "source": source.settings,
            "parameters": settings.parameters,
            "content_limit": settings.content_limit,
            "ledger": foundation.ledger.name,
            "lease_seconds": LEASE_SECONDS,
            "target": target_settings(
                settings.target, trigger.package.pipeline_root, stack, source.settings.get("bucket")
            ),
        }
        if settings.when is not None:
            configuration["when"] = settings.when
        launcher = Launcher(settings, trigger.archive, configuration, foundation, labels, self)
        access = grant_access(settings.target, launcher.principal, foundation)
        access.append(foundation.let_record(launcher.principal))
        if trigger.reads_content:
            access += source.let_read(launcher.principal)
        delivery = Delivery(
            name, settings.delivery, settings.source, launcher.function, access, foundation, labels, self
        )
        if delivery.topic:
            source.open(delivery.topic, [delivery, *access])

        self.exports: dict[str, pulumi.Input[str]] = {
            **{f"{name}-{what}": value for what, value in source.exports.items()},
            f"{name}-topic": delivery.topic_name,
            **({f"{name}-subscription": delivery.subscription.name} if settings.source.kind == "pubsub" else {}),
            f"{name}-function-uri": delivery.endpoint,
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
        self.register_outputs({})

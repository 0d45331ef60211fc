"""A trigger as the program deploys it: its launcher's settings and package, and what stands before the launcher."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from function_src.launcher.mapping.schema import FILE, Schema
from function_src.launcher.package import Package, read_package
from function_src.launcher.settings import Trigger, read_trigger
from infra.configuration.attribute_filter import read_filter
from ops.errors import OperationError
from rehearsal.google.log_filter import read_log_filter
from rehearsal.program import Plan, evaluate, read_stack


@dataclass(frozen=True)
class PlannedTrigger:
    """One trigger of a plan. ``own_bucket``: the stack makes its bucket, whose name is known once it stands.

    ``notification``, ``sink`` and ``job`` are the inputs of what sends its events, where that is Cloud Storage, a log
    sink or a schedule; ``subscription_filter`` is the filter of its subscription, empty if all is delivered.
    """

    name: str
    launcher: Trigger
    package: Package
    schema: Schema | None
    own_bucket: bool
    subscription_filter: str
    notification: Mapping[str, Any] | None
    sink: Mapping[str, Any] | None
    job: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """The kind of its source."""
        return self.launcher.source.kind

    @property
    def project(self) -> str:
        """The project that it is in."""
        return self.launcher.id.split("/")[0]

    def passes_filter(self, attributes: Mapping[str, str]) -> bool:
        """Whether Pub/Sub delivers a message with these attributes."""
        return read_filter(self.subscription_filter).matches(attributes)

    @property
    def announced(self) -> str:
        """How names start that Cloud Storage announces; empty for all, or where others have it announce them."""
        return str((self.notification or {}).get("objectNamePrefix") or "")

    def exports(self, entry: Mapping[str, Any]) -> str | None:
        """Why the sink does not export a log entry; None if it does.

        Raises:
            UnsupportedFilterError: only Cloud Logging can tell.
        """
        if self.sink is None:
            return None
        if not read_log_filter(self.sink["filter"]).matches(entry):
            return f"the filter does not select it: {self.sink['filter']}"
        for exclusion in self.sink["exclusions"]:
            if read_log_filter(exclusion["filter"]).matches(entry):
                return (
                    f"such stacks cause it themselves ({exclusion['name']}), and it would be the next event for ever"
                )
        return None


def planned_triggers(plan: Plan) -> Iterator[PlannedTrigger]:
    """The triggers of a plan, by name: the order in which a program registers them differs."""
    own = {bucket.outputs.get("name") for bucket in plan.of_type("storage/bucket:Bucket")}
    for function in sorted(plan.of_type(":Function"), key=lambda function: function.name):
        launcher = read_trigger(function.inputs["serviceConfig"]["environmentVariables"])
        name, assets = launcher.name, plan.archive_of(function).assets
        subscription = _found(plan, f"{name}-events", ":Subscription")
        yield PlannedTrigger(
            name,
            launcher,
            read_package(_text_of(assets["pipeline.json"]).encode()),
            Schema(json.loads(_text_of(assets[FILE]))) if FILE in assets else None,
            getattr(launcher.source, "bucket", None) in own,
            str(subscription.get("filter") or "") if subscription else "",
            _found(plan, f"{name}-new-objects", ":Notification"),
            _found(plan, f"{name}-entries", ":ProjectSink"),
            _found(plan, f"{name}-schedule", ":Job"),
        )


def choose_trigger(plan: Plan, name: str | None) -> PlannedTrigger:
    """The trigger of that name, or the only one.

    Raises:
        OperationError: there is none of that name, or there are several.
    """
    triggers = {trigger.name: trigger for trigger in planned_triggers(plan)}
    if name is None and len(triggers) == 1:
        return next(iter(triggers.values()))
    if name is None:
        raise OperationError(f"stack {plan.stack} has several triggers; add --trigger, one of {', '.join(triggers)}")
    if name not in triggers:
        raise OperationError(f"stack {plan.stack} has no trigger {name!r}; it has: {', '.join(triggers)}")
    return triggers[name]


def plan_of(stack: str) -> Plan:
    """Evaluates the program for a stack.

    Raises:
        ConfigurationError: it refuses the configuration.
    """
    return evaluate(*read_stack(stack))


def _text_of(asset: Any) -> str:
    return str(asset.text)


def _found(plan: Plan, name: str, suffix: str) -> Mapping[str, Any] | None:
    """The inputs of a resource, if the plan has it."""
    return next((resource.inputs for resource in plan.of_type(suffix) if resource.name == name), None)

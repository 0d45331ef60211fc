"""One trigger in chaos: its launcher in several processes, and the subscription that pushes to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.chaos.fleet import Fleet
from rehearsal.chaos.traffic import Event, events
from rehearsal.google.pubsub import Subscription
from rehearsal.program import Plan, Resource


@dataclass(eq=False)
class Line:
    """A trigger of a plan: its function, and the notification that its events come by.

    ``fleet`` and ``subscription`` are there as soon as the world has started.
    """

    function: Resource
    notification: Resource
    fleet: Fleet = field(init=False)
    subscription: Subscription = field(init=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the program gives to the function."""
        found: Mapping[str, str] = self.function.inputs["serviceConfig"]["environmentVariables"]
        return found

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The launcher's settings."""
        found: Mapping[str, Any] = json.loads(self.environment["TRIGGER"])
        return found

    def events(self, count: int) -> list[Event]:
        """Events of so many files in the trigger's bucket."""
        inputs = self.notification.inputs
        return events(count, inputs["bucket"], inputs.get("objectNamePrefix", ""), inputs["topic"])


def lines_of(plan: Plan) -> list[Line]:
    """The triggers of a plan, each of them on a bucket."""
    notifications = plan.of_type(":Notification")
    lines = []
    for function in plan.of_type(":Function"):
        source = json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])["source"]
        [notification] = [
            found
            for found in notifications
            if (found.inputs["bucket"], found.inputs.get("objectNamePrefix", ""))
            == (source["bucket"], source["prefix"])
        ]
        lines.append(Line(function, notification))
    return lines

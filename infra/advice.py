"""What works as a stack file says, and is seldom what was meant: said at each preview, and refused by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.expression import paths
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.objects import IN_ATTRIBUTES
from infra.configuration.settings import TRIGGERS, StackSettings, TriggerSettings
from infra.configuration.source_settings import PubSubSource, ScheduleSource
from infra.cron import surprising

# Where the announcement of an object says which one it is: in its payload, and in its attributes.
IN_CONTENT = {("content", "bucket"), ("content", "name")}
IN_MESSAGE = {("message", "attributes", name) for name in (*IN_ATTRIBUTES.values(), "eventType")}
IN_FILTER = re.compile(r"\battributes\s*[.:]\s*\"?(" + "|".join((*IN_ATTRIBUTES.values(), "eventType")) + r")\b")


def advise(settings: StackSettings, now: datetime) -> Iterator[str]:
    """What to look at, a line for each."""
    for number, trigger in enumerate(settings.triggers):
        where, source = f"{TRIGGERS}[{number}].source", trigger.source
        if isinstance(source, ScheduleSource) and (found := surprising(source.cron, source.time_zone, now)):
            yield f"{where}.cron: {found}"
        if isinstance(source, PubSubSource) and _takes_announcements(trigger, source):
            yield (
                f"{where}: takes the announcements of objects as messages, and Cloud Storage may announce one object "
                "more than once: each of them would start a run. For one run an object write kind: gcs with bucket, "
                f"and with topic: {source.topic or 'TOPIC'} if somebody else announces them there"
            )


def _takes_announcements(trigger: TriggerSettings, source: PubSubSource) -> bool:
    """Whether a trigger on messages looks for objects in them."""
    expressions = [read_parameter(name, config).expression for name, config in trigger.parameters.items()]
    if trigger.when is not None:
        expressions.append(read_condition(trigger.when))
    read = {tuple(path) for expression in expressions if expression for path in paths(expression.parsed)}
    return read >= IN_CONTENT or bool(read & IN_MESSAGE) or bool(IN_FILTER.search(source.filter or ""))

"""Whether an endpoint can serve all that the triggers of a stack may ask it for at once.

A KFP server creates a few workflows a second and lets everybody else wait in line. A line that is longer than the
patience of who waits in it moves no more (docs/scale.md), so its length is bounded here: by instances, and by how
many runs each asks for at once. Half of what the server can serve is left for others: an old and a new revision of a
function run side by side while a change is deployed, and other stacks may share the endpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from function_src.launcher.origin import is_hosted
from function_src.launcher.pace import POSTS_AT_ONCE, Pace
from infra.configuration import rules
from infra.configuration.target_settings import KfpTarget

if TYPE_CHECKING:
    from infra.configuration.settings import TriggerSettings

# Longer than a launch can take, with time left for a server that is slow to start what it was asked for. After a
# crash an event waits for this long.
LEASE_SECONDS = 300
SHARE_OF_A_STACK = 1 / 2
# How long who stands in between waits for the server, in seconds.
INVERTING_PROXY = 60.0  # its agent: google/inverting-proxy, agent/agent.go; it goes on when the proxy has said 504
LOAD_BALANCER = 30.0  # a backend service's timeoutSec, by default


# What an instance takes in mebibytes: when it is idle; for the values or lines of each content that it reads at once,
# which are bounded; for each byte of it; and for each byte of a message, read or not. Measured by
# tests/launcher/memory.py.
IDLE, OF_VALUES, OF_A_BYTE, OF_A_MESSAGE = 120, 8, 10, 6
MEBIBYTE = 1024 * 1024


def too_little_memory(trigger: TriggerSettings, *, reads_content: bool) -> str | None:
    """What is wrong with a function that reads contents or messages, if it may run out of memory.

    It takes turns at an endpoint of KFP, and reads no more contents at once than it has turns; messages come before.
    """
    function, limit = trigger.function, trigger.content_limit / MEBIBYTE
    in_turn = _of_an_instance(trigger) if isinstance(trigger.target, KfpTarget) else function.concurrency
    contents = in_turn * math.ceil(OF_VALUES + OF_A_BYTE * limit) if reads_content else 0
    messages = function.concurrency * math.ceil(OF_A_MESSAGE * limit) if trigger.source.kind == "pubsub" else 0
    needed, has = IDLE + contents + messages, rules.mebibytes(function.memory)
    if needed <= has or needed == IDLE:
        return None
    at_once, what = (function.concurrency, "messages") if messages else (in_turn, "files")
    return (
        f"{at_once} {what} of content_limit {trigger.content_limit} may be read at once, which takes {needed}Mi, and "
        f"memory is {function.memory}; raise it, or lower content_limit or concurrency"
    )


def crowded_endpoints(triggers: Sequence[TriggerSettings]) -> Iterator[str]:
    """What is wrong, for each endpoint that is asked for more than it can serve."""
    kfp = [(trigger.target, trigger) for trigger in triggers if isinstance(trigger.target, KfpTarget)]
    for host, found in groupby(sorted(kfp, key=lambda pair: pair[0].host), key=lambda pair: pair[0].host):
        pairs = list(found)
        most = min(_most(target, trigger) for target, trigger in pairs)
        asked = sum(_at_once(trigger) for _, trigger in pairs)
        if asked > most:
            names = ", ".join(trigger.name for _, trigger in pairs)
            yield (
                f"{names} may ask {host} for {asked} runs at once, and its server keeps up with {most} of a stack; "
                f"{_way_out([trigger for _, trigger in pairs], most)}, or, if CLIENTQPS of its ml-pipeline was "
                "raised, set target.client_qps to that"
            )


def _way_out(triggers: Sequence[TriggerSettings], most: int) -> str:
    """As many instances as fit, if each trigger gets one; else fewer triggers."""
    instances = most // max(map(_of_an_instance, triggers))
    if instances >= len(triggers):
        return f"let function.max_instances be {instances} in all"
    return f"let {max(instances, 1)} of them use it, each with function.max_instances: 1"


def _at_once(trigger: TriggerSettings) -> int:
    return trigger.function.max_instances * _of_an_instance(trigger)


def _of_an_instance(trigger: TriggerSettings) -> int:
    return min(trigger.function.concurrency, POSTS_AT_ONCE)


def _most(target: KfpTarget, trigger: TriggerSettings) -> int:
    """How many may stand in line at once, for a stack, so that nobody's patience ends before it is his turn."""
    patience = Pace(min(LEASE_SECONDS, trigger.function.timeout_seconds)).for_a_post
    if target.access == "iap":
        patience = min(patience, LOAD_BALANCER)
    elif is_hosted(target.host):
        patience = INVERTING_PROXY
    return math.floor(SHARE_OF_A_STACK * target.client_qps * patience)

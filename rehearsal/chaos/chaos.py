"""Chaos: events go through several processes of the deployed launcher while all that can go wrong does.

The oracle knows nothing of the launcher's keys and run ids. It counts the workflows that were started with an event's
URI among their parameters, and reads what the ledger says about the event.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.chaos.faults import every_kind, seeded
from rehearsal.chaos.traffic import Event, Traffic
from rehearsal.chaos.world import World
from rehearsal.google.objects import Object
from rehearsal.kfp.runs import Workflow
from rehearsal.program import Plan

PROCESSES = 3
LEASE = 4  # seconds; 300 in production. Ages are read in whole seconds, so a much shorter lease is none
DRAIN_LEASES = 15
ENOUGH_FOR_EVERY_KIND = 1000  # events
EVENTS_PER_KILL = 40


@dataclass(frozen=True)
class Verdict:
    """What became of the events, by subject.

    An event is lost when no workflow was started for it, and duplicated when several were. It is unrecorded unless
    the ledger holds an outcome of it with the id of its run.
    """

    workflows: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    unrecorded: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    events: int
    messages: int
    deliveries: int
    outcomes: Mapping[str, int]
    defects: tuple[str, ...]
    faults: Mapping[str, int]
    kills: int
    verdict: Verdict
    drained: bool
    seconds: float
    seconds_to_drain: float

    def failures(self) -> list[str]:
        """What was promised and did not come true. A short run need not meet every kind of fault."""
        verdict = self.verdict
        groups = {
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "unrecorded": verdict.unrecorded,
            "internal errors": self.defects,
        }
        found = [f"{what}: {len(group)}, for one {group[0]}" for what, group in groups.items() if group]
        if not self.drained:
            found.append(f"events were still delivered {DRAIN_LEASES} leases after the last was published")
        if self.events >= ENOUGH_FOR_EVERY_KIND:
            found += [f"never hit: {kind}" for kind in every_kind() if not self.faults.get(kind)]
            if self.kills < self.events / EVENTS_PER_KILL:
                found.append(f"only {self.kills} kills")
        return found


def run_chaos(
    plan: Plan, count: int, seed: int, say: Callable[[str], None] = lambda _: None, *, lease: int = LEASE
) -> Report:
    """Sends ``count`` events through the launcher of a plan with one trigger, and counts what came of it.

    Raises:
        FunctionError: the launcher cannot be installed or does not start.
    """
    with World(plan, seeded(seed), Traffic(seed), lease=lease, processes=PROCESSES, say=say) as world:
        started = time.monotonic()
        say(f"Publishing {count} events")
        crowd = world.publish(count)
        published = time.monotonic()
        say("Draining")
        drained = world.drain(DRAIN_LEASES * lease)
        ended = time.monotonic()
        say("Stopping")
        world.settle()
        ledger = world.storage.bucket(world.ledger).objects.values()
        verdict = judge(crowd, world.endpoint.workflows, recorded_runs(ledger))
    return Report(
        events=count,
        messages=world.traffic.messages,
        deliveries=world.traffic.deliveries,
        outcomes=Counter(line["outcome"] for line in world.logged if "outcome" in line),
        defects=tuple(line["stack_trace"] for line in world.logged if "stack_trace" in line),
        faults=dict(world.faults.injected),
        kills=world.fleet.kills,
        verdict=verdict,
        drained=drained,
        seconds=ended - started,
        seconds_to_drain=ended - published,
    )


def judge(crowd: Sequence[Event], workflows: Sequence[Workflow], recorded: Mapping[str, str]) -> Verdict:
    """Compares the events with the workflows and with the runs that the ledger names, by subject."""
    runs: dict[str, list[str]] = defaultdict(list)
    for workflow in workflows:
        for value in workflow.parameters.values():
            runs[value].append(workflow.run_id)
    return Verdict(
        workflows=len(workflows),
        lost=tuple(event.subject for event in crowd if not runs[event.uri]),
        duplicated=tuple(event.subject for event in crowd if len(runs[event.uri]) > 1),
        unrecorded=tuple(event.subject for event in crowd if recorded.get(event.subject) not in runs[event.uri]),
    )


def recorded_runs(ledger: Iterable[Object]) -> dict[str, str]:
    """The run that a ledger names for each event, by subject."""
    outcomes = [json.loads(record.body) for record in ledger if record.name.startswith("outcomes/")]
    return {outcome["event"]: outcome.get("run_id", "") for outcome in outcomes}

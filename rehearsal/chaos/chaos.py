"""Chaos: events go through several processes of the deployed launcher while all that can go wrong does; or a rush, in
which nothing goes wrong, and everything comes at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rehearsal.chaos.faults import Point, calm, every_kind, seeded, seeded_troubles
from rehearsal.chaos.traffic import Traffic
from rehearsal.chaos.verdict import Seen, Verdict, judge, read_said
from rehearsal.chaos.world import LEASE_IN_PRODUCTION, Weather, World
from rehearsal.kfp.pace import BURST, PER_SECOND
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.program import Plan

PROCESSES = 3
LEASE = 4  # seconds; 300 in production. Ages are read in whole seconds, so a much shorter lease is none
LEASE_IN_A_RUSH = 60
DRAIN_LEASES = 15
AT_ONCE = 96
ATTEMPTS = 40  # of a delivery; 100 in production, over hours
ENOUGH_FOR_EVERY_KIND = 1000  # events
EVENTS_PER_KILL = 40
SLOWEST_RUSH = 1.5  # times what the server needs


@dataclass(frozen=True)
class Report:
    """What a run came to. ``kinds`` are the faults that a long one has to meet; in a rush there are none.

    ``at_best``: how many seconds the endpoint itself needs for so many workflows, if it is one that makes them wait.
    ``fences``: how many workflows went on behind theirs, if they have any.
    """

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
    kinds: tuple[str, ...] = ()
    at_best: float | None = None
    fences: int | None = None

    def failures(self) -> list[str]:
        """What was promised and did not come true. A short run need not meet every kind of fault."""
        verdict = self.verdict
        groups = {
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "unrecorded": verdict.unrecorded,
            "started for files that are none": verdict.unwanted,
            "started beside another": verdict.beside,
            "without a workflow that works": verdict.idle,
            "with two workflows that work": verdict.twice,
            "internal errors": self.defects,
        }
        if not self.kinds:
            groups |= {"doubtful, of nothing": verdict.doubtful, "doubled, of nothing": verdict.doubled}
        found = [f"{what}: {len(group)}, for one {group[0]}" for what, group in groups.items() if group]
        if not self.drained:
            found.append(f"events were still delivered {DRAIN_LEASES} leases after the last was published")
        if not self.kinds and self.at_best and self.seconds > SLOWEST_RUSH * self.at_best:
            found.append(f"it took {self.seconds:.0f} s; the endpoint could have had it done in {self.at_best:.0f} s")
        if self.kinds and self.events >= ENOUGH_FOR_EVERY_KIND:
            found += [f"never hit: {kind}" for kind in self.kinds if not self.faults.get(kind)]
            if self.kills < self.events / EVENTS_PER_KILL:
                found.append(f"only {self.kills} kills")
        return found


def run_chaos(
    plan: Plan, count: int, seed: int, say: Callable[[str], None] = lambda _: None, *, lease: int = LEASE
) -> Report:
    """Sends ``count`` events through the launchers of a plan, and counts what came of it.

    Raises:
        FunctionError: a launcher cannot be installed or does not start.
    """
    weather = Weather(seeded(seed), seeded_troubles(seed), restarts=True, files=True)
    world = World(plan, weather, Traffic(seed, AT_ONCE, ATTEMPTS), lease=lease, processes=PROCESSES, say=say)
    with world:
        return _run(world, count, say, lease, _kinds(world))


def run_rush(
    plan: Plan,
    count: int,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
    *,
    lease: int = LEASE_IN_A_RUSH,
    processes: int | None = None,
) -> Report:
    """As chaos, but nothing goes wrong, and as many deliveries come at once as all instances of the plan take.

    Raises:
        FunctionError: a launcher cannot be installed or does not start.
    """
    configs = [function.inputs["serviceConfig"] for function in plan.of_type(":Function")]
    each = processes or configs[0]["maxInstanceCount"]
    at_once = sum(each * config["maxInstanceRequestConcurrency"] for config in configs)
    traffic = Traffic(seed, at_once, ATTEMPTS)
    with World(plan, Weather(calm), traffic, lease=lease, processes=each, say=say) as world:
        return _run(world, count, say, lease, ())


def _kinds(world: World) -> tuple[str, ...]:
    return every_kind(kfp=world.kfp, hosted=world.hosted, files=world.reads_files, looks=world.looks)


def _run(world: World, count: int, say: Callable[[str], None], lease: int, kinds: tuple[str, ...]) -> Report:
    started = time.monotonic()
    say(f"Publishing {count} events")
    crowd = world.publish(count)
    published = time.monotonic()
    say("Draining")
    drained = world.drain(DRAIN_LEASES * lease)
    ended = time.monotonic()
    say("Stopping")
    world.settle()
    said = read_said(world.storage.bucket(world.ledger).objects.values(), world.logged)
    sent = {step.subject: times for step, times in world.faults.served.items() if step.point is Point.POST}
    queues = isinstance(world.endpoint, KfpEndpoint)
    seen = Seen(
        sent if world.hosted else {},
        world.beside,
        {*world.pods.worked} if world.fenced else None,
        world.reads_files,
    )
    verdict = judge(crowd, world.endpoint.workflows, said, seen)
    return Report(
        events=count,
        messages=world.traffic.messages,
        deliveries=world.traffic.deliveries,
        outcomes=Counter(line["outcome"] for line in world.logged if "outcome" in line),
        defects=tuple(line["stack_trace"] for line in world.logged if "stack_trace" in line),
        faults=dict(world.faults.injected),
        kills=world.kills,
        verdict=verdict,
        drained=drained,
        seconds=ended - started,
        seconds_to_drain=ended - published,
        kinds=kinds,
        fences=len(world.pods.worked) if world.fenced else None,
        at_best=(count - BURST) / PER_SECOND * lease / LEASE_IN_PRODUCTION if queues else None,
    )

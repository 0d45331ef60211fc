"""The world that chaos is let loose in: launchers in several processes, each with faulty wires of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from rehearsal.chaos.faults import AGENT_RESTARTS, trouble_label
from rehearsal.chaos.faults import Plan as FaultPlan
from rehearsal.chaos.fleet import Fleet
from rehearsal.chaos.line import Line, lines_of
from rehearsal.chaos.pods import Pods
from rehearsal.chaos.traffic import WANTED, Event, Traffic
from rehearsal.chaos.wire import KFP, KUBERNETES, METADATA, STORAGE, VERTEX, Faults, Wire
from rehearsal.environment import CACHE
from rehearsal.function import install, unpack
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.pubsub import PubSub, Subscription
from rehearsal.google.storage import Storage
from rehearsal.kfp.cluster import Trouble
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.leash import scratch
from rehearsal.loopback import Loopback
from rehearsal.program import ROOT, Plan
from rehearsal.vertex import VertexEndpoint

LEASE_IN_PRODUCTION = 300  # seconds
STALE_BEFORE = 225  # seconds before its end: a token is renewed then, and here every other lease
SLOW = 0.55  # of the lease: the launcher waits half of it, and sends nothing that could come in after the lease
CLEAN_UP_LEASES = 4  # until KFP removes what has no row: its agent's back-off takes long, and looks fall into it
BETWEEN_RESTARTS = 0.75  # of a lease, of the proxy's agent


@dataclass(frozen=True)
class Weather:
    """What goes wrong: on the wires, between a workflow and its row, with the agent of a proxy, and in files."""

    faults: FaultPlan
    troubles: Callable[[str, int], Trouble | None] | None = None
    restarts: bool = False
    files: bool = False


class World:
    """A context manager. ``logged`` holds what the launchers printed, ``say`` hears what is being set up.

    Unlike the Environment, it executes no runs, but for their fences where they have them. Its endpoint is as fast as
    a stock one, measured in leases. ``processes`` is how many each trigger has.
    """

    def __init__(
        self,
        plan: Plan,
        weather: Weather,
        traffic: Traffic,
        *,
        lease: int,
        processes: int,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._lease = lease
        self._processes = processes
        self._say = say
        self._weather = weather
        self._tokens = Tokens()
        self._exits = contextlib.ExitStack()
        self._created: Counter[str] = Counter()
        self.lines = lines_of(plan)
        self.ledger = str(plan.named("launch-ledger", ":Bucket").outputs["name"])
        self.loopback = Loopback()
        self.traffic = traffic
        self.faults = Faults(weather.faults)
        self.pods = Pods(traffic.seed, lease)
        self.endpoint = self._target(self.lines[0])
        self.logged: list[dict[str, Any]] = []
        self.pubsub: PubSub
        self.storage: Storage

    def __enter__(self) -> World:
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def kfp(self) -> bool:
        """Whether the endpoint is one of KFP."""
        return isinstance(self.endpoint, KfpEndpoint)

    @property
    def hosted(self) -> bool:
        """Whether it is behind Google's inverting proxy."""
        return self.kfp and _is_hosted(self.lines[0].trigger["target"])

    @property
    def reads_files(self) -> bool:
        """Whether its launchers read each file and want it complete. At Vertex AI they do without a claim instead."""
        return self.kfp and self._weather.files

    @property
    def looks(self) -> bool:
        """Whether its launchers look into the cluster."""
        return all("workflows" in line.trigger["target"] for line in self.lines)

    @property
    def beside(self) -> set[str]:
        """The runs of which a launcher had a workflow started while another was there that it could see. What the
        proxy's agent had started is left out."""
        if not isinstance(self.endpoint, KfpEndpoint) or not self.looks:
            return set()
        again = {json.loads(body).get("run_id") for body in self.endpoint.proxy.again if body}
        return self.endpoint.kubernetes.beside() - again

    @property
    def fenced(self) -> bool:
        """Whether its runs have fences."""
        return have_fences(self._plan)

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(line.fleet.kills for line in self.lines)

    def publish(self, count: int) -> list[Event]:
        """Has ``count`` files land in the trigger buckets; returns when all were published, not yet delivered."""
        share, more = divmod(count, len(self.lines))
        crowds = [
            [(line.subscription, event) for event in line.events(share + (number < more))]
            for number, line in enumerate(self.lines)
        ]
        crowd = [one for row in itertools.zip_longest(*crowds) for one in row if one]
        for _, event in crowd:
            self.storage.bucket(event.file.bucket).objects[event.file.name] = event.file
        self.loopback.run(self.traffic.publish(self.pubsub, crowd))
        return [event for _, event in crowd]

    def drain(self, seconds: float) -> bool:
        """Waits until everything that was published is acknowledged or a dead letter, or until time is up."""

        async def drained() -> bool:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.traffic.drain()
                    return True
            return False

        return self.loopback.run(drained())

    def settle(self) -> None:
        """Ends the launchers and waits for requests that they gave up, so that nothing more can happen."""
        self.loopback.run(self.pubsub.close())
        for line in self.lines:
            line.fleet.stop()
        self.loopback.run(self.faults.settle())
        self.loopback.run(self.pods.settle())

    def _start(self) -> None:
        self._say("Starting the stand-ins")
        self._exits.enter_context(self.loopback)
        self.pubsub = self.loopback.call(PubSub, 1, self.traffic.heard)
        self._exits.callback(lambda: self.loopback.run(self.pubsub.close()))
        self.storage = Storage(_nobody_listens)
        for bucket in self._plan.of_type(":Bucket"):
            self.storage.create_bucket(bucket.outputs["name"], bucket.inputs["location"])
        self._exits.callback(self.pods.close)
        self.pods.storage = self.loopback.serve(self.storage.app)
        runner = MetadataServer("runner@rehearsal.iam.gserviceaccount.com", self._plan.project, tokens=self._tokens)
        self.pods.metadata = self.loopback.serve(runner.app).removeprefix("http://")
        self._say(f"Starting {self._processes * len(self.lines)} processes of the launcher")
        for number, line in enumerate(self.lines):
            self._start_fleet(line)
            self._subscribe(line, f"projects/rehearsal/subscriptions/chaos-{number}")
        if isinstance(self.endpoint, KfpEndpoint):
            self.endpoint.trouble = self._trouble
            if self._weather.restarts and self.hosted:
                restarting = self.loopback.call(asyncio.ensure_future, self._restart_agent(self.endpoint))
                self._exits.callback(self.loopback.call, restarting.cancel)

    def _subscribe(self, line: Line, name: str) -> None:
        topic, scale = line.notification.inputs["topic"], self._lease / LEASE_IN_PRODUCTION
        self.pubsub.create_topic(topic)
        line.subscription = Subscription(
            name,
            topic,
            push_endpoint=line.fleet.url,
            ack_deadline=2 * self._lease,
            minimum_backoff=10 * scale,
            maximum_backoff=75 * scale,
            dead_letter_topic=self._dead_letters(),
            max_delivery_attempts=self.traffic.attempts,
        )
        self.pubsub.subscribe(line.subscription)

    def _dead_letters(self) -> str:
        """Where they go is nobody's: they are counted when they are given up."""
        topic = "projects/rehearsal/topics/dead-letters"
        if not self.pubsub.has_topic(topic):
            self.pubsub.create_topic(topic)
        return topic

    def _start_fleet(self, line: Line) -> None:
        source = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="chaos-launcher-", dir=scratch())))
        unpack(self._plan.archive_of(line.function), ROOT / "infra", source)
        python = install(source, CACHE)
        line.fleet = self._exits.enter_context(Fleet(self.loopback, python, source, self.logged.append))
        email = line.function.inputs["serviceConfig"]["serviceAccountEmail"]
        lifetime = STALE_BEFORE + 2 * self._lease if self._weather.files else 3600
        metadata = MetadataServer(email, self._plan.project, tokens=self._tokens, lifetime=lifetime)
        line.fleet.start([self._environment(line, slot, metadata.app) for slot in range(self._processes)])

    def _target(self, line: Line) -> KfpEndpoint | VertexEndpoint:
        """The stand-in for the triggers' target. Who may do what is not at issue here."""
        target = line.trigger["target"]
        if target["kind"] == "vertex":
            return VertexEndpoint(target["location"], self._tokens.principal, lambda *_: True, lambda *_: True)
        pace = Pace(self._lease / LEASE_IN_PRODUCTION)
        pods = self.pods if self.looks or self.fenced else None
        found = KfpEndpoint(self._tokens.principal if _is_hosted(target) else None, pods, pace=pace)
        found.kubernetes.principal = self._tokens.principal
        if self.looks:
            found.kubernetes.cleans_up_after = CLEAN_UP_LEASES * LEASE_IN_PRODUCTION
        return found

    def _trouble(self, run_id: str) -> Trouble | None:
        """What befalls the server now, when it has stored a workflow."""
        number = self._created[run_id]
        self._created[run_id] += 1
        found = self._weather.troubles(run_id, number) if self._weather.troubles else None
        if found:
            self.faults.injected[trouble_label(found)] += 1
        return found

    async def _restart_agent(self, endpoint: KfpEndpoint) -> None:
        while True:
            await asyncio.sleep(BETWEEN_RESTARTS * self._lease)
            endpoint.proxy.restart_agent()
            self.faults.injected[AGENT_RESTARTS] += 1

    def _environment(self, line: Line, slot: int, tokens: ASGIApp) -> dict[str, str]:
        """The planned environment, with addresses of this process's own wires and a short lease."""
        vertex = isinstance(self.endpoint, VertexEndpoint)
        options: dict[str, Any] = {
            "process": f"{self.lines.index(line)}/{slot}",
            "kill": partial(line.fleet.kill, slot),
            "delay": self._lease * SLOW,
        }
        wire = Wire(self.endpoint.app, VERTEX if vertex else KFP, self.faults, **options)
        target = {**line.trigger["target"], "api_endpoint" if vertex else "host": self.loopback.serve(wire)}
        if isinstance(self.endpoint, KfpEndpoint) and self.looks:
            look = Wire(self.endpoint.kubernetes.app, KUBERNETES, self.faults, **options)
            target["workflows"] = {**target["workflows"], "endpoint": self.loopback.serve(look)}
            self.endpoint.kubernetes.namespace = target["workflows"]["namespace"]
        settings = {**line.trigger, "lease_seconds": self._lease, "target": target}
        if self.reads_files:
            settings["when"] = WANTED
        storage = self.loopback.serve(Wire(self.storage.app, STORAGE, self.faults, **options))
        metadata = self.loopback.serve(Wire(tokens, METADATA, self.faults, **options)).removeprefix("http://")
        return {
            **line.environment,
            "TRIGGER": json.dumps(settings),
            "STORAGE_EMULATOR_HOST": storage,
            "GCE_METADATA_HOST": metadata,
        }


def _is_hosted(target: Mapping[str, Any]) -> bool:
    return bool(target["credentials"] == "access-token")


def have_fences(plan: Plan) -> bool:
    """Whether the runs of a plan have fences: whether somebody is let into the ledger to pass them."""
    conditions = (member.inputs.get("condition", {}) for member in plan.of_type(":BucketIAMMember"))
    return any("/objects/started/" in condition.get("expression", "") for condition in conditions)


def _nobody_listens(_topic: str, _data: bytes, _attributes: dict[str, str]) -> None:
    """The events are published by the traffic, as often as it likes; writes to the ledger are none."""

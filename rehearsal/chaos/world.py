"""The world that chaos is let loose in: one launcher in several processes, each with faulty wires of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.chaos.faults import Plan as FaultPlan
from rehearsal.chaos.fleet import Fleet
from rehearsal.chaos.traffic import Event, Traffic, events
from rehearsal.chaos.wire import KFP, STORAGE, VERTEX, Faults, Wire
from rehearsal.environment import CACHE
from rehearsal.function import install, unpack
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.pubsub import PubSub, Subscription
from rehearsal.google.storage import Storage
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import AccessTokens
from rehearsal.kfp.runs import RunBook
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.leash import scratch
from rehearsal.loopback import Loopback
from rehearsal.program import ROOT, Plan
from rehearsal.vertex import VertexEndpoint

LEASE_IN_PRODUCTION = 300  # seconds
SLOW = 0.4  # of the lease: the launcher waits a sixth, and sends nothing that could come in after the lease


class World:
    """A context manager. ``logged`` holds what the launcher printed, ``say`` hears what is being set up.

    Unlike the Environment, it executes no runs, and nothing in it takes longer than a lease.
    """

    def __init__(
        self,
        plan: Plan,
        faults: FaultPlan,
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
        self._tokens = Tokens()
        self._exits = contextlib.ExitStack()
        [self._function] = plan.of_type(":Function")
        [self._notification] = plan.of_type(":Notification")
        self.ledger = str(plan.named("launch-ledger", ":Bucket").outputs["name"])
        self.loopback = Loopback()
        self.traffic = traffic
        self.faults = Faults(faults)
        self._trigger = json.loads(self._function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])
        self.endpoint = self._target()
        self.logged: list[dict[str, Any]] = []
        self.fleet: Fleet
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

    def publish(self, count: int) -> list[Event]:
        """Has ``count`` files land in the trigger bucket; returns when all were published, not yet delivered."""
        inputs = self._notification.inputs
        crowd = events(count, inputs["bucket"], inputs.get("objectNamePrefix", ""), inputs["topic"])
        self.loopback.run(self.traffic.publish(self.pubsub, self._subscription, crowd))
        return crowd

    def drain(self, seconds: float) -> bool:
        """Waits until everything that was published is acknowledged, or until time is up."""

        async def drained() -> bool:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.traffic.drain()
                    return True
            return False

        return self.loopback.run(drained())

    def settle(self) -> None:
        """Ends the launcher and waits for requests that it gave up, so that nothing more can happen."""
        self.loopback.run(self.pubsub.close())
        self.fleet.stop()
        self.loopback.run(self.faults.settle())

    def _start(self) -> None:
        self._say("Starting the stand-ins")
        self._exits.enter_context(self.loopback)
        self.pubsub = self.loopback.call(PubSub, 1, self.traffic.heard)
        self._exits.callback(lambda: self.loopback.run(self.pubsub.close()))
        self.storage = Storage(_nobody_listens)
        for bucket in self._plan.of_type(":Bucket"):
            self.storage.create_bucket(bucket.outputs["name"], bucket.inputs["location"])
        self._start_fleet()
        self.pubsub.create_topic(self._notification.inputs["topic"])
        self._subscription = Subscription(
            "projects/rehearsal/subscriptions/chaos",
            self._notification.inputs["topic"],
            push_endpoint=self.fleet.url,
            ack_deadline=self._lease,
            minimum_backoff=0.1,
            maximum_backoff=1,
        )
        self.pubsub.subscribe(self._subscription)

    def _start_fleet(self) -> None:
        source = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="chaos-launcher-", dir=scratch())))
        unpack(self._plan.archive_of(self._function), ROOT / "infra", source)
        self._say("Installing what the launcher requires (the first time only)")
        python = install(source, CACHE)
        self._say(f"Starting {self._processes} processes of the launcher")
        self.fleet = self._exits.enter_context(Fleet(self.loopback, python, source, self.logged.append))
        email = self._function.inputs["serviceConfig"]["serviceAccountEmail"]
        metadata = self.loopback.serve(MetadataServer(email, self._plan.project, tokens=self._tokens).app)
        self.fleet.start(
            [self._environment(slot, metadata.removeprefix("http://")) for slot in range(self._processes)]
        )

    def _target(self) -> RunBook:
        """The stand-in for the trigger's target. Who may do what is not at issue here."""
        target = self._trigger["target"]
        if target["kind"] == "kfp":
            pace = Pace(self._lease / LEASE_IN_PRODUCTION)
            return KfpEndpoint(None, guard=AccessTokens(self._tokens.principal), pace=pace)
        return VertexEndpoint(target["location"], self._tokens.principal, lambda *_: True, lambda *_: True)

    def _environment(self, slot: int, metadata: str) -> dict[str, str]:
        """The planned environment, with addresses of this process's own wires and a short lease."""
        planned = self._function.inputs["serviceConfig"]["environmentVariables"]
        target, vertex = self._trigger["target"], isinstance(self.endpoint, VertexEndpoint)
        options: dict[str, Any] = {
            "process": str(slot),
            "kill": partial(self.fleet.kill, slot),
            "delay": self._lease * SLOW,
        }
        wire = Wire(self.endpoint.app, VERTEX if vertex else KFP, self.faults, **options)
        target = {**target, "api_endpoint" if vertex else "host": self.loopback.serve(wire)}
        settings = {**self._trigger, "lease_seconds": self._lease, "target": target}
        storage = self.loopback.serve(Wire(self.storage.app, STORAGE, self.faults, **options))
        return {
            **planned,
            "TRIGGER": json.dumps(settings),
            "STORAGE_EMULATOR_HOST": storage,
            "GCE_METADATA_HOST": metadata,
            "GCE_METADATA_IP": metadata,
        }


def _nobody_listens(_topic: str, _data: bytes, _attributes: dict[str, str]) -> None:
    """The events are published by the traffic, as often as it likes; writes to the ledger are none."""

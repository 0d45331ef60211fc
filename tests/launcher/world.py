"""All that a launcher talks to, and a launcher to try on it: in one process, over real sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from function_src.launcher import ledger
from function_src.launcher.delivery import Delivery as Handled
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.package import read_package
from function_src.launcher.settings import KfpTarget, Trigger
from function_src.launcher.sources import GcsSource
from rehearsal.google.storage import Storage
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from tests.launcher.deliveries import TRIGGER_ID, Delivery, as_json, push
from tests.launcher.wire import RUNS, Wire

if TYPE_CHECKING:  # which in turn makes a world of this
    from tests.launcher.conftest import Identity

BUCKET, NAME, LEDGER = "acme-incoming", "incoming/orders.json", "launch-ledger"
LEASE = 60.0
RUN_ID = "8f47d608-93d8-5121-9bb3-07fcb97b53cc"
RUN_PATH = f"{RUNS}/{RUN_ID}"
SECRET = "this is written in the file " * 10
PACKAGE = as_json(
    {
        "pipelineInfo": {"name": "echo"},
        "root": {"inputDefinitions": {"parameters": {"filename": {"parameterType": "STRING"}}}},
        "schemaVersion": "2.1.0",
    }
)


@dataclass
class World:
    """All that a launcher talks to. Whatever it logs is searched for what must not be there."""

    loopback: Loopback
    identity: Identity
    storage: Storage
    storage_wire: Wire
    kfp: KfpEndpoint
    wire: Wire
    host: str
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    logs: list[dict[str, Any]] = field(default_factory=list)

    def launcher(self, filename: Any = "object.uri", credentials: str = "access-token", **changes: Any) -> Launcher:
        """A new process's launcher, whose pipeline has one input, ``filename``."""
        trigger = Trigger(
            id=TRIGGER_ID,
            source=GcsSource(BUCKET, "incoming/"),
            parameters={"filename": read_parameter("filename", filename)},
            content_limit=1000,
            ledger=LEDGER,
            lease_seconds=LEASE,
            target=KfpTarget(self.host, credentials, "gcs-triggered"),
        )
        return Launcher(replace(trigger, **changes), read_package(PACKAGE))

    def time_passes(self) -> None:
        """Lets every lease expire, now and from now on."""
        self.monkeypatch.setattr(ledger, "CLOCK_RESOLUTION", -10 * LEASE)

    @property
    def claims(self) -> dict[str, dict[str, str]]:
        """What the claims that stand say, by launch key."""
        stored = self.storage.buckets[LEDGER].objects
        return {
            name.rsplit("/", 1)[-1]: stored[name].resource()["metadata"]
            for name in stored
            if name.startswith("claims/")
        }

    def reads(self) -> list[str]:
        """What was read of the trigger bucket."""
        return [seen.path for seen in self.storage_wire.seen if seen.method == "GET" and BUCKET in seen.path]

    def upload(self, body: bytes = SECRET.encode(), name: str = NAME) -> Delivery:
        """Writes an object; returns the delivery of the event."""
        return push(self.loopback.call(self.storage.write, BUCKET, name, body))

    def handle(self, launcher: Launcher, delivery: Delivery) -> Handled:
        self.capsys.readouterr()
        handled = launcher.handle(*delivery)
        [line] = self.capsys.readouterr().out.splitlines()
        assert not [token for token in self.identity.issued if token in line]
        assert SECRET[:40] not in line
        self.logs.append(json.loads(line))
        return handled

    def outcomes(self, launcher: Launcher, *deliveries: Delivery) -> list[str]:
        return [self.handle(launcher, delivery).outcome for delivery in deliveries]

    @property
    def posts(self) -> int:
        """How often a run was asked for."""
        return self.wire.count("POST", "/runs")

    @property
    def started(self) -> list[str]:
        """The workflows that were ever started, by their run ids: what "exactly once" is about."""
        return [workflow.run_id for workflow in self.kfp.workflows]

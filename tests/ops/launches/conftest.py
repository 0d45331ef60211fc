"""A deployed stack on stand-ins, a launcher for its trigger, and somebody at the keyboard."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from function_src.launcher import ledger
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.package import read_package
from function_src.launcher.settings import KfpTarget, Trigger
from function_src.launcher.sources import GcsSource
from ops.cli import app
from ops.errors import OperationError
from ops.launches import deployment
from rehearsal.google.logging import LogApi
from rehearsal.google.pubsub import Message, PubSub, Subscription
from rehearsal.google.pubsub_api import PubSubApi
from rehearsal.google.storage import Storage
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from rehearsal.program import read_stack
from tests.conftest import Serve
from tests.launcher.conftest import Identity, identity
from tests.launcher.deliveries import as_json
from tests.launcher.world import LEASE, PACKAGE
from tests.plans import STACKS

__all__ = ["identity"]  # fixtures

PROJECT = "projects/acme-ml-dev"
INBOX = f"{PROJECT}/subscriptions/inbox"
TOPIC, DEAD_TOPIC = f"{PROJECT}/topics/echo-events", f"{PROJECT}/topics/echo-dead-letters"
BUCKET, LEDGER = "acme-incoming", "launch-ledger"
OUTPUTS: Mapping[str, Any] = {
    "ledger": LEDGER,
    "ledger_days": 93,
    "triggers": {
        "echo": {
            "id": "acme-ml-dev/dev/echo",
            "source": {"kind": "gcs", "bucket": BUCKET, "prefix": "incoming/"},
            "topic": TOPIC,
            "dead_letters": f"{PROJECT}/subscriptions/echo-dead-letters",
            "attempts": 100,
            "backoff": [10, 600],
        }
    },
}
FAKE_CLI = """#!/bin/sh
case "$*" in
"stack output --json --stack dev") cat {home}/outputs.json ;;
"stack export --stack dev") cat {home}/state.json ;;
*) exit 9 ;;
esac
"""


@dataclass
class Desk:
    """Where somebody sits who has the command and the right credentials.

    Events wait in ``inbox`` until :meth:`deliver` hands them to a launcher: nothing happens by itself.
    """

    loopback: Loopback
    storage: Storage
    pubsub: PubSub
    kfp: KfpEndpoint
    kfp_url: str
    api: PubSubApi
    inbox: Subscription
    letters: Subscription
    log: LogApi
    home: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def stands(self, **triggers: Mapping[str, Any]) -> None:
        """Lets the stack have these triggers: like ``echo``, but for what is given."""
        echo = OUTPUTS["triggers"]["echo"]
        made = {name: {**echo, "id": f"acme-ml-dev/dev/{name}", **values} for name, values in triggers.items()}
        self.outputs({**OUTPUTS, "triggers": made})

    def outputs(self, outputs: Mapping[str, Any]) -> None:
        """Lets Pulumi say that these are the stack's outputs."""
        (self.home / "outputs.json").write_text(json.dumps(outputs))

    def announces_since(self, moment: datetime) -> None:
        """Lets Pulumi say when the notification of trigger ``echo`` was made."""
        urn = "urn:pulumi:dev::p::event-triggered-pipelines:index:TriggerBucket$x::echo-new-objects"
        made = {"type": deployment.NOTIFICATION, "urn": urn, "created": moment.isoformat()}
        replaced = {**made, "created": "2020-01-01T00:00:00Z", "delete": True}
        other = {"type": "gcp:storage/bucket:Bucket", "urn": "urn:pulumi:dev::p::x::echo-bucket"}
        state = {"deployment": {"resources": [other, replaced, made]}}
        (self.home / "state.json").write_text(json.dumps(state))

    def upload(self, name: str = "a.json", body: bytes = b"{}") -> str:
        """Writes an object, which Cloud Storage announces; returns its subject."""
        written = self.loopback.call(self.storage.write, BUCKET, f"incoming/{name}", body)
        return f"gs://{BUCKET}/incoming/{name}#{written['generation']}"

    def launcher(self, filename: Any = "object.uri") -> Launcher:
        """The launcher as it is deployed now."""
        trigger = Trigger(
            id="acme-ml-dev/dev/echo",
            source=GcsSource(BUCKET, "incoming/"),
            parameters={"filename": read_parameter("filename", filename)},
            content_limit=1000,
            ledger=LEDGER,
            lease_seconds=LEASE,
            target=KfpTarget(self.kfp_url, "access-token", "gcs-triggered"),
        )
        return Launcher(trigger, read_package(PACKAGE))

    def deliver(self, launcher: Launcher | None = None) -> list[str]:
        """Delivers all that waits, once; returns the outcomes."""
        waiting: list[Message] = self.loopback.call(list, self.inbox.kept)
        self.loopback.call(self.inbox.kept.clear)
        self.capsys.readouterr()
        handled = [(launcher or self.launcher()).handle({}, as_json(pushed(message))) for message in waiting]
        for line in self.capsys.readouterr().out.splitlines():
            self.log.write(line)
        return [delivery.outcome for delivery in handled]

    def fail(self, launcher: Launcher | None = None) -> None:
        """Delivers all that waits, in vain: it goes on waiting."""
        waiting: list[Message] = self.loopback.call(list, self.inbox.kept)
        self.kfp.outage = True
        assert set(self.deliver(launcher)) == {"retry"}
        self.kfp.outage = False
        self.loopback.call(self.inbox.kept.extend, waiting)

    def leave_in_doubt(self) -> str:
        """An event whose run was asked for without an answer: it is claimed, and waits. Returns its subject."""
        launcher = self.launcher()
        self.upload("before.json")
        self.deliver(launcher)
        event = self.upload("doubtful.json")
        self.fail(launcher)
        return event

    def dead_letter(self) -> None:
        """Gives up on all that waits, as Pub/Sub does after the last attempt."""
        for message in self.loopback.call(list, self.inbox.kept):
            self.loopback.call(self.pubsub._dead_letter, self.inbox_policy(), message, 100)
        self.loopback.call(self.inbox.kept.clear)

    def inbox_policy(self) -> Subscription:
        return Subscription(f"{PROJECT}/subscriptions/echo-events", TOPIC, dead_letter_topic=DEAD_TOPIC)

    @property
    def dead_letters(self) -> list[Message]:
        """What the dead-letter subscription holds and nobody has pulled."""
        return self.loopback.call(list, self.letters.kept)

    def leases_expire(self) -> None:
        """Lets whatever was pulled and not acknowledged be pulled again."""
        for ack_id, lease in list(self.api._leases.items()):
            self.api._leases[ack_id] = replace(lease, expiry=0)

    def time_passes(self) -> None:
        """Lets every lease expire, now and from now on."""
        self.monkeypatch.setattr(ledger, "CLOCK_RESOLUTION", -10 * LEASE)

    def run(self, *arguments: str, width: int = 200) -> str:
        """Runs `pipeline-trigger` and returns what it prints."""
        return self._invoke(*arguments, width=width).stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def remark(self, *arguments: str) -> str:
        """What it says beside what it prints."""
        return self._invoke(*arguments).stderr

    def _invoke(self, *arguments: str, width: int = 200) -> Result:
        done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(width)}, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    def refusal(self, *arguments: str) -> str:
        """What `pipeline-trigger` says when it refuses."""
        with pytest.raises(OperationError) as refused:
            self.run(*arguments)
        return str(refused.value)

    def not_replayed(self, *arguments: str) -> str:
        """Why events are not replayed, in a command that fails for that reason."""
        done = CliRunner().invoke(app, [*arguments, "--yes", "--json"], catch_exceptions=False)
        assert done.exit_code == 1, done.output
        return "; ".join(one["refusal"] for one in json.loads(done.stdout) if one["refusal"])

    @property
    def workflows(self) -> int:
        """How many workflows were ever started."""
        return len(self.kfp.workflows)


def pushed(message: Message) -> dict[str, Any]:
    return {
        "message": {
            "data": base64.b64encode(message.data).decode(),
            "attributes": dict(message.attributes),
            "messageId": message.id,
            "publishTime": message.publish_time,
        },
        "subscription": INBOX,
    }


@pytest.fixture
def desk(
    loopback: Loopback,
    serve: Serve,
    identity: Identity,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Desk]:
    pubsub = loopback.call(PubSub, 1 / 50, lambda _: None)
    inbox = Subscription(INBOX, TOPIC)
    for topic in (TOPIC, DEAD_TOPIC):
        loopback.call(pubsub.create_topic, topic)
    loopback.call(pubsub.subscribe, inbox)
    letters = Subscription(f"{PROJECT}/subscriptions/echo-dead-letters", DEAD_TOPIC)
    loopback.call(pubsub.subscribe, letters)
    api = PubSubApi(pubsub, 1 / 50)

    def publish(topic: str, data: bytes, attributes: dict[str, str]) -> None:
        pubsub.publish(topic, data, attributes)

    storage, kfp = Storage(publish), KfpEndpoint(identity.tokens.principal, pace=Pace(0))
    for bucket in (BUCKET, LEDGER):
        storage.create_bucket(bucket)
    storage.add_notification(BUCKET, TOPIC, prefix="incoming/", event_types=["OBJECT_FINALIZE"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(storage.app))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", serve(api.app).removeprefix("http://"))
    log = LogApi("acme-ml-dev")
    monkeypatch.setenv("LOGGING_EMULATOR_HOST", serve(log.app).removeprefix("http://"))
    program = tmp_path / "pulumi"
    program.write_text(FAKE_CLI.format(home=tmp_path))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(deployment, "read_stack", partial(read_stack, root=STACKS))
    at_kfp = serve(kfp.app)
    desk = Desk(loopback, storage, pubsub, kfp, at_kfp, api, inbox, letters, log, tmp_path, capsys, monkeypatch)
    desk.outputs(OUTPUTS)
    yield desk
    loopback.run(pubsub.close())

"""Push, redelivery and dead-lettering by Google's own Pub/Sub emulator, to the function as it is deployed.

The rehearsal's Pub/Sub is ours and could share our mistakes; this one is not. What differs from the service (tried
with 0.8.20): it ignores a subscription's filter, refuses to keep messages for more than 7 days, waits for a second at
least before it pushes again, and sends no OIDC token.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.environment import Environment
from rehearsal.google.pubsub import Message
from rehearsal.leash import leashed
from rehearsal.loopback import HOST
from rehearsal.program import Plan, Resource
from tests.end_to_end.conftest import PATIENCE, Stage
from tests.plans import plan

FEWEST_ATTEMPTS = 5  # that a dead-letter policy allows
SHORTEST_BACKOFF = {"minimumBackoff": "1s", "maximumBackoff": "1s"}
LONGEST_RETENTION = 7 * 24 * 3600
SECONDS_TO_STOP = 5


def find_emulator() -> Path | None:
    """The emulator of the Google Cloud CLI that is on the PATH, if it is installed and there is a Java to run it."""
    gcloud = shutil.which("gcloud")
    if not gcloud or not shutil.which("java"):
        return None
    found = Path(gcloud).resolve().parents[1] / "platform" / "pubsub-emulator" / "bin" / "cloud-pubsub-emulator"
    return found if found.is_file() else None


EMULATOR = find_emulator()
pytestmark = pytest.mark.skipif(
    EMULATOR is None,
    reason="needs the Pub/Sub emulator: install the Google Cloud CLI, Java and `gcloud components install "
    "pubsub-emulator` (from packages: google-cloud-cli-pubsub-emulator)",
)


class Emulator:
    """A context manager. It publishes as the stand-in does, so that it can stand in its place."""

    def __init__(self) -> None:
        self.published: list[Message] = []
        self._output: deque[str] = deque(maxlen=40)

    def __enter__(self) -> Emulator:
        port = free_port()
        self._url = f"http://{HOST}:{port}/v1/"
        command, on_leash = leashed(str(EMULATOR), f"--host={HOST}", f"--port={port}")
        self._process = subprocess.Popen(
            command,
            **on_leash,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self._await_start()
        except BaseException:
            self.__exit__()
            raise
        # What nobody reads would fill the pipe, and stop it.
        self._reader = threading.Thread(target=self._output.extend, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        for stop_signal in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SECONDS_TO_STOP)

    def create(self, name: str, settings: Mapping[str, Any]) -> None:
        """Makes a topic or a subscription. Its project is the provider's to know, and is in its name here."""
        self._call("PUT", name, {key: value for key, value in settings.items() if key != "project"})

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publishes a message and returns its id."""
        message = {"data": base64.b64encode(data).decode(), "attributes": attributes}
        [message_id] = self._call("POST", f"{topic}:publish", {"messages": [message]})["messageIds"]
        self.published.append(Message(message_id, data, attributes, ""))
        return str(message_id)

    def pull(self, subscription: str) -> Message:
        """Waits for a message and acknowledges it."""
        wanted = {"maxMessages": 1, "returnImmediately": False}
        [received] = self._call("POST", f"{subscription}:pull", wanted)["receivedMessages"]
        self._call("POST", f"{subscription}:acknowledge", {"ackIds": [received["ackId"]]})
        message = received["message"]
        data = base64.b64decode(message["data"])
        return Message(message["messageId"], data, message["attributes"], message["publishTime"])

    def _call(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = requests.request(method, self._url + path, json=body, timeout=2 * PATIENCE)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def _await_start(self) -> None:
        for line in self._process.stdout or ():
            self._output.append(line)
            if "Server started" in line:
                return
        raise AssertionError("the emulator does not start:\n" + "".join(self._output))


def free_port() -> int:
    """A port that was free just now: the emulator takes no open socket, and does not say what it chooses for 0."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def settings_of(planned: Resource, push_endpoint: str) -> dict[str, Any]:
    """A planned subscription as the emulator can take it, with the shortest waits that there are."""
    retention = int(planned.inputs["messageRetentionDuration"].removesuffix("s"))
    settings: dict[str, Any] = {
        **planned.inputs,
        "expirationPolicy": {},  # never, which the provider spells as an empty ttl
        "messageRetentionDuration": f"{min(retention, LONGEST_RETENTION)}s",
    }
    if "pushConfig" in settings:
        settings["pushConfig"] = {**settings["pushConfig"], "pushEndpoint": push_endpoint}
        settings["retryPolicy"] = SHORTEST_BACKOFF
    return settings


@pytest.fixture(scope="module")
def impatient() -> Plan:
    return plan(delivery__attempts=FEWEST_ATTEMPTS)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def stage(impatient: Plan, emulator: Emulator) -> Iterator[Stage]:
    """The environment, in which the bucket's notifications go to the emulator and it delivers them."""
    with Environment(impatient) as environment, pytest.MonkeyPatch.context() as patch:
        [trigger] = environment.triggers
        for topic in impatient.of_type(":Topic"):
            emulator.create(topic.id, {})
        for subscription in impatient.of_type(":Subscription"):
            emulator.create(subscription.id, settings_of(subscription, trigger.function.url))
        patch.setattr(environment, "pubsub", emulator)
        patch.setattr(trigger.endpoint, "_execute", None)
        yield Stage(environment, trigger)


@pytest.fixture
def outage(stage: Stage) -> Iterator[None]:
    """The endpoint does not serve, until the test says so or ends."""
    stage.trigger.endpoint.outage = True
    yield
    stage.trigger.endpoint.outage = False


def test_what_is_published_is_pushed_to_the_function_and_launched(stage: Stage, emulator: Emulator) -> None:
    log = stage.outcome(stage.upload("pushed.csv"))
    assert (log["outcome"], log["message_id"]) == ("launched", emulator.published[-1].id)
    assert stage.workflows(log["run_id"]) == 1


def test_what_is_published_twice_is_launched_once(stage: Stage, emulator: Emulator) -> None:
    first = stage.outcome(stage.upload("twice.csv"))
    again = stage.publish(stage.trigger.subscription.topic, emulator.published[-1])
    second = stage.log(lambda entry: entry.get("message_id") == again)
    assert [first["outcome"], second["outcome"]] == ["launched", "duplicate"]
    assert stage.workflows(first["run_id"]) == 1


def test_a_message_that_was_answered_with_503_is_pushed_again_until_it_is_launched(
    stage: Stage, outage: None
) -> None:
    subject = stage.upload("redelivered.csv")
    first = stage.outcome(subject)
    assert first["outcome"] == "retry"
    stage.trigger.endpoint.outage = False
    last = stage.log(lambda entry: entry.get("event") == subject and entry["outcome"] != "retry")
    assert (last["outcome"], last["message_id"]) == ("launched", first["message_id"])
    assert stage.workflows(last["run_id"]) == 1


def test_a_message_that_is_never_acknowledged_is_dead_lettered_whole_and_launches_when_it_is_replayed(
    stage: Stage, emulator: Emulator, impatient: Plan, outage: None
) -> None:
    subject = stage.upload("lost.csv")
    event = emulator.published[-1]
    outcomes = [stage.outcome(subject)["outcome"] for _ in range(FEWEST_ATTEMPTS)]
    assert outcomes == ["retry"] * FEWEST_ATTEMPTS
    letter = emulator.pull(impatient.named("echo-dead-letters", ":Subscription").id)
    assert letter.data == event.data
    assert event.attributes.items() <= letter.attributes.items()
    assert letter.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == str(FEWEST_ATTEMPTS)

    stage.trigger.endpoint.outage = False
    replayed = stage.publish(stage.trigger.subscription.topic, letter)
    log = stage.log(lambda entry: entry.get("message_id") == replayed and entry["outcome"] != "retry")
    assert (log["outcome"], log["event"]) == ("launched", subject)
    assert stage.workflows(log["run_id"]) == 1

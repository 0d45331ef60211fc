"""The environment of the dev stack, with the function running as it is deployed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import requests

from rehearsal.environment import Environment, Happening, LogLine, RunningTrigger
from rehearsal.google.pubsub import Attempt, Message
from rehearsal.program import Plan
from tests.plans import plan

TRACE = "logging.googleapis.com/trace"
PATIENCE = 30  # seconds for the next thing to happen, after which a test fails instead of hanging

T = TypeVar("T")


@dataclass
class Stage:
    """The environment, the one trigger in it, and what has happened that no test has asked for yet.

    Log lines and answers come on different ways, so one can overtake the other: nothing is thrown away.
    """

    environment: Environment
    trigger: RunningTrigger
    past: list[Happening] = field(default_factory=list)

    def upload(self, name: str, body: bytes = b"a,b\n") -> str:
        """Drops a file into the trigger bucket; returns its event's subject."""
        return self.environment.upload(self.trigger.bucket, self.trigger.prefix + name, body)

    def publish(self, topic: str, message: Message) -> str:
        """Publishes a message's data and attributes as a new message; returns its id."""
        pubsub = self.environment.pubsub
        return self.environment.loopback.call(pubsub.publish, topic, message.data, message.attributes)

    def request(self, method: str, path: str, body: bytes) -> tuple[int, list[dict[str, Any]]]:
        """Sends a request to the function itself; returns the status and the lines that it logged for it."""
        status, trace = self._send(method, path, body)
        _, end = self._send("POST", "/", b"")
        self.log(lambda entry: str(entry.get(TRACE)).endswith(end))  # whatever comes before it in the log is there
        lines = [happening.entry for happening in self.past if isinstance(happening, LogLine)]
        return status, [dict(entry) for entry in lines if str(entry.get(TRACE)).endswith(trace)]

    def log(self, wanted: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
        """The next line of the function's log that is wanted."""

        def pick(happening: Happening) -> dict[str, Any] | None:
            return dict(happening.entry) if isinstance(happening, LogLine) and wanted(happening.entry) else None

        return self._next(pick)

    def outcome(self, subject: str) -> dict[str, Any]:
        """The next line about an event."""
        return self.log(lambda entry: entry.get("event") == subject)

    def attempt(self, wanted: Callable[[Attempt], bool]) -> Attempt:
        """The next push that is wanted, with its answer."""

        def pick(happening: Happening) -> Attempt | None:
            return happening if isinstance(happening, Attempt) and wanted(happening) else None

        return self._next(pick)

    def workflows(self, run_id: str) -> int:
        """How many workflows the endpoint has started for a run: what "exactly once" is about."""
        return [workflow.run_id for workflow in self.trigger.endpoint.workflows].count(run_id)

    def _send(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        trace = secrets.token_hex(16)
        headers = {"traceparent": f"00-{trace}-{trace[:16]}-01", "Content-Type": "application/json"}
        url = self.trigger.function.url + path
        return requests.request(method, url, data=body, headers=headers, timeout=PATIENCE).status_code, trace

    def _next(self, pick: Callable[[Happening], T | None]) -> T:
        for place, happening in enumerate(self.past):
            if (found := pick(happening)) is not None:
                del self.past[place]
                return found
        while True:
            happening = self.environment.happenings.get(timeout=PATIENCE)
            if (found := pick(happening)) is not None:
                return found
            self.past.append(happening)


def of(subject: str) -> Callable[[Attempt], bool]:
    """Chooses the pushes of an event."""

    def wanted(attempt: Attempt) -> bool:
        data = json.loads(attempt.message.data)
        return bool(subject == f"gs://{data['bucket']}/{data['name']}#{data['generation']}")

    return wanted


@pytest.fixture(scope="module")
def dev() -> Plan:
    return plan()


@pytest.fixture(scope="module")
def stage(dev: Plan) -> Iterator[Stage]:
    with Environment(dev) as environment:
        [trigger] = environment.triggers
        yield Stage(environment, trigger)

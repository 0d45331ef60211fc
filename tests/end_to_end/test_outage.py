"""An endpoint that stays down: its events are retried, dead-lettered, listed, replayed, and launched once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.launches import deployment
from rehearsal.environment import Environment
from rehearsal.program import read_stack
from tests.end_to_end.conftest import Stage, of
from tests.plans import STACKS, plan

ATTEMPTS = 5  # the fewest that Pub/Sub takes


@pytest.fixture(scope="module")
def impatient() -> Iterator[Stage]:
    with Environment(plan(delivery__attempts=ATTEMPTS)) as environment:
        [trigger] = environment.triggers
        yield Stage(environment, trigger)


@pytest.fixture
def command(impatient: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """`pipeline-trigger` at the keyboard of somebody who may see this stack."""
    environment = impatient.environment
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", environment.storage_url)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", environment.pubsub_url.removeprefix("http://"))
    outputs, program = tmp_path / "outputs.json", tmp_path / "pulumi"
    outputs.write_text(json.dumps(dict(environment.plan.exports)))
    program.write_text(f"#!/bin/sh\ncat {outputs}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(deployment, "read_stack", partial(read_stack, root=STACKS))
    return CliRunner()


def test_an_outage_that_outlasts_patience_costs_no_event_and_doubles_none(
    impatient: Stage, command: CliRunner
) -> None:
    endpoint = impatient.trigger.endpoint
    endpoint.outage = True
    subject = impatient.upload("during-the-outage.csv")
    attempts = [impatient.attempt(of(subject)) for _ in range(ATTEMPTS)]
    assert [attempt.status for attempt in attempts] == [503] * ATTEMPTS

    listed = command.invoke(app, ["launches", "list", "--json"], catch_exceptions=False).output
    [launch] = json.loads(listed)
    assert (launch["event"], launch["state"]) == (subject, "dead-lettered")
    endpoint.outage = False

    replayed = command.invoke(app, ["replay", subject, "--yes"], catch_exceptions=False)
    assert "1 replayed" in replayed.output
    line = impatient.log(lambda entry: entry.get("event") == subject and entry["outcome"] == "launched")
    assert impatient.workflows(line["run_id"]) == 1
    [shown] = json.loads(command.invoke(app, ["launches", "show", subject, "--json"]).output)
    assert (shown["state"], shown["run_id"]) == ("launched", line["run_id"])
    assert json.loads(command.invoke(app, ["launches", "list", "--json", "--state", "dead-lettered"]).output) == []

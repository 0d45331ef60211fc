"""Which events launch and what their runs are given, through the function as it is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.environment import Environment
from tests.end_to_end.conftest import Stage
from tests.plans import plan

WHEN = "ends_with(object.name, '.json') && content.status == 'complete' && content.rows > `1`"


@pytest.fixture(scope="module")
def taxi() -> Iterator[Stage]:
    """The dev stack with a TFX package and a predicate on the file. TFX's components need their image: runs are
    started, and not executed."""
    changed = plan(
        pipeline="tests/packages/tfx-2.1.0.json",
        when=WHEN,
        parameters={"run_note": "content.note", "train_steps": "content.steps"},
    )
    with pytest.MonkeyPatch.context() as patch, Environment(changed) as environment:
        [trigger] = environment.triggers
        patch.setattr(trigger.endpoint, "_execute", None)
        yield Stage(environment, trigger)


def drop(stage: Stage, name: str, **content: Any) -> dict[str, Any]:
    """Drops a file; returns what the function logs of its event."""
    return stage.outcome(stage.upload(name, json.dumps(content).encode()))


def test_a_wanted_event_starts_a_run_with_its_values_and_those_of_the_package(taxi: Stage) -> None:
    """The package's own are its inputs' values and where the run's outputs go."""
    log = drop(taxi, "a.json", status="complete", rows=2, note="first", steps="7")
    assert log["outcome"] == "launched"
    [workflow] = [found for found in taxi.trigger.endpoint.workflows if found.run_id == log["run_id"]]
    assert workflow.parameters == {
        "data_root": "gs://acme-data/taxi",
        "train_steps": 7,
        "ratio": 0.8,
        "run_note": "first",
    }
    row = taxi.trigger.endpoint._find_run(log["run_id"]).row
    assert row["runtime_config"]["pipeline_root"] == "gs://acme-tfx/roots/taxi"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", {"status": "complete", "rows": 2}),
        ("b.json", {"status": "draft"}),
        ("c.json", {"status": "complete", "rows": 1}),
    ],
    ids=str,
)
def test_an_event_that_is_not_wanted_is_skipped_for_good(taxi: Stage, name: str, content: dict[str, Any]) -> None:
    before = len(taxi.trigger.endpoint.workflows)
    subject = taxi.upload(name, json.dumps(content).encode())
    log = taxi.outcome(subject)
    assert (log["outcome"], log["severity"]) == ("skipped", "INFO")
    attempt = taxi.attempt(lambda attempt: attempt.message.id == log["message_id"])
    assert attempt.status == 200
    taxi.publish(taxi.trigger.subscription.topic, attempt.message)
    assert taxi.outcome(subject)["outcome"] == "duplicate"
    assert len(taxi.trigger.endpoint.workflows) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"status": "complete"}, "when gives nothing (null), which is neither true nor false"),
        ({"status": "complete", "rows": 2}, "the event gives no value for parameter 'run_note'"),
        ({"status": "complete", "rows": 2, "note": "{{workflow.uid}}"}, "parameter 'run_note' holds '{{workflow"),
        ({"status": "complete", "rows": 2, "note": "a", "steps": 2.5}, "parameter 'train_steps' is 2.5, which is no"),
    ],
    ids=str,
)
def test_an_event_that_cannot_be_decided_or_mapped_is_rejected(
    taxi: Stage, content: dict[str, Any], reason: str
) -> None:
    before = len(taxi.trigger.endpoint.workflows)
    log = drop(taxi, "d.json", **content)
    assert (log["outcome"], log["severity"]) == ("rejected", "ERROR")
    assert log["reason"].startswith(reason)
    assert len(taxi.trigger.endpoint.workflows) == before

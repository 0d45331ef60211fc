"""Each source with each target and each way to give a run its values, through the function as it is deployed.

There is a trigger for each source and target, all for one pipeline, which has an input for each way. Three events
happen at each: one that holds JSON, one that holds text, and one that is not wanted. Runs are not executed.
"""

from __future__ import annotations

import base64
import itertools
import json
import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from rehearsal.environment import Environment, LogLine, RunningTrigger
from rehearsal.kfp.runs import RunBook
from rehearsal.program import evaluate
from tests.plans import TRIGGERS, dev_config

PATIENCE = 60  # seconds for all that happens; what has not been heard of by then is missing

TOPIC = "projects/acme-shop/topics/orders"
LOG = "projects/acme-ml-dev/logs/exports"
CONTENT = {
    "days": ["mon", "tue"],
    "full": True,
    "note": "as JSON",
    "ratio": 0.5,
    "rows": 3,
    "shop": {"city": "Delft", "floors": [1, 2]},
    "spelled": "12",
}
TEXT = "first line\nsecond line\n"
BODIES = {"json": json.dumps(CONTENT, sort_keys=True), "text": TEXT, "unwanted": "unwanted"}
SOURCES: dict[str, dict[str, Any]] = {
    "gcs": {"bucket": "acme-labels", "prefix": "in/"},
    "pubsub": {"topic": TOPIC},
    "log": {"filter": f'logName = "{LOG}"'},
    "schedule": {"cron": "0 6 * * *", "payload": CONTENT},
}
TARGETS: dict[str, dict[str, Any]] = {
    "hosted": {"kind": "kfp", "host": "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"},
    "iap": {
        "kind": "kfp",
        "host": "https://iap.acme.example",
        "access": "iap",
        "iap_backend_service": "kfp",
        "audience": "123-abc.apps.googleusercontent.com",
        "impersonate": "kfp-caller@acme-gke.iam.gserviceaccount.com",
    },
    "vpc": {"kind": "kfp", "host": "https://kfp.internal.acme.example", "access": "none"},
    "vertex": {
        "kind": "vertex",
        "pipeline_root": "gs://acme-runs/out",
        "service_account": "runner@acme-ml-dev.iam.gserviceaccount.com",
    },
}
PAIRS = list(itertools.product(SOURCES, TARGETS))


def log_entry(event: str) -> dict[str, Any]:
    """The entry that is logged for an event."""
    payload = {"jsonPayload": CONTENT} if event == "json" else {"textPayload": BODIES[event]}
    return {"logName": LOG, "insertId": event, "timestamp": "2026-11-22T02:00:09.987654Z", **payload}


# --- the table ----------------------------------------------------------------------------------------------------

# What only this source's events have: an expression, and its value for the event that holds JSON.
OWN = {
    "gcs": ("object.uri", "gs://acme-labels/in/json"),
    "pubsub": ("message.attributes.origin", "shop"),
    "log": ("log.insertId", "json"),
    "schedule": ("join('-', [event.kind, 'nightly'])", "schedule-nightly"),
}
NOT_SENT: Any = object()


def places(source: str) -> tuple[str, str]:
    """Where the JSON and the text are. The content of a log entry's message is all of the entry."""
    return ("content.jsonPayload", "content.textPayload") if source == "log" else ("content", "content")


@dataclass(frozen=True)
class Way:
    """A way to give an input a value: its type, what the stack file says, and what the run is to get of an event."""

    type: str
    mapping: Any
    value: Any
    event: str = "json"


def ways(source: str) -> dict[str, Way]:
    """The ways, as a trigger on this kind of source has them."""
    there, text = places(source)
    lines = [json.dumps(log_entry("text"))] if source == "log" else TEXT.splitlines()
    expression, value = OWN[source]
    return {
        "expression": Way("STRING", expression, value),
        "default-not-needed": Way("NUMBER_INTEGER", {"from": f"{there}.rows", "default": 7}, 3),
        "default-needed": Way("NUMBER_INTEGER", {"from": f"{there}.missing", "default": 7}, 7),
        "left-to-the-pipeline": Way("STRING", f"{there}.missing", NOT_SENT),
        "literal": Way("STRUCT", {"value": {"tries": 2, "of": ["a"]}}, {"tries": 2, "of": ["a"]}),
        "json-string": Way("STRING", f"{there}.note", CONTENT["note"]),
        "json-integer": Way("NUMBER_INTEGER", f"{there}.rows", CONTENT["rows"]),
        "json-integer-spelled": Way("NUMBER_INTEGER", f"{there}.spelled", 12),
        "json-double": Way("NUMBER_DOUBLE", f"{there}.ratio", CONTENT["ratio"]),
        "json-boolean": Way("BOOLEAN", f"{there}.full", CONTENT["full"]),
        "json-list": Way("LIST", f"{there}.days", CONTENT["days"]),
        "json-struct": Way("STRUCT", f"{there}.shop", CONTENT["shop"]),
        # The event that holds JSON has a note, since its content is no text and fits no STRING.
        "text": Way("STRING", f"{there}.note || {text}", TEXT, "text"),
        "lines": Way("LIST", "lines", lines, "text"),
    }


# --- what happens -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What became of an event at a trigger: the launcher's line, and the parameters of each run that was started."""

    log: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()


Results = Mapping[tuple[str, str, str], Result]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    inputs = {name: {"parameterType": way.type, "isOptional": True} for name, way in ways("gcs").items()}
    package = tmp_path_factory.mktemp("package") / "table.json"
    package.write_text(
        json.dumps(
            {
                "pipelineInfo": {"name": "table"},
                "root": {
                    "dag": {"tasks": {"work": {"componentRef": {"name": "comp-work"}}}},
                    "inputDefinitions": {"parameters": inputs},
                },
                "components": {"comp-work": {"executorLabel": "exec-work"}},
                "deploymentSpec": {"executors": {"exec-work": {"container": {"image": "acme/work"}}}},
                "schemaVersion": "2.1.0",
                "sdkVersion": "kfp-2.14.0",
            }
        )
    )
    triggers = [
        {
            "name": f"{source}-{target}",
            "source": {"kind": source, **SOURCES[source]},
            "pipeline": str(package),
            "parameters": {name: way.mapping for name, way in ways(source).items()},
            "when": f"to_string({places(source)[1]}) != 'unwanted'",
            "target": TARGETS[target],
            "identity": "dedicated",
            "function": {"max_instances": 4},  # four triggers ask each endpoint
        }
        for source, target in PAIRS
    ]
    plan = evaluate("dev", {**dev_config(), TRIGGERS: json.dumps(triggers)})
    with Environment(plan) as environment:
        running = {trigger.name: trigger for trigger in environment.triggers}
        for trigger in environment.triggers:
            trigger.endpoint._execute = None
        subjects = {
            (f"{source}-{target}", subject): (source, target, event)
            for event in BODIES
            for source in SOURCES
            for target, subject in happen(environment, running, source, event).items()
        }
        logs = listen(environment, subjects)
        return {
            place: Result(log, runs_for(running["-".join(place[:2])].endpoint, log["key"]))
            for place, log in logs.items()
        }


def happen(
    environment: Environment, running: Mapping[str, RunningTrigger], source: str, event: str
) -> dict[str, str]:
    """Makes an event happen at all triggers on a source; returns its subject by target."""
    body, pubsub = BODIES[event].encode(), environment.pubsub
    match source:
        case "gcs":
            subject = environment.upload("acme-labels", f"in/{event}", body)
        case "pubsub":
            subject = f"pubsub:{environment.loopback.call(pubsub.publish, TOPIC, body, {'origin': 'shop'})}"
        case "log":
            environment.log(log_entry(event))
            subject = f"log:{LOG}#{event}"
        case _:
            if event != "json":  # that one is in the stack file
                give_payload(environment, body)
            ids = {target: environment.fire(running[f"schedule-{target}"].subscription.topic) for target in TARGETS}
            return {target: f"schedule:{message_id}" for target, message_id in ids.items()}
    return dict.fromkeys(TARGETS, subject)


def give_payload(environment: Environment, payload: bytes) -> None:
    """Gives the jobs another payload, as `pulumi up` would: for that it changes nothing but them."""
    for job in environment.plan.of_type(":Job"):
        job.inputs["pubsubTarget"]["data"] = base64.b64encode(payload).decode()


def listen(
    environment: Environment, subjects: Mapping[tuple[str, str], tuple[str, str, str]]
) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    """The line on the outcome of each event that has a final one in time."""
    logs: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    end = time.monotonic() + PATIENCE
    while len(logs) < len(subjects):
        try:
            happening = environment.happenings.get(timeout=max(0, end - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(happening, LogLine):
            place = subjects.get((happening.trigger, happening.entry.get("event", "")))
            if place and happening.entry["outcome"] != "retry":
                logs[place] = happening.entry
    return logs


def runs_for(endpoint: RunBook, key: str) -> tuple[Mapping[str, Any], ...]:
    """The parameters of each run that was started for a launch key, which a run's name ends with."""
    return tuple(workflow.parameters for workflow in endpoint.workflows if workflow.display_name.endswith(key[:8]))


# --- what became of it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", BODIES)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_when_decides_whether_an_event_starts_one_run_or_none(
    results: Results, source: str, target: str, event: str
) -> None:
    result = results.get((source, target, event), Result())
    outcome, runs = ("skipped", 0) if event == "unwanted" else ("launched", 1)
    assert result.log.get("outcome") == outcome, result.log.get("reason")
    assert len(result.runs) == runs


@pytest.mark.parametrize("way", ways("gcs"))
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_run_is_given_what_the_event_holds(results: Results, source: str, target: str, way: str) -> None:
    wanted = ways(source)[way]
    [parameters] = results[source, target, wanted.event].runs
    assert parameters.get(way, NOT_SENT) == wanted.value

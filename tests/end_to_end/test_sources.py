"""Every kind of source, from what happens to the run, through the function as it is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from rehearsal.environment import Environment, LogLine
from rehearsal.google.pubsub import Message
from rehearsal.program import ROOT, evaluate, read_stack
from tests.plans import DEV, TRIGGERS

PATIENCE = 30  # seconds for the next line of a log
TOPIC = "projects/acme-shop/topics/orders"
LOAD = json.loads((ROOT / "examples" / "sources" / "loads.json").read_text())
TABLE = "log.protoPayload.metadata.jobChange.job.jobConfig.loadConfig.destinationTable"


def _triggers() -> list[dict[str, Any]]:
    """One trigger of each kind, and pairs that share a bucket or a topic."""
    [_, loads, nightly] = yaml.safe_load((ROOT / "examples" / "Pulumi.sources.yaml").read_text())["config"][TRIGGERS]
    marker = {"kind": "gcs", "bucket": "acme-batches", "prefix": "orders/", "glob": "**/*.manifest.json"}
    shared = [
        ("batches", marker, "content.files[0]"),
        ("refunds", {"kind": "gcs", "bucket": "acme-batches", "prefix": "refunds/"}, "object.uri"),
        ("all", {"kind": "pubsub", "topic": TOPIC}, "message.data"),
        ("urgent", {"kind": "pubsub", "topic": TOPIC, "filter": 'attributes.speed = "urgent"'}, "content.uri"),
    ]
    triggers = [
        loads,
        nightly,
        *({**loads, "name": name, "source": of, "parameters": {"filename": uri}} for name, of, uri in shared),
    ]
    return [{**trigger, "function": {"max_instances": 5}} for trigger in triggers]  # all together ask one endpoint


class Stage:
    """The environment, with what each launcher has logged and no test has asked for yet. Runs are not executed."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.triggers = {trigger.name: trigger for trigger in environment.triggers}
        self._past: list[LogLine] = []

    def line(self, trigger: str) -> dict[str, Any]:
        """The next final outcome of an event that a trigger's launcher logs."""

        def is_it(line: LogLine) -> bool:
            return line.trigger == trigger and line.entry.get("outcome", "retry") != "retry"

        for place, line in enumerate(self._past):
            if is_it(line):
                return dict(self._past.pop(place).entry)
        while True:
            happening = self.environment.happenings.get(timeout=PATIENCE)
            if isinstance(happening, LogLine):
                if is_it(happening):
                    return dict(happening.entry)
                self._past.append(happening)

    def outcomes(self, trigger: str, count: int) -> list[str]:
        return [self.line(trigger)["outcome"] for _ in range(count)]

    def filename(self, line: dict[str, Any]) -> str:
        """The parameter that a run was started with, by the one workflow that was started for it."""
        endpoint = next(iter(self.triggers.values())).endpoint
        [workflow] = [workflow for workflow in endpoint.workflows if workflow.run_id == line["run_id"]]
        return str(workflow.parameters["filename"])

    def publish(self, data: bytes, **attributes: str) -> str:
        pubsub = self.environment.pubsub
        return self.environment.loopback.call(pubsub.publish, TOPIC, data, attributes)

    def quiet(self, *triggers: str) -> None:
        """Nothing else has come to these triggers."""
        assert not [line for line in self._past if line.trigger in triggers and "event" in line.entry]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    _, config = read_stack(str(DEV))
    with Environment(evaluate("dev", {**config, TRIGGERS: json.dumps(_triggers())})) as environment:
        [endpoint] = {id(trigger.endpoint): trigger.endpoint for trigger in environment.triggers}.values()
        endpoint._execute = None
        yield Stage(environment)


def test_a_marker_starts_a_run_on_the_data_that_it_names_and_data_files_start_none(stage: Stage) -> None:
    for number in range(3):
        stage.environment.upload("acme-batches", f"orders/2026-11-22/part-{number}.csv", b"a,b\n")
    assert stage.outcomes("batches", 3) == ["skipped"] * 3
    manifest = (ROOT / "examples" / "2026-11-22.manifest.json").read_bytes()
    stage.environment.upload("acme-batches", "orders/2026-11-22.manifest.json", manifest)
    line = stage.line("batches")
    assert line["outcome"] == "launched"
    assert stage.filename(line) == json.loads(manifest)["files"][0]


def test_a_log_entry_starts_one_run_however_often_it_is_exported(stage: Stage) -> None:
    stage.environment.log(LOAD)
    first = stage.line("loads")
    stage.environment.log(LOAD)
    assert (first["outcome"], stage.line("loads")["outcome"]) == ("launched", "duplicate")
    assert stage.filename(first) == "projects/acme-ml-dev/datasets/shop/tables/orders"


def test_an_entry_that_the_filter_does_not_select_is_no_event(stage: Stage) -> None:
    failed = json.loads(json.dumps(LOAD))
    failed["protoPayload"]["metadata"]["jobChange"]["job"]["jobStatus"]["errorResult"] = {"code": 5}
    stage.environment.log({**failed, "insertId": "failed"})
    stage.environment.log({**LOAD, "insertId": "next"})
    assert stage.line("loads")["event"].endswith("#next")


def test_each_firing_is_an_event_and_a_redelivery_of_it_is_none(stage: Stage) -> None:
    trigger = stage.triggers["nightly"]
    ids = [stage.environment.fire(trigger.subscription.topic) for _ in range(2)]
    lines = [stage.line("nightly") for _ in ids]
    assert {line["event"] for line in lines} == {f"schedule:{message_id}" for message_id in ids}
    assert {line["outcome"] for line in lines} == {"launched"}
    assert stage.filename(lines[0]).startswith("gs://acme-orders/20")
    again = Message(ids[0], b"", {}, "2026-11-22T10:00:00.000Z")
    stage.environment.loopback.call(stage.environment.pubsub.redeliver, trigger.subscription, again)
    assert stage.line("nightly")["outcome"] == "duplicate"


# --- independent -------------------------------------------------------------------------------------------------


def test_two_triggers_on_one_topic_launch_independently(stage: Stage) -> None:
    plain = stage.publish(b"plain")
    line = stage.line("all")
    assert (line["outcome"], line["event"], stage.filename(line)) == ("launched", f"pubsub:{plain}", "plain")
    urgent = stage.publish(b'{"uri": "gs://acme/urgent"}', speed="urgent")
    both = {name: stage.line(name) for name in ("all", "urgent")}
    assert [(line["outcome"], line["event"]) for line in both.values()] == [("launched", f"pubsub:{urgent}")] * 2
    assert both["all"]["run_id"] != both["urgent"]["run_id"]
    assert stage.filename(both["urgent"]) == "gs://acme/urgent"
    stage.quiet("all", "urgent")


def test_a_publisher_s_launch_key_starts_one_run_for_two_messages(stage: Stage) -> None:
    for _ in range(2):
        stage.publish(b"twice", launch_key="order-7")
    assert sorted(stage.outcomes("all", 2)) == ["duplicate", "launched"]


def test_two_triggers_on_one_bucket_launch_independently(stage: Stage) -> None:
    subject = stage.environment.upload("acme-batches", "refunds/1.manifest.json", b'{"files": ["gs://a/b"]}')
    assert (line := stage.line("refunds"))["event"] == subject
    assert stage.filename(line) == subject.partition("#")[0]
    other = stage.environment.upload("acme-batches", "orders/1.manifest.json", b'{"files": ["gs://a/b"]}')
    assert (line := stage.line("batches"))["event"] == other
    assert stage.filename(line) == "gs://a/b"
    stage.quiet("batches", "refunds")

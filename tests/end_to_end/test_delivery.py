"""From the file to the run, through the function as it is deployed: the archive, its requirements, its server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.environment import CACHE, Environment
from rehearsal.function import install, unpack
from rehearsal.google.pubsub import Message, Subscription
from rehearsal.program import ROOT, Plan
from tests.end_to_end.conftest import Stage, of
from tests.plans import plan

LARGEST_MESSAGE = 10_000_000  # bytes of data; Pub/Sub takes no more, and pushes a third more in base64


@pytest.fixture
def unexecuted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are started but not executed: what they do does not matter here."""
    monkeypatch.setattr(stage.trigger.endpoint, "_execute", None)


@pytest.fixture
def outage(stage: Stage) -> Iterator[None]:
    """The endpoint does not serve, until the test says so or ends."""
    stage.trigger.endpoint.outage = True
    yield
    stage.trigger.endpoint.outage = False


def test_a_file_that_is_dropped_starts_one_run_which_is_given_its_uri(stage: Stage) -> None:
    subject = stage.upload("orders.csv")
    log = stage.outcome(subject)
    assert (log["outcome"], log["severity"]) == ("launched", "INFO")
    assert stage.attempt(of(subject)).status == 200
    endpoint, loopback = stage.trigger.endpoint, stage.environment.loopback
    run = loopback.run(endpoint.finished(log["run_id"]))
    assert run["state"] == "SUCCEEDED"
    uri = subject.partition("#")[0]
    assert endpoint.outputs(log["run_id"]) == {"receive": {"Output": uri}, "echo": {"Output": uri}}
    assert stage.workflows(log["run_id"]) == 1


def test_the_run_is_started_by_the_identity_that_the_program_gave_the_function(
    stage: Stage, unexecuted: None, dev: Plan
) -> None:
    run_id = stage.outcome(stage.upload("whose.csv"))["run_id"]
    [caller] = [workflow.caller for workflow in stage.trigger.endpoint.workflows if workflow.run_id == run_id]
    assert caller == dev.exports["echo-launcher-identity"]


def test_the_same_event_in_another_message_starts_nothing(stage: Stage, unexecuted: None) -> None:
    subject = stage.upload("twice.csv")
    first = stage.outcome(subject)
    message = stage.attempt(of(subject)).message
    again = stage.publish(stage.trigger.subscription.topic, message)
    second = stage.outcome(subject)
    assert [(log["outcome"], log["message_id"]) for log in (first, second)] == [
        ("launched", message.id),
        ("duplicate", again),
    ]
    assert stage.workflows(first["run_id"]) == 1


def test_a_redelivery_of_an_acknowledged_message_starts_nothing(stage: Stage, unexecuted: None) -> None:
    subject = stage.upload("redelivered.csv")
    first = stage.outcome(subject)
    message = stage.attempt(of(subject)).message
    stage.environment.loopback.call(stage.environment.pubsub.redeliver, stage.trigger.subscription, message)
    second = stage.outcome(subject)
    assert [(log["outcome"], log["message_id"]) for log in (first, second)] == [
        ("launched", message.id),
        ("duplicate", message.id),
    ]
    assert stage.attempt(of(subject)).status == 200
    assert stage.workflows(first["run_id"]) == 1


def announced(stage: Stage) -> str:
    """Publishes the announcement of an object in the largest message there is; returns its event's subject."""
    resource = {"bucket": stage.trigger.bucket, "name": f"{stage.trigger.prefix}large.csv", "generation": "1"}
    empty = json.dumps(resource | {"metadata": {"padding": ""}})
    padding = "x" * (LARGEST_MESSAGE - len(empty))
    data = json.dumps(resource | {"metadata": {"padding": padding}}).encode()
    stage.publish(stage.trigger.subscription.topic, Message("", data, {}, ""))
    return f"gs://{stage.trigger.bucket}/{stage.trigger.prefix}large.csv#1"


def test_an_event_in_the_largest_message_that_pubsub_takes_is_launched_where_content_limit_allows_it() -> None:
    with Environment(plan(content_limit=LARGEST_MESSAGE)) as environment:
        [trigger] = environment.triggers
        trigger.endpoint._execute = None
        stage = Stage(environment, trigger)
        assert stage.outcome(announced(stage))["outcome"] == "launched"


def test_a_message_that_is_larger_than_content_limit_is_rejected_unread(stage: Stage) -> None:
    announced(stage)
    log = stage.log(lambda entry: "the delivery has" in str(entry.get("reason")))
    assert (log["outcome"], log["reason"].partition(": ")[2]) == (
        "rejected",
        "its message is larger than content_limit, 1048576 bytes",
    )


def test_files_that_are_dropped_together_start_one_run_each(stage: Stage, unexecuted: None) -> None:
    subjects = {stage.upload(f"many/{number}.csv") for number in range(20)}
    logs = [stage.log(lambda entry: entry.get("event") in subjects) for _ in subjects]
    assert {log["event"] for log in logs} == subjects
    assert {log["outcome"] for log in logs} == {"launched"}
    assert {stage.workflows(log["run_id"]) for log in logs} == {1}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/", b"not JSON", id="not JSON"),
        pytest.param("POST", "/", b"", id="empty"),
        pytest.param("POST", "/", b'{"message": {}}', id="no object"),
        pytest.param("POST", "/", b"x" * 2 * LARGEST_MESSAGE, id="too large"),
        pytest.param("POST", "/any/path", b"[]", id="another path"),
        pytest.param("GET", "/", b"", id="GET"),
        pytest.param("PUT", "/", b"{}", id="PUT"),
        pytest.param("DELETE", "/", b"", id="DELETE"),
    ],
)
def test_what_is_no_event_is_rejected_and_answered_with_200(
    stage: Stage, method: str, path: str, body: bytes
) -> None:
    """A 4xx would be one more redelivery, for hours, of what will never be right."""
    status, lines = stage.request(method, path, body)
    assert status == 200
    assert [(line["outcome"], line["severity"]) for line in lines] == [("rejected", "ERROR")]


def test_an_endpoint_outage_delays_the_run_and_does_not_double_it(
    stage: Stage, unexecuted: None, outage: None
) -> None:
    subject = stage.upload("patience.csv")
    attempts = [stage.attempt(of(subject)) for _ in range(3)]
    assert [(attempt.number, attempt.status) for attempt in attempts] == [(1, 503), (2, 503), (3, 503)]
    stage.trigger.endpoint.outage = False
    last = stage.attempt(lambda attempt: of(subject)(attempt) and attempt.status == 200)
    assert last.message == attempts[0].message
    [run_id] = [
        run.row["run_id"] for run in stage.trigger.endpoint._runs.values() if subject in run.row["description"]
    ]
    assert stage.workflows(run_id) == 1


def test_an_event_that_cannot_be_launched_is_dead_lettered_whole_and_can_be_replayed(
    stage: Stage, unexecuted: None, outage: None
) -> None:
    pubsub, loopback, main = stage.environment.pubsub, stage.environment.loopback, stage.trigger.subscription
    project = "/".join(main.topic.split("/")[:2])
    topic, dead_letters = f"{project}/topics/impatient", f"{project}/topics/impatient-dead-letters"
    kept = Subscription(f"{project}/subscriptions/impatient-dead-letters", dead_letters)
    impatient = replace(
        main,
        name=f"{project}/subscriptions/impatient",
        topic=topic,
        minimum_backoff=1,
        dead_letter_topic=dead_letters,
        max_delivery_attempts=5,
    )
    for name in (topic, dead_letters):
        loopback.call(pubsub.create_topic, name)
    for subscription in (impatient, kept):
        loopback.call(pubsub.subscribe, subscription)

    resource = {"bucket": stage.trigger.bucket, "name": f"{stage.trigger.prefix}lost.csv", "generation": "7"}
    event = Message("", json.dumps(resource).encode(), {"eventType": "OBJECT_FINALIZE", "objectId": "lost.csv"}, "")
    message_id = stage.publish(topic, event)
    attempts = [stage.attempt(lambda attempt: attempt.message.id == message_id) for _ in range(5)]
    assert [(attempt.number, attempt.status) for attempt in attempts] == [(number, 503) for number in range(1, 6)]
    [letter] = loopback.call(list, kept.kept)
    assert letter.data == event.data
    assert letter.attributes == {
        "eventType": "OBJECT_FINALIZE",
        "objectId": "lost.csv",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "impatient",
        "CloudPubSubDeadLetterSourceSubscriptionProject": project.partition("/")[2],
        "CloudPubSubDeadLetterSourceTopicPublishTime": attempts[0].message.publish_time,
    }

    stage.trigger.endpoint.outage = False
    replayed = stage.publish(main.topic, letter)
    # The outage left it open whether a run was started, so the event waits for a lease before it is asked for.
    log = stage.log(lambda entry: entry.get("message_id") == replayed and entry["outcome"] != "retry")
    assert log["outcome"] == "launched"
    assert stage.workflows(log["run_id"]) == 1


# --- what the function runs in -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(dev: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of the environment that the function runs in."""
    [source] = [planned for planned in dev.of_type(":BucketObject") if planned.name == "echo-launcher-source"]
    directory = tmp_path_factory.mktemp("source")
    unpack(source.inputs["source"], ROOT / "infra", directory)
    return install(directory, CACHE)


def output(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_function_runs_on_its_own_pinned_requirements_and_nothing_else(python: Path) -> None:
    listed = json.loads(output(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    installed = {item["name"].lower().replace("_", "-"): item["version"] for item in listed}
    requirements = (ROOT / "function_src" / "requirements.txt").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", requirements, re.MULTILINE))
    unpinned = installed.keys() - pinned.keys()
    assert unpinned <= {"pip", "setuptools"}  # of every virtual environment
    assert {name: version for name, version in installed.items() if name not in unpinned}.items() <= pinned.items()


@pytest.mark.parametrize("module", ["kfp", "google.cloud.storage", "google.cloud.pubsub", "pulumi", "yaml"])
def test_the_function_has_nothing_of_what_would_slow_its_start(python: Path, module: str) -> None:
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in done.stderr


def test_the_requirements_of_the_function_agree_with_each_other(python: Path) -> None:
    assert output(python, "-m", "pip", "check").strip() == "No broken requirements found."

"""`pipeline-trigger try`: an event of each kind of source, and of a bad one which part said no, in one sentence."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from function_src.launcher.event import launch_key
from ops.cli import app
from ops.errors import OperationError
from ops.trying import cli
from ops.trying.planned import choose_trigger, plan_of
from rehearsal.google.storage import Storage
from rehearsal.program import ROOT
from tests.conftest import Serve
from tests.plans import DEV, PROD

SOURCES = ROOT / "examples" / "Pulumi.sources.yaml"
LOAD = ROOT / "examples" / "sources" / "loads.json"
ORDER = ["--stack", str(PROD), "--trigger", "orders"]
CATALOG = ["--stack", str(PROD), "--trigger", "catalog"]
NIGHTLY = ["--stack", str(SOURCES), "--trigger", "nightly"]
LOADS = ["--stack", str(SOURCES), "--trigger", "loads"]
ECHO = ["--stack", str(DEV)]


def invoke(*arguments: str, **environment: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["try", *arguments], prog_name="pipeline-trigger", env={"COLUMNS": "500", **environment}
    )
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def found(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code, text = invoke(*arguments, "--json")
    read: list[dict[str, Any]] = json.loads(text)
    return code, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new-orders.json"
    path.write_text('{"status": "complete", "data": "gs://acme/a.csv", "required_columns": ["id"]}')
    return path


def test_a_file_that_lands_in_the_bucket(file: Path) -> None:
    code, [attempt] = found(*ORDER, "--file", str(file))
    assert (code, attempt["outcome"]) == (0, "launched")
    assert attempt["document"]["object"]["name"] == "manifests/new-orders.json"
    assert [step["part"] for step in attempt["steps"]] == ["delivery", "source", "when", "parameters"]
    given = {one["name"]: (one["type"], one["comes_from"], one["value"]) for one in attempt["parameters"]}
    assert given == {
        "csv_uri": ("STRING", "content.data", "gs://acme/a.csv"),
        "required_columns": ("LIST", "content.required_columns", ["id"]),
    }
    assert attempt["request"]["params"] == {"pipelineJobId": f"orders-{attempt['run']['key']}"}
    assert attempt["made_up"] == "generation"


def test_what_is_said_to_people(file: Path) -> None:
    code, text = invoke(*ORDER, "--file", str(file))
    assert code == 0
    for line in (
        "✓ when: is true: content.status == 'complete'",
        "PARAMETER         TYPE    FROM                      VALUE",
        'csv_uri           STRING  content.data              "gs://acme/a.csv"',
        "(the generation is made up, and so are these)",
        '"pipelineSpec": "(the package)"',
        "✓ a run would start",
    ):
        assert line in text


def test_an_object_by_its_uri_or_by_its_name_in_the_bucket() -> None:
    for name in ("gs://the-real-one/incoming/a.csv", "incoming/a.csv"):
        code, [attempt] = found(*ECHO, "--object", name)
        assert (code, attempt["document"]["object"]["name"]) == (0, "incoming/a.csv")
    assert attempt["document"]["object"]["uri"] == "gs://echo-bucket/incoming/a.csv"


def test_what_a_bucket_says_of_a_file_may_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.csv.meta.json").write_text('{"name": "incoming/deep/b.csv", "metadata": {"customer": "acme"}}')
    _, [attempt] = found(*ECHO, "--file", str(tmp_path / "a.csv"))
    assert attempt["document"]["object"]["name"] == "incoming/deep/b.csv"
    assert attempt["document"]["object"]["metadata"] == {"customer": "acme"}


def test_a_message_with_attributes() -> None:
    code, [attempt] = found(*CATALOG, "--message", '{"export": "gs://a/b"}', "--attribute", "type=released")
    assert (code, attempt["parameters"][0]["value"]) == (0, "gs://a/b")


def test_a_message_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text('{"attributes": {"type": "released"}, "data": {"export": "gs://a/b"}}')
    code, [attempt] = found(*CATALOG, "--file", str(path))
    assert (code, attempt["parameters"][0]["value"]) == (0, "gs://a/b")


def test_a_log_entry_or_a_list_of_them(tmp_path: Path) -> None:
    entry = json.loads(LOAD.read_text())
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([entry, {**entry, "logName": "projects/p/logs/other"}]))
    code, attempts = found(*LOADS, "--log", str(path))
    assert [attempt["outcome"] for attempt in attempts] == ["launched", "not delivered"]
    assert code == cli.NONE_STARTS
    _, text = invoke(*LOADS, "--log", str(path))
    assert "1 of 2 would start a run" in text


@pytest.mark.parametrize(
    ("moment", "time", "said"),
    [
        ("2026-11-29T02:30", "2026-11-29T01:30:00.000Z", "fires at 2026-11-29 02:30"),
        ("2026-07-01T02:30", "2026-07-01T00:30:00.000Z", "fires at 2026-07-01 02:30"),
        ("2026-11-29T01:30Z", "2026-11-29T01:30:00.000Z", "fires at 2026-11-29 02:30"),
        (
            "2026-11-29T02:31",
            "2026-11-29T01:31:00.000Z",
            "does not fire at 2026-11-29 02:31: it is tried all the same",
        ),
    ],
)
def test_a_firing_by_the_schedules_own_clock_and_the_next_five(moment: str, time: str, said: str) -> None:
    code, [attempt] = found(*NIGHTLY, "--schedule", moment)
    assert (code, attempt["document"]["event"]["time"]) == (0, time)
    _, text = invoke(*NIGHTLY, "--schedule", moment)
    assert f"30 2 * * * (Europe/Amsterdam) {said}" in text
    [following] = [line for line in text.splitlines() if "after that it fires at" in line]
    assert following.count(", ") == 4


def test_a_time_that_the_clocks_leave_out_fires_the_day_after() -> None:
    _, text = invoke(*NIGHTLY, "--schedule", "2026-03-28T02:31")
    assert "after that it fires at Mon 2026-03-30 02:30 CEST" in text


def as_pushed(data: bytes, **attributes: str) -> dict[str, Any]:
    return {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": "7",
        "publishTime": "2026-11-22T10:00:00Z",
    }


OBJECT = {
    "kind": "storage#object",
    "bucket": "b",
    "name": "incoming/a.csv",
    "generation": "17",
    "size": "1",
    "timeCreated": "2026-11-22T10:00:00Z",
}
ANNOUNCED = as_pushed(json.dumps(OBJECT).encode(), eventType="OBJECT_FINALIZE")


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param(
            {"message": ANNOUNCED, "subscription": "projects/p/subscriptions/s"}, id="a push, or of rejected"
        ),
        pytest.param(ANNOUNCED, id="a message"),
        pytest.param([{"ackId": "x", "message": ANNOUNCED}], id="pulled by gcloud"),
        pytest.param({"receivedMessages": [{"ackId": "x", "message": ANNOUNCED}]}, id="pulled by REST"),
        pytest.param(
            {
                "message": {
                    **ANNOUNCED,
                    "attributes": {"eventType": "OBJECT_FINALIZE", "CloudPubSubDeadLetterSourceDeliveryCount": "100"},
                }
            },
            id="a dead letter",
        ),
        pytest.param(
            {"specversion": "1.0", "id": "1", "type": "google.cloud.storage.object.v1.finalized", "data": OBJECT},
            id="a CloudEvent",
        ),
        pytest.param(OBJECT, id="the body of a CloudEvent"),
    ],
)
def test_a_delivery_as_it_came_has_the_key_that_it_had(tmp_path: Path, delivery: Any) -> None:
    path = tmp_path / "delivery.json"
    path.write_text(json.dumps(delivery))
    code, [attempt] = found(*ECHO, "--event", str(path))
    assert (code, attempt["event"]) == (0, "gs://b/incoming/a.csv#17")
    assert attempt["run"]["key"] == launch_key("acme-ml-dev/dev/echo", ("gcs", "b", "incoming/a.csv", "17"))
    assert attempt["made_up"] == ""


def test_the_content_of_a_delivered_object_is_given_beside_it(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "delivery.json"
    path.write_text(json.dumps({**OBJECT, "name": "manifests/a.json"}))
    with pytest.raises(OperationError, match="reads what stands in its files; give that with --file"):
        invoke(*ORDER, "--event", str(path))
    code, [attempt] = found(*ORDER, "--event", str(path), "--file", str(file))
    assert (code, attempt["sent"] if "sent" in attempt else attempt["outcome"]) == (0, "launched")


NO_DATA = "the expression asks for a field of the content, and the content is not JSON: line 1, column 12"
NO_VALUE = "the event gives no value for parameter {!r}, which the pipeline requires"
FILTERED = 'the subscription\'s filter does not let it through: attributes.type = "released"'
EXPANDED = (
    "parameter 'filename' holds '{{', which Argo would expand, so that the run would get something else; "
    "write the text to a file and pass its URI"
)
WIDE, HALF = '{"status": "complete"}'.encode("utf-16"), gzip.compress(b'{"status": "complete"}', mtime=0)[:-9]
RELEASED = "--attribute type=released"
BAD: list[tuple[list[str], str, bytes, str, str]] = [
    (ECHO, "--object other/a", b"", "notification", "Cloud Storage announces only names that start with incoming/"),
    (ORDER, "--object manifests/a.csv", b"{}", "source", "its name does not match **/*.json"),
    (
        ECHO,
        "--object incoming/a.tmp",
        b"",
        "source",
        "it is a file that a tool is still writing, or makes for itself",
    ),
    (ORDER, "", b'{"status": "open"}', "when", "when is false for this event"),
    (ORDER, "", b'{"status": ', "when", f"when: {NO_DATA} (Expecting value)"),
    (ORDER, "", WIDE, "content", "the content is UTF-16; save it as UTF-8"),
    (ORDER, "", HALF, "content", "the content is gzip that breaks off"),
    (ORDER, "", b'{"status": "complete"}', "parameters", NO_VALUE.format("csv_uri")),
    (ORDER, "", b'{"status": "complete", "data": 7}', "parameters", "parameter 'csv_uri' is 7, which is no STRING"),
    (CATALOG, "--message {}", b"", "filter", FILTERED),
    (CATALOG, f"--message text {RELEASED}", b"", "parameters", NO_VALUE.format("filename")),
    (CATALOG, f"""--message '{{"export": "{{{{x}}}}"}}' {RELEASED}""", b"", "parameters", EXPANDED),
]


@pytest.mark.parametrize(("trigger", "options", "body", "part", "reason"), BAD, ids=lambda value: str(value)[:30])
def test_of_a_bad_event_it_says_which_part_said_no_in_one_sentence(
    tmp_path: Path, trigger: list[str], options: str, body: bytes, part: str, reason: str
) -> None:
    path = tmp_path / "new.json"
    path.write_bytes(body)
    given = [*trigger, *shlex.split(options), *(["--file", str(path)] if body else [])]
    code, [attempt] = found(*given)
    assert (code, attempt["steps"][-1]["part"], attempt["reason"]) == (cli.NONE_STARTS, part, reason)
    _, text = invoke(*given)
    assert f"✗ {part}: {reason}" in text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--stack", str(PROD), "--object", "x"],
            "add --trigger, one of catalog, orders",
        ),
        ([*ECHO, "--trigger", "ecko"], "stack dev has no trigger 'ecko'; it has: echo"),
        (ECHO, "nothing says what the event of trigger echo is: give --file or --object or --event or --against"),
        ([*ECHO, "--message", "x"], "--message is no event of trigger echo, whose source is gcs: give --file or"),
        ([*ECHO, "--object", "gs://bucket"], "gs://bucket names no object; write gs://BUCKET/NAME, or its name"),
        (
            [*ECHO, "--object", "x", "--attribute", "a=b"],
            "--attribute is for messages, and the source of trigger echo is gcs",
        ),
        (
            [*ECHO, "--object", "x", "--against", "gs://b"],
            "--object and --against are several events: give one of them",
        ),
        ([*CATALOG, "--message", "x", "--attribute", "a"], "--attribute: a is no KEY=VALUE"),
        ([*LOADS, "--log", __file__], "test_try.py is not JSON: "),
        ([*ECHO, "--against", "bucket"], "--against: bucket is no bucket; write gs://BUCKET or gs://BUCKET/PREFIX"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_by_what_would(
    arguments: list[str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises(OperationError) as raised:
        invoke(*arguments)
    assert problem in str(raised.value)


def test_what_lies_beside_a_file_and_is_no_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.csv.meta.json").write_text('{"nmae": "incoming/b.csv"}')
    with pytest.raises(OperationError, match=r"a\.csv\.meta\.json has other keys than name, metadata, content_type"):
        invoke(*ECHO, "--file", str(tmp_path / "a.csv"))


# --- against a real bucket -----------------------------------------------------------------------------------------


@pytest.fixture
def bucket(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Storage:
    storage = Storage(lambda *_: None)
    storage.create_bucket("real")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(storage.app))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    return storage


def test_the_newest_objects_of_a_bucket_the_newest_first_and_nothing_is_written(bucket: Storage) -> None:
    for number in range(5):
        status = "complete" if number % 2 else "open"
        body = json.dumps({"status": status, "data": f"gs://a/{number}"}).encode()
        bucket.write("real", f"manifests/{9 - number}.json", body)
    bucket.write("real", "manifests/notes.txt", b"x")
    bucket.write("real", "elsewhere/z.json", b"{}")
    before = dict(bucket.buckets["real"].objects)
    code, attempts = found(*ORDER, "--against", "gs://real/manifests/", "--newest", "4")
    assert [(one["document"]["object"]["name"], one["outcome"]) for one in attempts] == [
        ("manifests/notes.txt", "skipped"),
        ("manifests/5.json", "skipped"),
        ("manifests/6.json", "launched"),
        ("manifests/7.json", "skipped"),
    ]
    assert code == cli.NONE_STARTS
    assert bucket.buckets["real"].objects == before
    _, text = invoke(*ORDER, "--against", "gs://real/manifests/", "--newest", "4")
    assert "launched  " in text
    assert 'csv_uri="gs://a/3"' in text
    assert "1 of 4 would start a run" in text


def test_an_object_has_its_own_generation_there_and_so_the_key_that_it_was_launched_under(bucket: Storage) -> None:
    written = bucket.write("real", "incoming/a.csv", b"x")
    _, [attempt] = found(*ECHO, "--against", "gs://real")
    assert (attempt["event"], attempt["made_up"]) == (f"gs://real/incoming/a.csv#{written['generation']}", "")


def test_an_object_that_is_too_large_is_not_read(bucket: Storage) -> None:
    bucket.write("real", "manifests/a.json", b" " * (2**20 + 1))
    _, [attempt] = found(*ORDER, "--against", "gs://real")
    assert attempt["reason"] == "the object holds more than content_limit, 1048576 bytes"


def test_a_bucket_that_is_not_there_is_said_in_one_line(bucket: Storage) -> None:
    with pytest.raises(OperationError, match="Cloud Storage answered 404"):
        invoke(*ECHO, "--against", "gs://unreal")


def test_each_trigger_of_the_examples_is_found_in_its_plan() -> None:
    plan = plan_of(str(SOURCES))
    assert [choose_trigger(plan, name).kind for name in ("orders", "loads", "nightly")] == [
        "pubsub",
        "log",
        "schedule",
    ]

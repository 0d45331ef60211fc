"""What becomes of a delivery: one outcome, one line of log, and at most one workflow per event."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from function_src.launcher import ledger
from function_src.launcher.delivery import Outcome
from function_src.launcher.event import AGAIN, BECAUSE, read_event
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.glob import Glob
from function_src.launcher.package import read_package
from function_src.launcher.sources import GcsSource, LogSource, PubSubSource
from tests.launcher.deliveries import OBJECT, TRIGGER_ID, WRAPPINGS, Delivery, as_json, message, push
from tests.launcher.wire import EXPERIMENTS, RUNS, TOKEN_PATH, api_error, page, shown
from tests.launcher.world import BUCKET, LEDGER, NAME, PACKAGE, RUN_ID, RUN_PATH, SECRET, World

# --- launched, once ------------------------------------------------------------------------------------------------


def test_an_event_starts_one_run_with_its_parameters_and_its_lineage(world: World) -> None:
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.status, handled.reason) == ("launched", 200, None)
    [workflow] = world.kfp.workflows
    assert workflow.parameters == {"filename": "gs://acme-incoming/incoming/orders 7.csv"}
    assert workflow.package == json.loads(PACKAGE)
    row = world.kfp._find_run(workflow.run_id).row
    assert row["display_name"] == "echo-orders-7.csv-29618ab4"
    assert row["description"] == (
        f"trigger=acme-ml-dev/dev/echo key=29618ab4d3b51d9f7e2a030ed46c5e19 package={read_package(PACKAGE).digest} "
        "event=gs://acme-incoming/incoming/orders 7.csv#1712345678901234"
    )
    assert handled.run_url == f"{world.host}/#/runs/details/{workflow.run_id}"


def test_a_long_name_starts_one_workflow_as_any_other(world: World) -> None:
    """KFP's database takes 255 characters of description, and refuses more after the workflow has been started."""
    name = f"incoming/{'year=2026/' * 60}part-00000.parquet"
    assert world.outcomes(world.launcher(), push({**OBJECT, "name": name})) == ["launched"]
    assert len(world.started) == 1


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nX-Injected: yes",
        "\x00\x01\x1b[2J\x7f",
        "\u202e\u2028\ufeff",
        "x" * 8192,
        "\U0001f600" * 2000,
        '"}],"x":{',
        "{{workflow.name}} {{$}}",
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_metadata_that_would_break_a_header_or_a_line_arrives_as_it_is_or_is_refused(
    world: World, value: str
) -> None:
    """Whoever may write an object chooses its metadata: up to 8 KiB of anything."""
    handled = world.handle(
        world.launcher("object.metadata.note"), push({**OBJECT, "metadata": {"note": value, value[:900]: "x"}})
    )
    assert handled.outcome in ("launched", "rejected"), handled.reason
    assert [workflow.parameters["filename"] for workflow in world.kfp.workflows] == (
        [value] if handled.outcome == "launched" else []
    )
    if handled.outcome == "rejected":
        assert "parameter 'filename'" in str(handled.reason)
    for seen in (*world.wire.seen, *world.storage_wire.seen):
        assert "x-injected" not in {name.lower() for name in seen.headers}


def test_the_run_id_of_an_event_never_changes(world: World) -> None:
    """The literal is the promise: with another id, what was launched before would be launched again."""
    assert world.handle(world.launcher(), push(OBJECT)).run_id == RUN_ID
    assert world.started == [RUN_ID]


OLD = datetime.now(UTC) - timedelta(days=2)
OLD_FILE = {**OBJECT, "timeCreated": OLD.isoformat()}


def forget(world: World) -> None:
    """Makes the ledger anew."""
    world.loopback.call(world.storage.buckets[LEDGER].objects.clear)


@pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__)
def test_a_ledger_that_is_younger_than_an_event_starts_no_second_run_of_it(
    world: World, wrap: Callable[..., Delivery]
) -> None:
    assert world.outcomes(world.launcher(), wrap(OLD_FILE)) == ["launched"]
    forget(world)
    handled = world.handle(world.launcher(), wrap(OLD_FILE))
    assert (handled.outcome, handled.reason) == ("launched", "an earlier attempt had started the run")
    assert world.started == [RUN_ID]
    assert world.outcomes(world.launcher(), wrap(OLD_FILE)) == ["duplicate"]


@pytest.mark.parametrize("told", ["", "yesterday", None, "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_an_event_whose_age_cannot_be_read_counts_as_old(world: World, told: str | None) -> None:
    found = {**OBJECT, "timeCreated": told}
    body = as_json({"message": {**message(as_json(found))["message"], "publishTime": told or "", "messageId": "2"}})
    assert world.outcomes(world.launcher(), ({}, body)) == ["launched"]
    forget(world)
    assert world.outcomes(world.launcher(), ({}, body)) == ["launched"]
    assert world.started == [RUN_ID]


def test_an_old_event_of_which_the_endpoint_says_nothing_waits(world: World) -> None:
    world.wire.fail("GET", RUN_PATH, page(503))
    assert world.outcomes(world.launcher(), push(OLD_FILE)) == ["retry"]
    assert world.posts == 0
    assert world.outcomes(world.launcher(), push(OLD_FILE)) == ["launched"]


def test_a_message_that_is_too_large_is_rejected_before_it_is_read_and_kept_whole(world: World) -> None:
    """Sixteen at once would take the instance down, and with it what else it has begun."""
    body = as_json(message(b"x" * (world.launcher()._trigger.content_limit + 2**20), "7"))
    handled = world.handle(world.launcher("message.id", source=PubSubSource(TRIGGER_ID)), ({}, body))
    assert handled.outcome == "rejected"
    assert handled.reason == (
        f"the delivery has {len(body)} bytes: its message is larger than content_limit, 1000 bytes"
    )
    assert handled.event is None
    assert world.loopback.call(world.storage.get, LEDGER, f"rejected/echo/{handled.key}").body == body


@pytest.mark.parametrize("kind", ["a log entry", "a notification"])
def test_a_message_of_more_values_than_fit_into_memory_is_rejected_before_it_is_parsed(
    world: World, kind: str
) -> None:
    source = LogSource() if kind == "a log entry" else GcsSource(BUCKET, "incoming/")
    body = as_json(message(b"[" + b"[]," * 100_001 + b"[]]"))
    handled = world.handle(world.launcher("event.id", source=source), ({}, body))
    assert (handled.outcome, handled.reason) == (
        "rejected",
        "the Pub/Sub message's data is JSON of more than 100000 values",
    )


def test_an_old_message_is_asked_for_too(world: World) -> None:
    source = PubSubSource(TRIGGER_ID)
    body = as_json({"message": {**message(b"{}")["message"], "publishTime": OLD.isoformat()}})
    for _ in range(2):
        assert world.outcomes(world.launcher("message.id", source=source), ({}, body)) == ["launched"]
        forget(world)
    assert len(world.started) == 1


def test_launching_takes_no_more_than_three_round_trips_once_the_experiment_is_known(world: World) -> None:
    launcher = world.launcher()
    world.handle(launcher, world.upload(name="incoming/first"))
    world.wire.seen.clear()
    world.storage_wire.seen.clear()
    handled = world.handle(launcher, world.upload())
    assert [(seen.method, seen.path) for seen in world.wire.seen] == [("POST", RUNS)]
    assert [(seen.method, seen.query["name"]) for seen in world.storage_wire.seen] == [
        ("POST", f"claims/echo/{handled.key}"),
        ("POST", f"outcomes/echo/{handled.key}"),
    ]


def test_a_redelivery_of_a_launched_event_starts_nothing(world: World) -> None:
    launcher, delivery = world.launcher(), world.upload()
    handled = [world.handle(launcher, delivery) for _ in range(2)]
    assert [(each.outcome, each.status) for each in handled] == [("launched", 200), ("duplicate", 200)]
    assert (len(world.started), world.posts) == (1, 1)


def test_a_redelivery_to_another_instance_starts_nothing(world: World) -> None:
    delivery = world.upload()
    assert [world.handle(world.launcher(), delivery).outcome for _ in range(2)] == ["launched", "duplicate"]
    assert (len(world.started), world.posts) == (1, 1)


def test_another_message_of_the_event_in_another_wrapping_starts_nothing(world: World) -> None:
    deliveries = [wrap(OBJECT, str(number)) for number, wrap in enumerate(WRAPPINGS)]
    assert world.outcomes(world.launcher(), *deliveries) == ["launched"] + ["duplicate"] * 4
    assert world.posts == 1


def test_64_deliveries_of_one_event_at_once_start_one_workflow(world: World) -> None:
    """Without a claim each would ask for the run, find none, and start it."""
    launchers, delivery = [world.launcher() for _ in range(4)], world.upload()
    with ThreadPoolExecutor(64) as pool:
        handled = list(pool.map(lambda number: launchers[number % 4].handle(*delivery), range(64)))
    outcomes = [each.outcome for each in handled]
    assert outcomes.count(Outcome.LAUNCHED) == 1
    assert set(outcomes) <= {"launched", "duplicate", "retry"}
    assert (len(world.started), world.posts) == (1, 1)
    assert world.launcher().handle(*delivery).outcome == "duplicate", "and all are acknowledged in the end"


def test_what_became_of_an_event_stands_in_the_ledger(world: World) -> None:
    launched = world.handle(world.launcher(), world.upload())
    rejected = world.handle(world.launcher("content.file"), world.upload(b"{}"))
    records = [
        json.loads(world.loopback.call(world.storage.get, LEDGER, f"outcomes/echo/{handled.key}").body)
        for handled in (launched, rejected)
    ]
    assert [record["outcome"] for record in records] == ["launched", "rejected"]
    assert records[0]["run_id"] == launched.run_id
    assert records[0]["parameters"] == {"filename": f"gs://{BUCKET}/{NAME}"}
    assert records[0]["event"].startswith(f"gs://{BUCKET}/{NAME}#")
    assert records[0]["package"] == read_package(PACKAGE).digest
    assert (records[1]["run_id"], records[1]["reason"]) == (None, rejected.reason)
    assert records[1]["parameters"] == {}


def test_a_launch_that_cannot_be_recorded_is_delivered_again_until_it_is(world: World) -> None:
    launcher, delivery = world.launcher(), world.upload()
    with world.monkeypatch.context() as patch:
        patch.setattr(
            launcher._ledger, "_write", lambda kind, *rest, **over: page(503) if kind == "outcomes" else None
        )
        patch.setattr(launcher._ledger, "claim", world.launcher()._ledger.claim)
        assert world.outcomes(launcher, delivery) == ["retry"]
    world.time_passes()
    assert world.outcomes(world.launcher(), delivery, delivery) == ["launched", "duplicate"]
    assert (len(world.started), world.posts) == (1, 1)


def test_a_rejected_delivery_is_kept_as_it_came_so_that_it_can_be_replayed(world: World) -> None:
    delivery = world.upload(b"{}")
    rejected = world.handle(world.launcher("content.file"), delivery)
    kept = world.loopback.call(world.storage.get, LEDGER, f"rejected/echo/{rejected.key}")
    assert kept.body == delivery[1]


def test_a_delivery_that_cannot_be_kept_is_not_rejected_yet(world: World) -> None:
    launcher, delivery = world.launcher("content.file"), world.upload(b"{}")
    with world.monkeypatch.context() as patch:
        patch.setattr(launcher._ledger, "_upload", "/nowhere")
        patch.setattr(launcher._ledger, "claim", world.launcher()._ledger.claim)
        assert world.outcomes(launcher, delivery) == ["retry"]
    world.time_passes()
    assert world.outcomes(launcher, delivery, delivery) == ["rejected", "duplicate"]


def test_one_more_run_of_an_event_starts_once_and_the_ledger_says_why(world: World) -> None:
    headers, first = world.upload()
    body = json.loads(first)
    body["message"]["attributes"] |= {AGAIN: "2f6c", BECAUSE: "the model was wrong"}
    again = (headers, as_json(body))
    assert world.outcomes(world.launcher(), (headers, first), again, again) == ["launched", "launched", "duplicate"]
    assert len(set(world.started)) == 2
    record = world.loopback.call(world.storage.get, LEDGER, f"outcomes/echo/{world.logs[1]['key']}")
    assert json.loads(record.body)["again_because"] == "the model was wrong"


def test_an_overwritten_object_is_another_event(world: World) -> None:
    assert world.outcomes(world.launcher(), world.upload(), world.upload()) == ["launched", "launched"]
    assert len(set(world.started)) == 2


def test_events_that_arrive_together_are_each_launched_once(world: World) -> None:
    launcher = world.launcher()
    deliveries = [world.upload(name=f"incoming/{number}") for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        handled = list(pool.map(lambda delivery: launcher.handle(*delivery), deliveries))
    assert {delivery.outcome for delivery in handled} == {"launched"}
    assert sorted(world.started) == sorted(str(delivery.run_id) for delivery in handled)
    lines = world.capsys.readouterr().out.splitlines()
    assert {json.loads(line)["run_id"] for line in lines} == set(world.started)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1) | st.text("a.%+/ é\n", min_size=1))
@example(name="incoming/" + "a" * 1000)
@example(name="é" * 500)
def test_a_run_can_be_searched_for_by_its_name_whatever_the_object_is_called(world: World, name: str) -> None:
    handled = world.handle(
        world.launcher({"value": "a"}, source=GcsSource(BUCKET, "")), push({**OBJECT, "name": name})
    )
    run_name = world.kfp._find_run(str(handled.run_id)).row["display_name"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", run_name)
    assert run_name.endswith(str(world.logs[-1]["key"])[:8])


# --- content -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "body", "value"),
    [
        pytest.param("content.file", b'{"file": "a.csv"}', "a.csv", id="JSON"),
        pytest.param("content.file", b'\xef\xbb\xbf{"file": "a.csv"}', "a.csv", id="JSON after a byte order mark"),
        pytest.param("content", b"a.csv\n", "a.csv\n", id="text"),
        pytest.param("lines[1]", b"a.csv\nb.csv\n", "b.csv", id="lines"),
        pytest.param("records[1].file", b'{"file": "a.csv"}\n{"file": "b.csv"}\n', "b.csv", id="JSON Lines"),
        pytest.param("rows[1].file", b"file,size\na.csv,1\nb.csv,2\n", "b.csv", id="a table"),
        pytest.param("rows[0].file", gzip.compress(b"file\na.csv\n", mtime=0), "a.csv", id="a packed table"),
        pytest.param({"from": "content.file", "default": "x.csv"}, b"{}", "x.csv", id="default"),
    ],
)
def test_what_stands_in_the_file_can_be_a_parameter(world: World, filename: Any, body: bytes, value: str) -> None:
    assert world.outcomes(world.launcher(filename), world.upload(body)) == ["launched"]
    assert [workflow.parameters for workflow in world.kfp.workflows] == [{"filename": value}]


def test_the_file_is_read_only_when_a_parameter_needs_it(world: World) -> None:
    world.handle(world.launcher("object.metadata.content || object.uri"), world.upload())
    assert world.reads() == []
    world.handle(world.launcher("content"), world.upload())
    assert len(world.reads()) == 1


# --- rejected: the event is wrong, for ever ------------------------------------------------------------------------

Scene = Callable[[World], tuple[Launcher, Delivery]]


def gone(world: World) -> tuple[Launcher, Delivery]:
    old = world.upload()
    world.upload()
    return world.launcher("content"), old


def refused(world: World) -> tuple[Launcher, Delivery]:
    world.wire.fail("POST", RUNS, api_error(400, 3, "parameter x is unknown"))
    return world.launcher(), world.upload()


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        pytest.param(lambda w: (w.launcher(), ({}, b"{")), "the delivery is not JSON", id="not JSON"),
        pytest.param(
            lambda w: (w.launcher(), push({**OBJECT, "bucket": "other"})),
            "gs://other/incoming/orders 7.csv is not in gs://acme-incoming/incoming/, where this trigger looks",
            id="another bucket",
        ),
        pytest.param(
            lambda w: (w.launcher(), push({**OBJECT, "name": "outgoing/a.csv"})),
            "gs://acme-incoming/outgoing/a.csv is not in gs://acme-incoming/incoming/, where this trigger looks",
            id="another prefix",
        ),
        pytest.param(
            lambda w: (w.launcher("content"), push({**OBJECT, "bucket": "other"})),
            "gs://other/incoming/orders 7.csv is not in gs://acme-incoming/incoming/, where this trigger looks",
            id="another bucket whose object would be read",
        ),
        pytest.param(gone, "is gone", id="object gone"),
        pytest.param(
            lambda w: (w.launcher("content"), w.upload(b"x" * 1001)),
            "holds more than content_limit, 1000 bytes",
            id="too large",
        ),
        pytest.param(lambda w: (w.launcher("content"), w.upload(b"\xff")), "is not UTF-8 text", id="not text"),
        pytest.param(
            lambda w: (w.launcher("content.file"), w.upload(b"{}")),
            "the event gives no value for parameter 'filename', which the pipeline requires",
            id="no value",
        ),
        pytest.param(
            lambda w: (w.launcher("lines"), w.upload()),
            "parameter 'filename' is a list of",
            id="value of another type",
        ),
        pytest.param(
            lambda w: (w.launcher("sum(content)"), w.upload()),
            "the expression fails on this event: sum() takes a list of numbers, not text",
            id="expression fails",
        ),
        pytest.param(refused, "the endpoint answered 400: parameter x is unknown", id="endpoint refuses"),
    ],
)
def test_an_event_that_is_wrong_is_rejected_and_never_delivered_again(
    world: World, prepare: Scene, reason: str
) -> None:
    handled = world.handle(*prepare(world))
    assert (handled.outcome, handled.status) == ("rejected", 200)
    assert reason in str(handled.reason)
    assert world.started == []
    [log] = world.logs
    assert (log["severity"], log["outcome"], log["reason"]) == ("ERROR", "rejected", handled.reason)


def test_an_object_that_the_glob_does_not_match_is_skipped_and_costs_no_request(world: World) -> None:
    launcher = world.launcher(source=GcsSource(BUCKET, "incoming/", Glob("**/_SUCCESS")))
    for _ in range(2):
        handled = world.handle(launcher, push(OBJECT))
        assert (handled.outcome, handled.status) == ("skipped", 200)
    assert world.logs[-1]["reason"] == "its name does not match **/_SUCCESS"
    assert world.logs[-1]["severity"] == "INFO"
    assert world.storage_wire.seen == []
    assert world.wire.seen == []


def test_an_object_that_was_passed_over_launches_when_the_glob_is_mended(world: World) -> None:
    wrong = world.launcher(source=GcsSource(BUCKET, "incoming/", Glob("*.csv")))
    mended = world.launcher(source=GcsSource(BUCKET, "incoming/", Glob("**/*.csv")))
    assert world.outcomes(wrong, push(OBJECT)) == ["skipped"]
    assert world.outcomes(mended, push(OBJECT)) == ["launched"]


TRUNCATED = b'{"file": "gs://a/b",\n "rows": '
ASKS = "the expression asks for a field of the content, and "
BROKEN = "the content is not JSON: line 2, column 10 ("


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("content.file", f"parameter 'filename': {ASKS}"),
        ("content.file || 'none'", f"parameter 'filename': {ASKS}"),
        ("content[0]", f"parameter 'filename': {ASKS}"),
        (
            "keys(content)",
            "parameter 'filename': the expression fails on this event: keys() takes a map, not text: ",
        ),
    ],
)
def test_of_json_that_breaks_off_is_said_where_and_not_that_the_mapping_is_wrong(
    world: World, filename: str, reason: str
) -> None:
    handled = world.handle(world.launcher(filename), world.upload(TRUNCATED))
    assert handled.outcome == "rejected"
    assert str(handled.reason).startswith(reason + BROKEN)
    record = world.storage.buckets[LEDGER].objects[f"outcomes/echo/{handled.key}"]
    assert json.loads(record.body)["reason"] == world.logs[-1]["reason"] == handled.reason


@pytest.mark.parametrize(
    ("when", "outcome", "reason"),
    [
        ("content.file == 'x'", "rejected", f"when: {ASKS}{BROKEN}"),
        ("content.file != 'x'", "rejected", f"when: {ASKS}{BROKEN}"),
        ("content.rows > `1`", "rejected", f"when: {ASKS}{BROKEN}"),
        ("type(content) == 'object' && content.file == 'x'", "rejected", f"when: {ASKS}{BROKEN}"),
        ("content[0].file == 'x'", "rejected", f"when: {ASKS}{BROKEN}"),
        ("length(content[*].file) == `0`", "rejected", f"when: {ASKS}{BROKEN}"),
        ("starts_with(content, '[')", "skipped", "when is false for this event"),
    ],
)
def test_a_half_written_file_is_never_skipped_or_launched_by_a_field_that_it_does_not_have(
    world: World, when: str, outcome: str, reason: str
) -> None:
    handled = world.handle(world.launcher(when=read_condition(when)), world.upload(TRUNCATED))
    assert (handled.outcome, world.started) == (outcome, [])
    assert str(handled.reason).startswith(reason)
    assert ("JSON" in str(handled.reason)) == ("JSON" in reason)


def test_json_that_breaks_off_can_be_taken_as_text_all_the_same(world: World) -> None:
    assert world.outcomes(world.launcher("content"), world.upload(TRUNCATED)) == ["launched"]


@pytest.mark.parametrize(
    ("filename", "data", "value"),
    [
        ("content.uri", b'{"uri": "gs://a/b"}', "gs://a/b"),
        ("lines[1]", b"one\ntwo", "two"),
        ("message.data", b"text", "text"),
        ("message.attributes.uri", b"", "gs://c/d"),
    ],
)
def test_a_message_is_its_own_content_and_nothing_is_read(
    world: World, filename: str, data: bytes, value: str
) -> None:
    delivered: Delivery = {}, as_json(message(data, uri="gs://c/d"))
    launcher = world.launcher(filename, source=PubSubSource(TRIGGER_ID))
    assert world.outcomes(launcher, delivered, delivered) == ["launched", "duplicate"]
    [workflow] = world.kfp.workflows
    assert workflow.parameters == {"filename": value}
    assert world.reads() == []


def test_a_message_that_is_not_text_is_rejected_where_its_content_is_mapped(world: World) -> None:
    handled = world.handle(
        world.launcher("content", source=PubSubSource(TRIGGER_ID)), ({}, as_json(message(b"\xff")))
    )
    assert (handled.outcome, handled.reason) == ("rejected", "the Pub/Sub message's data is not UTF-8 text")


def test_whoever_may_publish_chooses_neither_what_is_read_nor_what_is_run(world: World) -> None:
    for change in ({"bucket": "other"}, {"name": "outgoing/a"}, {"name": "../incoming/a"}):
        assert world.outcomes(world.launcher("content"), push({**OBJECT, **change})) == ["rejected"]
    assert {seen.query.get("name", "").partition("/")[0] for seen in world.storage_wire.seen} == {
        "claims",
        "rejected",
        "outcomes",
    }
    assert world.wire.seen == []


# --- retry: something else is wrong, for now -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "answer", "reason"),
    [
        pytest.param("GET", RUN_PATH, page(302), "answered 302: it leads to nowhere; it wants a login", id="login"),
        pytest.param("GET", RUN_PATH, page(200), "answered 200: a page: 200; it wants a login", id="page"),
        pytest.param("GET", RUN_PATH, page(401), "it does not accept the token of the function's identity", id="401"),
        pytest.param("GET", RUN_PATH, page(403), "has no access to it (see target.access)", id="403"),
        pytest.param("GET", RUN_PATH, page(404), "the host serves no KFP API v2beta1", id="no such API"),
        pytest.param("GET", RUN_PATH, page(503), "answered 503: a page: 503", id="outage"),
        pytest.param("GET", RUN_PATH, None, "ProtocolError", id="answer broken off"),
        pytest.param("GET", EXPERIMENTS, page(504), "answered 504", id="experiments slow"),
        pytest.param("POST", EXPERIMENTS, api_error(403, 7, "no rights"), "403: no rights", id="no experiment"),
        pytest.param("POST", RUNS, page(403), "has no access to it", id="start forbidden"),
        pytest.param("POST", RUNS, page(400), "answered 400: a page: 400", id="a proxy's 400"),
        pytest.param("POST", RUNS, api_error(429, 8, "too many"), "answered 429: too many", id="too many"),
    ],
)
def test_an_endpoint_that_does_not_serve_is_met_with_patience(
    world: World, method: str, path: str, answer: Response | None, reason: str
) -> None:
    launcher = world.launcher()
    if path == RUN_PATH:  # a run is asked for only when an earlier attempt may have started it
        launcher._ledger.claim("29618ab4d3b51d9f7e2a030ed46c5e19", "gs://b/n#1")
        world.time_passes()
    world.wire.fail_for_good(method, path, answer)
    handled = world.handle(launcher, push(OBJECT))
    assert (handled.outcome, handled.status) == ("retry", 503)
    assert reason in str(handled.reason)
    assert world.started == []
    assert (world.logs[0]["severity"], world.logs[0]["reason"]) == ("WARNING", handled.reason)
    assert world.outcomes(launcher, push(OBJECT)) == ["launched"]
    assert world.started == [RUN_ID]


def test_a_storage_that_does_not_serve_is_met_with_patience(world: World) -> None:
    launcher, delivery = world.launcher("content"), world.upload(b"a.csv")
    world.storage_wire.fail("GET", "/storage/v1/b/acme-incoming/o/incoming%2Forders.json", page(503))
    assert world.outcomes(launcher, delivery, delivery) == ["retry", "launched"]
    assert "Cloud Storage answered 503" in world.logs[0]["reason"]


@pytest.mark.parametrize("filename", ["object.uri", "content"])
def test_a_metadata_server_that_gives_no_token_is_met_with_patience(world: World, filename: str) -> None:
    launcher, delivery = world.launcher(filename), world.upload(b"a.csv")
    world.identity.wire.fail("GET", TOKEN_PATH, page(404))
    assert world.outcomes(launcher, delivery, delivery) == ["retry", "launched"]
    assert world.logs[0]["reason"].startswith("the metadata server gave no token: ")


def test_a_defect_of_the_launcher_loses_no_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> str:
        raise ZeroDivisionError("of ours")

    launcher = world.launcher()
    with monkeypatch.context() as patch:
        patch.setattr(launcher._endpoint, "start", break_down)
        handled = world.handle(launcher, push(OBJECT))
    assert (handled.outcome, handled.status, handled.reason) == ("retry", 503, "internal error: ZeroDivisionError")
    assert "in break_down" in world.logs[0]["stack_trace"]
    assert world.outcomes(launcher, push(OBJECT)) == ["retry"], "a run may have been started"
    world.time_passes()
    assert world.outcomes(launcher, push(OBJECT)) == ["launched"]


# --- an answer that leaves it open whether the run was started -----------------------------------------------------

ambiguous = pytest.mark.parametrize(
    "answer",
    [
        *(page(status) for status in (200, 409, 500, 502, 503, 504)),
        *(api_error(409, 6), api_error(500, 13), api_error(503, 14), JSONResponse({}), None),
    ],
    ids=shown,
)


@ambiguous
def test_a_run_that_was_started_in_spite_of_the_answer_is_launched(world: World, answer: Response | None) -> None:
    world.wire.fail("POST", RUNS, answer, served=True)
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.run_id) == ("launched", RUN_ID)
    assert (world.started, world.posts) == ([RUN_ID], 1)


@ambiguous
def test_a_run_that_was_not_started_is_asked_for_at_the_next_delivery_and_not_before(
    world: World, answer: Response | None
) -> None:
    launcher = world.launcher()
    world.wire.fail("POST", RUNS, answer)
    assert world.outcomes(launcher, push(OBJECT)) == ["retry"]
    assert world.outcomes(launcher, push(OBJECT)) == ["retry"], "the server may still start it"
    assert (world.started, world.posts) == ([], 1)
    world.time_passes()
    assert world.outcomes(launcher, push(OBJECT), push(OBJECT)) == ["launched", "duplicate"]
    assert (world.started, world.posts) == ([RUN_ID], 2)


@ambiguous
def test_a_run_that_cannot_be_asked_about_is_not_asked_for_again(world: World, answer: Response | None) -> None:
    launcher = world.launcher()
    world.wire.fail("GET", RUN_PATH, page(503), page(503))
    world.wire.fail("POST", RUNS, answer, served=True)
    world.time_passes()
    assert world.outcomes(launcher, push(OBJECT), push(OBJECT), push(OBJECT)) == ["retry", "retry", "launched"]
    assert world.logs[-1]["reason"] == "an earlier attempt had started the run"
    assert (world.started, world.posts) == ([RUN_ID], 1)


def test_an_endpoint_that_ignores_run_ids_launches_and_the_log_says_what_that_means(world: World) -> None:
    world.wire.fail("POST", RUNS, JSONResponse({"run_id": "its-own"}))
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.run_id, handled.run_url) == (
        "launched",
        "its-own",
        f"{world.host}/#/runs/details/its-own",
    )
    assert handled.reason == f"the endpoint ignored the run id {RUN_ID}: it cannot tell duplicates apart"
    assert world.logs[0]["reason"] == handled.reason


def test_an_endpoint_without_credentials_is_sent_no_token(world: World) -> None:
    world.handle(world.launcher(credentials="none"), world.upload())
    assert ["authorization" in seen.headers for seen in world.wire.seen] == [False]


def test_a_redelivery_after_the_file_was_moved_is_still_a_duplicate(world: World) -> None:
    launcher, delivery = world.launcher("content"), world.upload()
    assert world.outcomes(launcher, delivery) == ["launched"]
    world.loopback.call(world.storage.delete, BUCKET, NAME)
    assert world.outcomes(launcher, delivery) == ["duplicate"]


# --- skipped: the trigger does not want the event ------------------------------------------------------------------

YES, NO = read_condition("starts_with(object.name, 'incoming/')"), read_condition("ends_with(object.name, '/')")
READY = read_condition("content.ready == `true`")


def record(world: World, key: str) -> dict[str, Any]:
    """What the ledger says became of an event."""
    found: dict[str, Any] = json.loads(world.loopback.call(world.storage.get, LEDGER, f"outcomes/echo/{key}").body)
    return found


def test_an_event_that_the_trigger_does_not_want_starts_nothing_and_is_recorded(world: World) -> None:
    handled = world.handle(world.launcher(when=NO), world.upload())
    assert (handled.outcome, handled.status, handled.reason) == ("skipped", 200, "when is false for this event")
    assert (world.started, world.wire.seen) == ([], [])
    found = record(world, handled.key)
    assert (found["outcome"], found["reason"], found["run_id"]) == ("skipped", handled.reason, None)
    assert (world.logs[0]["severity"], world.logs[0]["reason"]) == ("INFO", handled.reason)
    assert "run_id" not in world.logs[0]


def test_an_event_that_the_trigger_wants_is_launched(world: World) -> None:
    assert world.outcomes(world.launcher(when=YES), world.upload()) == ["launched"]


def test_skipping_takes_two_round_trips_even_where_a_launch_would_read_the_file(world: World) -> None:
    handled = world.handle(world.launcher("content", when=NO), world.upload())
    assert handled.outcome == "skipped"
    assert [(seen.method, seen.query["name"]) for seen in world.storage_wire.seen] == [
        ("POST", f"claims/echo/{handled.key}"),
        ("POST", f"outcomes/echo/{handled.key}"),
    ]


@pytest.mark.parametrize("filename", ["object.uri", "content.file"])
@pytest.mark.parametrize(("ready", "outcome"), [(True, "launched"), (False, "skipped")])
def test_a_predicate_on_the_file_reads_it_once(world: World, filename: str, ready: bool, outcome: str) -> None:
    delivery = world.upload(as_json({"ready": ready, "file": "a.csv"}))
    assert world.outcomes(world.launcher(filename, when=READY), delivery) == [outcome]
    assert len(world.reads()) == 1


def test_a_skipped_event_is_not_launched_later_not_even_after_a_change_of_mind(world: World) -> None:
    skipping, launching, without = world.launcher(when=NO), world.launcher(when=YES), world.launcher()
    again = [wrap(OBJECT, str(number)) for number, wrap in enumerate(WRAPPINGS)]
    assert world.outcomes(skipping, push(OBJECT)) == ["skipped"]
    for launcher in (skipping, launching, without):
        assert world.outcomes(launcher, *again) == ["duplicate"] * len(again)
    assert world.started == []


def test_a_launched_event_is_not_skipped_later(world: World) -> None:
    delivery = world.upload()
    assert world.outcomes(world.launcher(when=YES), delivery) == ["launched"]
    assert world.outcomes(world.launcher(when=NO), delivery) == ["duplicate"]


def test_while_a_change_of_mind_is_deployed_an_event_is_either_launched_or_skipped(world: World) -> None:
    """Without a claim before the predicate one delivery would skip what another launches."""
    launchers = [world.launcher(when=when) for when in (YES, NO)]
    decisions = []
    for number in range(8):
        headers, body = world.upload(name=f"incoming/{number}")
        with ThreadPoolExecutor(8) as pool:
            handled = list(pool.map(lambda launcher: launcher.handle(headers, body), launchers * 4))  # noqa: B023 used up here
        [decided] = [each for each in handled if each.outcome in ("launched", "skipped")]
        assert record(world, decided.key)["outcome"] == decided.outcome
        decisions.append(decided.outcome)
        assert len(world.started) == decisions.count(Outcome.LAUNCHED)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("sum(content) > `1`", "when: the expression fails on this event: sum() takes a list of numbers, not a map"),
        ("content.rows > `1`", "when gives nothing (null), which is neither true nor false"),
        ("content.text", "when gives text of length 280, which is neither true nor false"),
    ],
)
def test_an_event_that_the_predicate_cannot_decide_on_is_rejected_and_not_skipped(
    world: World, when: str, reason: str
) -> None:
    launcher = world.launcher(when=read_condition(when))
    handled = world.handle(launcher, world.upload(as_json({"text": SECRET})))
    assert (handled.outcome, handled.status) == ("rejected", 200)
    assert str(handled.reason).startswith(reason)
    assert world.started == []


def test_a_skip_that_cannot_be_recorded_is_delivered_again_until_it_is(world: World) -> None:
    launcher, delivery = world.launcher(when=NO), world.upload()
    world.storage_wire.fail("POST", f"/upload/storage/v1/b/{LEDGER}/o", JSONResponse({"generation": "1"}), page(503))
    assert world.outcomes(launcher, delivery, delivery, delivery) == ["retry", "skipped", "duplicate"]
    assert world.started == []


@pytest.mark.parametrize("change", [{"when": NO}, {"filename": "content.file"}], ids=["skip", "reject"])
def test_an_attempt_that_is_late_decides_nothing(world: World, change: dict[str, Any]) -> None:
    """Whoever took its claim over may have launched the event: a record of ours would hide that."""
    delivery = world.upload(b"{}")
    with world.monkeypatch.context() as patch:
        patch.setattr(ledger, "SHARE_TO_SEND_IN", 0)
        assert world.outcomes(world.launcher(**change), delivery) == ["retry"]
    assert not [name for name in world.storage.buckets[LEDGER].objects if name.startswith("outcomes/")]
    world.time_passes()
    assert world.outcomes(world.launcher(), delivery) == ["launched"]


def test_who_comes_second_with_a_decision_says_what_stands(world: World) -> None:
    launcher, delivery = world.launcher("content.file"), world.upload(b"{}")
    keep = launcher._ledger.keep

    def meanwhile(key: str, body: bytes) -> None:
        world.time_passes()
        world.handle(world.launcher(), delivery)
        keep(key, body)

    with world.monkeypatch.context() as patch:
        patch.setattr(launcher._ledger, "keep", meanwhile)
        handled = launcher.handle(*delivery)
    assert (handled.outcome, handled.reason) == ("duplicate", "the event was launched before")
    assert handled.run_id == world.started[0]


def test_an_event_whose_skipping_was_cut_short_is_skipped_after_a_lease(world: World) -> None:
    launcher, delivery = world.launcher(when=NO), world.upload()
    event = read_event(TRIGGER_ID, GcsSource(BUCKET, ""), *delivery)
    launcher._ledger.claim(event.key, event.subject)
    assert world.outcomes(launcher, delivery) == ["retry"]
    world.time_passes()
    assert world.outcomes(launcher, delivery, delivery) == ["skipped", "duplicate"]
    assert world.started == []


# --- the log -------------------------------------------------------------------------------------------------------


def test_the_log_of_a_launch_leads_to_event_run_and_package(world: World) -> None:
    handled = world.handle(world.launcher(), push(OBJECT, "77"))
    [log] = world.logs
    assert log.pop("seconds") >= 0
    assert log == {
        "severity": "INFO",
        "message": "launched: gs://acme-incoming/incoming/orders 7.csv#1712345678901234",
        "outcome": "launched",
        "trigger": TRIGGER_ID,
        "event": "gs://acme-incoming/incoming/orders 7.csv#1712345678901234",
        "key": "29618ab4d3b51d9f7e2a030ed46c5e19",
        "message_id": "77",
        "run_id": RUN_ID,
        "run_url": handled.run_url,
        "package": read_package(PACKAGE).digest,
    }


def test_the_log_of_what_cannot_be_read_says_so(world: World) -> None:
    world.handle(world.launcher(), ({}, SECRET.encode()))
    [log] = world.logs
    assert log.pop("seconds") >= 0
    assert re.fullmatch(r"[0-9a-f]{32}", log.pop("key"))
    assert log == {
        "severity": "ERROR",
        "message": "rejected: a delivery: the delivery is not JSON",
        "outcome": "rejected",
        "trigger": TRIGGER_ID,
        "package": read_package(PACKAGE).digest,
        "reason": "the delivery is not JSON",
    }


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"x-cloud-trace-context": f"{TRACE}/123;o=1"}, TRACE),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        (
            {"x-cloud-trace-context": TRACE.upper(), "traceparent": f"00-{'1' * 32}-b7ad6b7169203331-01"},
            TRACE.upper(),
        ),
        ({"x-cloud-trace-context": "nonsense"}, None),
        ({"x-cloud-trace-context": f"{TRACE}0"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("body", [push(OBJECT)[1], b"nonsense"], ids=["launched", "rejected"])
def test_the_log_is_part_of_the_trace_of_its_request(
    world: World, headers: Mapping[str, str], trace: str | None, body: bytes
) -> None:
    world.handle(world.launcher(), (dict(headers), body))
    expected = trace and f"projects/acme-ml-dev/traces/{trace}"
    assert world.logs[0].get("logging.googleapis.com/trace") == expected


@pytest.mark.parametrize(
    ("filename", "body"),
    [
        pytest.param("content", SECRET.encode(), id="launched"),
        pytest.param("lines", SECRET.encode(), id="value of another type"),
        pytest.param("sum(content)", SECRET.encode(), id="expression fails"),
        pytest.param("join(',', content)", as_json([1, SECRET]), id="expression fails inside a list"),
        pytest.param("length(content.a)", as_json({"a": SECRET}), id="short of nothing"),
        pytest.param("content.a < `3` && content.b", as_json({"a": SECRET}), id="comparison fails"),
        pytest.param("content", SECRET.encode() + b"\xff", id="not text"),
        pytest.param("content", SECRET.encode() * 10, id="too large"),
    ],
)
def test_the_log_holds_neither_the_content_of_the_file_nor_a_token(world: World, filename: Any, body: bytes) -> None:
    """``World.handle`` searches every line of every test here; these are the outcomes that could show something."""
    world.handle(world.launcher(filename), world.upload(body))
    [log] = world.logs
    assert len(json.dumps(log)) < 1500


# --- anything at all -----------------------------------------------------------------------------------------------

DELIVERIES = 1500
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    "",
    "x",
    "\ud800",
    "%",
    "gs://",
    [],
    [[]],
    {},
    {"a": 1},
    "9" * 5000,
)


def mangled(chance: random.Random) -> Delivery:
    """A delivery with something wrong somewhere: in the object, the message, the headers or the bytes."""
    resource: dict[str, Any] = {**OBJECT, "generation": str(chance.randrange(10**15))}
    if chance.random() < 0.6:
        resource[chance.choice(list(resource))] = chance.choice(JUNK)
    headers, body = chance.choice(WRAPPINGS)(resource, str(chance.randrange(10**9)))
    if chance.random() < 0.3:
        document = json.loads(body)
        document[chance.choice(list(document))] = chance.choice(JUNK)
        body = json.dumps(document).encode()
    if chance.random() < 0.3:
        at = chance.randrange(len(body))
        body = body[:at] + chance.randbytes(chance.randrange(4)) + body[at + chance.randrange(9) :]
    if chance.random() < 0.1:
        headers = {**headers, chance.choice(["ce-type", "content-type", "traceparent"]): str(chance.choice(JUNK))}
    return headers, body


def test_whatever_is_delivered_is_answered_200_or_503_and_logged_once_without_a_traceback(world: World) -> None:
    chance, launcher = random.Random(1), world.launcher()
    with ThreadPoolExecutor(4) as pool:
        handled = list(
            pool.map(lambda delivery: launcher.handle(*delivery), [mangled(chance) for _ in range(DELIVERIES)])
        )
    logs = [json.loads(line) for line in world.capsys.readouterr().out.splitlines()]
    assert len(logs) == DELIVERIES
    assert not [log for log in logs if "stack_trace" in log]
    assert {delivery.status for delivery in handled} == {200}
    outcomes = Counter(delivery.outcome for delivery in handled)
    assert outcomes[Outcome.LAUNCHED] > 300, "else all were refused at the door"
    assert outcomes[Outcome.REJECTED] > 300
    assert len(set(world.started)) == len(world.started) == outcomes[Outcome.LAUNCHED]

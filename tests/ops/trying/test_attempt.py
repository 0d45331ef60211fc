"""What `try` says of an event is what the launcher makes of it: outcome, reason, parameters, key and request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.glob import Glob
from function_src.launcher.settings import VertexTarget
from function_src.launcher.sources import GcsSource, LogSource, PubSubSource, ScheduleSource
from ops.errors import OperationError
from ops.trying.attempt import Attempt, try_event
from ops.trying.given import Given, content_of
from ops.trying.planned import PlannedTrigger
from tests.launcher.deliveries import (
    OBJECT,
    TRIGGER_ID,
    as_json,
    binary_storage_event,
    message,
    push,
    structured_push,
)
from tests.launcher.world import BUCKET, World

ENTRY = {
    "logName": "projects/p/logs/l",
    "timestamp": "2126-11-22T10:00:00Z",
    "insertId": "1",
    "jsonPayload": {"a": "b"},
}
VERTEX = VertexTarget("https://europe-west4-aiplatform.googleapis.com", "p", "europe-west4", "gs://runs/x", "r@p", {})


def planned(launcher: Launcher) -> PlannedTrigger:
    """The trigger of a launcher, with nothing before it."""
    return PlannedTrigger(
        "echo",
        launcher._trigger,
        launcher._package,
        None,
        own_bucket=False,
        subscription_filter="",
        notification=None,
        sink=None,
        job=None,
    )


@pytest.mark.parametrize(
    ("filename", "changes", "name", "body"),
    [
        pytest.param("object.uri", {}, "incoming/a.csv", b"x", id="launched"),
        pytest.param("content.file", {}, "incoming/a.json", b'{"file": "a"}', id="by what stands in it"),
        pytest.param("rows[0].file", {}, "incoming/a.csv", b"file,size\na,1\n", id="by a row"),
        pytest.param({"from": "content.file", "default": "x"}, {}, "incoming/a.json", b"{}", id="by a default"),
        pytest.param({"value": "x"}, {}, "incoming/a.json", b"{}", id="by a value"),
        pytest.param(
            "object.uri", {"source": GcsSource(BUCKET, "", Glob("*.csv"))}, "incoming/a.csv", b"", id="glob"
        ),
        pytest.param("object.uri", {}, "other/a.csv", b"", id="of another place"),
        pytest.param("object.uri", {}, "incoming/x.tmp", b"x", id="of a tool"),
        pytest.param(
            "object.uri", {"when": read_condition("content.ready")}, "incoming/a", b'{"ready": false}', id="when"
        ),
        pytest.param(
            "object.uri", {"when": read_condition("content.ready")}, "incoming/a", b'{"ready": 1}', id="no truth"
        ),
        pytest.param(
            "object.uri", {"when": read_condition("content.ready")}, "incoming/a", b'{"ready"', id="half-written"
        ),
        pytest.param("content.file", {}, "incoming/a.json", b"{}", id="no value"),
        pytest.param("content", {}, "incoming/a.json", b"[]", id="another type"),
        pytest.param("content", {}, "incoming/a", b"\xff\xfa", id="no text"),
        pytest.param("content", {}, "incoming/a", b"x" * 1001, id="too large"),
        pytest.param("content", {}, "incoming/a", b"{{$.x}}", id="would be expanded"),
        pytest.param("content", {}, "incoming/a", b"x\0y", id="not to be stored"),
        pytest.param("rows[0].file", {}, "incoming/a", b"file\n1,2\n", id="a damaged table"),
    ],
)
def test_of_a_file_it_says_what_the_launcher_does(
    world: World, filename: Any, changes: Mapping[str, Any], name: str, body: bytes
) -> None:
    launcher = world.launcher(filename, **changes)
    headers, delivery = world.upload(body, name)
    attempt = try_event(planned(launcher), Given(delivery, headers, content_of(body)))
    agrees(world, launcher, (headers, delivery), attempt)


@pytest.mark.parametrize(
    ("source", "filename", "delivery"),
    [
        (PubSubSource(TRIGGER_ID), "content.uri", ({}, as_json(message(b'{"uri": "gs://a/b"}', "7")))),
        (PubSubSource(TRIGGER_ID), "content.uri", ({}, as_json(message(b"text", "7")))),
        (PubSubSource(TRIGGER_ID), "content", ({}, as_json(message(b"\xff", "7")))),
        (PubSubSource(TRIGGER_ID), "message.id", ({}, as_json(message(b"", "")))),
        (LogSource(), "log.jsonPayload.a", ({}, as_json(message(as_json(ENTRY))))),
        (LogSource(), "log.jsonPayload.a", ({}, as_json(message(b"{}")))),
        (ScheduleSource(), "event.time", ({}, as_json(message(b"")))),
        (GcsSource("acme-incoming", "incoming/"), "object.uri", structured_push(OBJECT)),
        (GcsSource("acme-incoming", "incoming/"), "object.uri", binary_storage_event(OBJECT)),
        (GcsSource("acme-incoming", "incoming/"), "object.uri", push({**OBJECT, "generation": "x"})),
        (GcsSource("acme-incoming", "incoming/"), "object.uri", ({}, b"")),
        (GcsSource("acme-incoming", "incoming/"), "object.uri", ({}, b"{")),
    ],
)
def test_of_a_delivery_it_says_what_the_launcher_does(
    world: World, source: Any, filename: str, delivery: Any
) -> None:
    launcher = world.launcher(filename, source=source)
    agrees(world, launcher, delivery, try_event(planned(launcher), Given(delivery[1], delivery[0])))


def agrees(world: World, launcher: Launcher, delivery: Any, attempt: Attempt) -> None:
    handled = world.handle(launcher, delivery)
    assert (attempt.outcome, attempt.reason or None) == (handled.outcome, handled.reason)
    assert attempt.sent == handled.parameters or handled.outcome == "rejected"
    if handled.outcome == "launched":
        assert attempt.run["id"] == handled.run_id
        assert attempt.run["key"] == handled.key
        assert attempt.run["url"] == handled.run_url
        [posted] = [
            json.loads(seen.body)
            for seen in world.wire.seen
            if (seen.method, seen.path) == ("POST", "/apis/v2beta1/runs")
        ]
        tried = dict(attempt.request["json"])
        tried["experiment_id"] = posted["experiment_id"]
        assert tried == posted
    else:
        assert attempt.request == {}


def test_all_that_is_wrong_with_parameters_is_said_at_once(world: World) -> None:
    launcher = world.launcher("content.file")
    package = launcher._package
    inputs = {**package.inputs, "rows": package.inputs["filename"]}
    trigger = planned(launcher)
    both = PlannedTrigger(**{**vars(trigger), "package": type(package)(**{**vars(package), "inputs": inputs})})
    headers, delivery = world.upload(b"{}")
    attempt = try_event(both, Given(delivery, headers, content_of(b"{}")))
    assert attempt.reason == (
        "the event gives no value for parameter 'filename', which the pipeline requires; "
        "the event gives no value for parameter 'rows', which the pipeline requires"
    )
    assert [mapped.name for mapped in attempt.parameters if mapped.problem] == ["filename", "rows"]


def test_where_a_value_comes_from_is_said(world: World) -> None:
    def source_of(filename: Any, body: bytes = b"{}") -> str:
        headers, delivery = world.upload(body)
        attempt = try_event(planned(world.launcher(filename)), Given(delivery, headers, content_of(body)))
        return attempt.parameters[0].comes_from

    assert source_of("object.uri") == "object.uri"
    assert source_of({"value": "x"}) == "the stack file's value"
    assert source_of({"from": "content.file", "default": "x"}) == "the default, for content.file gives nothing"
    assert source_of({"from": "content.file", "default": "x"}, b'{"file": "a"}') == "content.file"


def test_a_file_that_nobody_gave_is_asked_for(world: World) -> None:
    headers, delivery = world.upload()
    with pytest.raises(OperationError, match=r"trigger echo reads what stands in its files; give that with --file"):
        try_event(planned(world.launcher("content")), Given(delivery, headers))


def test_the_bucket_that_a_stack_makes_may_have_any_name(world: World) -> None:
    trigger = planned(world.launcher(source=GcsSource("stands-for-it", "incoming/")))
    headers, delivery = world.upload()
    assert try_event(trigger, Given(delivery, headers)).outcome == "rejected"
    own = PlannedTrigger(**{**vars(trigger), "own_bucket": True})
    assert try_event(own, Given(delivery, headers)).outcome == "launched"


def test_a_job_of_vertex_ai_is_shown_as_it_would_be_asked_for(world: World) -> None:
    headers, delivery = world.upload()
    attempt = try_event(planned(world.launcher(target=VERTEX)), Given(delivery, headers))
    assert attempt.request["params"] == {"pipelineJobId": attempt.run["id"]}
    assert attempt.request["url"].endswith("/v1/projects/p/locations/europe-west4/pipelineJobs")
    assert attempt.request["json"]["runtimeConfig"]["parameterValues"] == attempt.sent


def test_nothing_is_sent(world: World, tmp_path: Path) -> None:
    headers, delivery = world.upload()
    seen = len(world.wire.seen), len(world.storage_wire.seen)
    try_event(planned(world.launcher("content")), Given(delivery, headers, content_of(b"a")))
    assert (len(world.wire.seen), len(world.storage_wire.seen)) == seen

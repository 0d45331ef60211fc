"""Whatever a service answers, an event has one of the five outcomes, and what is odd is said to be that."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from function_src.launcher.delivery import Delivery as Handled
from function_src.launcher.delivery import Outcome
from function_src.launcher.http import Api, Response
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.package import read_package
from function_src.launcher.settings import Cluster, KfpTarget, Target, Trigger, VertexTarget
from function_src.launcher.sources import GcsSource
from tests.launcher.deliveries import TRIGGER_ID, push
from tests.launcher.world import BUCKET, PACKAGE, RUN_ID

# What the services answer where all is well, and where it is not: each may come with any status, from any service,
# whole or not.
CLAIM = {
    "generation": "1",
    "updated": "2026-01-01T00:00:00Z",
    "timeCreated": "2026-01-01T00:00:00.000Z",
    "metadata": {"holder": "x", "attempt": "1", "posts": "1", "event": "e", "first": "2026-01-01T00:00:00Z"},
}
DOCUMENTED: list[Any] = [
    CLAIM,
    {**CLAIM, "metadata": {**CLAIM["metadata"], "posts": "0"}},  # type: ignore[dict-item]  # a copy of it
    {"outcome": "launched", "run_id": RUN_ID, "event": "e"},
    {"run_id": RUN_ID},
    {"experiments": [{"experiment_id": "1", "display_name": "gcs-triggered"}]},
    {"experiment_id": "1"},
    {"code": 5, "message": "no such run", "error": "no such run"},
    {"code": 3, "message": "invalid", "error": "invalid"},
    {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such job"}},
    {"name": f"projects/1/locations/l/pipelineJobs/{RUN_ID}"},
    {"items": [{"metadata": {"name": "w", "labels": {"workflows.argoproj.io/completed": "true"}}}]},
    {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"},
    {"accessToken": "t", "expireTime": "2030-01-01T00:00:00Z"},
    {},
]
# What the metadata server says of a token.
TOKEN = b'{"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}'
GENUINE = {"Metadata-Flavor": "Google"}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=5,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A documented answer, with a value in it replaced or left out, cut off, or none at all."""
    found = json.loads(json.dumps(draw(st.sampled_from(DOCUMENTED))))
    inside = found
    while isinstance(inside, dict) and inside and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(inside)))
        match draw(st.sampled_from(["deeper", "odd", "gone"])):
            case "deeper":
                inside = inside[key]
            case "odd":
                inside[key] = draw(ODD)
            case "gone":
                del inside[key]
    text = json.dumps(draw(st.just(found) | ODD)).encode()
    whole = draw(st.just(text) | st.binary(max_size=20) | st.just(b"[" * 100_000) | st.just(b"<html>no</html>"))
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


STATUSES = st.sampled_from([200, 200, 200, 204, 206, 302, 400, 401, 403, 404, 409, 412, 413, 429, 500, 503, 599])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Date": st.sampled_from(["Thu, 01 Jan 2026 00:10:00 GMT", "yesterday", ""]),
        "Content-Type": st.sampled_from(["application/json", "text/html; charset=nope", ""]),
        "X-Goog-IAP-Generated-Response": st.just("true"),
    },
)
OBJECT = {"bucket": BUCKET, "name": "incoming/orders.json", "generation": "1", "timeCreated": "2026-01-01T00:00:00Z"}
VERTEX = VertexTarget("http://localhost", "acme", "l", "gs://out", "runner@acme.iam.gserviceaccount.com", {})
KFP = KfpTarget("http://localhost", "access-token", "gcs-triggered")
TARGETS: list[Target] = [
    KFP,
    VERTEX,
    replace(KFP, impersonate="kfp@acme.iam.gserviceaccount.com"),
    replace(KFP, workflows=Cluster("http://localhost", "kubeflow")),
]


def response(status: int, body: bytes, headers: Mapping[str, str], sent: str = "") -> Response:
    return Response(HTTPResponse(io.BytesIO(body), headers, status, preload_content=False), sent)


def well(method: str, path: str, seen: set[str]) -> Response:
    """What the services answer to an event that somebody claimed before, and died."""
    date = {"Date": "Thu, 01 Jan 2026 00:10:00 GMT"}
    if "/storage/" in path and method == "POST":
        first = "claimed" not in seen
        seen.add("claimed")
        return response(412 if first else 200, json.dumps(CLAIM).encode(), date)
    if "/o/outcomes" in path or "/v2beta1/runs/" in path or "/pipelineJobs/" in path:
        body = {"code": 5, "message": "no", "error": {"code": 404, "status": "NOT_FOUND", "message": "no"}}
        return response(404, json.dumps(body).encode(), date)
    if "/storage/" in path:
        return response(200, json.dumps(CLAIM).encode(), date)
    return response(
        200, json.dumps({"experiments": [{"experiment_id": "1"}], "run_id": "r", "items": []}).encode(), {}
    )


@pytest.mark.parametrize("target", TARGETS, ids=["kfp", "vertex", "impersonating", "looking"])
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_answer_of_any_service_is_an_internal_error(target: Target, data: st.DataObject) -> None:
    answers, seen = st.tuples(STATUSES, bodies(), HEADERS), set[str]()
    if data.draw(st.booleans(), "for the first time"):
        seen.add("claimed")
    odd = data.draw(st.sampled_from(["ledger", "target", "target", "metadata", "all"]), "who answers oddly")

    def send(api: Api, method: str, path: str, options: Any, token: str = "") -> Response:
        service = "ledger" if "/storage/" in path else "target"
        service = "metadata" if "/computeMetadata/" in path else service
        if odd == "all" or (odd == service and data.draw(st.booleans(), "oddly")):
            status, body, headers = data.draw(answers, f"{method} {path}")
            return response(status, body, headers | GENUINE)
        return response(200, TOKEN, GENUINE) if service == "metadata" else well(method, path, seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "_send", send)
        patch.setattr("time.sleep", lambda _: None)
        patch.setattr(Handled, "log", lambda *_: None)
        done = launcher(target).handle(*push(OBJECT))
    assert not str(done.reason).startswith("internal error"), done.stack
    assert done.outcome in Outcome


def launcher(target: Target) -> Launcher:
    """One that reads the file too, and keeps its records where everybody answers oddly."""
    content = read_parameter("filename", "to_string(content)")
    trigger = Trigger(TRIGGER_ID, GcsSource(BUCKET, "incoming/"), {"filename": content}, 1000, "ledger", 60.0, target)
    return Launcher(trigger, read_package(PACKAGE))

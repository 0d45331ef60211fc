"""A job is asked for as Vertex AI wants it, and what its answer means for the job is known or known to be unknown."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from function_src.launcher.credentials import AccessTokens
from function_src.launcher.http import Api
from function_src.launcher.package import read_package
from function_src.launcher.run import ExistsError, RefusedError, Run, UnavailableError, UnknownError
from function_src.launcher.settings import VertexTarget
from function_src.launcher.vertex import Endpoint
from rehearsal.google.errors import google_error
from rehearsal.vertex import JOB_ID, LABEL, VertexEndpoint
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, HangUp, Identity
from tests.launcher.deliveries import as_json
from tests.launcher.wire import Wire, page, shown

RUNNER = "runner@acme-ml-dev.iam.gserviceaccount.com"
KEY = "0123456789abcdef0123456789abcdef"
JOB = f"echo-{KEY}"
JOBS = "/v1/projects/acme-ml-dev/locations/europe-west4/pipelineJobs"
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "echo"},
    "root": {"inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}}},
    "schemaVersion": "2.1.0",
}
URI = "gs://b/incoming/a.csv"
RUN = Run(JOB, "acme-ml-dev/dev/echo", f"{URI}#7", "a.csv", KEY, read_package(as_json(SPEC)), {"text": URI})
TARGET = VertexTarget("", "acme-ml-dev", "europe-west4", "gs://acme-runs/out", RUNNER, {"stack": "dev"})


@dataclass
class Jobs:
    """Vertex AI behind a wire, as seen by the launcher."""

    server: VertexEndpoint
    wire: Wire
    url: str

    def client(self, **changes: Any) -> Endpoint:
        target = replace(TARGET, api_endpoint=self.url, **changes)
        return Endpoint(Api(self.url, AccessTokens(), TIMEOUT), target, "echo")


@pytest.fixture
def jobs(serve: Serve, identity: Identity) -> Jobs:
    server = VertexEndpoint("europe-west4", identity.tokens.principal, lambda *_: True, lambda *_: True)
    wire = Wire(server.app)
    return Jobs(server, wire, serve(wire))


def test_a_job_is_started_as_it_was_asked_for(jobs: Jobs) -> None:
    assert jobs.client().start(RUN) == JOB
    [seen] = jobs.wire.seen
    assert (seen.method, seen.path, seen.query) == ("POST", JOBS, {"pipelineJobId": JOB})
    assert json.loads(seen.body) == {
        "displayName": "echo-a.csv-01234567",
        "pipelineSpec": SPEC,
        "labels": {
            "stack": "dev",
            "trigger": "acme-ml-dev-dev-echo",
            "launch-key": KEY,
            "package": RUN.package.digest.removeprefix("sha256:")[:63],
        },
        "runtimeConfig": {"gcsOutputDirectory": "gs://acme-runs/out", "parameterValues": {"text": URI}},
        "serviceAccount": RUNNER,
    }


def test_a_network_and_a_key_go_along_where_they_are_set(jobs: Jobs) -> None:
    network = "projects/123456789012/global/networks/acme"
    key = "projects/acme/locations/europe-west4/keyRings/r/cryptoKeys/k"
    jobs.client(network=network, cmek_key=key).start(RUN)
    body = json.loads(jobs.wire.seen[0].body)
    assert (body["network"], body["encryptionSpec"]) == (network, {"kmsKeyName": key})


def test_a_package_with_a_platform_spec_goes_without_it(jobs: Jobs) -> None:
    """It configures Kubernetes, and Vertex AI would refuse it."""
    both = read_package(as_json({"pipeline_spec": SPEC, "platform_spec": {"platforms": {}}}))
    jobs.client().start(replace(RUN, package=both))
    assert jobs.server.workflows[0].package == SPEC


def test_a_package_of_an_older_schema_gets_parameters_that_say_their_types(jobs: Jobs) -> None:
    inputs = {
        "text": {"type": "STRING"},
        "rows": {"type": "INT"},
        "share": {"type": "DOUBLE"},
    }
    spec = {**SPEC, "schemaVersion": "2.0.0", "root": {"inputDefinitions": {"parameters": inputs}}}
    older = read_package(json.dumps(spec).encode())
    jobs.client().start(replace(RUN, package=older, parameters={"text": "a", "rows": 3, "share": 0.5}))
    assert json.loads(jobs.wire.seen[0].body)["runtimeConfig"]["parameters"] == {
        "text": {"stringValue": "a"},
        "rows": {"intValue": 3},
        "share": {"doubleValue": 0.5},
    }


def test_the_id_of_an_event_s_job_never_changes() -> None:
    """The literal is the promise: with another id, what was launched before would be launched again."""
    client = Endpoint(Api("http://127.0.0.1:1", None, TIMEOUT), TARGET, "new-orders")
    assert client.run_id(KEY) == f"new-orders-{KEY}"
    assert JOB_ID.fullmatch(client.run_id(KEY))
    assert JOB_ID.fullmatch(Endpoint(Api("http://127.0.0.1:1", None, TIMEOUT), TARGET, "x" * 30).run_id(KEY))


@pytest.mark.parametrize("trigger", ["example.com:acme/dev/echo", f"{'p' * 40}/{'s' * 30}/{'t' * 30}"])
def test_lineage_fits_into_labels(jobs: Jobs, trigger: str) -> None:
    jobs.client().start(replace(RUN, trigger=trigger))
    labels = json.loads(jobs.wire.seen[0].body)["labels"]
    assert all(LABEL.fullmatch(text) and len(text) < 64 for text in (*labels, *labels.values()))


def test_a_job_that_was_started_is_there_and_another_is_not(jobs: Jobs) -> None:
    client = jobs.client()
    assert not client.has_run(JOB)
    client.start(RUN)
    assert client.has_run(JOB)
    assert not client.has_run("echo-other")


def test_a_job_has_a_page(jobs: Jobs) -> None:
    assert jobs.client().run_url(JOB) == (
        f"https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/{JOB}?project=acme-ml-dev"
    )


def test_a_second_start_of_an_id_starts_nothing_and_says_so(jobs: Jobs) -> None:
    jobs.client().start(RUN)
    with pytest.raises(ExistsError, match="already exists"):
        jobs.client().start(RUN)
    assert len(jobs.server.workflows) == 1


def aborted() -> Response:
    return JSONResponse({"error": {"code": 409, "status": "ABORTED", "message": "conflict"}}, 409)


def precondition() -> Response:
    return JSONResponse({"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "no quota yet"}}, 400)


def internal() -> Response:
    return JSONResponse({"error": {"code": 500, "status": "INTERNAL", "message": "oops"}}, 500)


MEANINGS: list[tuple[Response | None, type[Exception], str]] = [
    (google_error(400, "bad parameter"), RefusedError, "answered 400: bad parameter"),
    (precondition(), UnavailableError, "answered 400: no quota yet"),
    (page(400), UnavailableError, "answered 400: a page: 400"),
    (google_error(401, "who?"), UnavailableError, "answered 401: who?"),
    (google_error(403, "may not act as"), UnavailableError, "403: may not act as; the function's identity needs"),
    (page(403), UnavailableError, "answered 403: a page: 403; the function"),
    (google_error(404, "no location"), UnavailableError, "answered 404: no location"),
    (page(404), UnavailableError, "answered 404: a page: 404"),
    (aborted(), UnknownError, "answered 409: conflict"),
    (google_error(429, "quota"), UnavailableError, "answered 429: quota"),
    (internal(), UnknownError, "answered 500: oops"),
    (page(502), UnknownError, "answered 502: a page: 502"),
    (google_error(503, "later"), UnknownError, "answered 503: later"),
    (page(504), UnknownError, "answered 504: a page: 504"),
    (page(302), UnavailableError, "answered 302: it leads to nowhere"),
    (page(200), UnknownError, "answered 200: a page: 200"),
    (JSONResponse({}), UnknownError, "answered 200 with no reason"),
    (JSONResponse([]), UnknownError, "answered 200 with no reason"),
    (JSONResponse({"name": "projects/1/locations/x/pipelineJobs/other"}), UnknownError, "answered 200"),
    (None, UnknownError, "ProtocolError at http"),
]


@pytest.mark.parametrize(("answer", "error", "message"), MEANINGS, ids=[shown(row[0]) for row in MEANINGS])
def test_what_the_answer_to_a_start_means(
    jobs: Jobs, answer: Response | None, error: type[Exception], message: str
) -> None:
    sent = jobs.wire.fail_for_good("POST", JOBS, answer)
    with pytest.raises((ExistsError, RefusedError, UnavailableError, UnknownError)) as failure:
        jobs.client().start(RUN)
    assert type(failure.value) is error
    assert message in str(failure.value)
    assert jobs.wire.count("POST") == sent
    assert jobs.server.workflows == []


def test_a_start_whose_connection_drops_may_have_started_a_job(identity: Identity, hang_up: HangUp) -> None:
    client = Endpoint(Api(hang_up.host, AccessTokens(), TIMEOUT), TARGET, "echo")
    with pytest.raises(UnknownError, match=r"^ProtocolError at "):
        client.start(RUN)
    assert len(hang_up.heads) == 1


@pytest.mark.parametrize(
    "answer",
    [
        *(page(status) for status in (200, 302, 401, 403, 404, 429, 500, 503)),
        *(google_error(status, "no") for status in (400, 401, 403, 429, 503)),
        JSONResponse({}),
        JSONResponse({"name": f"projects/1/locations/x/pipelineJobs/x{JOB}"}),
        None,
    ],
    ids=shown,
)
def test_only_a_clear_answer_says_whether_a_job_exists(jobs: Jobs, answer: Response | None) -> None:
    client = jobs.client()
    client.start(RUN)
    jobs.wire.fail_for_good("GET", f"{JOBS}/{JOB}", answer)
    with pytest.raises(UnavailableError):
        client.has_run(JOB)

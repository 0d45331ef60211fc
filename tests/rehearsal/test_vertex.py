"""The stand-in for Vertex AI takes a job's id once, asks who may, and is as strict as the API."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from infra.package.packaging import compile_pipeline
from rehearsal.google.metadata import Tokens
from rehearsal.loopback import Loopback
from rehearsal.runs.executor import RunExecutor
from rehearsal.vertex import VertexEndpoint

LAUNCHER, RUNNER = "launcher@acme.iam.gserviceaccount.com", "runner@acme.iam.gserviceaccount.com"
JOBS = "/v1/projects/acme/locations/europe-west4/pipelineJobs"
JOB = "echo-0123456789abcdef"
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "echo"},
    "root": {"inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}}},
    "schemaVersion": "2.1.0",
}
BODY: dict[str, Any] = {
    "displayName": "echo-a.csv",
    "pipelineSpec": SPEC,
    "runtimeConfig": {"gcsOutputDirectory": "gs://acme-runs/out", "parameterValues": {"text": "hello"}},
    "serviceAccount": RUNNER,
}


@dataclass
class Api:
    """A stand-in that is being served, and who may do what."""

    server: VertexEndpoint
    url: str
    tokens: Tokens
    grants: set[tuple[str, str]] = field(default_factory=set)

    def create(self, body: Any = BODY, job: str = JOB, token: str = "") -> requests.Response:
        return self.send("POST", JOBS, token, params={"pipelineJobId": job}, json=body)

    def send(self, method: str, path: str, token: str = "", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.tokens.issue(LAUNCHER, 3600)}"}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)


@pytest.fixture
def api(loopback: Loopback) -> Api:
    tokens, grants = Tokens(), {(LAUNCHER, "acme"), (LAUNCHER, RUNNER)}

    def granted(caller: str, on: str) -> bool:
        return (caller, on) in grants

    server = VertexEndpoint("europe-west4", tokens.principal, granted, granted)
    return Api(server, loopback.serve(server.app), tokens, grants)


def error(response: requests.Response) -> tuple[int, str, str]:
    body = response.json()["error"]
    assert body["code"] == response.status_code
    return response.status_code, body["status"], body["message"]


def test_a_job_is_what_was_asked_for_and_runs_at_once(api: Api) -> None:
    made = api.create().json()
    assert made["name"] == f"projects/123456789012/locations/europe-west4/pipelineJobs/{JOB}"
    assert made["state"] == "PIPELINE_STATE_PENDING"
    assert made.items() >= BODY.items()
    [workflow] = api.server.workflows
    assert (workflow.run_id, workflow.caller, workflow.parameters) == (JOB, LAUNCHER, {"text": "hello"})
    assert api.send("GET", f"{JOBS}/{JOB}").json() == made


def test_an_id_is_taken_once_whoever_asks_and_however_many_at_once(api: Api) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: api.create(), range(32)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 31
    refused = next(answer for answer in answers if not answer.ok)
    assert error(refused) == (409, "ALREADY_EXISTS", "Pipeline job with the specified ID already exists.")
    assert len(api.server.workflows) == 1


def test_a_job_is_executed(loopback: Loopback) -> None:
    tokens = Tokens()
    server = VertexEndpoint("europe-west4", tokens.principal, lambda *_: True, lambda *_: True, RunExecutor())
    api = Api(server, loopback.serve(server.app), tokens)
    _, text = compile_pipeline("echo")
    runtime = {**BODY["runtimeConfig"], "parameterValues": {"filename": "gs://b/a.csv"}}
    assert api.create({**BODY, "pipelineSpec": json.loads(text), "runtimeConfig": runtime}).ok
    loopback.run(server.finished(JOB))
    assert api.send("GET", f"{JOBS}/{JOB}").json()["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert server.outputs(JOB)["echo"] == {"Output": "gs://b/a.csv"}


def test_jobs_are_listed_with_the_newest_first_and_by_project(api: Api) -> None:
    api.grants.add((LAUNCHER, "other"))
    for job in ("a", "b", "c"):
        api.create(job=job)
    first = api.send("GET", JOBS, params={"pageSize": "2"}).json()
    rest = api.send("GET", JOBS, params={"pageSize": "2", "pageToken": first["nextPageToken"]}).json()
    names = [job["name"].rpartition("/")[2] for job in (*first["pipelineJobs"], *rest["pipelineJobs"])]
    assert (names, "nextPageToken" in rest) == (["c", "b", "a"], False)
    assert api.send("GET", JOBS.replace("acme", "other")).json() == {"pipelineJobs": []}
    assert api.send("GET", JOBS.replace("acme", "other") + "/a").status_code == 404


def test_whoever_is_not_granted_it_creates_no_job(api: Api) -> None:
    assert error(api.create(token="nobody's"))[:2] == (401, "UNAUTHENTICATED")
    api.grants.remove((LAUNCHER, RUNNER))
    assert error(api.create()) == (
        403,
        "PERMISSION_DENIED",
        f"You do not have permission to act as service_account: {RUNNER}.",
    )
    api.grants.remove((LAUNCHER, "acme"))
    status, name, message = error(api.create())
    assert (status, name) == (403, "PERMISSION_DENIED")
    assert message.startswith("Permission 'aiplatform.pipelineJobs.create' denied on resource")
    assert api.server.workflows == []


def test_a_job_without_an_account_runs_as_the_default_one(api: Api) -> None:
    body = {name: value for name, value in BODY.items() if name != "serviceAccount"}
    assert "-compute@developer.gserviceaccount.com" in error(api.create(body))[2]


def test_it_can_be_out_of_order_and_out_of_quota(api: Api) -> None:
    api.server.throttled = True
    assert error(api.create())[:2] == (429, "RESOURCE_EXHAUSTED")
    api.server.outage = True
    assert error(api.create())[:2] == (503, "UNAVAILABLE")
    api.server.outage = api.server.throttled = False
    assert api.create().ok


def test_a_job_that_is_not_there_is_not_found(api: Api) -> None:
    assert error(api.send("GET", f"{JOBS}/nope"))[:2] == (404, "NOT_FOUND")


def test_another_location_is_not_served(api: Api) -> None:
    assert error(api.send("GET", JOBS.replace("europe-west4", "us-central1")))[0] == 400


def changed(path: str, value: Any) -> Callable[[], Any]:
    """The body with another value at a path such as ``runtimeConfig.parameters``."""

    def body() -> Any:
        made = copy.deepcopy(BODY)
        *parents, last = path.split(".")
        block = made
        for parent in parents:
            block = block[parent]
        block[last] = value
        return made

    return body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (list, "Invalid JSON payload"),
        (changed("pipeline", {}), 'Unknown name "pipeline": Cannot find field'),
        (changed("runtimeConfig.pipelineRoot", "gs://x"), "Unknown name \"pipelineRoot\" at 'runtime_config'"),
        (changed("displayName", "x" * 129), "display_name"),
        (changed("runtimeConfig.gcsOutputDirectory", "/tmp"), "gcs_output_directory must be a gs:// URI"),
        (changed("runtimeConfig", {}), "gcs_output_directory"),
        (changed("pipelineSpec", {}), "no root"),
        (changed("labels", {"Team": "x"}), "'Team' is no key or value"),
        (changed("labels", {"team": "a b"}), "'a b' is no key or value"),
        (changed("labels", {"team": "x" * 65}), "is no key or value"),
        (changed("labels", {"vertex-ai-pipelines-run-billing-id": "1"}), "is reserved"),
        (changed("network", "projects/acme/global/networks/n"), "the project's number is needed"),
        (
            changed("encryptionSpec", {"kmsKeyName": "projects/p/locations/us/keyRings/r/cryptoKeys/k"}),
            "is not in europe-west4",
        ),
        (changed("runtimeConfig.parameterValues", {}), "text is not optional"),
        (changed("runtimeConfig.parameterValues", {"text": 1}), "requires type string"),
        (changed("runtimeConfig.parameterValues", {"text": "a", "x": 1}), "not required by pipeline: x"),
        (changed("runtimeConfig.parameters", {"text": {"stringValue": "a"}}), "for schema versions up to 2.0.0"),
    ],
)
def test_what_the_api_does_not_take_is_refused(api: Api, body: Callable[[], Any], reason: str) -> None:
    status, name, message = error(api.create(body()))
    assert (status, name) == (400, "INVALID_ARGUMENT")
    assert reason in message
    assert api.server.workflows == []


@pytest.mark.parametrize("job", ["", "Echo", "1echo", "echo_1", "e" * 129])
def test_an_id_is_lower_case_and_short(api: Api, job: str) -> None:
    assert "must match" in error(api.create(job=job))[2]


def test_a_package_of_an_older_schema_takes_typed_parameters(api: Api) -> None:
    spec = {**SPEC, "schemaVersion": "2.0.0", "root": {"inputDefinitions": {"parameters": {"rows": {"type": "INT"}}}}}
    runtime = {"gcsOutputDirectory": "gs://acme-runs/out"}

    def create(**parameters: Any) -> requests.Response:
        return api.create({**BODY, "pipelineSpec": spec, "runtimeConfig": {**runtime, **parameters}})

    assert create(parameterValues={"rows": 3}).status_code == 400
    assert create(parameters={"rows": {"stringValue": "3"}}).status_code == 400
    assert create(parameters={"rows": {"intValue": "3"}}).ok

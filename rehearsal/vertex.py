"""Vertex AI Pipelines: the REST API of pipeline jobs, of one location.

What a client relies on and what it meets is kept: a job's id is taken once, so a second create of it is a 409 and
starts nothing; who creates a job must have the permission, and act as the account that it runs as; and the API is
strict about what it is sent. Not kept: filters of the list, cancelling, and the executor's own schema versions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.google.errors import bearer, google_error
from rehearsal.kfp.requests import INTERNAL, ApiError, Fields, check_parameters
from rehearsal.kfp.runs import NEVER, Run, RunBook, Workflow
from rehearsal.program import PROJECT_NUMBER
from rehearsal.runs.executor import RunExecutor

JOBS = "/v1/projects/{project}/locations/{location}/pipelineJobs"
JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
LABEL = re.compile(r"[a-z0-9_-]{0,64}")
OUTPUT = re.compile(r"gs://[a-z0-9][a-z0-9._-]+(/.*)?")
KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
NETWORK = re.compile(r"projects/[0-9]+/global/networks/[^/]+")
RESERVED_LABEL = "vertex-ai-pipelines-run-billing-id"
LONGEST_NAME = 128
FIELDS = {
    *(
        "name",
        "displayName",
        "pipelineSpec",
        "labels",
        "runtimeConfig",
        "encryptionSpec",
        "serviceAccount",
        "network",
    ),
    *("reservedIpRanges", "pscInterfaceConfig", "templateUri", "preflightValidations"),
}
RUNTIME_FIELDS = {
    *("gcsOutputDirectory", "parameterValues", "parameters", "failurePolicy", "inputArtifacts", "defaultRuntime"),
}
TYPED = {"INT": "intValue", "DOUBLE": "doubleValue", "STRING": "stringValue"}


class VertexEndpoint(RunBook):
    """Pipeline jobs of one location. ``principal`` says whose token one is.

    ``may_create`` says of a caller and a project whether the one has the permission to create jobs there,
    ``may_act_as`` of a caller and an account whether the one may act as the other. While ``throttled`` is set every
    request is answered with 429.
    """

    def __init__(
        self,
        location: str,
        principal: Callable[[str], str | None],
        may_create: Callable[[str, str], bool],
        may_act_as: Callable[[str, str], bool],
        execute: RunExecutor | None = None,
    ) -> None:
        super().__init__(execute)
        self.throttled = False
        self._location = location
        self._principal = principal
        self._may_create, self._may_act_as = may_create, may_act_as
        self.app = Starlette(
            routes=[
                Route(JOBS, self._create, methods=["POST"]),
                Route(JOBS, self._list, methods=["GET"]),
                Route(f"{JOBS}/{{job}}", self._get, methods=["GET"]),
            ],
            exception_handlers={ApiError: _invalid},
        )

    async def _create(self, request: Request) -> Response:
        body = _json(await request.body())
        # From here to the end nothing awaits: an id that is free when it is looked at is free when it is taken.
        caller, refusal = self._admit(request, "create")
        if refusal:
            return refusal
        job_id = request.query_params.get("pipelineJobId", "")
        self._check(job_id, body)
        account = body.get("serviceAccount", f"{PROJECT_NUMBER}-compute@developer.gserviceaccount.com")
        if not self._may_act_as(caller, account):
            return google_error(403, f"You do not have permission to act as service_account: {account}.")
        if job_id in self._runs:
            return google_error(409, "Pipeline job with the specified ID already exists.")
        package, parameters = body["pipelineSpec"], _parameters(body["runtimeConfig"])
        workflow = Workflow(job_id, job_id, caller, package, parameters, body["displayName"])
        self._start(workflow)
        # The life of a job is that of a run; what else there is to it stays in the request.
        details = {"display_name": body["displayName"], "pipeline_spec": package, "service_account": account}
        run = Run(job_id, "", details, self._announce)
        self._write(workflow, run)
        project = request.path_params["project"]
        run.row["job"] = {**body, "serviceAccount": account, "name": self._name(job_id)}
        run.row["project"] = project
        return JSONResponse(_resource(run))

    async def _list(self, request: Request) -> Response:
        _, refusal = self._admit(request, "list")
        if refusal:
            return refusal
        start, size = int(request.query_params.get("pageToken", 0)), int(request.query_params.get("pageSize", 100))
        mine = [run for run in reversed(self._runs.values()) if run.row["project"] == request.path_params["project"]]
        found: Fields = {"pipelineJobs": [_resource(run) for run in mine[start : start + size]]}
        return JSONResponse(found | ({"nextPageToken": str(start + size)} if start + size < len(mine) else {}))

    async def _get(self, request: Request) -> Response:
        _, refusal = self._admit(request, "get")
        if refusal:
            return refusal
        run = self._runs.get(request.path_params["job"])
        if not run or run.row["project"] != request.path_params["project"]:
            return google_error(404, f"The PipelineJob does not exist: {request.url.path.removeprefix('/v1/')}")
        return JSONResponse(_resource(run))

    def _admit(self, request: Request, verb: str) -> tuple[str, Response | None]:
        """Who calls, and the answer to a call that is not let through."""
        project, location = request.path_params["project"], request.path_params["location"]
        if self.outage:
            return "", google_error(503, "The service is currently unavailable.")
        if self.throttled:
            return "", google_error(429, "Quota exceeded for aiplatform.googleapis.com/pipeline_job_submission.")
        caller = self._principal(bearer(request))
        if caller is None:
            return "", google_error(401, "Request had invalid authentication credentials.")
        if location != self._location:
            return caller, google_error(400, f"Location {location} is not served here, but {self._location}.")
        if not self._may_create(caller, project):
            resource = f"//aiplatform.googleapis.com/projects/{project}/locations/{location}"
            permission = f"Permission 'aiplatform.pipelineJobs.{verb}' denied on resource '{resource}'"
            return caller, google_error(403, f"{permission} (or it may not exist).")
        return caller, None

    def _check(self, job_id: str, body: Fields) -> None:
        _expect(JOB_ID.fullmatch(job_id), f"The pipeline job ID {job_id!r} must match {JOB_ID.pattern}.")
        _known("", body, FIELDS)
        runtime, spec = body.get("runtimeConfig", {}), body.get("pipelineSpec", {})
        _known("runtime_config", runtime, RUNTIME_FIELDS)
        _expect(0 < len(body.get("displayName", "")) <= LONGEST_NAME, "display_name must have 1 to 128 characters.")
        _expect(OUTPUT.fullmatch(runtime.get("gcsOutputDirectory", "")), "gcs_output_directory must be a gs:// URI.")
        _expect({"root", "pipelineInfo"} <= spec.keys(), "pipeline_spec has no root or no pipeline_info.")
        labels = body.get("labels", {})
        _expect(RESERVED_LABEL not in labels, f"Label {RESERVED_LABEL} is reserved.")
        for label in (*labels, *labels.values()):
            _expect(LABEL.fullmatch(label), f"{label!r} is no key or value of a label.")
        if network := body.get("network"):
            _expect(NETWORK.fullmatch(network), f"{network} is no network: the project's number is needed.")
        if key := body.get("encryptionSpec", {}).get("kmsKeyName"):
            found = KEY.fullmatch(key)
            _expect(found and found[1] == self._location, f"The key {key} is not in {self._location}.")
        _check_parameters(spec, runtime)

    def _name(self, job_id: str) -> str:
        return f"projects/{PROJECT_NUMBER}/locations/{self._location}/pipelineJobs/{job_id}"


def _check_parameters(spec: Fields, runtime: Fields) -> None:
    """Parameters as the schema of the package has them: plain values since 2.1.0, with their types before."""
    if spec.get("schemaVersion") == "2.1.0":
        _expect("parameters" not in runtime, "parameters is for schema versions up to 2.0.0.")
        check_parameters(spec, runtime.get("parameterValues", {}))
        return
    _expect("parameterValues" not in runtime, "parameter_values is for schema version 2.1.0.")
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, value in runtime.get("parameters", {}).items():
        _expect(name in inputs, f"The pipeline has no parameter {name}.")
        _expect([*value] == [TYPED[inputs[name]["type"]]], f"Parameter {name} is not {inputs[name]['type']}.")


def _parameters(runtime: Fields) -> Fields:
    plain: Fields = runtime.get("parameterValues", {})
    typed: Fields = runtime.get("parameters", {})
    return plain | {name: next(iter(value.values())) for name, value in typed.items()}


def _resource(run: Run) -> Fields:
    """A job as the API shows it."""
    row = run.row
    shown: Fields = {**row["job"], "state": f"PIPELINE_STATE_{row['state']}", "createTime": row["created_at"]}
    if row["finished_at"] != NEVER:
        shown["endTime"] = row["finished_at"]
    if run.error:
        shown["error"] = {"code": INTERNAL, "message": run.error}
    return shown


def _known(where: str, given: Fields, fields: set[str]) -> None:
    for name in given.keys() - fields:
        at = f" at '{where}'" if where else ""
        _expect(None, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')


def _expect(holds: object, message: str) -> None:
    if not holds:
        raise ApiError(3, message)


async def _invalid(_: Request, error: Exception) -> Response:
    return google_error(400, str(error))


def _json(body: bytes) -> Fields:
    try:
        value: Any = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(3, "Invalid JSON payload received.")
    return value

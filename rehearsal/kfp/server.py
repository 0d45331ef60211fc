"""The KFP endpoint: v2beta1 of a single-user installation, behind whichever proxy is given.

What the real server does and a client must survive is kept, from the source of kubeflow/pipelines 2.17: a client may
choose a run's id but the id is no lock, for the workflow starts before the row is inserted; wrong input may be a 500;
and what is empty is left out, so a list without entries is ``{}``.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from functools import partial

from kfp_server_api import V2beta1Experiment, V2beta1Run
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rehearsal.kfp.lists import EXPERIMENT_KEYS, RUN_KEYS, page
from rehearsal.kfp.pipelines import Pipelines
from rehearsal.kfp.proxy import Guard, InvertingProxy, OldServer, Proxy, no_such_path
from rehearsal.kfp.requests import (
    ALREADY_EXISTS,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Fields,
    api_error,
    check_parameters,
    present,
    read_body,
    read_package,
)
from rehearsal.kfp.runs import NEVER, Run, RunBook, Workflow, now
from rehearsal.runs import RunExecutor

API = "/apis/v2beta1"
VERSION = "2.17.0"
DEFAULT_EXPERIMENT = "Default"
LONGEST_DESCRIPTION = 255  # run_details.Description; client_manager.go sets DefaultStringSize
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")


class KfpEndpoint(RunBook):
    """A KFP installation. ``principal`` says whose token one is, or None when it is nobody's or has expired; without
    it the installation is one inside a network and asks nobody for a token. Another ``guard`` is given outright.

    While ``v1_only`` is set it is an installation of KFP 1, which has another API.
    """

    def __init__(
        self,
        principal: Callable[[str], str | None] | None,
        execute: RunExecutor | None = None,
        *,
        guard: Guard | None = None,
    ) -> None:
        super().__init__(execute)
        self.v1_only = False
        self._experiments: dict[str, Fields] = {}
        self._pipelines = Pipelines()
        experiment, run = f"{API}/experiments/{{experiment_id}}", f"{API}/runs/{{run_id}}"
        self.app = Starlette(
            routes=[
                Route(f"{API}/healthz", self._healthz, methods=["GET"]),
                Route(f"{API}/experiments", self._create_experiment, methods=["POST"]),
                Route(f"{API}/experiments", self._list_experiments, methods=["GET"]),
                Route(experiment, self._get_experiment, methods=["GET"]),
                Route(experiment, self._delete_experiment, methods=["DELETE"]),
                *self._pipelines.routes,
                Route(f"{API}/runs", self._create_run, methods=["POST"]),
                Route(f"{API}/runs", self._list_runs, methods=["GET"]),
                Route(run, self._get_run, methods=["GET"]),
                Route(run, self._delete_run, methods=["DELETE"]),
                Route(f"{run}:terminate", self._terminate_run, methods=["POST"]),
                Route(f"{run}:archive", partial(self._store_run, "ARCHIVED"), methods=["POST"]),
                Route(f"{run}:unarchive", partial(self._store_run, "AVAILABLE"), methods=["POST"]),
                Route("/rehearsal/runs/{run_id}/outputs", self._show_outputs, methods=["GET"]),
                Route("/rehearsal/runs/{run_id}/log", self._show_log, methods=["GET"]),
            ],
            middleware=[
                Middleware(Proxy, guard=guard or InvertingProxy(principal), outage=lambda: self.outage),
                Middleware(OldServer, is_old=lambda: self.v1_only),
            ],
            exception_handlers={ApiError: api_error, 404: no_such_path, 405: no_such_path},
        )

    async def _healthz(self, _: Request) -> Response:
        build = {"commit_sha": "unknown", "tag_name": VERSION}
        return JSONResponse({**build, "multi_user": False, "pipeline_store": "database"})

    async def _create_experiment(self, request: Request) -> Response:
        body = await read_body(request, V2beta1Experiment)
        name = body.get("display_name", "")
        if not name:
            raise ApiError(INVALID_ARGUMENT, "Experiment must have a non-empty name")
        namespace = body.get("namespace", "")
        if self._experiment_named(name, namespace):
            raise ApiError(ALREADY_EXISTS, f"Failed to create a new experiment. The name {name} already exists.")
        return _answer(self._add_experiment(name, body.get("description", ""), namespace))

    async def _list_experiments(self, request: Request) -> Response:
        namespace = request.query_params.get("namespace", "")
        rows = [row for row in self._experiments.values() if row["namespace"] == namespace]
        found, total, token = page(rows, request.query_params, EXPERIMENT_KEYS, "experiment_id")
        return _answer({"experiments": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get_experiment(self, request: Request) -> Response:
        return _answer(self._find_experiment(request.path_params["experiment_id"]))

    async def _delete_experiment(self, request: Request) -> Response:
        experiment = self._find_experiment(request.path_params["experiment_id"])
        del self._experiments[experiment["experiment_id"]]
        return _answer({})

    async def _create_run(self, request: Request) -> Response:
        body = await read_body(request, V2beta1Run)
        # From here to the end nothing awaits: what is checked still holds when it is acted on.
        if not body.get("display_name"):
            raise ApiError(INTERNAL, "Failed to create a run due to conversion error: Run name cannot be empty")
        experiment = self._experiment_of(body)
        package = read_package(body, self._pipelines.package_of)
        parameters = body.get("runtime_config", {}).get("parameters", {})
        check_parameters(package, parameters)
        run_id = body.get("run_id") or str(uuid.uuid4())
        if not LABEL_VALUE.fullmatch(run_id):
            raise ApiError(INTERNAL, f"Failed to create a workflow: {run_id!r} cannot be the value of a label")
        name = f"{package['pipelineInfo']['name']}-{secrets.token_hex(3)}"
        self.workflows.append(Workflow(name, run_id, request.state.caller, package, parameters))
        if run_id in self._runs:
            # Too late: the workflow above is on its way (resource_manager.go CreateRun). It is counted but not
            # executed, since it would report into the row of the first.
            raise ApiError(INTERNAL, f"Failed to create a run: Duplicate entry '{run_id}' for key 'PRIMARY'")
        if len(body.get("description", "")) > LONGEST_DESCRIPTION:  # too late as well
            raise ApiError(INTERNAL, "Failed to create a run: Data too long for column 'Description' at row 1")
        run = self._runs[run_id] = Run(run_id, experiment["experiment_id"], body, self._announce)
        experiment["last_run_created_at"] = run.row["created_at"]
        if self._execute:
            run.start(self._execute, package, parameters)
        return _answer(run.row)

    async def _list_runs(self, request: Request) -> Response:
        rows = [run.row for run in self._runs.values()]
        if experiment_id := request.query_params.get("experiment_id"):
            self._find_experiment(experiment_id)
            rows = [row for row in rows if row["experiment_id"] == experiment_id]
        # A single-user installation ignores the namespace (resource_manager.go ReplaceNamespace).
        found, total, token = page(rows, request.query_params, RUN_KEYS, "run_id")
        return _answer({"runs": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get_run(self, request: Request) -> Response:
        return _answer(self._find_run(request.path_params["run_id"]).row)

    async def _delete_run(self, request: Request) -> Response:
        run = self._find_run(request.path_params["run_id"])
        if run.active:
            run.cancel()
        del self._runs[run.row["run_id"]]
        return _answer({})

    async def _terminate_run(self, request: Request) -> Response:
        run = self._find_run(request.path_params["run_id"])
        if not run.active:
            raise ApiError(INVALID_ARGUMENT, f"Failed to terminate a run {run.row['run_id']}. Row not found")
        run.cancel()
        return _answer({})

    async def _store_run(self, storage_state: str, request: Request) -> Response:
        self._find_run(request.path_params["run_id"]).row["storage_state"] = storage_state
        return _answer({})

    async def _show_outputs(self, request: Request) -> Response:
        return JSONResponse(self.outputs(request.path_params["run_id"]))

    async def _show_log(self, request: Request) -> Response:
        return PlainTextResponse(self.log(request.path_params["run_id"]))

    def _find_run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise ApiError(NOT_FOUND, f"Failed to fetch run {run_id}: ResourceNotFoundError: Run {run_id} not found.")
        return self._runs[run_id]

    def _find_experiment(self, experiment_id: str) -> Fields:
        if experiment_id not in self._experiments:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: Experiment {experiment_id} not found.")
        return self._experiments[experiment_id]

    def _experiment_named(self, name: str, namespace: str = "") -> Fields | None:
        wanted = name.lower(), namespace
        found = (
            row for row in self._experiments.values() if (row["display_name"].lower(), row["namespace"]) == wanted
        )
        return next(found, None)

    def _experiment_of(self, run: Fields) -> Fields:
        if experiment_id := run.get("experiment_id"):
            return self._find_experiment(experiment_id)
        return self._experiment_named(DEFAULT_EXPERIMENT) or self._add_experiment(DEFAULT_EXPERIMENT, "")

    def _add_experiment(self, name: str, description: str, namespace: str = "") -> Fields:
        experiment_id = str(uuid.uuid4())
        self._experiments[experiment_id] = {
            "experiment_id": experiment_id,
            "display_name": name,
            "description": description,
            "namespace": namespace,
            "created_at": now(),
            "last_run_created_at": NEVER,
            "storage_state": "AVAILABLE",
        }
        return self._experiments[experiment_id]


def _answer(message: Fields) -> JSONResponse:
    return JSONResponse(present(message))

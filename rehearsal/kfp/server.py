"""The KFP endpoint: v2beta1 of an installation, behind whichever proxy is given.

What the real server does and a client must survive is kept, from the source of kubeflow/pipelines 2.17 and from
requests to it: a client may choose a run's id but the id is no lock, for the workflow starts before the row is
inserted; a server that creates five of them a second drops what its callers gave up; wrong input may be a 500; and
what is empty is left out, so a list without entries is ``{}``.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import uuid
from collections.abc import Callable
from functools import partial

from kfp_server_api import V2beta1Run
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.kfp.cluster import Cluster, Trouble
from rehearsal.kfp.database import UNREACHABLE, Database, Health, collated
from rehearsal.kfp.experiments import Experiments
from rehearsal.kfp.hosted import InvertingProxy
from rehearsal.kfp.kubernetes import RUNNING, Kubernetes
from rehearsal.kfp.lists import RUN_KEYS, page
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.pipelines import Pipelines
from rehearsal.kfp.process import ServerProcess
from rehearsal.kfp.proxy import AccessTokens, Guard, OldServer, Proxy, no_such_page
from rehearsal.kfp.requests import (
    ABORTED,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    UNIMPLEMENTED,
    ApiError,
    Fields,
    answer,
    api_error,
    check_parameters,
    check_workflow,
    expand,
    present,
    read_body,
    read_package,
)
from rehearsal.kfp.runs import Run, RunBook, Workflow
from rehearsal.runs.executor import Executor, Outcome

API = "/apis/v2beta1"
VERSION = "2.17.0"
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
HEALTH = {Trouble.DATABASE_DEAD: Health.DEAD, Trouble.READ_ONLY: Health.READ_ONLY}
REPORT_SECONDS = 1.0  # until the persistence agent has told that a Workflow ended


class KfpEndpoint(RunBook):
    """A KFP installation. ``principal`` says whose token one is, or None when it is nobody's or has expired; with
    it the installation is a hosted one, behind ``proxy``. Without, it is one inside a network and asks nobody for a
    token, unless another ``guard`` is given.

    ``api`` is the API server alone. What may go wrong with it is switched on from outside: ``process`` can die,
    ``database`` and ``cluster`` say what they can be told, and ``trouble`` is asked, by run id, what befalls a
    request between a Workflow and its row. ``kubernetes`` is the API of its cluster, at another address. While
    ``v1_only`` is set it is an installation of KFP 1, which has another API.
    """

    def __init__(
        self,
        principal: Callable[[str], str | None] | None,
        execute: Executor | None = None,
        *,
        guard: Guard | None = None,
        pace: Pace | None = None,
        multi_user: bool = False,
    ) -> None:
        super().__init__(execute)
        self.v1_only = False
        self.database = Database()
        self.trouble: Callable[[str], Trouble | None] = lambda _: None
        self._pace = pace or Pace()
        self.cluster = Cluster(self._pace, self._start)
        self.kubernetes = Kubernetes(
            self._pace,
            has_row=lambda run_id: collated(run_id) in self._runs,
            phase=self._phase,
            remove=self._stop,
            principal=principal,
        )
        self._multi_user = multi_user
        self.experiments = Experiments(self.database, multi_user)
        self._pipelines = Pipelines(self.database)
        self._reports: set[asyncio.Task[None]] = set()
        hosted = principal is not None
        by_page = hosted or guard is not None  # there is KFP's UI before the API server, and answers what it can
        self._router = Starlette(
            routes=self._routes(),
            exception_handlers={
                ApiError: api_error,
                404: no_such_page if by_page else _no_such_path,
                405: no_such_page if by_page else _no_such_method,
            },
        )
        self.process = ServerProcess(self.api, self._pace, self.cluster.restart)
        self.proxy = InvertingProxy(OldServer(self.process, lambda: self.v1_only), self._pace)
        behind: ASGIApp = self.proxy if hosted and guard is None else OldServer(self.process, lambda: self.v1_only)
        self.app = Proxy(behind, guard or AccessTokens(principal), lambda: self.outage, self.api)

    async def api(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, for as long as there is a database."""
        if self.database.health is Health.DEAD and not scope["path"].endswith("/healthz"):
            dead = await api_error(Request(scope), ApiError(INTERNAL, f"InternalServerError: {UNREACHABLE}"))
            await dead(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    def _routes(self) -> list[Route]:
        run = f"{API}/runs/{{run_id}}"
        return [
            Route(f"{API}/healthz", self._healthz, methods=["GET"]),
            Route("/apis/v1beta1/healthz", self._healthz, methods=["GET"]),
            *self.experiments.routes,
            *self._pipelines.routes,
            Route(f"{API}/runs", self._create_run, methods=["POST"]),
            Route(f"{API}/runs", self._list_runs, methods=["GET"]),
            Route(run, self._get_run, methods=["GET"]),
            Route(run, self._delete_run, methods=["DELETE"]),
            Route(f"{run}:terminate", self._terminate_run, methods=["POST"]),
            Route(f"{run}:retry", self._retry_run, methods=["POST"]),
            Route(f"{run}:archive", partial(self._store_run, "ARCHIVED"), methods=["POST"]),
            Route(f"{run}:unarchive", partial(self._store_run, "AVAILABLE"), methods=["POST"]),
            Route("/rehearsal/runs/{run_id}/outputs", self._show_outputs, methods=["GET"]),
            Route("/rehearsal/runs/{run_id}/log", self._show_log, methods=["GET"]),
        ]

    async def _healthz(self, _: Request) -> Response:
        build = {"commit_sha": "unknown", "tag_name": VERSION}
        return JSONResponse({**build, "multi_user": self._multi_user, "pipeline_store": "database"})

    async def _create_run(self, request: Request) -> Response:
        body = await read_body(request, V2beta1Run)
        if not body.get("display_name"):
            raise ApiError(INTERNAL, "Failed to create a run due to conversion error: Run name cannot be empty")
        experiment = self.experiments.of_run(body)
        package = read_package(body, self._pipelines.package_of)
        parameters = body.get("runtime_config", {}).get("parameters", {})
        check_parameters(package, parameters)
        check_workflow(body["display_name"], package, parameters)
        run_id = body.get("run_id") or str(uuid.uuid4())
        if not LABEL_VALUE.fullmatch(run_id):
            raise ApiError(INTERNAL, f"Failed to create a workflow: {run_id!r} cannot be the value of a label")
        name = f"{package['pipelineInfo']['name']}-{secrets.token_hex(3)}"
        caller = getattr(request.state, "caller", "")
        workflow = Workflow(name, run_id, caller, package, expand(parameters, run_id), body["display_name"])
        await self.cluster.create(workflow, len(json.dumps(body)))
        trouble = self.trouble(run_id)
        if trouble is Trouble.DIES:
            self.process.die()
            await asyncio.Future()
        if trouble is Trouble.ANSWER_LOST:
            raise ApiError(INTERNAL, f"Failed to create a workflow for ({name}): EOF")
        # From here to the end nothing awaits: an id that is free when it is looked at is free when it is taken.
        self.kubernetes.clean_up()
        self._insert(workflow, body, HEALTH.get(trouble) if trouble else None)
        run = Run(run_id, experiment["experiment_id"], body, self._announce)
        self._write(workflow, run)
        experiment["last_run_created_at"] = run.row["created_at"]
        return answer(run.row)

    def _insert(self, workflow: Workflow, body: Fields, health: Health | None) -> None:
        texts = {
            "DisplayName": body["display_name"],
            "Description": body.get("description", ""),
            "ServiceAccount": body.get("service_account", ""),
            "RuntimeParameters": json.dumps(body.get("runtime_config", {}), ensure_ascii=False),
            "PipelineSpecManifest": json.dumps(body.get("pipeline_spec", {}), ensure_ascii=False),
        }
        taken = workflow.run_id if collated(workflow.run_id) in self._runs else ""
        self.database.insert(f"run {body['display_name']}", texts, taken, health)

    async def _list_runs(self, request: Request) -> Response:
        rows = [run.row for run in self._runs.values()]
        if experiment_id := request.query_params.get("experiment_id"):
            self.experiments.find(experiment_id)
            rows = [row for row in rows if row["experiment_id"] == experiment_id]
        elif namespace := self.experiments.namespace(request.query_params.get("namespace", ""), "A run"):
            rows = [row for row in rows if self.experiments.find(row["experiment_id"])["namespace"] == namespace]
        found, total, token = page(rows, request.query_params, RUN_KEYS, "run_id")
        return answer({"runs": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get_run(self, request: Request) -> Response:
        return answer(self._find_run(request.path_params["run_id"]).row)

    async def _delete_run(self, request: Request) -> Response:
        run = self._find_run(request.path_params["run_id"])
        await self.cluster.turn()
        self.kubernetes.remove(run.workflow)
        self._runs.pop(collated(run.row["run_id"]), None)
        return answer({})

    async def _terminate_run(self, request: Request) -> Response:
        run = self._find_run(request.path_params["run_id"])
        if not run.active:
            raise ApiError(INVALID_ARGUMENT, f"Failed to terminate a run {run.row['run_id']}. Row not found")
        # This state does not go into the history (run_store.go TerminateRun).
        run.row["state"] = "CANCELING"
        await self.cluster.turn()
        if execution := self.executions.get(run.workflow):
            execution.cancel()  # of two Workflows that share the row, only the one that wrote it
        else:
            report = asyncio.create_task(self._report_end(run))
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)
        return answer({})

    async def _report_end(self, run: Run) -> None:
        await self._pace.sleep(REPORT_SECONDS)
        run.end(Outcome("FAILED"))

    async def _retry_run(self, request: Request) -> Response:
        run = self._find_run(request.path_params["run_id"])
        if run.row["state"] != "FAILED":
            raise ApiError(ABORTED, "BadRequestError: Workflow must be Failed/Error to retry")
        await self.cluster.turn()
        run.retry()
        if run.workflow in self.executions:
            self._work(self.executions[run.workflow].workflow)
        return answer({})

    async def _store_run(self, storage_state: str, request: Request) -> Response:
        self._find_run(request.path_params["run_id"]).row["storage_state"] = storage_state
        return answer({})

    async def _show_outputs(self, request: Request) -> Response:
        return JSONResponse(self.outputs(request.path_params["run_id"]))

    async def _show_log(self, request: Request) -> Response:
        return PlainTextResponse(self.log(request.path_params["run_id"]))

    def _start(self, workflow: Workflow) -> None:
        super()._start(workflow)
        self.kubernetes.store(workflow)

    def _stop(self, name: str) -> None:
        if execution := self.executions.get(name):
            execution.cancel()

    def _phase(self, name: str) -> str:
        """What Argo has for the state of a Workflow."""
        outcome = self.executions[name].outcome if name in self.executions else None
        return outcome.state.capitalize() if outcome else RUNNING

    def _row_id(self, run_id: str) -> str:
        return collated(run_id)

    def _find_run(self, run_id: str) -> Run:
        run = self._runs.get(collated(run_id))
        if not run:
            raise ApiError(NOT_FOUND, f"Failed to fetch run {run_id}: ResourceNotFoundError: Run {run_id} not found.")
        return run


async def _no_such_path(request: Request, _: Exception) -> Response:
    return await api_error(request, ApiError(NOT_FOUND, "Not Found"))


async def _no_such_method(request: Request, _: Exception) -> Response:
    return await api_error(request, ApiError(UNIMPLEMENTED, "Method Not Allowed"))

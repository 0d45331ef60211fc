"""The Kubernetes API of the installation's cluster, for those who look there for Workflows.

Beside it stands what KFP does to a Workflow that has no row: the persistence agent reports it, the API server finds
nothing to report it into, and removes it (resource_manager.go, ReportWorkflowResource).
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rehearsal.google.errors import bearer, google_error
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.runs import Workflow

# 120 seconds of grace and then the agent's back-off: a Workflow without a row was still there after 400 seconds.
CLEAN_UP_SECONDS = 480.0
GROUP = "argoproj.io"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
EQUALS = re.compile(r"([A-Za-z0-9./_-]+)={1,2}([A-Za-z0-9._-]*)")
METADATA_ALONE = "as=PartialObjectMetadataList"
RUNNING = "Running"


@dataclass
class Stored:
    """A Workflow in etcd, from a second of the endpoint ``since`` to another."""

    workflow: Workflow
    since: float
    until: float | None = None


class Kubernetes:
    """Lists Workflows, and says who may.

    ``principal`` says whose token one is; without it nobody needs one. ``may_connect`` is what IAM says of a caller
    at the front, and ``may_list`` what the cluster's roles say. Without ``installed`` there are no Workflows in this
    cluster, nor could there be. ``ended`` is how Workflows ended, by name, that nobody executes; ``phase`` is asked
    of the others.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        has_row: Callable[[str], bool],
        phase: Callable[[str], str],
        remove: Callable[[str], None],
        principal: Callable[[str], str | None] | None,
    ) -> None:
        self.namespace = "kubeflow"
        self.installed = True
        self.cleans_up_after = CLEAN_UP_SECONDS
        self.stored: dict[str, Stored] = {}
        self.ended: dict[str, str] = {}
        self.principal = principal
        self.may_connect: Callable[[str], bool] = lambda _: True
        self.may_list: Callable[[str], bool] = lambda _: True
        self.may_review: Callable[[str], bool] = lambda _: True
        self._pace, self._has_row, self._phase, self._remove = pace, has_row, phase, remove
        workflows = f"/apis/{GROUP}/v1alpha1/namespaces/{{namespace}}/workflows"
        self.app = Starlette(
            routes=[
                Route(workflows, self._list, methods=["GET"]),
                Route(REVIEWS, self._review, methods=["POST"]),
            ],
            exception_handlers={404: _no_such_path},
        )

    def store(self, workflow: Workflow) -> None:
        """A Workflow is there from now on."""
        self.stored[workflow.name] = Stored(workflow, self._pace.now())

    def remove(self, name: str, at: float | None = None) -> None:
        """It is gone, and so are its pods."""
        stored = self.stored[name]
        if stored.until is None:
            stored.until = self._pace.now() if at is None else at
            self._remove(name)

    def clean_up(self) -> None:
        """Removes what has had no row for long enough; to be called before anybody looks or a row is written."""
        for name, stored in self.stored.items():
            end = stored.since + self.cleans_up_after
            if stored.until is None and self._pace.now() >= end and not self._has_row(stored.workflow.run_id):
                self.remove(name, end)

    def beside(self) -> set[str]:
        """The ids of the runs of which a Workflow was created while another was there."""
        by_run: dict[str, list[Stored]] = defaultdict(list)
        for stored in self.stored.values():
            by_run[stored.workflow.run_id].append(stored)
        return {
            run
            for run, found in by_run.items()
            for first, second in itertools.pairwise(found)
            if first.until is None or first.until > second.since
        }

    async def _list(self, request: Request) -> Response:
        caller = self._caller(request)
        if isinstance(caller, Response):
            return caller
        namespace = request.path_params["namespace"]
        if not self.installed:
            return await _no_such_path(request, None)
        if not self.may_list(caller):
            return _status(
                403,
                "Forbidden",
                f'workflows.{GROUP} is forbidden: User "{caller}" cannot list resource "workflows" in API group '
                f'"{GROUP}" in the namespace "{namespace}"',
            )
        selector = request.query_params.get("labelSelector", "")
        wanted = EQUALS.fullmatch(selector)
        if selector and not wanted:
            return _status(400, "BadRequest", f"unable to parse requirement: {selector}")
        self.clean_up()
        items = [self._show(stored) for stored in self.stored.values() if stored.until is None]
        chosen = [item for item in items if not wanted or item["metadata"]["labels"].get(wanted[1]) == wanted[2]]
        chosen = chosen if namespace == self.namespace else []
        chosen = chosen[: int(request.query_params.get("limit", len(chosen)))]
        if METADATA_ALONE in request.headers.get("accept", ""):
            chosen = [{**item, "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"} for item in chosen]
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        else:
            chosen = [{**item, "spec": {}, "status": {}} for item in chosen]
            kind, version = "WorkflowList", f"{GROUP}/v1alpha1"
        return JSONResponse({"kind": kind, "apiVersion": version, "metadata": {}, "items": chosen})

    async def _review(self, request: Request) -> Response:
        caller = self._caller(request)
        if isinstance(caller, Response):
            return caller
        if not self.may_review(caller):
            return _status(403, "Forbidden", f'subjectaccessreviews is forbidden: User "{caller}" cannot create it')
        spec = (await request.json())["spec"]
        asked = spec["resourceAttributes"]
        listing = (asked["verb"], asked["group"], asked["resource"]) == ("list", GROUP, "workflows")
        allowed = listing and asked["namespace"] == self.namespace and self.may_list(spec["user"])
        return JSONResponse({"kind": "SubjectAccessReview", "spec": spec, "status": {"allowed": allowed}}, 201)

    def _caller(self, request: Request) -> str | Response:
        if not self.principal:
            return ""
        caller = self.principal(bearer(request))
        if caller is None:
            return _status(401, "Unauthorized", "Unauthorized")
        if not self.may_connect(caller):
            return google_error(403, "Permission 'container.clusters.connect' denied on the cluster")
        return caller

    def _show(self, stored: Stored) -> dict[str, Any]:
        workflow = stored.workflow
        phase = self.ended.get(workflow.name) or self._phase(workflow.name)
        labels = {"pipeline/runid": workflow.run_id, "workflows.argoproj.io/phase": phase}
        if phase != RUNNING:
            labels["workflows.argoproj.io/completed"] = "true"
        return {"metadata": {"name": workflow.name, "namespace": self.namespace, "labels": labels}}


async def _no_such_path(_: Request, __: Exception | None) -> Response:
    return PlainTextResponse("404 page not found\n", 404)


def _status(code: int, reason: str, message: str) -> Response:
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return JSONResponse({**said, "code": code}, code)

"""Stand-in for the Google APIs that tell about a project: Resource Manager, Service Usage, Billing, IAM, policies.

One project, in which all is well until something is changed: each attribute is what can be wrong. The APIs share one
server, since their paths differ. Errors have the shape of google.rpc.Status, as the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal.google.metadata import Tokens

Answer = Callable[[Request], Awaitable[Response]]


class GoogleProject:
    """What the APIs say of one project to whoever has one of ``tokens``.

    ``denied`` holds the permissions that the caller lacks, also on accounts. ``policies`` are the rules of
    organisation policies by constraint; the others have no effect. While ``silent`` nothing answers, and ``redirect``
    sends every caller elsewhere.
    """

    def __init__(self, project: str, number: str, tokens: Tokens) -> None:
        self.project, self.number = project, number
        self.state, self.billed = "ACTIVE", True
        self.services: dict[str, str] = {}
        self.disabled_apis: set[str] = set()
        self.forbidden_apis: set[str] = set()
        self.denied: set[str] = set()
        self.accounts: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, list[Mapping[str, Any]]] = {}
        self.wants_quota_project = False
        self.silent, self.redirect = False, ""
        self.seen: list[Request] = []
        self._tokens = tokens
        root = f"/v1/projects/{project}"
        routes: list[tuple[str, str, str, Answer]] = [
            ("GET", "/v3/projects/{project}", "cloudresourcemanager", self._project),
            ("POST", "/v3/projects/{project}:testIamPermissions", "cloudresourcemanager", self._held),
            ("GET", f"{root}/billingInfo", "cloudbilling", self._billing),
            ("GET", f"{root}/services:batchGet", "serviceusage", self._services),
            ("POST", "/v1/projects/-/serviceAccounts/{email}:testIamPermissions", "iam", self._held),
            ("GET", "/v1/projects/-/serviceAccounts/{email}", "iam", self._account),
            ("GET", f"/v2/projects/{project}/policies/{{constraint}}:getEffectivePolicy", "orgpolicy", self._policy),
        ]
        self.app = Starlette(
            routes=[
                Route(path, partial(self._guarded, api, answer), methods=[method])
                for method, path, api, answer in routes
            ]
        )

    async def _guarded(self, api: str, answer: Answer, request: Request) -> Response:
        self.seen.append(request)
        if self.silent:
            await asyncio.Event().wait()
        if self.redirect:
            return RedirectResponse(self.redirect)
        if not self._tokens.principal(request.headers.get("authorization", "").removeprefix("Bearer ")):
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        host = f"{api}.googleapis.com"
        if self.wants_quota_project and "x-goog-user-project" not in request.headers:
            message = f"The {host} API requires a quota project, which is not set by default."
            return _error(403, "PERMISSION_DENIED", message, _disabled(host, "764086051850"))
        if api in self.disabled_apis:
            message = f"{host} has not been used in project {self.number} before or it is disabled."
            return _error(403, "PERMISSION_DENIED", message, _disabled(host, self.number))
        if api in self.forbidden_apis:
            return _error(403, "PERMISSION_DENIED", "The caller does not have permission")
        return await answer(request)

    async def _project(self, request: Request) -> Response:
        if request.path_params["project"] != self.project:
            message = "The caller does not have permission"  # whether or not there is such a project
            return _error(403, "PERMISSION_DENIED", message)
        name = f"projects/{self.number}"
        return JSONResponse({"name": name, "projectId": self.project, "state": self.state})

    async def _held(self, request: Request) -> Response:
        asked: list[str] = (await request.json())["permissions"]
        held = [permission for permission in asked if permission not in self.denied]
        return JSONResponse({"permissions": held} if held else {})

    async def _billing(self, _: Request) -> Response:
        return JSONResponse({"projectId": self.project} | ({"billingEnabled": True} if self.billed else {}))

    async def _services(self, request: Request) -> Response:
        names = [name.rsplit("/", 1)[-1] for name in request.query_params.getlist("names")]
        parent = f"projects/{self.number}/services"
        states = {name: self.services.get(name, "ENABLED") for name in names}
        return JSONResponse({"services": [{"name": f"{parent}/{name}", "state": at} for name, at in states.items()]})

    async def _account(self, request: Request) -> Response:
        email = request.path_params["email"]
        if email not in self.accounts:
            return _error(404, "NOT_FOUND", f"Unknown service account: {email}")
        return JSONResponse({"email": email} | self.accounts[email])

    async def _policy(self, request: Request) -> Response:
        constraint = request.path_params["constraint"]
        name = f"projects/{self.number}/policies/{constraint}"
        return JSONResponse({"name": name, "spec": {"rules": self.policies.get(constraint, [{"allowAll": True}])}})


def _disabled(host: str, consumer: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": host, "consumer": f"projects/{consumer}"},
    }


def _error(code: int, status: str, message: str, *details: Mapping[str, Any]) -> Response:
    error = {"code": code, "message": message, "status": status, "details": [*details]}
    return JSONResponse({"error": error}, code)

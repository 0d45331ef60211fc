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
    organisation policies by constraint; the others have no effect. ``bindings`` are the IAM policies, by the path of
    what they are on, and ``roles`` what roles hold. While ``silent`` nothing answers, and ``redirect`` sends every
    caller elsewhere.
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
        self.bindings: dict[str, list[dict[str, Any]]] = {}
        self.roles: dict[str, list[str]] = {}
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
            ("POST", "/v3/projects/{id}:getIamPolicy", "cloudresourcemanager", self._iam("resourcemanager.projects")),
            ("GET", "/storage/v1/b/{id}/iam", "storage", self._iam("storage.buckets")),
            ("GET", f"{root}/topics/{{id}}:getIamPolicy", "pubsub", self._iam("pubsub.topics")),
            ("GET", f"{root}/subscriptions/{{id}}:getIamPolicy", "pubsub", self._iam("pubsub.subscriptions")),
            ("POST", "/v1/projects/-/serviceAccounts/{id}:getIamPolicy", "iam", self._iam("iam.serviceAccounts")),
            (
                "GET",
                f"/v2/projects/{project}/locations/{{place}}/services/{{id}}:getIamPolicy",
                "run",
                self._iam("run.services"),
            ),
            (
                "GET",
                f"{root}/locations/{{place}}/repositories/{{id}}:getIamPolicy",
                "artifactregistry",
                self._iam("artifactregistry.repositories"),
            ),
            (
                "POST",
                f"/v1/projects/{number}/iap_web/compute/services/{{id}}:getIamPolicy",
                "iap",
                self._iam("iap.webServices"),
            ),
            ("GET", "/v1/roles/{id}", "iam", self._role),
            ("GET", f"{root}/roles/{{id}}", "iam", self._role),
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

    def _iam(self, kind: str) -> Answer:
        """The IAM policy of a kind of resource. Who asks for an older version than 3 is told of conditional bindings
        under names that no role has, and without the conditions (iam/docs/policies#versions)."""

        async def answer(request: Request) -> Response:
            if f"{kind}.getIamPolicy" in self.denied:
                return _error(403, "PERMISSION_DENIED", f"Permission '{kind}.getIamPolicy' denied on resource")
            body = await request.json() if await request.body() else {}
            asked = {**body.get("options", {}), **request.query_params}
            version = next((int(value) for name, value in asked.items() if name.endswith("olicyVersion")), 1)
            bindings = self.bindings.get(request.url.path.removesuffix(":getIamPolicy").removesuffix("/iam"), [])
            if kind == "storage.buckets" and version < 3 and any(one.get("condition") for one in bindings):
                message = (
                    "The policy has conditions: ask for version 3"  # storage/docs/json_api/v1/buckets/getIamPolicy
                )
                return _error(412, "FAILED_PRECONDITION", message)
            shown = [
                {**one, "role": f"{one['role']}_withcond_0123456789abcdef0123", "condition": None}
                if one.get("condition") and version < 3
                else one
                for one in bindings
            ]
            told = [{name: value for name, value in one.items() if value is not None} for one in shown]
            return JSONResponse({"version": version, "etag": "ACAB", **({"bindings": told} if told else {})})

        return answer

    async def _role(self, request: Request) -> Response:
        if "iam.roles.get" in self.denied:
            return _error(403, "PERMISSION_DENIED", "You don't have permission to get the role")
        name = request.url.path.removeprefix("/v1/")
        if name not in self.roles:
            return _error(404, "NOT_FOUND", f"The role named {name} was not found.")
        return JSONResponse({"name": name, "includedPermissions": self.roles[name]})

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

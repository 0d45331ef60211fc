"""Stand-in for iamcredentials.googleapis.com, by which one account takes a token of another: impersonation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.google.errors import bearer, google_error
from rehearsal.google.metadata import Tokens

LONGEST_LIFETIME = 3600  # seconds; longer ones need an organization policy
LIFETIME = re.compile(r"([0-9]+)s")
PERMISSIONS = {
    "generateAccessToken": "iam.serviceAccounts.getAccessToken",
    "generateIdToken": "iam.serviceAccounts.getOpenIdToken",
}


class IamCredentials:
    """``may_impersonate`` says of a principal and an account whether the one has the role
    serviceAccountTokenCreator on the other. Tokens last ``lifetime`` seconds where the request does not say.

    While ``outage`` is set it answers 503 to all.
    """

    def __init__(
        self, tokens: Tokens, may_impersonate: Callable[[str, str], bool], lifetime: int = LONGEST_LIFETIME
    ) -> None:
        self.outage = False
        self._tokens = tokens
        self._may_impersonate = may_impersonate
        self._lifetime = lifetime
        # The project is always left open: the API refuses any other.
        account = "/v1/projects/-/serviceAccounts/{account}"
        self.app = Starlette(
            routes=[
                Route(f"{account}:generateAccessToken", self._access_token, methods=["POST"]),
                Route(f"{account}:generateIdToken", self._id_token, methods=["POST"]),
            ]
        )

    async def _access_token(self, request: Request) -> Response:
        body = await _read(request)
        refused = self._refusal(request, "generateAccessToken")
        if refused:
            return refused
        if not isinstance(body.get("scope"), list) or not body["scope"]:
            return google_error(400, "Request contains an invalid argument: scope is required.")
        asked = LIFETIME.fullmatch(str(body.get("lifetime", f"{self._lifetime}s")))
        if not asked or not 0 < int(asked[1]) <= LONGEST_LIFETIME:
            return google_error(400, "The lifetime of a token is a number of seconds up to 3600s, as in 3600s.")
        lifetime = min(int(asked[1]), self._lifetime)
        token = self._tokens.issue(request.path_params["account"], lifetime)
        expiry = datetime.fromtimestamp(self._tokens.clock() + lifetime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse({"accessToken": token, "expireTime": expiry})

    async def _id_token(self, request: Request) -> Response:
        body = await _read(request)
        refused = self._refusal(request, "generateIdToken")
        if refused:
            return refused
        if not body.get("audience"):
            return google_error(400, "Request contains an invalid argument: audience is required.")
        token = self._tokens.issue_id_token(
            request.path_params["account"],
            body["audience"],
            self._lifetime,
            with_email=body.get("includeEmail") is True,
        )
        return JSONResponse({"token": token})

    def _refusal(self, request: Request, method: str) -> Response | None:
        if self.outage:
            return google_error(503, "The service is currently unavailable.")
        caller = self._tokens.principal(bearer(request))
        if caller is None:
            return google_error(401, "Request had invalid authentication credentials.")
        if not self._may_impersonate(caller, request.path_params["account"]):
            permission = PERMISSIONS[method]
            return google_error(403, f"Permission '{permission}' denied on resource (or it may not exist).")
        return None


async def _read(request: Request) -> dict[str, Any]:
    body = json.loads(await request.body() or b"{}")
    return body if isinstance(body, dict) else {}

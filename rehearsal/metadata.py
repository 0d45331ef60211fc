"""Stand-in for the metadata server, from which code on Google Cloud gets its identity without having a key.

It answers what google-auth asks (``google/auth/compute_engine/_metadata.py``). GCE_METADATA_HOST and GCE_METADATA_IP,
both ``127.0.0.1:PORT``, lead google-auth here; it reads the first of them once, when it is imported.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

ROOT = "/computeMetadata/v1"
FLAVOR = "Metadata-Flavor"
UNIVERSE = "googleapis.com"
ISSUER = "https://accounts.google.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Tokens:
    """Access tokens that were handed out, for the stand-ins that check them. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._issued: dict[str, tuple[str, float]] = {}

    def issue(self, email: str, lifetime: float) -> str:
        """A new token for a principal, good for ``lifetime`` seconds."""
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self._issued[token] = (email, self.clock() + lifetime)
        return token

    def principal(self, token: str) -> str | None:
        """Whose token this is; None when it is unknown or has expired."""
        email, expiry = self._issued.get(token, (None, 0.0))
        return email if self.clock() < expiry else None


class MetadataServer:
    """The metadata server of a runtime with one service account, whose tokens last ``lifetime`` seconds.

    Unlike the real one it makes a new token for each request. google-auth takes a token for stale 225 s before its
    end, so with a lifetime below that it asks again before every use.
    """

    def __init__(self, email: str, project: str, *, tokens: Tokens | None = None, lifetime: int = 3600) -> None:
        self.tokens = tokens or Tokens()
        self._email, self._lifetime = email, lifetime
        self._texts = {
            "/": "computeMetadata/",
            f"{ROOT}/project/project-id": project,
            f"{ROOT}/universe/universe-domain": UNIVERSE,
        }
        accounts = [f"{ROOT}/instance/service-accounts/{account}" for account in ("default", email)]
        self._texts |= {f"{account}/email": email for account in accounts}
        routes = [Route(path, self._text) for path in self._texts]
        for account in accounts:
            routes += [Route(f"{account}/", self._account), Route(f"{account}/token", self._token)]
            routes += [Route(f"{account}/identity", self._identity)]
        self.app = Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=_require_flavor)])

    async def _text(self, request: Request) -> Response:
        return PlainTextResponse(self._texts[request.url.path])

    async def _account(self, _: Request) -> Response:
        return JSONResponse({"aliases": ["default"], "email": self._email, "scopes": [SCOPE]})

    async def _token(self, _: Request) -> Response:
        token = self.tokens.issue(self._email, self._lifetime)
        return JSONResponse({"access_token": token, "expires_in": self._lifetime, "token_type": "Bearer"})

    async def _identity(self, request: Request) -> Response:
        audience, now = request.query_params.get("audience"), int(self.tokens.clock())
        if not audience:
            return PlainTextResponse("non-empty audience parameter required", 400)
        claims = {"iss": ISSUER, "aud": audience, "sub": self._email, "email": self._email, "email_verified": True}
        header = {"alg": "none", "typ": "JWT"}
        return PlainTextResponse(f"{_b64(header)}.{_b64({**claims, 'iat': now, 'exp': now + self._lifetime})}.")


def _b64(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def _require_flavor(request: Request, answer: RequestResponseEndpoint) -> Response:
    genuine = request.headers.get(FLAVOR) == "Google"
    response = await answer(request) if genuine else PlainTextResponse(f"Missing {FLAVOR}: Google header.", 403)
    response.headers[FLAVOR] = "Google"
    return response

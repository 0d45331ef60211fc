"""Stand-in for the metadata server, from which code on Google Cloud gets its identity without having a key.

It answers what google-auth asks (``google/auth/compute_engine/_metadata.py``), and so the launcher, which
GCE_METADATA_HOST, ``127.0.0.1:PORT``, leads here. google-auth reads that once, when it is imported, and looks for a
metadata server where GCE_METADATA_IP says.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Issued:
    """A token that was handed out. An ID token has an ``audience``; an access token has none, and is for all APIs."""

    email: str
    expiry: float
    audience: str = ""


class Tokens:
    """Tokens that were handed out, for the stand-ins that check them. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._issued: dict[str, Issued] = {}

    def issue(self, email: str, lifetime: float) -> str:
        """A new access token for a principal, good for ``lifetime`` seconds."""
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self._issued[token] = Issued(email, self.clock() + lifetime)
        return token

    def issue_id_token(self, email: str, audience: str, lifetime: int, *, with_email: bool = True) -> str:
        """A new ID token, by which a principal shows to ``audience`` who it is."""
        now = int(self.clock())
        claims: dict[str, object] = {"iss": ISSUER, "aud": audience, "sub": email, "iat": now, "exp": now + lifetime}
        if with_email:
            claims |= {"email": email, "email_verified": True}
        token = f"{_b64({'alg': 'RS256', 'typ': 'JWT'})}.{_b64(claims)}.{secrets.token_urlsafe(32)}"
        self._issued[token] = Issued(email, now + lifetime, audience)
        return token

    def revoke_all(self) -> None:
        """Makes every token worthless that was handed out. Who holds one cannot know."""
        self._issued.clear()

    def find(self, token: str) -> Issued | None:
        """What is known of a token, be it expired; None when it was never handed out."""
        return self._issued.get(token)

    def principal(self, token: str) -> str | None:
        """Whose access token this is; None when it is unknown, has expired or is an ID token."""
        found = self.find(token)
        return found.email if found and not found.audience and self.clock() < found.expiry else None


class MetadataServer:
    """The metadata server of a runtime with one service account, whose tokens last ``lifetime`` seconds.

    Unlike the real one it makes a new token for each request. The launcher takes a token for stale 225 s before its
    end, as google-auth does, so with a lifetime below that it asks again before every use.
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
        query = request.query_params
        if not query.get("audience"):
            return PlainTextResponse("non-empty audience parameter required", 400)
        with_email = query.get("format") == "full"
        token = self.tokens.issue_id_token(self._email, query["audience"], self._lifetime, with_email=with_email)
        return PlainTextResponse(token)


def _b64(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def _require_flavor(request: Request, answer: RequestResponseEndpoint) -> Response:
    genuine = request.headers.get(FLAVOR) == "Google"
    response = await answer(request) if genuine else PlainTextResponse(f"Missing {FLAVOR}: Google header.", 403)
    response.headers[FLAVOR] = "Google"
    return response

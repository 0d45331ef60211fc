"""Who is let through to a KFP installation, and what is said to the others.

A hosted installation wants an access token; one behind Identity-Aware Proxy wants an ID token for its own audience.
Both answer for people: a client that takes any 200 or any body for an answer of the API is wrong here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlencode

from google.auth import jwt
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.google.errors import bearer
from rehearsal.google.metadata import Tokens

MAX_BODY_BYTES = 32 * 1024 * 1024
UNGUARDED = "/rehearsal/"
LOGIN_COOKIE = "S=cloud_datalab_tunnel=; Path=/; Secure; HttpOnly"
HEALTH_OF_V1 = "/apis/v1beta1/healthz"
V1_IS_WELL = {"commit_sha": "d7d8b1e", "tag_name": "1.8.22", "multi_user": False}
DASHBOARD = "<!doctype html><html><title>Kubeflow Central Dashboard</title><main-page></main-page></html>"
LOGIN_PAGE = "https://accounts.google.com/o/oauth2/v2/auth"

Guard = Callable[[Request], str | Response]
"""Whose request it is (nobody's: ``""``), or the answer to one that is not let through."""


class Proxy:
    """Lets a request through when its guard does, and leaves the caller's address in ``request.state``.

    What a rehearsal asks for itself goes straight to ``unguarded``.
    """

    def __init__(self, app: ASGIApp, guard: Guard, outage: Callable[[], bool], unguarded: ASGIApp) -> None:
        self._app, self._guard, self._outage, self._unguarded = app, guard, outage, unguarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request or hands it on."""
        if scope["path"].startswith(UNGUARDED):
            await self._unguarded(scope, receive, send)
        else:
            await (self._refusal(Request(scope)) or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if self._outage():
            return _page(503, "Service Unavailable")
        caller = self._guard(request)
        if isinstance(caller, Response):
            return caller
        request.state.caller = caller
        if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
            return _page(413, "Request Entity Too Large")
        return None


class AccessTokens:
    """The guard of a hosted installation. ``principal`` says whose access token one is; without it every caller is
    nobody, as at an installation inside a network."""

    def __init__(self, principal: Callable[[str], str | None] | None) -> None:
        self._principal = principal

    def __call__(self, request: Request) -> str | Response:
        """Whose request it is, or a page for people."""
        if not self._principal:
            return ""
        caller = self._principal(bearer(request))
        if caller is not None:
            return caller
        refusal = _page(401, "Unauthorized")
        refusal.headers["Set-Cookie"] = LOGIN_COOKIE
        return refusal


class IdentityAwareProxy:
    """The guard of an installation behind IAP: only an ID token for its ``audience`` (the OAuth client's id), of
    somebody who ``may_pass`` (the role iap.httpsResourceAccessor), opens.

    Its texts are the real one's. A GET without a token is sent to the login, where a client that follows gets a page.
    """

    def __init__(self, tokens: Tokens, audience: str, may_pass: Callable[[str], bool] = lambda _: True) -> None:
        self._tokens, self._audience, self._may_pass = tokens, audience, may_pass

    def __call__(self, request: Request) -> str | Response:
        """Whose request it is, or what IAP says instead."""
        token = bearer(request)
        if not token:
            return self._login() if request.method == "GET" else _refused("empty token")
        found = self._tokens.find(token)
        if not found or not found.audience:
            return _refused("Unable to parse JWT")
        if found.audience != self._audience:
            return _refused(
                f"JWT audience doesn't match this application ('aud' claim ({found.audience}) "
                f"doesn't match expected value ({self._audience}))"
            )
        if self._tokens.clock() >= found.expiry:
            return _refused("OpenID Connect token expired: JWT has expired")
        if "email" not in jwt.decode(token, verify=False):
            return _refused("JWT 'email' claim isn't a string")
        if not self._may_pass(found.email):
            return _iap(_page(403, "You don't have access"))
        return found.email

    def _login(self) -> Response:
        query = urlencode({"client_id": self._audience, "response_type": "code", "scope": "openid email"})
        answer = RedirectResponse(f"{LOGIN_PAGE}?{query}", 302)
        answer.body = b"Invalid IAP credentials: empty token"
        answer.headers["Content-Length"] = str(len(answer.body))
        return _iap(answer)


# What other gateways say to a launcher that they do not let in. oauth2-proxy and the older authservice send it to a
# login, whatever it asks; the state of that login is nothing to write down.
GATEWAYS: Mapping[str, Callable[[], Response]] = {
    "Istio": lambda: PlainTextResponse("RBAC: access denied", 403),
    "Istio, of tokens": lambda: PlainTextResponse("Jwt issuer is not configured", 401),
    "Istio, of audiences": lambda: PlainTextResponse("Audiences in Jwt are not allowed", 403),
    "Envoy": lambda: PlainTextResponse("no healthy upstream", 503),
    "oauth2-proxy": lambda: RedirectResponse("/oauth2/start?rd=%2Fapis%2Fv2beta1%2Fruns", 302),
    "Kubeflow's dashboard": lambda: HTMLResponse(DASHBOARD),
    "Dex": lambda: RedirectResponse("https://kubeflow.example/dex/auth?client_id=kubeflow&state=MTc2NDE1-f00d", 302),
}


class Below:
    """A whole Kubeflow, which serves the installation below a ``path``, and everywhere else a page for people: its
    dashboard, which knows no page that is not there."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on without the path, as a gateway does that rewrites it."""
        if scope["path"].startswith(f"{self._path}/"):
            await self._app({**scope, "path": scope["path"].removeprefix(self._path)}, receive, send)
        else:
            await HTMLResponse(DASHBOARD)(scope, receive, send)


class OldServer:
    """While ``is_old``, an installation of KFP 1 in the place of the app: of its API, only the health is served."""

    def __init__(self, app: ASGIApp, is_old: Callable[[], bool]) -> None:
        self._app, self._is_old = app, is_old

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on, or answers as KFP 1 does."""
        answer: ASGIApp = self._app
        if self._is_old():
            healthy = scope["path"] == HEALTH_OF_V1
            answer = JSONResponse(V1_IS_WELL) if healthy else _cannot(Request(scope))
        await answer(scope, receive, send)


async def no_such_page(request: Request, _: Exception) -> Response:
    """What the UI server before the API server says to a path or a method that it does not know."""
    return _cannot(request)


def _cannot(request: Request) -> Response:
    return HTMLResponse(f"<pre>Cannot {request.method} {escape(request.url.path)}</pre>", 404)


def _refused(reason: str) -> Response:
    return _iap(PlainTextResponse(f"Invalid IAP credentials: {reason}", 401))


def _iap(answer: Response) -> Response:
    answer.headers["X-Goog-IAP-Generated-Response"] = "true"
    return answer


def _page(status: int, reason: str) -> HTMLResponse:
    title = f"Error {status} ({reason})!!1"
    return HTMLResponse(f"<!DOCTYPE html><html><title>{title}</title><p><b>{title}</b></p></html>", status)

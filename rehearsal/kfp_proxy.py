"""The proxy of a hosted KFP installation, which every request passes before the API server sees it.

It answers in HTML, for people. A client that takes any 200 or any body for an answer of the API is wrong here.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES = 32 * 1024 * 1024
UNGUARDED = "/rehearsal/"
LOGIN_COOKIE = "S=cloud_datalab_tunnel=; Path=/; Secure; HttpOnly"


class InvertingProxy:
    """Lets a request through when its token is somebody's, and leaves the caller's address in ``request.state``.

    Without ``principal`` there is no such check, and every caller is nobody.
    """

    def __init__(
        self, app: ASGIApp, principal: Callable[[str], str | None] | None, outage: Callable[[], bool]
    ) -> None:
        self._app, self._principal, self._outage = app, principal, outage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request or hands it on."""
        answer = self._refusal(Request(scope)) or self._app
        await answer(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if request.url.path.startswith(UNGUARDED):
            return None
        if self._outage():
            return _page(503, "Service Unavailable")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        request.state.caller = ""
        if self._principal:
            request.state.caller = self._principal(token) if scheme == "Bearer" else None
        if request.state.caller is None:
            refusal = _page(401, "Unauthorized")
            refusal.headers["Set-Cookie"] = LOGIN_COOKIE
            return refusal
        if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
            return _page(413, "Request Entity Too Large")
        return None


def no_such_path(request: Request, _: Exception) -> Response:
    """What the UI server between the proxy and the API server says to a path or a method that it does not know."""
    return HTMLResponse(f"<pre>Cannot {request.method} {escape(request.url.path)}</pre>", 404)


def _page(status: int, reason: str) -> HTMLResponse:
    title = f"Error {status} ({reason})!!1"
    return HTMLResponse(f"<!DOCTYPE html><html><title>{title}</title><p><b>{title}</b></p></html>", status)

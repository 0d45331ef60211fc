"""A wire to put before a stand-in: it notes every request and can be told to go wrong."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.loopback import replay

RUNS, EXPERIMENTS = "/apis/v2beta1/runs", "/apis/v2beta1/experiments"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. ``path`` is raw and without its query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fault:
    """What one request gets in the place of its answer; ``None``: the answer breaks off.

    With ``served`` the app has done what was asked before the answer is lost.
    """

    answer: Response | None
    served: bool = False


def page(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """What a proxy says, for people."""
    return HTMLResponse(f"<!DOCTYPE html><title>{status}</title>", status, dict(headers or {}))


def api_error(status: int, code: int, message: str = "no") -> Response:
    """What the KFP server says: ``code`` is a gRPC one."""
    return JSONResponse({"error": message, "code": code, "message": message, "details": []}, status)


def shown(answer: Response | None) -> str:
    """An answer in the name of a test."""
    if answer is None:
        return "broken off"
    body = bytes(answer.body).decode()
    return f"{answer.status_code} {'page' if body.startswith('<') else body[:36]}"


@dataclass
class Wire:
    """An ASGI app before another. Faults are used up in order, one per request of that method and path."""

    app: ASGIApp
    seen: list[Seen] = field(default_factory=list)
    faults: dict[tuple[str, str], list[Fault]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, method: str, path: str, *answers: Response | None, served: bool = False) -> None:
        """The next requests, one per answer, get these."""
        self.faults[method, path] += [Fault(answer, served) for answer in answers]

    def fail_for_good(self, method: str, path: str, answer: Response | None) -> int:
        """As :meth:`fail`, for one answer; returns how often it is given: a 401 makes a client try a new token."""
        times = 2 if answer and answer.status_code == 401 else 1
        self.fail(method, path, *[answer] * times)
        return times

    def count(self, method: str, path: str = "") -> int:
        """How many requests there were to paths that end so."""
        return len([seen for seen in self.seen if seen.method == method and seen.path.endswith(path)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["raw_path"].decode()
        body = await request.body()
        self.seen.append(Seen(request.method, path, dict(request.query_params), dict(request.headers), body))

        faults = self.faults[request.method, path]
        if not faults:
            await self.app(scope, replay(body, receive), send)
            return
        fault = faults.pop(0)
        if fault.served:
            await self.app(scope, replay(body), _nowhere)
        if fault.answer:
            await fault.answer(scope, replay(body), send)
        else:  # uvicorn closes the connection when less is sent than was announced
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})


class Network:
    """Notes where connections go to, by name before it is looked up, and keeps them on this machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.targets: set[str] = set()
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._note)

    def _note(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        self.targets.add(f"{host}:{port}")
        if host != "127.0.0.1":
            raise socket.gaierror(f"{host} is not of this test")
        return self._look_up(host, port, *args, **options)


async def _nowhere(_: Any) -> None:
    """Takes an answer that nobody will see."""


async def silence(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with an empty answer to everything."""
    await Response()(scope, receive, send)

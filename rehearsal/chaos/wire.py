"""The wire between one process and one stand-in, where a fault plan is carried out.

Faults stand before a stand-in and not in it, as a network does: the stand-in's own errors are true, but a fault is a
lie about what was done. The request is carried out and the answer says otherwise, comes too late, or does not come.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.chaos.faults import (
    KILLS,
    LOST_RACE,
    UNSERVED,
    Fault,
    Plan,
    Point,
    Step,
    cluster_step,
    kfp_step,
    label,
    metadata_step,
    storage_step,
    vertex_step,
)
from rehearsal.google.errors import google_error
from rehearsal.loopback import replay

HALF_AN_ANSWER: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]}

PRECONDITION_FAILED = 412


@dataclass(frozen=True)
class Lie:
    """What the client hears, None for a broken connection, and whether the service does its work all the same."""

    answer: Response | None
    commits: bool = False


def _page(status: int, title: str) -> Response:
    return HTMLResponse(f"<!DOCTYPE html><html><title>{title}</title></html>", status)


def _kfp_error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"error": message, "code": code, "message": message, "details": []}, status)


def _kubernetes_error(status: int, reason: str) -> Response:
    return JSONResponse({"kind": "Status", "status": "Failure", "reason": reason, "code": status}, status)


def _storage_error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message}}, status)


@dataclass(frozen=True)
class Service:
    """How requests to a service are told apart, and how it lies."""

    step: Callable[[str, str, str, bytes], Step | None]
    lies: Mapping[Fault, Lie]


# The server's errors by kubeflow/pipelines common/util/error.go, the proxy's pages by its issues 3793, 4624 and 5230.
KFP = Service(
    kfp_step,
    {
        Fault.DROPPED_BEFORE: Lie(None),
        Fault.DROPPED_AFTER: Lie(None, commits=True),
        Fault.REDIRECT: Lie(RedirectResponse("http://login.invalid/", 302)),
        Fault.LOGIN: Lie(_page(200, "Sign in")),
        Fault.UNAUTHORIZED: Lie(_page(401, "Error 401 (Unauthorized)!!1")),
        Fault.FORBIDDEN: Lie(PlainTextResponse("forbidden", 403)),
        Fault.TOO_MANY: Lie(_page(429, "Error 429 (Too Many Requests)!!1")),
        Fault.ERROR_BEFORE: Lie(_kfp_error(500, 13, "Failed to create a workflow")),
        Fault.ERROR_AFTER: Lie(_kfp_error(500, 13, "Failed to insert the run"), commits=True),
        Fault.UNAVAILABLE_BEFORE: Lie(_kfp_error(503, 14, "Failed to create a workflow: try again later")),
        Fault.UNAVAILABLE_AFTER: Lie(
            _kfp_error(503, 14, "Failed to create a workflow: try again later"), commits=True
        ),
        Fault.TIMEOUT_AFTER: Lie(_page(504, "Error 504 (Gateway Timeout)!!1"), commits=True),
        Fault.EXISTS_AFTER: Lie(_kfp_error(409, 6, "AlreadyExistsError: the run exists"), commits=True),
        Fault.ABORTED: Lie(_kfp_error(409, 10, "BadRequestError: the namespace is gone")),
        Fault.BAD_REQUEST: Lie(_kfp_error(400, 3, "InvalidInputError: no such parameter")),
    },
)
VERTEX = Service(
    vertex_step,
    {
        Fault.DROPPED_BEFORE: Lie(None),
        Fault.DROPPED_AFTER: Lie(None, commits=True),
        Fault.REDIRECT: Lie(RedirectResponse("http://login.invalid/", 302)),
        Fault.LOGIN: Lie(_page(200, "Sign in")),
        Fault.UNAUTHORIZED: Lie(google_error(401, "Request had invalid authentication credentials.")),
        Fault.FORBIDDEN: Lie(google_error(403, "Permission denied on resource (or it may not exist).")),
        Fault.TOO_MANY: Lie(google_error(429, "Quota exceeded.")),
        Fault.ERROR_BEFORE: Lie(google_error(500, "Internal error encountered.")),
        Fault.ERROR_AFTER: Lie(google_error(500, "Internal error encountered."), commits=True),
        Fault.UNAVAILABLE_BEFORE: Lie(google_error(503, "The service is currently unavailable.")),
        Fault.UNAVAILABLE_AFTER: Lie(google_error(503, "The service is currently unavailable."), commits=True),
        Fault.TIMEOUT_AFTER: Lie(google_error(504, "Deadline exceeded."), commits=True),
        Fault.EXISTS_AFTER: Lie(
            google_error(409, "Pipeline job with the specified ID already exists."), commits=True
        ),
    },
)
KUBERNETES = Service(
    cluster_step,
    {
        Fault.DROPPED_BEFORE: Lie(None),
        Fault.UNAUTHORIZED: Lie(_kubernetes_error(401, "Unauthorized")),
        Fault.FORBIDDEN: Lie(_kubernetes_error(403, "Forbidden")),
        Fault.TOO_MANY: Lie(_kubernetes_error(429, "TooManyRequests")),
        Fault.UNAVAILABLE_BEFORE: Lie(_kubernetes_error(503, "ServiceUnavailable")),
    },
)
METADATA = Service(metadata_step, {Fault.DROPPED_BEFORE: Lie(None)})
STORAGE = Service(
    storage_step,
    {
        Fault.DROPPED_BEFORE: Lie(None),
        Fault.DROPPED_AFTER: Lie(None, commits=True),
        Fault.TOO_MANY: Lie(
            _storage_error(429, "The object exceeded the rate limit for object mutation operations.")
        ),
        Fault.UNAVAILABLE_BEFORE: Lie(_storage_error(503, "Backend Error")),
        Fault.UNAVAILABLE_AFTER: Lie(_storage_error(503, "Backend Error"), commits=True),
    },
)


@dataclass
class Faults:
    """A plan being carried out on all wires together.

    ``injected`` counts by :func:`rehearsal.chaos.faults.label`; ``served`` are the requests of a step that reach the
    service; ``late`` are those that are being slow.
    """

    plan: Plan
    injected: Counter[str] = field(default_factory=Counter)
    requests: Counter[Step] = field(default_factory=Counter)
    served: Counter[Step] = field(default_factory=Counter)
    late: set[asyncio.Task[None]] = field(default_factory=set)

    def next(self, step: Step) -> Fault | None:
        """What befalls the next request of a step."""
        number = self.requests[step]
        self.requests[step] += 1
        fault = self.plan(step, number)
        self.served[step] += fault not in UNSERVED
        return fault

    async def settle(self) -> None:
        """Waits until no request is late any more."""
        await asyncio.gather(*self.late)


class Wire:
    """An ASGI app to be served to one process in the place of a stand-in.

    ``kill`` kills that process, or returns False when it is dead already. ``delay`` is how long a slow request takes,
    in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        faults: Faults,
        *,
        process: str = "",
        kill: Callable[[], bool] = lambda: False,
        delay: float = 0,
    ) -> None:
        self._app = app
        self._service = service
        self._faults = faults
        self._process = process
        self._kill = kill
        self._delay = delay
        self._ordinals = itertools.count()
        logging.getLogger("uvicorn.error").addFilter(_is_news)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carries a request out, or what the plan has for it. One that breaks off, with its process, is none."""
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        step = self._step(scope, body)
        fault = self._faults.next(step) if step else None

        if step is None or fault is None:
            await self._app(scope, replay(body, receive), self._noting_lost_races(send))
            return
        held = replay(body)  # what the network holds does not end when the client gives it up
        if fault in KILLS:
            await self._die(step.point, fault, scope, held)
            await _hung_up(receive)
        else:
            self._faults.injected[label(step.point, fault)] += 1
            await self._lie(fault, scope, held, send)

    def _step(self, scope: Scope, body: bytes) -> Step | None:
        """The step, with the request's ordinal for a subject where it has none of its own."""
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        step = self._service.step(scope["method"], path, query, body)
        return step and Step(step.point, step.subject or f"{self._process}/{next(self._ordinals)}")

    async def _lie(self, fault: Fault, scope: Scope, held: Receive, send: Send) -> None:
        if fault is Fault.SLOW:
            late = asyncio.create_task(self._later(scope, held, send))
            self._faults.late.add(late)
            late.add_done_callback(self._faults.late.discard)
            await late
            return
        if fault is Fault.CUT_OFF:
            await self._cut_off(scope, held, send)
            return
        lie = self._service.lies[fault]
        if lie.commits:
            await self._app(scope, held, _nowhere)
        if lie.answer:
            await lie.answer(scope, held, send)
        else:  # uvicorn closes the connection when less is sent than was announced
            await send(HALF_AN_ANSWER)

    async def _cut_off(self, scope: Scope, held: Receive, send: Send) -> None:
        """Half of an answer's body, as if that were all of it: so does what stands in between."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, held, keep)
        body = b"".join(message.get("body", b"") for message in answer)
        half = body[: len(body) // 2]
        headers = [(name, value) for name, value in answer[0]["headers"] if name.lower() != b"content-length"]
        await send({**answer[0], "headers": [*headers, (b"content-length", str(len(half)).encode())]})
        await send({"type": "http.response.body", "body": half})

    async def _later(self, scope: Scope, held: Receive, send: Send) -> None:
        await asyncio.sleep(self._delay)
        await self._app(scope, held, send)

    async def _die(self, point: Point, fault: Fault, scope: Scope, held: Receive) -> None:
        if fault is Fault.KILLED_AFTER:
            await self._app(scope, held, _nowhere)
        if self._kill():
            self._faults.injected[label(point, fault)] += 1

    def _noting_lost_races(self, send: Send) -> Send:
        """412 needs no lie: duplicates make it happen, and it is counted where it does."""

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == PRECONDITION_FAILED:
                self._faults.injected[LOST_RACE] += 1
            await send(message)

        return note


async def _hung_up(receive: Receive) -> None:
    """Waits until the client is gone, as the kernel sees to when a process dies."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nowhere(_: Message) -> None:
    """Takes an answer that nobody will hear."""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn has something else to say than that an answer broke off: that was on purpose."""
    return not record.getMessage().startswith("ASGI callable returned without completing response")

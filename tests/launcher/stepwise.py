"""Launchers that stop before every request, and the services they ask: in one process, on one clock, without sockets.

The launcher is the real one down to urllib3, whose sending is replaced. The services are the rehearsal's
stand-ins, called as the functions that they are. Only one thread runs at any time, so what happens is repeatable.
"""

from __future__ import annotations

import heapq
import io
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, Timeout
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from function_src.launcher import delivery, ledger
from function_src.launcher.credentials import AccessTokens, TokenUnavailableError
from function_src.launcher.delivery import Delivery as Handled
from function_src.launcher.launch import Launcher
from function_src.launcher.storage import ORIGIN
from rehearsal.chaos.faults import Fault, Point
from rehearsal.chaos.wire import KFP, KUBERNETES, STORAGE, Lie, Service
from rehearsal.google import objects
from rehearsal.google.storage import Storage
from rehearsal.kfp.cluster import Trouble
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.server import KfpEndpoint
from tests.launcher.deliveries import Delivery
from tests.launcher.wire import api_error, page

HOST = "https://kfp.example"
CLUSTER = "https://gke-1.us-central1.gke.goog"
Answer = HTTPResponse | BaseException


@dataclass(frozen=True)
class Request:
    """What a launcher sends."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Clock:
    """Everybody's time, in seconds. It stands still until it is told to go on, and then does what is due."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def at(self, time: float, action: Callable[[], object]) -> None:
        """Does something when that time comes."""
        heapq.heappush(self._due, (time, next(self._order), action))

    def go_on(self, seconds: float) -> None:
        """Lets time pass."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = end


class Killed(BaseException):
    """Ends a launcher where it stands. Like SIGKILL it is caught by nobody."""


class Attempt(threading.Thread):
    """A launcher at work on one delivery, in a process of its own.

    ``request`` is what it would send next, waiting ``patience`` seconds for an answer; None when it has ended.
    ``asked`` is when it decided to. ``token_takes`` is for how long it waits for its next token.
    ``handled`` is what it came to, None if it was killed.
    """

    def __init__(self, name: str, launcher: Launcher, delivery: Delivery, clock: Clock) -> None:
        super().__init__(name=name, daemon=True)
        self.handled: Handled | None = None
        self.request: Request | None = None
        self.asked = 0.0
        self.patience = 0.0
        self.tokenless = False
        self.token_takes = 0.0
        self._launcher, self._delivery, self.clock = launcher, delivery, clock
        self._stops: SimpleQueue[None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self.start()
        self._stops.get()

    @property
    def point(self) -> Point | None:
        """What its next request is for; None if that is to read the trigger file."""
        assert self.request
        url = urlsplit(self.request.url)
        step = self.service.step(self.request.method, url.path, url.query, self.request.body)
        return step and step.point

    @property
    def service(self) -> Service:
        """Whom it asks next."""
        url = self.request.url if self.request else ""
        return KFP if url.startswith(HOST) else KUBERNETES if url.startswith(CLUSTER) else STORAGE

    def run(self) -> None:
        try:
            self.handled = self._launcher.handle(*self._delivery)
        except Killed:
            pass
        finally:
            self._stops.put(None)

    def send(self, request: Request, patience: float) -> HTTPResponse:
        """Stops the launcher before a request, until it is told what it hears."""
        self.request, self.patience = request, patience
        self.asked = self.clock.now
        self._stops.put(None)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer.with_traceback(None)  # one is raised many times, and would remember where
        return answer

    def hear(self, answer: Answer) -> None:
        """Lets the launcher go on to its next request, or to its end."""
        self.request = None
        self._answers.put(answer)
        self._stops.get()

    def kill(self) -> None:
        """Ends it where it stands."""
        self.hear(Killed())


@dataclass(frozen=True)
class Fate:
    """What befalls a request: whether it is carried out, and what is heard of it, None for the truth.

    ``tokenless``: the metadata server has no other token when this one is refused. ``strands``: the server creates
    the workflow that is asked for, and no row. ``halves``: half of the truth is heard, as if it were all.
    """

    name: str
    commits: bool = False
    answer: Response | BaseException | None = None
    tokenless: bool = False
    strands: bool = False
    halves: bool = False

    @property
    def leaves_open(self) -> bool:
        """Whether a POST that met it may have started a workflow, for all that its sender knows."""
        if isinstance(self.answer, Response):
            certain = 300 <= self.answer.status_code < 400 or self.answer.status_code in (400, 401, 403, 404, 429)
            return not certain and self.name != Fault.ABORTED
        return self.answer is not REFUSED_CONNECTION

    @property
    def rejects(self) -> bool:
        """Whether the endpoint says that the event's run can never be started."""
        return self.name in (Fault.ABORTED, Fault.BAD_REQUEST)

    @property
    def tells_what_is_there(self) -> bool:
        """Whether the answer is about something that the service has done before it."""
        told = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
        return isinstance(self.answer, Response) and self.answer.status_code in told


DROPPED = ProtocolError("Connection aborted")
REFUSED_CONNECTION = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # no connection: nothing reads it


def _lies(lies: Mapping[Fault, Lie]) -> Iterator[Fate]:
    for fault, lie in lies.items():
        yield Fate(fault.value, lie.commits, lie.answer or DROPPED)


WELL = Fate("well", commits=True)
ANSWERED_LATE = Fate("carried out at once, answered late", commits=True)
ANYWHERE = (
    ANSWERED_LATE,
    Fate(Fault.CUT_OFF, commits=True, halves=True),
    Fate("connection refused", answer=REFUSED_CONNECTION),
    Fate("401, and no other token", answer=page(401), tokenless=True),
    Fate(Fault.KILLED_BEFORE, answer=Killed()),
    Fate(Fault.KILLED_AFTER, commits=True, answer=Killed()),
)
KFP_FATES = (*_lies(KFP.lies), *ANYWHERE, Fate("404 of the proxy", answer=page(404)))
# What the server says of a run that is asked for, and of no other request: these are true answers or none.
POST_FATES = (
    Fate("404 code 5", answer=api_error(404, 5, "Experiment not found")),
    Fate("409 code 6 before commit", answer=api_error(409, 6)),
)
STRANDED = tuple(
    Fate(f"a workflow and no row, {what}", commits=True, answer=answer, strands=True)
    for what, answer in {
        "500": None,
        "dropped": DROPPED,
        "504": page(504),
        "killed": Killed(),
    }.items()
)
CLUSTER_FATES = (*_lies(KUBERNETES.lies), *ANYWHERE)
# Cloud Storage answers 412 to the second of two tries of which its own front end made the first.
STORAGE_FATES = (*_lies(STORAGE.lies), *ANYWHERE, Fate("412 after commit", commits=True, answer=page(412)))


class Services:
    """Cloud Storage and a KFP endpoint. ``start_within`` is how long after a run was asked for it may start."""

    def __init__(self, start_within: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.storage = Storage(lambda *_: None)
        self.kfp = KfpEndpoint(None, pace=Pace(0, clock=lambda: self.clock.now))
        self._start_within = start_within
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.setattr(HTTPConnectionPool, "urlopen", _send)
        monkeypatch.setattr(AccessTokens, "get", _token)
        for module in (delivery, ledger):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.clock.now))
        monkeypatch.setattr(objects, "time", SimpleNamespace(time_ns=lambda: int(self.clock.now * 1e9)))

    def fates(self, attempt: Attempt) -> tuple[list[Fate], list[Fate]]:
        """What can befall an attempt's next request: it is carried out, or not."""
        fates = CLUSTER_FATES if attempt.service is KUBERNETES else STORAGE_FATES
        if attempt.service is KFP:
            fates = KFP_FATES + POST_FATES + STRANDED if attempt.point is Point.POST else KFP_FATES
        return [fate for fate in fates if fate.commits], [fate for fate in fates if not fate.commits]

    def answer(self, attempt: Attempt, fate: Fate, delay: float) -> None:
        """Lets a request meet its fate, and the launcher go on.

        It is carried out ``delay`` seconds from now. The truth about that takes as long, and is not waited for longer
        than the launcher's patience; a lie is told at once.
        """
        apps: dict[int, ASGIApp] = {id(KFP): self.kfp.api, id(KUBERNETES): self.kfp.kubernetes.app}
        app, request = apps.get(id(attempt.service), self.storage.app), attempt.request
        assert request
        now = self.clock.now
        at = now if fate is ANSWERED_LATE or fate.tells_what_is_there else now + delay
        if attempt.point is Point.POST:
            at = min(at, attempt.asked + self._start_within)
        done: list[HTTPResponse] = []
        if fate.commits and at >= now:
            self.clock.at(at, lambda: done.append(self._ask(app, request, strands=fate.strands)))
        attempt.tokenless = fate.tokenless
        if fate.answer is None:
            answered = now + delay if fate is ANSWERED_LATE else at
            self.clock.go_on(min(max(answered - now, 0), attempt.patience))
            if not done or answered > self.clock.now:
                attempt.hear(ReadTimeoutError(None, "", "late"))  # type: ignore[arg-type]  # nothing reads its pool
                return
            attempt.hear(_half(done[0]) if fate.halves else done[0])
        else:
            self.clock.go_on(0)
            attempt.hear(fate.answer if isinstance(fate.answer, BaseException) else self._ask(fate.answer, request))

    def _ask(self, app: ASGIApp, request: Request, *, strands: bool = False) -> HTTPResponse:
        """Calls an app as a server would."""
        self.kfp.trouble = lambda _: Trouble.ANSWER_LOST if strands else None
        url, sent = urlsplit(request.url), list[Message]()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "server": (url.hostname, 443),
            "root_path": "",
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers.items()],
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        _finish(app(scope, receive, send))  # type: ignore[arg-type]  # an Awaitable by name, and a coroutine
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message["body"] for message in sent[1:])
        return _answer(body, {**headers, "Date": formatdate(int(self.clock.now), usegmt=True)}, sent[0]["status"])


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a stand-in waits for something")


def _answer(body: bytes, headers: Mapping[str, str], status: int) -> HTTPResponse:
    return HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)


def _half(answer: HTTPResponse) -> HTTPResponse:
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    body = answer.read()
    return _answer(body[: len(body) // 2], headers, answer.status)


def _send(
    pool: HTTPConnectionPool,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    timeout: Timeout,
    **_: Any,
) -> BaseHTTPResponse:
    attempt = threading.current_thread()
    assert isinstance(attempt, Attempt)
    request = Request(method, f"{pool.scheme}://{pool.host}{url}", headers, body or b"")
    assert request.url.startswith((HOST, CLUSTER, ORIGIN))
    timeout.start_connect()  # before which it does not tell
    assert isinstance(timeout.read_timeout, float)
    return attempt.send(request, timeout.read_timeout)


def _token(_: AccessTokens, *, refused: str | None = None) -> str:
    attempt = threading.current_thread()
    if not isinstance(attempt, Attempt):
        return "token"
    attempt.clock.go_on(attempt.token_takes)
    attempt.token_takes = 0
    if refused and attempt.tokenless:
        raise TokenUnavailableError("there is no other")
    return "token"

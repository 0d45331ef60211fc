"""The inverting proxy of a hosted installation, and the agent in its cluster (google/inverting-proxy).

The proxy keeps each request until the agent has posted an answer; the agent asks it for what is pending, calls the
API and posts what it says. So nobody's patience is the other's: the proxy says 504 while the agent goes on, the
agent gives up while nobody waits any more, and an agent that starts anew forwards again whatever has no answer yet.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.kfp.pace import Pace
from rehearsal.loopback import replay

PROXY_WAITS = 30.0  # app/proxy.go, responseWaitTimeout
AGENT_WAITS = 60.0  # agent/agent.go, the larger of proxy-timeout and request-forwarding-timeout
MOST_LISTED = 100  # app/store.go, ListPendingRequests
KEPT = 120.0  # app/store.go, DeleteOldRequests
CUT_OFF = "Error occurred while trying to proxy"


@dataclass(eq=False)
class Pending:
    """A request that has no answer yet."""

    scope: Scope
    body: bytes
    since: float
    answer: asyncio.Future[Response] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class InvertingProxy:
    """Hands requests to an app through an agent.

    ``caches``: whether an answer 200 to a GET is kept by user and URL, for ever, when it has no Cache-Control. The
    public source does so; KFP's own UI and client cannot live with it, so the hosted one may not. ``again`` has the
    bodies of the requests that were forwarded again.
    """

    def __init__(self, app: ASGIApp, pace: Pace) -> None:
        self.caches = True
        self.again: list[bytes] = []
        self._app, self._pace = app, pace
        self._pending: dict[Pending, None] = {}
        self._forwards: dict[Pending, asyncio.Task[None]] = {}
        self._cache: dict[tuple[str, str], Response] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request from the cache, by the agent, or with 504 when that takes too long."""
        request = Request(scope, receive)
        place = request.state.caller, str(request.url)
        answer = self._cache.get(place)
        if answer is None:
            try:
                answer = await self._wait(Pending(scope, await request.body(), self._pace.now()))
            except ClientDisconnect:
                return
            cacheable = request.method == "GET" and answer.status_code == HTTPStatus.OK
            if self.caches and cacheable and "cache-control" not in answer.headers:
                self._cache[place] = answer
        await answer(scope, receive, send)

    def restart_agent(self) -> None:
        """The agent dies, its connections with it. The next one forwards all that is still pending."""
        self.again += [request.body for request in self._forwards]
        for forward in self._forwards.values():
            forward.cancel()
        self._forwards.clear()
        self._look()

    async def _wait(self, request: Pending) -> Response:
        self._pending[request] = None
        self._look()
        try:
            async with self._pace.limit(PROXY_WAITS):
                return await asyncio.shield(request.answer)
        except TimeoutError:
            return PlainTextResponse("Timeout waiting for a response", HTTPStatus.GATEWAY_TIMEOUT)

    def _look(self) -> None:
        """The agent asks what is pending: the oldest, and those among them that it does not know it forwards."""
        for request in [*self._pending][:MOST_LISTED]:
            if self._pace.now() > request.since + KEPT:
                del self._pending[request]
            elif request not in self._forwards:
                self._forwards[request] = asyncio.create_task(self._forward(request))

    async def _forward(self, request: Pending) -> None:
        try:
            async with self._pace.limit(AGENT_WAITS):
                answer = await self._call(request)
        except TimeoutError:
            answer = Response(status_code=HTTPStatus.BAD_GATEWAY)
        request.answer.set_result(answer)
        self._pending.pop(request, None)
        del self._forwards[request]
        self._look()

    async def _call(self, request: Pending) -> Response:
        """Calls the API and takes in what it says. Cancelling this is closing the connection."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(request.scope, replay(request.body), send)
        if sent[-1]["type"] != "http.response.body":
            return PlainTextResponse(CUT_OFF, HTTPStatus.GATEWAY_TIMEOUT)
        answer = Response(b"".join(message.get("body", b"") for message in sent[1:]), sent[0]["status"])
        answer.raw_headers = [*sent[0]["headers"]]
        return answer

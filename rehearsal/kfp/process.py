"""The API server's process: it drops what its caller gave up, and it can die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rehearsal.kfp.pace import Pace
from rehearsal.loopback import never, replay

BROKEN: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]}
"""The beginning of an answer that does not come. Uvicorn closes the connection when less is sent than announced."""


class ServerProcess:
    """Serves an app as a Go server does: each request in a context that ends with its connection.

    ``restarted`` hears that a new process has taken the place of one that died.
    """

    def __init__(self, app: ASGIApp, pace: Pace, restarted: Callable[[], None]) -> None:
        self._app, self._pace, self._restarted = app, pace, restarted
        self._serving: set[asyncio.Task[None]] = set()
        self._back = 0.0

    def die(self, away: float = 0) -> None:
        """Breaks off every request where it stands. For ``away`` seconds of the endpoint nobody answers."""
        for serving in self._serving:
            serving.cancel()
        self._back = self._pace.now() + away
        self._restarted()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, for as long as somebody waits for the answer."""
        if self._pace.now() < self._back:
            await send(BROKEN)
            return
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        serving = asyncio.ensure_future(self._app(scope, replay(body), send))
        gone = asyncio.create_task(_hung_up(receive))
        self._serving.add(serving)
        try:
            await asyncio.wait((serving, gone), return_when=asyncio.FIRST_COMPLETED)
            if serving.cancelled():
                await send(BROKEN)
            elif serving.done():
                serving.result()
        finally:
            self._serving.discard(serving)
            serving.cancel()
            gone.cancel()


async def _hung_up(receive: Receive) -> None:
    if (await receive())["type"] != "http.disconnect":
        await never()

"""Serves the stand-ins: one event loop in one thread, each app on a free port of 127.0.0.1.

One loop for all of them is a choice, not an economy: a stand-in's handler runs without interruption between
two awaits, so a check and the write that depends on it (a generation precondition, say) are atomic without a
lock, as they are at the service it stands in for.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import uvicorn
from starlette.types import ASGIApp, Message, Receive

HOST = "127.0.0.1"
IDLE_SECONDS = 600  # as the servers do that ours stand for; uvicorn's 5 cut requests off that are just being sent
T = TypeVar("T")
P = ParamSpec("P")


async def never() -> Message:
    """Hears nothing."""
    heard: Message = await asyncio.get_running_loop().create_future()
    return heard


def replay(body: bytes, then: Receive = never) -> Receive:
    """A request that was read already, for an app that reads it again; after it, it hears what ``then`` does."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await then()

    return receive


class Loopback:
    """A context manager that owns the loop, its thread and every server started with :meth:`serve`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stand-ins", daemon=True)
        self._servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop from another thread and returns its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a stand-in's plain function on the loop from another thread and returns its result."""

        async def on_the_loop() -> T:
            return function(*args, **kwargs)

        return self.run(on_the_loop())

    def serve(self, app: ASGIApp) -> str:
        """Serves an ASGI app on a free port and returns its URL, without a slash at the end."""
        # The kernel chooses the port and the socket is handed over open, so nobody can take it in between.
        listener = socket.create_server((HOST, 0))
        # asyncio sets it only on sockets that say they are TCP; without it a kept-alive request takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.run(self._start(app, listener))
        return f"http://{HOST}:{listener.getsockname()[1]}"

    async def _start(self, app: ASGIApp, listener: socket.socket) -> None:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                lifespan="off",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=IDLE_SECONDS,
            )
        )
        self._servers.append((server, asyncio.create_task(server.serve(sockets=[listener]))))

    async def _shut_down(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._servers), return_exceptions=True)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*rest, return_exceptions=True)

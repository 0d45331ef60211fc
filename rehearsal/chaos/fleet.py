"""Several processes of one function behind one address, as Cloud Run has them. One that is killed is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearsal.function import Function
from rehearsal.loopback import HOST, Loopback

CHUNK = 64 * 1024


class Fleet:
    """A context manager; :meth:`start` it inside. ``url`` is where all of them are reached.

    Connections go round the processes that live. Without any they are refused, and a connection dies with its
    process: to Pub/Sub both are deliveries that failed.
    """

    def __init__(self, loopback: Loopback, python: Path, source: Path, on_log: Callable[[dict[str, Any]], None]):
        self.kills = 0
        self.url = ""
        self._loopback = loopback
        self._python = python
        self._source = source
        self._on_log = on_log
        self._environments: Sequence[Mapping[str, str]] = ()
        self._functions: list[Function | None] = []
        self._turns = itertools.count()
        self._closing = False
        self._starters = ThreadPoolExecutor(thread_name_prefix="fleet")
        self._starts: list[Future[None]] = []
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Fleet:
        server = self._loopback.run(asyncio.start_server(self._serve, HOST, 0))
        self._exits.callback(self._loopback.call, server.close)
        self._exits.callback(self._end, _kill_and_reap)
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def start(self, environments: Sequence[Mapping[str, str]]) -> None:
        """Starts a process with each of the environments.

        Raises:
            FunctionError: one does not start.
        """
        self._environments = environments
        self._functions = [None] * len(environments)
        self._starts = [self._starters.submit(self._start, slot) for slot in range(len(environments))]
        for start in self._starts:
            start.result()

    def kill(self, slot: int) -> bool:
        """Kills a process by SIGKILL and has it replaced; False if there is none just now. Call it on the loop."""
        function = None if self._closing else self._functions[slot]
        if function is None:
            return False
        self._functions[slot] = None
        _kill(function)
        self.kills += 1
        self._starts.append(self._starters.submit(self._replace, slot, function))
        return True

    def _start(self, slot: int) -> None:
        self._functions[slot] = Function(self._python, self._source, self._environments[slot], self._on_log)

    def _replace(self, slot: int, dead: Function) -> None:
        dead.stop()
        if not self._closing:
            self._start(slot)

    def stop(self) -> None:
        """Lets every process finish what it is at, and end.

        Raises:
            FunctionError: one that was killed could not be replaced.
        """
        self._end(Function.stop)
        for start in self._starts:
            start.result()

    def _end(self, end: Callable[[Function], None]) -> None:
        """A start under way is waited for: only what has started can be ended."""
        self._loopback.call(self._close)
        self._starters.shutdown()
        with ThreadPoolExecutor() as enders:
            list(enders.map(end, filter(None, self._functions)))
        self._functions = []

    def _close(self) -> None:
        self._closing = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Joins a connection to one process until either end closes it."""
        with contextlib.closing(writer), contextlib.suppress(OSError):
            live = [function for function in self._functions if function]
            if live:
                port = urlsplit(live[next(self._turns) % len(live)].url).port
                process_reader, process_writer = await asyncio.open_connection(HOST, port)
                await asyncio.gather(_pump(reader, process_writer), _pump(process_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes the other end when one is closed, which in turn ends the pump the other way."""
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


def _kill(function: Function) -> None:
    os.killpg(function.pid, signal.SIGKILL)


def _kill_and_reap(function: Function) -> None:
    _kill(function)
    function.stop()

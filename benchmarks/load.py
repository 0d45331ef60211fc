"""Two kinds of load, and how long each event waited for its answer, in seconds.

Closed: so many callers, each of which sends its next event when the last was answered. It tells how much a function
can do, and hides what waits. Open: events come at a rate, whatever became of those before, as they do from a bucket.
There an event's time counts from when it was due, and so has in it the time that it waited behind others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from benchmarks.contestants import Request
from benchmarks.serving import Server

MOST_CALLERS = 64


@dataclass(frozen=True)
class Took:
    """How long each event took, and all of them together."""

    each: Sequence[float]
    all: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return len(self.each) / self.all


def closed(server: Server, requests: Sequence[Request], callers: int) -> Took:
    """Sends requests, from so many callers at once."""
    waiting: SimpleQueue[Request] = SimpleQueue()
    for request in requests:
        waiting.put(request)
    ready = threading.Barrier(callers + 1)

    def work() -> list[float]:
        took: list[float] = []
        with server.caller() as call:
            ready.wait()
            while True:
                try:
                    request = waiting.get_nowait()
                except Empty:
                    return took
                began = time.monotonic()
                call(request)
                took.append(time.monotonic() - began)

    with ThreadPoolExecutor(callers) as pool:
        workers = [pool.submit(work) for _ in range(callers)]
        ready.wait()
        began = time.monotonic()
        each = [seconds for worker in workers for seconds in worker.result()]
    return Took(each, time.monotonic() - began)


def opened(server: Server, requests: Sequence[Request], rate: float) -> Took:
    """Sends requests at so many a second, each by a connection of its own."""

    def work(due: float, request: Request) -> float:
        with server.caller() as call:
            call(request)
        return time.monotonic() - due

    with ThreadPoolExecutor(MOST_CALLERS) as pool:
        began = time.monotonic()
        workers = []
        for number, request in enumerate(requests):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            workers.append(pool.submit(work, due, request))
        each = [worker.result() for worker in workers]
    return Took(each, time.monotonic() - began)

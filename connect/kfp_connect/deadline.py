"""A limit on how long connecting may take, which holds whatever the network does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kfp_connect.problems import ConnectError, Problem

T = TypeVar("T")


class Deadline:
    """``seconds`` from now. What is late goes on in a thread that nobody waits for: a look-up of a name, say, has no
    time limit of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def run(self, work: Callable[[], T], late: Problem, **facts: object) -> T:
        """Returns what ``work`` does, or raises what it raises.

        Raises:
            ConnectError: the problem ``late``, when it is not done in time.
        """
        done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

        def attempt() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:  # noqa: BLE001 it is raised in the thread that waits
                done.put((None, error))

        threading.Thread(target=attempt, name="connect", daemon=True).start()
        try:
            result, error = done.get(timeout=max(0.0, self._end - time.monotonic()))
        except queue.Empty:
            raise ConnectError(late, SECONDS=f"{self._seconds:g}", **facts) from None
        if error:
            raise error
        return result  # type: ignore[return-value]  # without an error it is a T

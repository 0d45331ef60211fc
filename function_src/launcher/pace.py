"""How an attempt shares out its time, and how many runs one process asks for at once.

A stock KFP server creates five workflows a second; a POST waits its turn there. One that is given up meanwhile may
leave a workflow that no run shows, and from a few hundred on, none gets through (docs/scale.md). So a POST is waited
for as long as the lease allows, few are under way, and what waits, waits here: without a claim, so without a lease.

Preview counts with the same numbers.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

POSTS_AT_ONCE = 4  # of one process
SHARE_TO_SEND_IN = 0.4  # of the lease: an older claim starts nothing, and leaves the rest to the POST and the server


class BusyError(Exception):
    """This process asks for as many runs as it may, or waits after one that came to no good."""


@dataclass(frozen=True)
class Pace:
    """The time of one attempt, in seconds: its lease or the function's timeout, whichever is shorter."""

    seconds: float

    @property
    def for_a_turn(self) -> float:
        """How long a delivery waits for its turn."""
        return 0.3 * self.seconds

    @property
    def to_send_in(self) -> float:
        """How old an attempt may be when it asks for a run."""
        return SHARE_TO_SEND_IN * self.seconds

    @property
    def for_a_post(self) -> float:
        """How long the answer to that is waited for. What is left is for the question whether the run is there."""
        return 0.5 * self.seconds

    @property
    def for_an_answer(self) -> float:
        """How long any other answer is waited for."""
        return self.seconds / 6

    @property
    def after_a_doubt(self) -> float:
        """How long a process asks for nothing after a POST of which it does not know what it did."""
        return 0.2 * self.seconds


class Turns:
    """Who may ask for a run now, first come, first served. Safe to use from several threads.

    After a doubt nobody may for a while, and then one at a time until one has started its run: a server in trouble is
    not made to leave a workflow that no run shows by each event in turn.
    """

    def __init__(self, at_once: int, pause: float) -> None:
        self._at_once = at_once
        self._pause = pause
        self._under_way = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()
        self._closed_until = 0.0
        self._doubtful = False

    @property
    def doubtful(self) -> bool:
        """Whether no run was started since the last doubt: look whether the server is well before asking for one."""
        return self._doubtful

    @contextmanager
    def take(self, patience: float) -> Iterator[None]:
        """Waits for a turn, at most ``patience`` seconds, and holds it.

        Raises:
            BusyError: there was none in that time.
        """
        self._wait(patience)
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def doubt(self) -> None:
        """Closes for a while."""
        with self._changed:
            self._closed_until, self._doubtful = time.monotonic() + self._pause, True

    def trust(self) -> None:
        """Opens: the server has started a run."""
        with self._changed:
            self._doubtful = False
            self._changed.notify_all()

    def _wait(self, patience: float) -> None:
        ticket, end = object(), time.monotonic() + patience
        with self._changed:
            self._line.append(ticket)
            try:
                while (pause := self._closed_for()) > 0 or self._line[0] is not ticket or self._is_full():
                    left = end - time.monotonic()
                    if left <= 0:
                        raise BusyError(f"{self._under_way} runs are being asked for; this one had no turn yet")
                    self._changed.wait(min(left, pause) if pause > 0 else left)
                self._under_way += 1
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _closed_for(self) -> float:
        return self._closed_until - time.monotonic()

    def _is_full(self) -> bool:
        return self._under_way >= (1 if self._doubtful else self._at_once)

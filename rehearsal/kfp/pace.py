"""The endpoint's time, and the turns that its Kubernetes client gives to requests.

A stock API server creates five Workflows a second. Its client for Kubernetes (client-go, QPS 5 and burst 10) has
one queue for all, and who gives up in it gets his turn back only if nobody stands behind him: that is how a server
that is asked by more callers than it can serve in their patience comes to serve none (golang.org/x/time/rate,
CancelAt).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PER_SECOND = 5.0
BURST = 10


class Pace:
    """How long a second of the endpoint lasts here: ``scale`` seconds. At 0 nothing waits for anything.

    Whatever takes time at an installation takes it from here, so that every ratio is kept when a test goes faster.
    ``clock`` and ``sleep`` are for tests that have a time of their own.
    """

    def __init__(
        self,
        scale: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._scale, self._clock, self._sleep = scale, clock, sleep

    def now(self) -> float:
        """The present, in seconds of the endpoint."""
        return self._clock() / (self._scale or 1)

    async def sleep(self, seconds: float) -> None:
        """Waits for some seconds of the endpoint; without letting anybody else go first if there are none."""
        if self._scale and seconds > 0:
            await self._sleep(seconds * self._scale)

    def limit(self, seconds: float) -> asyncio.Timeout:
        """Ends a block with TimeoutError when it takes longer."""
        return asyncio.timeout(seconds * self._scale if self._scale else None)


class Turns:
    """Who may go when: the arithmetic of client-go's rate limiter, without its waiting. Times are in seconds."""

    def __init__(self, per_second: float = PER_SECOND, burst: int = BURST) -> None:
        self.per_second, self.burst = per_second, burst
        self._tokens = float(burst)
        self._reckoned: float | None = None
        self._last = 0.0

    def take(self, now: float) -> float:
        """When it is the turn of who comes now."""
        self._reckon(now)
        self._tokens -= 1
        self._last = now + max(0.0, -self._tokens / self.per_second)
        return self._last

    def give_back(self, turn: float, now: float) -> None:
        """Somebody who waits for this turn gives up. It is lost if another stands behind him."""
        restored = 1 - (self._last - turn) * self.per_second
        if turn < now or restored <= 0:
            return
        self._reckon(now)
        self._tokens = min(self.burst, self._tokens + restored)
        before = turn - 1 / self.per_second
        if turn == self._last and before >= now:
            self._last = before

    def _reckon(self, now: float) -> None:
        if self._reckoned is not None:
            self._tokens = min(self.burst, self._tokens + max(0.0, now - self._reckoned) * self.per_second)
        self._reckoned = now

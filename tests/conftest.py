"""What tests in several rooms serve their stand-ins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from starlette.types import ASGIApp

from rehearsal.loopback import Loopback

Serve = Callable[[ASGIApp], str]


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def utc(self) -> datetime:
        """As google-auth tells the time."""
        return datetime.fromtimestamp(self.now, UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def serve(loopback: Loopback) -> Serve:
    """Serves an app and returns its URL."""
    return loopback.serve

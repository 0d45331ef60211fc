"""What tests in several rooms serve their stand-ins with, and the watch over the files that a user owns."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from starlette.types import ASGIApp

from rehearsal.loopback import Loopback
from tests.watch.sitecustomize import HERE, NOTES

Serve = Callable[[ASGIApp], str]

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:  # in the background: what tests start would inherit it
        signal.signal(number, signal.SIG_DFL)

noted = tempfile.NamedTemporaryFile()  # noqa: SIM115 it is there for as long as this process is
os.environ[NOTES] = noted.name
os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, [os.environ.get("PYTHONPATH")])])


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: most tests wait for processes of theirs half of the time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fails the test that has opened a file which a user owns, in this process or in one that it started."""
    yield
    if opened := sorted(set(Path(noted.name).read_text().splitlines())):
        Path(noted.name).write_text("")
        pytest.fail("these are the user's, and the product's tests read none of them: " + "; ".join(opened))


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

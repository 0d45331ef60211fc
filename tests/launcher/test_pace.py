"""No more runs are asked for at once than the server can serve, and what waits does so in line and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from function_src.launcher import pace
from function_src.launcher.pace import POSTS_AT_ONCE, BusyError, Pace, Turns

LONG = 60.0


@dataclass
class Time:
    """A clock that goes on when somebody waits, and at once."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(pace, "time", found)

    def wait(_: threading.Condition, timeout: float) -> None:
        found.waits.append(timeout)
        found.now += timeout

    monkeypatch.setattr(threading.Condition, "wait", wait)
    return found


@contextmanager
def held(turns: Turns, count: int) -> Iterator[None]:
    """Somebody has so many turns."""
    with ExitStack() as holders:
        for _ in range(count):
            holders.enter_context(turns.take(LONG))
        yield


def test_no_more_have_a_turn_at_once_than_may() -> None:
    turns, at_once, most = Turns(POSTS_AT_ONCE, 0), 0, 0
    lock, full = threading.Lock(), threading.Barrier(POSTS_AT_ONCE)

    def go(_: int) -> None:
        nonlocal at_once, most
        with turns.take(LONG):
            with lock:
                at_once += 1
                most = max(most, at_once)
            full.wait(LONG)  # so that there are that many at some time
            with lock:
                at_once -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(go, range(16)))
    assert most == POSTS_AT_ONCE


def test_who_comes_first_goes_first() -> None:
    turns, order = Turns(1, 0), list[int]()

    def go(number: int) -> None:
        with turns.take(LONG):
            order.append(number)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(8)]
    with held(turns, 1):
        for number, thread in enumerate(threads):
            thread.start()
            while len(turns._line) <= number:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_who_has_waited_long_enough_is_told_that_it_is_busy(time: Time) -> None:
    turns = Turns(2, 0)
    with held(turns, 2), pytest.raises(BusyError, match="2 runs are being asked for"), turns.take(30):
        pass
    assert time.now == 1030
    with turns.take(0):
        pass


def test_a_turn_that_was_waited_for_in_vain_holds_up_nobody(time: Time) -> None:
    turns = Turns(1, 0)
    with held(turns, 1), pytest.raises(BusyError), turns.take(30):
        pass
    assert not turns._line
    assert time.waits == [30]


def test_a_turn_ends_with_whatever_was_raised_in_it(time: Time) -> None:
    turns = Turns(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), turns.take(0):
            raise KeyError


def test_after_a_doubt_nobody_has_a_turn_for_a_while(time: Time) -> None:
    turns = Turns(4, pause=20)
    turns.doubt()
    with pytest.raises(BusyError), turns.take(19):
        pass
    with turns.take(30):
        assert time.now == 1020


def test_after_that_one_at_a_time_has_until_one_has_started_its_run(time: Time) -> None:
    turns = Turns(4, pause=20)
    turns.doubt()
    with held(turns, 1):
        with pytest.raises(BusyError), turns.take(30):
            pass
        turns.trust()
        with held(turns, 3):
            pass


def test_a_doubt_lasts_until_a_run_was_started() -> None:
    turns, said = Turns(4, pause=0), list[bool]()
    for happen in (turns.doubt, turns.trust):
        happen()
        said.append(turns.doubtful)
    assert said == [True, False]


def test_a_run_that_was_started_does_not_shorten_the_pause_that_another_caused(time: Time) -> None:
    """Where a queue is too long, some get through; to send more would make it longer."""
    turns = Turns(4, pause=20)
    turns.doubt()
    turns.trust()
    with pytest.raises(BusyError), turns.take(19):
        pass


@pytest.mark.parametrize("seconds", [60, 300])
def test_an_attempt_that_takes_as_long_as_it_may_ends_in_its_time(seconds: float) -> None:
    """It waits for its turn, asks at the last moment, hears nothing, and asks whether the run is there."""
    found = Pace(seconds)
    assert found.for_a_turn < found.to_send_in
    assert found.to_send_in + found.for_a_post < seconds
    assert found.for_a_post == seconds / 2, "a POST is given up as late as its lease allows"


def test_a_delivery_that_waits_outlasts_the_pause_after_a_doubt() -> None:
    """So the pause costs no attempt."""
    assert Pace(300).after_a_doubt < Pace(300).for_a_turn

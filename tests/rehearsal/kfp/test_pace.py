"""Turns are given as client-go gives them: five a second, and none back to who gives up before somebody else."""

from __future__ import annotations

import heapq

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.kfp.pace import BURST, PER_SECOND, Turns

PATIENCE = 50.0  # what the launcher had at first: a sixth of a lease


def test_ten_go_at_once_and_then_five_a_second() -> None:
    turns = Turns()
    assert [turns.take(100.0) for _ in range(13)] == [*[100.0] * 10, 100.2, 100.4, 100.6]


def test_a_turn_is_given_back_by_the_last_in_the_queue() -> None:
    turns = Turns(burst=1)
    turns.take(0.0)
    turns.give_back(turns.take(0.0), 0.1)
    assert turns.take(0.1) == 0.2


def test_a_turn_is_lost_when_somebody_stands_behind_who_gives_it_up() -> None:
    turns = Turns(burst=1)
    turns.take(0.0)
    given_up, _ = turns.take(0.0), turns.take(0.0)
    turns.give_back(given_up, 0.1)
    assert turns.take(0.1) == 0.6


Waits = st.lists(st.floats(0, 10), min_size=1, max_size=40)


@given(pauses=Waits, give_up=st.lists(st.booleans(), min_size=40, max_size=40))
def test_no_second_has_more_turns_than_its_share(pauses: list[float], give_up: list[bool]) -> None:
    turns, now, taken = Turns(), 0.0, []
    for pause, gives_up in zip(pauses, give_up, strict=False):
        now += pause
        turn = turns.take(now)
        if gives_up and turn > now:
            turns.give_back(turn, now)
        else:
            taken.append(turn)
    assert taken == sorted(taken)
    for first, start in enumerate(taken):
        for more, end in enumerate(taken[first:]):
            assert more + 1 <= BURST + PER_SECOND * (end - start) + 1 + 1e-6


def served(callers: int, seconds: float) -> list[float]:
    """When callers are served who come back as soon as they were served, or gave up."""
    turns, times = Turns(), []
    coming = [(0.0, caller) for caller in range(callers)]
    waiting: list[tuple[float, float, int]] = []  # until when, for which turn, who
    while coming or waiting:
        now, caller = heapq.heappop(coming) if coming and (not waiting or coming[0] < waiting[0][:1]) else (None, 0)
        if now is None:
            until, turn, caller = heapq.heappop(waiting)
            if turn > until:
                turns.give_back(turn, until)
            else:
                times.append(turn)
            if until < seconds:
                heapq.heappush(coming, (until, caller))
            continue
        turn = turns.take(now)
        heapq.heappush(waiting, (min(turn, now + PATIENCE), turn, caller))
    return times


def test_a_queue_that_is_longer_than_its_callers_patience_serves_nobody_in_the_end() -> None:
    inside, outside = served(240, 300), served(300, 300)
    assert len([time for time in inside if time >= 60]) >= 1190
    assert not [time for time in outside if time >= 60]

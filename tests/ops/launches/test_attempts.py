"""Of an event that has no outcome `show` says what went wrong last, and when the next attempt should come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ops.launches.words import show_distance
from tests.launcher.conftest import HangUp, hang_up
from tests.ops.launches.conftest import Desk

__all__ = ["hang_up"]  # fixtures


def failing(desk: Desk, times: int) -> str:
    """A file whose event was tried so often, in vain."""
    event = desk.upload()
    for _ in range(times):
        desk.fail()
    return event


def seconds(later: str, earlier: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


@pytest.mark.parametrize(("times", "wait"), [(1, 10), (2, 20), (5, 160), (8, 600)])
def test_the_next_attempt_is_estimated_from_the_backoff(desk: Desk, times: int, wait: int) -> None:
    event = failing(desk, times)
    [told] = desk.json("launches", "show", event)
    assert (told["state"], told["failed_attempts"]) == ("missing", times)
    assert seconds(told["next_attempt_at"], told["last_attempt_at"]) == wait
    assert told["last_attempt_at"][:23] == desk.log.entries[-1]["timestamp"][:23]


def test_the_last_error_is_said_and_the_estimate_is_called_one(desk: Desk) -> None:
    event = failing(desk, 3)
    shown = " ".join(desk.run("launches", "show", event).split())
    assert f"{event} is missing" in shown
    assert "attempts 3 of 100 failed, the last at 20" in shown
    assert "last error the endpoint answered 503: a page: Error 503 (Service Unavailable)!!1" in shown
    assert "an estimate by the subscription's backoff of 10 to 600 s, which Pub/Sub may exceed" in shown
    assert "No attempt started a run, and none is at work: Pub/Sub delivers it again" in shown
    assert "never heard of it" not in shown


def test_the_error_before_is_said_too_where_it_is_another(desk: Desk) -> None:
    """What a delivery says that meets the claim of one in doubt hides what the doubt was about."""
    event = desk.leave_in_doubt()
    desk.fail()
    [told] = desk.json("launches", "show", event)
    assert (told["state"], told["failed_attempts"]) == ("open", 2)
    assert "may still be starting the run" in told["last_error"]
    shown = " ".join(desk.run("launches", "show", event).split())
    assert "one before the endpoint answered 503: a page: Error 503 (Service Unavailable)!!1" in shown


def test_a_dead_letter_says_what_it_died_of_and_has_no_next_attempt(desk: Desk) -> None:
    event = failing(desk, 2)
    desk.dead_letter()
    [told] = desk.json("launches", "show", event)
    assert (told["state"], told["next_attempt_at"]) == ("dead-lettered", None)
    assert told["last_error"] == "the endpoint answered 503: a page: Error 503 (Service Unavailable)!!1"
    shown = " ".join(desk.run("launches", "show", event).split())
    assert "next attempt none, until it is replayed" in shown


def test_an_event_that_nobody_tried_has_no_attempts(desk: Desk) -> None:
    event = desk.upload()
    [told] = desk.json("launches", "show", event)
    assert (told["failed_attempts"], told["last_error"], told["next_attempt_at"]) == (0, None, None)
    shown = " ".join(desk.run("launches", "show", event).split())
    assert "attempts none that failed, as far as the log goes back" in shown
    assert "next attempt" not in shown


@pytest.mark.parametrize("how", ["denied", "absent", "silent"])
def test_a_log_that_cannot_be_read_costs_only_what_it_would_say(
    desk: Desk, how: str, hang_up: HangUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = failing(desk, 2)
    desk.log.denied = True
    if how == "absent":
        monkeypatch.delenv("LOGGING_EMULATOR_HOST")
    if how == "silent":
        monkeypatch.setenv("LOGGING_EMULATOR_HOST", hang_up.host.removeprefix("http://"))
    [told] = desk.json("launches", "show", event)
    assert (told["state"], told["failed_attempts"], told["last_error"]) == ("missing", None, None)
    reasons = {
        "denied": "403: Permission denied for all log views",
        "absent": "there is no log among the stand-ins",
        "silent": "ConnectionError at Cloud Logging",
    }
    assert told["log_unread"].endswith(reasons[how])
    shown = " ".join(desk.run("launches", "show", event).split())
    assert "last error not known, since the log could not be read: " in shown


def test_every_page_of_the_log_is_read(desk: Desk) -> None:
    """One may be empty and still not the last."""
    event = failing(desk, 3)
    desk.log.short_pages = [0, 1, 0, 1]
    [told] = desk.json("launches", "show", event)
    assert told["failed_attempts"] == 3


def test_only_attempts_that_failed_are_counted(desk: Desk) -> None:
    event = desk.upload()
    assert desk.deliver(desk.launcher("content.file")) == ["rejected"]
    desk.run("replay", event, "--yes")
    desk.fail()
    [told] = desk.json("launches", "show", event)
    assert (told["state"], told["failed_attempts"]) == ("missing", 1)


def test_another_events_lines_are_not_taken_for_its_own(desk: Desk) -> None:
    failing(desk, 2)
    desk.loopback.call(desk.inbox.kept.clear)
    other = desk.upload("other.json")
    [told] = desk.json("launches", "show", other)
    assert told["failed_attempts"] == 0


@pytest.mark.parametrize("outcome", ["launched", "rejected"])
def test_what_has_an_outcome_needs_no_log(desk: Desk, outcome: str) -> None:
    event = desk.upload()
    assert desk.deliver(desk.launcher("content.file") if outcome == "rejected" else None) == [outcome]
    desk.log.denied = True
    [told] = desk.json("launches", "show", event)
    assert told["log_unread"] is None
    assert 0 <= told["age_seconds"] < 600
    assert "s ago)" in desk.run("launches", "show", event)


@pytest.mark.parametrize(
    ("away", "shown"),
    [
        (timedelta(seconds=-5.2), "5 s ago"),
        (timedelta(seconds=-119), "119 s ago"),
        (timedelta(minutes=-3, seconds=-1), "3 min ago"),
        (timedelta(hours=-3), "3 h ago"),
        (timedelta(days=-4), "4 d ago"),
        (timedelta(seconds=20.4), "in 20 s"),
        (timedelta(days=3, minutes=1), "in 3 d"),
    ],
    ids=str,
)
def test_how_far_away_a_moment_is(away: timedelta, shown: str) -> None:
    assert show_distance(datetime.now(UTC) + away) == shown

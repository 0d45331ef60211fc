"""`launches` says of every event where it is, and of every file whether it was an event."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from ops.launches import sweep
from ops.launches.words import KnownState, State, read_moment
from tests.ops.launches.conftest import BUCKET, LEDGER, Desk


def one_of_each(desk: Desk) -> dict[str, str]:
    """An event in every state, by state."""
    events, launcher = {}, desk.launcher()
    events["launched"] = desk.upload("launched.json")
    desk.deliver(launcher)
    events["rejected"] = desk.upload("rejected.json")
    desk.deliver(desk.launcher("content.file"))
    events["dead-lettered"] = desk.upload("dead-lettered.json")
    desk.dead_letter()
    events["open"] = desk.upload("open.json")
    desk.kfp.outage = True
    desk.deliver(launcher)
    desk.kfp.outage = False
    return events


def test_every_event_is_listed_with_its_state_and_its_run(desk: Desk) -> None:
    events = one_of_each(desk)
    listed = desk.json("launches", "list")
    assert {launch["state"]: launch["event"] for launch in listed} == events
    assert {launch["run_id"] for launch in listed} == {None, desk.kfp.workflows[0].run_id}
    assert [launch["at"] for launch in listed] == sorted((launch["at"] for launch in listed), reverse=True)


def test_in_a_pipe_every_event_is_one_line_with_all_that_json_holds(desk: Desk) -> None:
    one_of_each(desk)
    _, *lines = desk.run("launches", "list", width=40).splitlines()
    for launch, line in zip(desk.json("launches", "list"), lines, strict=True):
        assert all(f" {launch[name] or '-'} " in f"{line} " for name in ("trigger", "state", "event", "run_id"))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_on_a_terminal_no_event_and_no_run_is_cut(desk: Desk, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one_of_each(desk)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    words = re.sub(r"\x1b\[\d*m", "", desk.run("launches", "list", width=width)).split()
    for launch in desk.json("launches", "list"):
        assert {launch[name] for name in ("trigger", "state", "event", "run_id") if launch[name]} <= {*words}


@pytest.mark.parametrize("state", ["launched", "rejected", "dead-lettered", "open"])
def test_a_list_can_be_of_one_state(desk: Desk, state: str) -> None:
    events = one_of_each(desk)
    assert [launch["event"] for launch in desk.json("launches", "list", "--state", state)] == [events[state]]


def test_a_list_can_be_of_every_state_but_missing() -> None:
    assert {*get_args(KnownState), State.MISSING} == {*State}


def test_a_list_can_be_of_one_time(desk: Desk) -> None:
    one_of_each(desk)
    assert len(desk.json("launches", "list", "--since", "1h")) == 4
    assert desk.run("launches", "list", "--since", "9999-01-01") == "no such events\n"


def test_a_list_of_dead_letters_leaves_them_where_they_are(desk: Desk) -> None:
    one_of_each(desk)
    for _ in range(3):
        assert len(desk.json("launches", "list", "--state", "dead-lettered")) == 1


def test_times_are_in_the_users_zone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    desk.upload()
    desk.deliver()
    [launch] = desk.json("launches", "list")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        shown = desk.run("launches", "list")
    finally:
        monkeypatch.undo()
        time.tzset()
    there = datetime.fromisoformat(launch["at"]).astimezone(UTC) + timedelta(hours=5, minutes=45)
    assert f"{there:%Y-%m-%d %H:%M:%S}" in shown


@pytest.mark.parametrize("reference", ["event", "uri", "key", "run_id"])
def test_show_says_which_run_a_file_started(desk: Desk, reference: str) -> None:
    event = desk.upload()
    desk.deliver()
    [listed] = desk.json("launches", "list")
    names = {**listed, "uri": event.partition("#")[0]}
    [shown] = desk.json("launches", "show", names[reference])
    assert (shown["state"], shown["event"]) == ("launched", event)
    assert shown["run_id"] == desk.kfp.workflows[0].run_id
    assert shown["records"][0]["parameters"] == {"filename": event.partition("#")[0]}
    assert shown["run_id"] in desk.run("launches", "show", names[reference])


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("rejected", "the event gives no value for parameter 'filename'"),
        ("dead-lettered", "It was tried too often"),
        ("open", "It is being launched, or waits for its next delivery"),
    ],
)
def test_show_says_why_a_file_started_none(desk: Desk, state: str, why: str) -> None:
    event = one_of_each(desk)[state]
    shown = desk.run("launches", "show", event)
    assert f"{event} is {state}" in shown
    assert why in " ".join(shown.split())


def test_show_says_of_a_file_without_an_event_that_it_is_missing(desk: Desk) -> None:
    event = desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    assert f"{event} is missing" in desk.run("launches", "show", event.partition("#")[0])


def test_missing_files_are_those_that_the_launcher_never_heard_of(desk: Desk) -> None:
    desk.loopback.call(desk.storage.write, BUCKET, "elsewhere/a", b"")
    one_of_each(desk)
    assert desk.json("launches", "missing") == []
    assert desk.run("launches", "missing") == "the launcher knows of every file\n"
    lost = [desk.upload(f"{number}.json") for number in range(3)]
    desk.loopback.call(desk.inbox.kept.clear)
    assert {launch["event"] for launch in desk.json("launches", "missing")} == set(lost)


def test_what_the_ledger_may_have_forgotten_is_not_called_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a sweep would launch everything again that is older than the ledger's memory."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # only UTC is asked for
            return datetime.now(UTC) + timedelta(days=94)

    desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    monkeypatch.setattr(sweep, "datetime", Later)
    assert [launch["state"] for launch in desk.json("launches", "missing")] == ["unknown"]
    assert "1 unknown, which --missing leaves alone" in desk.run("launches", "missing")
    assert desk.run("replay", "--missing", "--yes") == "nothing to replay\n"
    assert desk.deliver() == []


def ago(days: int) -> int:
    """That moment, in microseconds since 1970."""
    return time.time_ns() // 1000 - days * 86_400_000_000


@pytest.mark.parametrize(
    ("ledger", "file_days", "state"),
    [
        ({"created": 10}, 9, "missing"),
        ({"created": 10}, 11, "unknown"),
        ({"created": 90, "updated": 1}, 32, "missing"),
        ({"created": 90, "updated": 1}, 34, "unknown"),  # had it remembered the fewest days that there can be
        ({"created": 90, "updated": 60}, 89, "missing"),
        ({"created": 100, "updated": 99}, 94, "unknown"),
    ],
    ids=str,
)
def test_what_came_before_the_ledgers_memory_is_unknown_and_never_swept_up(
    desk: Desk, ledger: Mapping[str, int], file_days: int, state: str
) -> None:
    """A ledger that was made anew, or is told to remember longer, does not know what became of older files."""
    for name, days in ledger.items():
        setattr(desk.storage.buckets[LEDGER], name, ago(days))
    desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    files = desk.storage.buckets[BUCKET].objects
    [written] = files.values()
    files[written.name] = replace(written, generation=ago(file_days))
    assert [launch["state"] for launch in desk.json("launches", "missing")] == [state]
    desk.run("replay", "--missing", "--yes")
    assert desk.deliver() == (["launched"] if state == "missing" else [])


@pytest.mark.parametrize(
    "outputs", [{}, {"triggers": {}}, {"ledger": LEDGER, "ledger_days": 93, "triggers": {"echo": {}}}], ids=str
)
def test_a_stack_that_does_not_stand(desk: Desk, outputs: dict[str, object]) -> None:
    desk.outputs(outputs)
    assert "deploy it: make up STACK=dev" in desk.refusal("launches", "list")


def test_a_trigger_that_is_not_there(desk: Desk) -> None:
    assert "has no trigger 'ecco'; it has: echo" in desk.refusal("launches", "list", "--trigger", "ecco")


def test_a_ledger_that_is_not_there(desk: Desk) -> None:
    desk.loopback.call(desk.storage.delete_bucket, LEDGER)
    assert "Cloud Storage answered 404" in desk.refusal("launches", "list")


@pytest.mark.parametrize("text", ["yesterday", "7 days", "", "7w"])
def test_a_moment_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="write 90m, 24h or 7d, or a date such as 2026-11-01"):
        read_moment(text)

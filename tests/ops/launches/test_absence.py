"""Of a file that started nothing `show` says why: one sentence for each cause, and no other cause's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.launches import show, sweep
from tests.ops.launches.conftest import BUCKET, OUTPUTS, Desk

SOURCE = OUTPUTS["triggers"]["echo"]["source"]
FILE = f"gs://{BUCKET}/incoming/a.json"


def lost(desk: Desk) -> str:
    """A file that lies where it should and was announced to nobody."""
    event = desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    return event


def put(desk: Desk, name: str, bucket: str = BUCKET) -> str:
    desk.loopback.call(desk.storage.write, bucket, name, b"")
    desk.loopback.call(desk.inbox.kept.clear)
    return f"gs://{bucket}/{name}"


def elsewhere(desk: Desk) -> str:
    desk.loopback.call(desk.storage.create_bucket, "others")
    return put(desk, "incoming/a.json", "others")


def with_glob(desk: Desk) -> str:
    desk.stands(echo={"source": {**SOURCE, "glob": "incoming/*.csv"}})
    return put(desk, "incoming/a.json")


def deleted(desk: Desk) -> str:
    event = lost(desk)
    desk.loopback.call(desk.storage.delete, BUCKET, "incoming/a.json")
    return event


def overwritten(desk: Desk) -> str:
    event = lost(desk)
    desk.upload(body=b"other")
    desk.loopback.call(desk.inbox.kept.clear)
    return event


def without_buckets(desk: Desk) -> str:
    desk.stands(nightly={"source": {"kind": "schedule"}}, orders={"source": {"kind": "pubsub"}})
    return FILE


CAUSES: list[tuple[Callable[[Desk], str], str]] = [
    (elsewhere, f"no trigger of stack dev watches gs://others; trigger echo watches gs://{BUCKET}/incoming/"),
    (
        without_buckets,
        f"no trigger of stack dev watches gs://{BUCKET}; trigger nightly takes events of kind schedule, trigger o",
    ),
    (lambda desk: put(desk, "outgoing/a.json"), "its name does not begin with incoming/"),
    (with_glob, "its name does not match the glob incoming/*.csv"),
    (lambda _: FILE, "there is no such object: it was deleted and left no record, or never was"),
    (deleted, "there is no such object: that generation was deleted and left no record, or never was"),
    (
        overwritten,
        "no such generation is there: it was overwritten and left no record, or never was; the live one is #",
    ),
]


@pytest.mark.parametrize(("cause", "sentence"), CAUSES, ids=[sentence[:50] for _, sentence in CAUSES])
def test_show_says_why_a_file_was_no_event(desk: Desk, cause: Callable[[Desk], str], sentence: str) -> None:
    uri = cause(desk)
    [told] = desk.json("launches", "show", uri)
    assert (told["event"], told["state"], told["key"]) == (uri, "no event", None)
    assert told["why"].startswith(sentence)
    shown = " ".join(desk.run("launches", "show", uri).split())
    assert f"{uri} started no run" in shown
    assert told["why"] in shown


@pytest.mark.parametrize(("cause", "sentence"), CAUSES, ids=[sentence[:50] for _, sentence in CAUSES])
def test_what_was_no_event_is_not_replayed_and_it_is_said_why(
    desk: Desk, cause: Callable[[Desk], str], sentence: str
) -> None:
    assert f"cannot be replayed: {sentence}" in desk.refusal("replay", cause(desk), "--yes")
    assert desk.deliver() == []


def test_the_live_generation_is_named_when_another_was_asked_for(desk: Desk) -> None:
    old = desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    live = desk.upload().rpartition("#")[2]
    [told] = desk.json("launches", "show", old)
    assert f"the live one is #{live} of " in told["why"]


def test_each_trigger_that_watches_the_bucket_says_why(desk: Desk) -> None:
    desk.stands(
        echo={"source": {**SOURCE, "glob": "**/*.csv"}},
        labels={"source": {**SOURCE, "prefix": "labels/"}},
        orders={"source": {"kind": "pubsub"}},
        taxi={},
    )
    event = lost(desk)
    told = {one["trigger"]: one for one in desk.json("launches", "show", event)}
    assert {name: one["state"] for name, one in told.items()} == {
        "echo": "no event",
        "labels": "no event",
        "taxi": "missing",
    }
    assert told["echo"]["why"] == "its name does not match the glob **/*.csv"
    assert told["labels"]["why"] == "its name does not begin with labels/"


def test_a_trigger_that_was_named_speaks_for_itself(desk: Desk) -> None:
    desk.stands(echo={}, labels={"source": {**SOURCE, "bucket": "acme-labels", "glob": "**/*.json"}})
    [told] = desk.json("launches", "show", FILE, "--trigger", "labels")
    watched = "trigger labels watches gs://acme-labels/incoming/ for names that match **/*.json"
    assert told["why"] == f"trigger labels does not watch gs://{BUCKET}; {watched}"


def test_a_file_that_is_older_than_the_notification_is_said_to_be(desk: Desk) -> None:
    made = datetime.now(UTC) + timedelta(hours=1)
    desk.announces_since(made)
    event = lost(desk)
    [told] = desk.json("launches", "show", event)
    assert told["state"] == "missing"
    assert f"the trigger's notification was made {made.astimezone():%Y-%m-%d %H:%M:%S}" in told["why"]
    assert told["why"].endswith(f"pipeline-trigger replay '{event}'")
    assert "1 replayed" in desk.run("replay", event, "--yes")
    assert desk.deliver() == ["launched"]


def test_a_file_that_came_before_the_notification_was_heard_of_everywhere_is_said_to_be_early(desk: Desk) -> None:
    """Cloud Storage may take 30 seconds to begin."""
    desk.announces_since(datetime.now(UTC) - timedelta(seconds=5))
    [told] = desk.json("launches", "show", lost(desk))
    assert "nor may be what came in the first 30 s" in told["why"]


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_should_have_been_announced_is_not_said_to_be_too_old(desk: Desk, known: bool) -> None:
    if known:
        desk.announces_since(datetime.now(UTC) - timedelta(days=1))
    event = lost(desk)
    [told] = desk.json("launches", "show", event)
    assert told["why"].startswith(
        "The launcher never heard of it: it was there before the notification, or its event"
    )
    assert told["why"].endswith(f"pipeline-trigger replay '{event}'")


def later(days: int) -> type[datetime]:
    """A clock that is so many days ahead."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # only UTC is asked for
            return datetime.now(UTC) + timedelta(days=days)

    return Later


def test_a_file_that_is_older_than_the_ledgers_memory_is_left_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been launched, and a replay would launch it again."""
    event = lost(desk)
    monkeypatch.setattr(sweep, "datetime", later(94))
    [told] = desk.json("launches", "show", event)
    assert told["state"] == "unknown"
    assert "it remembers 93 days. It may have been launched, and been forgotten" in told["why"]
    assert "is unknown: it was written" in desk.not_replayed("replay", event)
    desk.run("replay", event, "--again", "--because", "I have looked", "--yes")
    assert desk.deliver() == ["launched"]


@pytest.mark.parametrize(("days", "said"), [(20, True), (40, False)])
def test_a_run_that_the_endpoint_may_have_deleted_is_said_to_have_been_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, days: int, said: bool
) -> None:
    """Its page shows a 404 then, as of a run that never was; the ledger knows better."""
    desk.outputs({**OUTPUTS, "triggers": {"echo": {**OUTPUTS["triggers"]["echo"], "runs_retention_days": days}}})
    event = desk.upload()
    assert desk.deliver() == ["launched"]
    monkeypatch.setattr(show, "datetime", later(30))
    [told] = desk.json("launches", "show", event)
    assert told["state"] == "launched"
    why = f"The endpoint deletes runs after {days} days: that it has none any more does not mean that there was none."
    assert told["why"] == (why if said else None)


def test_outputs_of_an_older_version_say_as_much(desk: Desk) -> None:
    old = {key: value for key, value in OUTPUTS["triggers"]["echo"].items() if key not in ("attempts", "backoff")}
    desk.outputs({**OUTPUTS, "triggers": {"echo": old}})
    desk.upload()
    desk.fail()
    [told] = desk.json("launches", "show", FILE)
    assert (told["failed_attempts"], told["next_attempt_at"]) == (1, None)
    shown = " ".join(desk.run("launches", "show", FILE).split())
    assert "1 failed, the last at" in shown
    assert (
        "next attempt not known: the stack's outputs do not say its backoff until it is deployed once more" in shown
    )


def test_outputs_of_a_newer_version_are_understood(desk: Desk) -> None:
    desk.stands(echo={"something": "new"})
    event = desk.upload()
    desk.deliver()
    assert [one["event"] for one in desk.json("launches", "show", event)] == [event]

"""`replay` hands an event over once more, under its key: whatever happens, one run per event, unless asked for."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unittest.mock import ANY

import pytest
from google.auth.credentials import AnonymousCredentials
from typer.testing import CliRunner

from function_src.launcher.event import REPLAYED
from ops.cli import app
from ops.errors import OperationError
from ops.google import who_asks
from ops.launches.cloud import Cloud
from tests.ops.launches.conftest import BUCKET, LEDGER, TOPIC, Desk


def test_an_event_that_was_tried_too_often_launches_once_it_is_replayed(desk: Desk) -> None:
    event = desk.upload()
    [first] = desk.loopback.call(list, desk.inbox.kept)
    desk.dead_letter()
    assert "1 replayed" in desk.run("replay", event, "--yes")
    [replayed] = desk.loopback.call(list, desk.inbox.kept)
    assert (replayed.data, replayed.attributes) == (first.data, {**first.attributes, REPLAYED: ANY})
    assert desk.deliver() == ["launched"]
    desk.leases_expire()
    assert desk.run("replay", "--dead-letters", "--yes") == "nothing to replay\n"
    [launch] = desk.json("launches", "list")
    assert (launch["event"], launch["state"]) == (event, "launched")


def test_a_dead_letter_of_an_event_that_did_launch_starts_nothing(desk: Desk) -> None:
    desk.upload()
    [message] = desk.loopback.call(list, desk.inbox.kept)
    assert desk.deliver() == ["launched"]
    desk.loopback.call(desk.inbox.kept.append, message)
    desk.dead_letter()
    assert [launch["state"] for launch in desk.json("launches", "list")] == ["launched"]
    assert "1 replayed" in desk.run("replay", "--dead-letters", "--yes")
    assert desk.deliver() == ["duplicate"]
    assert desk.workflows == 1
    assert desk.dead_letters == []


def test_replaying_takes_only_what_was_asked_for(desk: Desk) -> None:
    first, second = desk.upload("first.json"), desk.upload("second.json")
    desk.dead_letter()
    desk.run("replay", first, "--yes")
    assert desk.deliver() == ["launched"]
    assert [launch["event"] for launch in desk.json("launches", "list", "--state", "dead-lettered")] == [second]


def test_replaying_twice_starts_one_run(desk: Desk) -> None:
    event = desk.upload()
    desk.dead_letter()
    [letter] = desk.dead_letters
    desk.run("replay", event, "--yes")
    desk.loopback.call(desk.inbox.kept.append, letter)
    assert sorted(desk.deliver()) == ["duplicate", "launched"]
    assert desk.workflows == 1


def test_a_replay_that_breaks_off_leaves_the_dead_letter(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.upload()
    desk.dead_letter()

    def refuse(*_: object) -> None:
        raise OperationError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Cloud, "publish", refuse)
        assert desk.not_replayed("replay", "--dead-letters") == "no"
    desk.leases_expire()
    desk.run("replay", "--dead-letters", "--yes")
    assert desk.deliver() == ["launched"]


def test_a_rejected_event_launches_once_its_fault_is_mended(desk: Desk) -> None:
    event = desk.upload()
    assert desk.deliver(desk.launcher("content.file")) == ["rejected"]
    desk.run("replay", "--rejected", "--yes")
    desk.time_passes()
    assert desk.deliver(desk.launcher({"from": "content.file", "default": "mended"})) == ["launched"]
    [shown] = desk.json("launches", "show", event)
    assert [record["outcome"] for record in shown["records"]] == ["launched", "rejected"]
    assert "rejected at" in desk.run("launches", "show", event)
    assert desk.workflows == 1


def test_an_event_that_is_named_twice_is_replayed_once(desk: Desk) -> None:
    event = desk.upload()
    desk.deliver(desk.launcher("content.file"))
    [shown] = desk.json("launches", "show", event)
    [replayed] = desk.json("replay", event, shown["key"], "--yes")
    assert replayed["event"] == event


def test_a_rejected_event_whose_fault_is_not_mended_is_rejected_again_and_can_be_replayed_again(desk: Desk) -> None:
    event = desk.upload()
    wrong = desk.launcher("content.file")
    assert desk.deliver(wrong) == ["rejected"]
    desk.time_passes()
    for earlier in range(1, 3):
        desk.run("replay", event, "--yes")
        assert desk.deliver(wrong) == ["rejected"]
        [shown] = desk.json("launches", "show", event)
        assert len(shown["records"]) == earlier + 1


def test_a_replayed_event_launches_at_once_and_without_a_doubt(desk: Desk) -> None:
    """Its claim still stands, and would count for a POST that was never sent."""
    event = desk.upload()
    assert desk.deliver(desk.launcher("content.file")) == ["rejected"]
    desk.run("replay", event, "--yes")
    assert desk.deliver() == ["launched"]
    assert desk.json("launches", "doubtful") == []


def test_a_replay_of_a_rejected_event_that_broke_off_can_be_replayed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = desk.upload()
    desk.deliver(desk.launcher("content.file"))

    def refuse(*_: object) -> None:
        raise OperationError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Cloud, "publish", refuse)
        desk.not_replayed("replay", event)
    assert [launch["state"] for launch in desk.json("launches", "list")] == ["open"]
    desk.run("replay", event, "--yes")
    desk.time_passes()
    assert desk.deliver() == ["launched"]


def test_a_launched_event_is_not_replayed_by_accident(desk: Desk) -> None:
    event = desk.upload()
    desk.deliver()
    refusal = desk.not_replayed("replay", event)
    assert "was launched: a replay would start nothing" in refusal
    assert "--again --because REASON" in refusal
    assert desk.deliver() == []


def test_one_more_run_has_to_be_asked_for_with_a_reason_that_is_recorded(desk: Desk) -> None:
    event = desk.upload()
    desk.deliver()
    desk.run("replay", event, "--again", "--because", "the model was wrong", "--yes")
    assert desk.deliver() == ["launched"]
    assert desk.workflows == 2
    shown = desk.json("launches", "show", event)
    assert [record["again_because"] for launch in shown for record in launch["records"]] == [
        "the model was wrong",
        None,
    ]
    assert "the model was wrong" in desk.run("launches", "show", event)


def test_scripts_learn_under_which_key_each_event_was_replayed(desk: Desk) -> None:
    launched = desk.upload("launched.json")
    desk.deliver()
    rejected = desk.upload("rejected.json")
    desk.deliver(desk.launcher("content.file"))
    assert desk.json("replay", "--dead-letters", "--yes") == []
    [replayed] = desk.json("replay", rejected, "--yes")
    assert (replayed["event"], replayed["state"], replayed["replayed_as"]) == (rejected, "rejected", replayed["key"])
    [again] = desk.json("replay", launched, "--again", "--because", "the model was wrong", "--yes")
    assert again["replayed_as"] != again["key"]
    desk.time_passes()
    assert sorted(desk.deliver()) == ["launched", "launched"]
    assert {shown["key"] for shown in desk.json("launches", "list")} >= {again["replayed_as"], replayed["key"]}


def test_one_more_run_of_an_object_that_is_gone(desk: Desk) -> None:
    event = desk.upload()
    desk.deliver()
    desk.loopback.call(desk.storage.delete, BUCKET, "incoming/a.json")
    assert "is gone from the bucket" in desk.not_replayed("replay", event, "--again", "--because", "why not")


def test_one_more_run_of_an_object_that_was_overwritten(desk: Desk) -> None:
    """Another generation is another event."""
    event = desk.upload()
    desk.deliver()
    desk.upload(body=b"other")
    assert "is gone from the bucket" in desk.not_replayed("replay", event, "--again", "--because", "why not")


def test_files_without_an_event_launch_once_they_are_swept_up(desk: Desk) -> None:
    lost = [desk.upload(f"{number}.json") for number in range(3)]
    desk.loopback.call(desk.inbox.kept.clear)
    assert "3 replayed" in desk.run("replay", "--missing", "--yes")
    assert desk.deliver() == ["launched"] * 3
    assert {launch["event"] for launch in desk.json("launches", "list")} == set(lost)
    assert desk.json("launches", "missing") == []


def test_a_swept_file_whose_event_comes_after_all_starts_one_run(desk: Desk) -> None:
    desk.upload()
    desk.run("replay", "--missing", "--yes")
    assert sorted(desk.deliver()) == ["duplicate", "launched"]
    assert desk.workflows == 1


def test_an_empty_answer_is_not_the_end_of_a_subscription(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pub/Sub may answer a pull with nothing although there is something."""
    one = {"receivedMessages": [{"ackId": "1", "message": {}}]}
    answers = iter([{}, one, {}, {}, one, {}, {}, {}])
    monkeypatch.setattr(Cloud, "_call", lambda *_, **__: next(answers))
    assert len(list(Cloud.connect("acme-ml-dev").pull("projects/p/subscriptions/s"))) == 2


def test_an_event_that_was_rejected_unread_is_not_lost_when_its_replay_breaks_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never had a claim; what was delivered is all that is left of it."""
    desk.loopback.call(desk.pubsub.publish, TOPIC, b"not JSON", {})
    desk.deliver()
    [before] = desk.json("launches", "list")

    def refuse(*_: object) -> None:
        raise OperationError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Cloud, "publish", refuse)
        desk.not_replayed("replay", before["key"])
    [after] = desk.json("launches", "list")
    assert (after["key"], after["state"]) == (before["key"], "open")
    desk.run("replay", before["key"], "--yes")
    assert desk.deliver() == ["rejected"]


def test_dead_letters_that_cannot_be_read_are_told_apart(desk: Desk) -> None:
    for number in range(3):
        desk.loopback.call(desk.pubsub.publish, TOPIC, b"not JSON %d" % number, {})
    desk.dead_letter()
    first, *others = desk.json("launches", "list")
    assert len(others) == 2
    desk.run("replay", first["event"], "--yes")
    assert len(desk.loopback.call(list, desk.inbox.kept)) == 1


def test_what_is_no_message_cannot_be_published_and_is_shown_where_it_lies(desk: Desk) -> None:
    desk.launcher().handle({}, b"not JSON")
    [launch] = desk.json("launches", "list")
    refusal = desk.not_replayed("replay", launch["key"])
    assert f"gs://{LEDGER}/rejected/echo/{launch['key']}" in refusal


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["replay", "gs://a/b", "--rejected"],
        ["replay", "gs://a/b", "--again"],
        ["replay", "--missing", "--again", "--because", "x"],
    ],
)
def test_a_command_that_is_not_clear_does_nothing(desk: Desk, arguments: list[str]) -> None:
    assert "--" in desk.refusal(*arguments)


def test_nothing_is_replayed_unless_it_is_confirmed(desk: Desk) -> None:
    desk.upload()
    desk.dead_letter()
    done = CliRunner().invoke(app, ["replay", "--dead-letters"], input="n\n")
    assert done.exit_code == 1
    assert "Replay 1?" in done.output
    assert desk.deliver() == []


def test_the_ledger_keeps_what_a_replay_sets_aside(desk: Desk) -> None:
    desk.upload()
    desk.deliver(desk.launcher("content.file"))
    desk.run("replay", "--rejected", "--yes")
    names = [name for name in desk.storage.buckets[LEDGER].objects if name.startswith("replayed/")]
    [body] = [desk.loopback.call(desk.storage.get, LEDGER, name).body for name in names]
    assert json.loads(body)["outcome"] == "rejected"


def test_what_was_rejected_stays_where_a_replay_can_find_it_whoever_is_quicker(desk: Desk) -> None:
    """The new delivery may be rejected before the replay has ended: what it kept is all that there is."""
    event = desk.upload()
    wrong = desk.launcher("content.file")
    assert desk.deliver(wrong) == ["rejected"]
    publish = Cloud.publish

    def publish_and_deliver(cloud: Cloud, topic: str, message: Mapping[str, Any]) -> None:
        publish(cloud, topic, message)
        assert desk.deliver(wrong) == ["rejected"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cloud, "publish", publish_and_deliver)
        desk.run("replay", event, "--yes")
    assert "1 replayed" in desk.run("replay", "--rejected", "--yes")
    assert desk.deliver() == ["launched"]


def test_a_replay_that_was_killed_before_it_published_is_found_by_the_next(desk: Desk) -> None:
    desk.upload()
    assert desk.deliver(desk.launcher("content.file")) == ["rejected"]

    def die(*_: object) -> None:
        raise SystemExit(9)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cloud, "publish", die)
        CliRunner().invoke(app, ["replay", "--rejected", "--yes"])
    [left] = desk.json("launches", "list")
    assert left["state"] == "open"
    assert "1 replayed" in desk.run("replay", "--rejected", "--yes")
    assert desk.deliver() == ["launched"]


def test_one_bad_entry_keeps_no_other_from_its_replay(desk: Desk) -> None:
    desk.upload("good.json")
    gone, damaged = desk.upload("gone.json"), desk.upload("damaged.json")
    assert desk.deliver(desk.launcher("content.file")) == ["rejected"] * 3
    keys = {launch["event"]: launch["key"] for launch in desk.json("launches", "list")}
    desk.loopback.call(desk.storage.delete, LEDGER, f"rejected/echo/{keys[gone]}")
    desk.loopback.call(desk.storage.write, LEDGER, f"rejected/echo/{keys[damaged]}", b"{")
    done = CliRunner().invoke(app, ["replay", "--rejected", "--yes"], env={"COLUMNS": "300"})
    assert done.exit_code == 1
    assert "1 replayed, 2 not" in done.output
    assert "no delivery of it was kept" in done.output
    assert "is no Pub/Sub message" in done.output
    assert desk.deliver() == ["launched"]


def test_one_more_run_that_cannot_be_had_keeps_no_other_from_its_own(desk: Desk) -> None:
    gone, there = desk.upload("gone.json"), desk.upload("there.json")
    desk.deliver()
    desk.loopback.call(desk.storage.delete, BUCKET, "incoming/gone.json")
    refusal = desk.not_replayed("replay", gone, there, "--again", "--because", "the model was wrong")
    assert "is gone from the bucket" in refusal
    assert desk.deliver() == ["launched"]


def test_every_record_says_who_had_its_event_replayed_when_and_why(desk: Desk) -> None:
    rejected = desk.upload("rejected.json")
    desk.deliver(desk.launcher("content.file"))
    dead = desk.upload("dead.json")
    desk.dead_letter()
    desk.run("replay", rejected, dead, "--because", "the default is mended", "--yes")
    assert desk.deliver() == ["launched"] * 2
    desk.upload("missing.json")
    desk.loopback.call(desk.inbox.kept.clear)
    desk.run("replay", "--missing", "--yes")
    assert desk.deliver() == ["launched"]
    told = [
        json.loads(record["replayed"])
        for launch in desk.json("launches", "list")
        for shown in desk.json("launches", "show", launch["key"])
        for record in shown["records"]
        if record["outcome"] == "launched"
    ]
    assert sorted(one["because"] for one in told) == ["", "the default is mended", "the default is mended"]
    assert all(one["by"] == who_asks(AnonymousCredentials()) and datetime.fromisoformat(one["at"]) for one in told)
    [aside] = [
        record
        for shown in desk.json("launches", "show", rejected)
        for record in shown["records"]
        if record["outcome"] == "rejected"
    ]
    assert aside["replayed_because"] == "the default is mended"
    assert aside["replayed_by"]
    assert aside["replayed_at"]


def test_a_reason_that_no_message_can_carry_is_refused_before_anything_is_done(desk: Desk) -> None:
    event = desk.upload()
    desk.dead_letter()
    assert "--because: is longer than 600 bytes" in desk.refusal("replay", event, "--because", "x" * 601, "--yes")
    assert desk.deliver() == []


def test_what_is_no_record_in_the_ledger_keeps_nobody_from_a_listing(desk: Desk) -> None:
    event = desk.upload()
    desk.deliver()
    desk.loopback.call(desk.storage.write, LEDGER, "outcomes/echo/notes.txt", b"remember the milk")
    listed = {launch["key"]: launch["state"] for launch in desk.json("launches", "list")}
    assert listed["notes.txt"] == "unknown"
    assert "launched" in listed.values()
    assert [launch["event"] for launch in desk.json("launches", "show", event)] == [event]

"""What is in doubt is listed with the command to look, left alone by replays, and started again if asked for."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from function_src.launcher.launch import Launcher
from function_src.launcher.pace import Pace
from function_src.launcher.run import StrandedError, UnknownError
from function_src.launcher.sources import PubSubSource
from ops.launches import deployment, replay
from tests.launcher.deliveries import as_json
from tests.ops.launches.conftest import LEDGER, OUTPUTS, TOPIC, Desk, pushed

LOOK = "kubectl get workflows --all-namespaces -l pipeline/runid="


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "after_a_doubt", 0.0)


def failing(desk: Desk, error: Exception, launcher: Launcher | None = None) -> Launcher:
    """A launcher whose POSTs come to nothing that is known."""
    found = launcher or desk.launcher()

    def start(*_: object) -> str:
        raise error

    desk.monkeypatch.setattr(found._endpoint, "start", start)
    return found


def redeliver(desk: Desk, launcher: Launcher) -> list[str]:
    """Delivers all that waits, and leaves it waiting."""
    waiting = desk.loopback.call(list, desk.inbox.kept)
    outcomes = desk.deliver(launcher)
    desk.loopback.call(desk.inbox.kept.extend, waiting)
    return outcomes


def in_doubt(desk: Desk, launcher: Launcher | None = None) -> None:
    """All that waits has had two POSTs, and there is no run."""
    for _ in range(2):
        assert set(redeliver(desk, failing(desk, UnknownError("EOF"), launcher))) == {"retry"}
        desk.time_passes()


def test_an_event_in_doubt_is_listed_with_the_reason_and_how_to_look(desk: Desk) -> None:
    event = desk.upload()
    assert desk.run("launches", "doubtful") == "no event is in doubt\n"
    in_doubt(desk)
    [listed] = desk.json("launches", "doubtful")
    assert (listed["event"], listed["state"]) == (event, "doubtful")
    assert listed["doubt"].startswith("2 POSTs may have reached the endpoint, and there is no run; ")
    assert listed["doubt"].endswith(LOOK + listed["run_id"])
    shown = desk.run("launches", "doubtful")
    assert f"{event} is doubtful" in shown
    assert LOOK + listed["run_id"] in shown
    assert f"replay {listed['key']} --again --because REASON" in desk.run("launches", "show", event)
    assert [found["state"] for found in desk.json("launches", "list", "--state", "doubtful")] == ["doubtful"]


def test_the_launcher_and_the_list_say_the_same_of_a_doubt(desk: Desk) -> None:
    desk.upload()
    in_doubt(desk)
    [listed] = desk.json("launches", "doubtful")
    [message] = desk.loopback.call(list, desk.inbox.kept)
    handled = desk.launcher().handle({}, as_json(pushed(message)))
    assert (handled.outcome, handled.doubt, handled.run_id) == ("doubtful", listed["doubt"], listed["run_id"])


def test_a_launch_after_a_doubt_is_listed_too(desk: Desk) -> None:
    event = desk.upload()
    redeliver(desk, failing(desk, UnknownError("EOF")))
    assert desk.json("launches", "doubtful") == [], "one POST is not yet"
    desk.time_passes()
    assert desk.deliver() == ["launched"]
    [listed] = desk.json("launches", "doubtful")
    assert (listed["event"], listed["state"]) == (event, "launched")
    assert LOOK + listed["run_id"] in listed["doubt"]
    assert LOOK in desk.run("launches", "show", event)


def test_an_ordinary_launch_is_not_listed(desk: Desk) -> None:
    desk.upload()
    desk.deliver()
    assert desk.json("launches", "doubtful") == []


def test_a_replay_leaves_alone_what_is_in_doubt_and_says_so(desk: Desk) -> None:
    event = desk.upload()
    in_doubt(desk)
    desk.dead_letter()
    other = desk.upload("other.json")
    desk.dead_letter()
    told = desk.run("replay", "--dead-letters", "--yes")
    assert "1 left alone: pipeline-trigger launches doubtful shows them" in told
    assert "1 replayed" in told
    assert desk.deliver() == ["launched"]
    desk.leases_expire()
    assert [(found["event"], found["state"]) for found in desk.json("launches", "list")] == [
        (other, "launched"),
        (event, "doubtful"),
    ]
    refusal = desk.not_replayed("replay", event)
    assert "is doubtful: 2 POSTs may have reached the endpoint" in refusal
    assert LOOK in refusal
    assert "--again --because REASON" in refusal


def test_what_could_not_be_stored_is_not_replayed_as_if_it_had_never_been_started(desk: Desk) -> None:
    event = desk.upload()
    assert desk.deliver(failing(desk, StrandedError("Error 1366"))) == ["rejected"]
    [listed] = desk.json("launches", "doubtful")
    assert (listed["event"], listed["state"]) == (event, "rejected")
    assert "nothing to replay" in desk.run("replay", "--rejected", "--yes")
    assert "is rejected: the endpoint started a workflow" in desk.not_replayed("replay", event)
    desk.run("replay", event, "--again", "--because", "database mended", "--yes")
    assert desk.deliver() == ["launched"]


@pytest.mark.parametrize("dead", [False, True], ids=["on its way", "dead letter"])
def test_what_is_started_again_is_settled_and_its_old_message_with_it(desk: Desk, dead: bool) -> None:
    event = desk.upload()
    in_doubt(desk)
    if dead:
        desk.dead_letter()
    [before] = desk.json("launches", "doubtful")
    desk.leases_expire()
    desk.run("replay", event, "--again", "--because", "there was none", "--yes")
    desk.leases_expire()
    assert sorted(desk.deliver()) == (["launched"] if dead else ["duplicate", "launched"])
    assert desk.dead_letters == []
    assert desk.workflows == 1
    [old] = desk.json("launches", "show", before["key"])
    [record] = old["records"]
    assert (old["state"], record["outcome"]) == ("doubtful", "doubtful")
    assert record["reason"].startswith("started again as ")
    assert record["reason"].endswith(": there was none")


def test_what_was_launched_meanwhile_is_not_settled_as_a_doubt(desk: Desk) -> None:
    """The run turned up between the look and the replay."""
    event = desk.upload()
    in_doubt(desk)
    [found] = desk.json("launches", "doubtful")
    place = f"outcomes/echo/{found['key']}"
    launched = {
        "outcome": "launched",
        "event": event,
        "run_id": found["run_id"],
        "recorded_at": "2026-01-01T00:00:00Z",
    }
    settle = replay._settle

    def meanwhile(*given: Any) -> None:
        desk.launcher()._ledger.record(found["key"], launched)
        settle(*given)

    desk.monkeypatch.setattr(replay, "_settle", meanwhile)
    desk.run("replay", event, "--again", "--because", "x", "--yes")
    body = desk.loopback.call(desk.storage.get, LEDGER, place).body
    assert json.loads(body) == launched


@pytest.fixture
def messages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """The launcher of a trigger on messages, one of which has arrived."""
    source = {"kind": "pubsub", "topic": ""}
    outputs = {**OUTPUTS, "triggers": {"echo": {**OUTPUTS["triggers"]["echo"], "source": source}}}
    monkeypatch.setattr(deployment, "read_deployment", lambda stack: deployment.deployment(stack, outputs))
    launcher = desk.launcher({"value": "a"})
    of_messages = dataclasses.replace(launcher._trigger, source=PubSubSource("acme-ml-dev/dev/echo"))
    monkeypatch.setattr(launcher, "_trigger", of_messages)
    desk.loopback.call(desk.pubsub.publish, TOPIC, b"{}", {"launch_key": "orders-7"})
    return launcher


START_AGAIN = ("replay", "pubsub:launch_key=orders-7", "--again", "--because", "there was none")


def test_a_message_in_doubt_is_started_again_from_its_dead_letter(desk: Desk, messages: Launcher) -> None:
    """A message has no object to announce it by; its dead letter is all there is of it."""
    start = messages._endpoint.start
    in_doubt(desk, messages)
    assert "publish its message again" in desk.not_replayed(*START_AGAIN)
    desk.dead_letter()
    desk.run(*START_AGAIN, "--yes")
    desk.monkeypatch.setattr(messages._endpoint, "start", start)
    assert desk.deliver(messages) == ["launched"]
    desk.leases_expire()
    assert desk.dead_letters == []


def test_a_message_that_could_not_be_stored_is_started_again_from_what_the_ledger_kept(
    desk: Desk, messages: Launcher
) -> None:
    start = messages._endpoint.start
    assert desk.deliver(failing(desk, StrandedError("Error 1366"), messages)) == ["rejected"]
    desk.run(*START_AGAIN, "--yes")
    desk.monkeypatch.setattr(messages._endpoint, "start", start)
    assert desk.deliver(messages) == ["launched"]

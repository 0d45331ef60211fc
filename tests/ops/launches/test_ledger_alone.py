"""Who cannot log in to Pulumi is told what the ledger says, and what it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.launches.conftest import BUCKET, LEDGER, Desk
from tests.ops.launches.test_absence import FILE, put

ALONE = ("--ledger", f"gs://{LEDGER}")


@pytest.fixture
def alone(desk: Desk) -> Desk:
    """Somebody whose Pulumi CLI is not logged in."""
    (desk.home / "pulumi").write_text("#!/bin/sh\necho 'error: no credentials' >&2; exit 255\n")
    refusal = desk.refusal("launches", "list")
    assert "failed: error: no credentials; launches list, launches show and replay also take --ledger" in refusal
    return desk


def test_the_ledger_alone_says_what_it_records(alone: Desk) -> None:
    launched = alone.upload("launched.json")
    alone.deliver()
    rejected = alone.upload("rejected.json")
    alone.deliver(alone.launcher("content.file"))
    alone.upload("dead.json")
    alone.dead_letter()
    listed = alone.json("launches", "list", *ALONE)
    assert {one["state"]: one["event"] for one in listed} == {"launched": launched, "rejected": rejected}
    [shown] = alone.json("launches", "show", launched, *ALONE)
    assert shown["records"][0]["parameters"] == {"filename": launched.partition("#")[0]}
    assert sorted(shown["links"]) == ["log", "object", "run"]
    [shown] = alone.json("launches", "show", rejected, *ALONE)
    assert shown["last_error"].startswith("the event gives no value for parameter 'filename'")


def test_what_the_ledger_alone_does_not_say_is_said_to_be_unknown(alone: Desk) -> None:
    alone.upload()
    alone.deliver()
    assert "Dead letters are not among them" in alone.remark("launches", "list", *ALONE)
    [told] = alone.json("launches", "show", put(alone, "outgoing/a.json"), *ALONE)
    assert told["state"] == "no event"
    assert told["why"] == (
        f"the ledger has no record of it; whether a trigger watches gs://{BUCKET}, and whether it is a dead letter, "
        "only the stack's outputs say: leave out --ledger"
    )
    [told] = alone.json("launches", "show", FILE.replace("a.json", "b.json"), *ALONE)
    assert told["why"].startswith("there is no such object")
    refusal = alone.refusal("launches", "show", "999", *ALONE)
    assert refusal.startswith(f"the ledger gs://{LEDGER} does not know 999")


def test_an_open_event_may_be_a_dead_letter_as_far_as_the_ledger_says(alone: Desk) -> None:
    event = alone.leave_in_doubt()
    [told] = alone.json("launches", "show", event, *ALONE)
    assert told["state"] == "open"
    assert told["why"].endswith("Or it is a dead letter: where those are kept, the ledger alone does not say.")


@pytest.mark.parametrize("choose", [lambda event: event, lambda _: "--rejected"])
def test_a_rejected_event_is_replayed_from_the_ledger_alone(alone: Desk, choose: Callable[[str], str]) -> None:
    """Its delivery is kept there, and names the subscription that it came from."""
    event = alone.upload()
    assert alone.deliver(alone.launcher("content.file")) == ["rejected"]
    assert "1 replayed" in alone.run("replay", choose(event), "--yes", *ALONE)
    alone.time_passes()
    assert alone.deliver() == ["launched"]
    assert alone.workflows == 1


@pytest.mark.parametrize("what", [["--dead-letters"], ["--missing"], [FILE, "--again", "--because", "x"]])
def test_what_takes_more_than_the_ledger_is_refused(alone: Desk, what: list[str]) -> None:
    refusal = alone.refusal("replay", *what, "--yes", *ALONE)
    assert "the ledger says neither where dead letters are kept, nor which buckets and topics there are" in refusal
    assert "leave out --ledger" in refusal


@pytest.mark.parametrize("name", [f"gs://{BUCKET}", BUCKET, f"gs://{BUCKET}/"])
def test_a_bucket_that_is_no_ledger_is_told_from_one(alone: Desk, name: str) -> None:
    refusal = alone.refusal("launches", "list", "--ledger", name)
    assert f"gs://{BUCKET} holds no records of launches" in refusal
    assert "its output `ledger` names it" in refusal


def test_a_trigger_that_has_no_outcome_yet_is_known_by_its_claims(alone: Desk) -> None:
    event = alone.leave_in_doubt()
    outcomes = [name for name in alone.storage.buckets[LEDGER].objects if name.startswith("outcomes/")]
    for name in outcomes:
        alone.loopback.call(alone.storage.delete, LEDGER, name)
    [told] = alone.json("launches", "show", event, *ALONE)
    assert (told["trigger"], told["state"]) == ("echo", "open")
    assert told["log_unread"] == "the ledger does not say in which project the log is"
    assert sorted(told["links"]) == ["object"]


def test_a_trigger_that_the_ledger_does_not_know(alone: Desk) -> None:
    alone.upload()
    alone.deliver()
    refusal = alone.refusal("launches", "list", "--trigger", "ecco", *ALONE)
    assert refusal == f"the ledger gs://{LEDGER} has no trigger 'ecco'; it has: echo"

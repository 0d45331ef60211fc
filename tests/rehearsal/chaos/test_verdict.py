"""The oracle of chaos sees what is lost, duplicated or unrecorded, and tells what is named from what is silent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.chaos.traffic import Event, events
from rehearsal.chaos.verdict import Said, Seen, Verdict, judge, read_said
from rehearsal.google.objects import Object
from rehearsal.kfp.runs import Workflow

CROWD = events(5, "bucket", "in/", "projects/p/topics/t")


def workflow(event: Event, run_id: str) -> Workflow:
    return Workflow("echo-1", run_id, "launcher", {}, {"filename": event.uri})


def said(runs: dict[str, str], doubtful: set[str] = frozenset(), named: set[str] = frozenset()) -> Said:  # type: ignore[assignment]  # a frozenset is a set that nobody changes
    return Said(runs, frozenset(doubtful), frozenset(named))


def test_it_sees_what_is_lost_duplicated_or_unrecorded() -> None:
    well, lost, twice, silent, wrong = CROWD
    workflows = [workflow(event, event.uri) for event in (well, twice, silent, wrong)] + [workflow(twice, "other")]
    runs = {well.subject: well.uri, twice.subject: twice.uri, wrong.subject: "of-no-workflow"}
    assert judge(CROWD, workflows, said(runs)) == Verdict(
        workflows=5,
        lost=(lost.subject,),
        duplicated=(twice.subject,),
        unrecorded=(lost.subject, silent.subject, wrong.subject),
    )


@pytest.mark.parametrize("expected", ["rejected", "skipped"])
def test_where_files_are_read_it_sees_which_should_have_started_nothing(expected: str) -> None:
    event = next(one for one in events(20, "bucket", "in/", "projects/p/topics/t") if one.outcome == expected)
    run = workflow(event, "run")
    other = "skipped" if expected == "rejected" else "rejected"
    for others, workflows, found in (
        ({event.subject: expected}, [], {}),
        ({event.subject: other}, [], {"unrecorded": (event.subject,)}),
        ({}, [], {"unrecorded": (event.subject,)}),
        ({event.subject: expected}, [run], {"unwanted": (event.subject,)}),
    ):
        told = replace(said({event.subject: ""}), others=others)
        assert judge([event], workflows, told, Seen(files=True)) == Verdict(len(workflows), **found)


def test_it_tells_what_is_named_from_what_is_silent() -> None:
    named, silent, thrice, doubtful, working = CROWD
    workflows = [workflow(event, event.uri) for event in (named, silent, thrice) for _ in range(2)]
    workflows += [workflow(thrice, thrice.uri), workflow(working, working.uri)]
    runs = {event.subject: event.uri for event in (named, silent, thrice)}
    open_ = {doubtful.subject, working.subject}
    found = judge(CROWD, workflows, said(runs, open_, open_ | {named.subject, thrice.subject}))
    assert found == Verdict(
        workflows=8,
        duplicated=(silent.subject, thrice.subject),
        doubtful=(doubtful.subject, working.subject),
        doubled=(named.subject,),
    )


@pytest.mark.parametrize(("posts", "kind"), [(1, "forwarded"), (2, "duplicated")])
def test_it_tells_what_the_agent_sent_again_from_what_the_launcher_did(posts: int, kind: str) -> None:
    event = CROWD[0]
    found = judge([event], [workflow(event, "run")] * 2, said({event.subject: "run"}), Seen({"run": posts}))
    assert found == Verdict(2, **{kind: (event.subject,)})


@pytest.mark.parametrize(
    ("worked", "kind"), [(set(), "idle"), ({"a"}, None), ({"b"}, None), ({"a", "b"}, "twice"), (None, None)]
)
def test_behind_fences_one_workflow_of_each_event_works(worked: set[str] | None, kind: str | None) -> None:
    event = CROWD[0]
    both = [replace(workflow(event, "run"), name=name) for name in ("a", "b")]
    found = judge([event], both, said({event.subject: "run"}, named={event.subject}), Seen(worked=worked))
    expected = {kind: (event.subject,)} if kind else {}
    assert found == Verdict(2, doubled=(event.subject,), **expected)


@pytest.mark.parametrize(("posts", "kinds"), [(2, ["beside", "doubled"]), (1, ["forwarded"])])
def test_where_launchers_look_none_starts_a_workflow_beside_another(posts: int, kinds: list[str]) -> None:
    """What the proxy's agent sends again is not theirs."""
    event = CROWD[0]
    seen = Seen(posts={"run": posts}, beside={"run"})
    found = judge([event], [workflow(event, "run")] * 2, said({event.subject: "run"}, named={event.subject}), seen)
    assert found == Verdict(2, **dict.fromkeys(kinds, (event.subject,)))


def stored(name: str, body: str = "", **metadata: str) -> Object:
    return Object("ledger", name, 1, 1, body.encode(), {"metadata": metadata})


def outcome(event: str, **about: Any) -> Object:
    metadata = {name: text for name, text in about.items() if name == "doubt" and text}
    return stored(f"outcomes/echo/{event}", json.dumps({"event": event, **about}), **metadata)


def test_what_is_named_is_named_in_the_ledger_and_in_the_log() -> None:
    ledger = [
        outcome("well", outcome="launched", run_id="1"),
        outcome("named", outcome="launched", run_id="2", doubt="why"),
        outcome("unlogged", outcome="launched", run_id="3", doubt="why"),
        outcome("rejected", outcome="rejected", run_id=None),
        stored("claims/echo/named", event="named", posts="2"),
        stored("claims/echo/open", event="open", posts="2"),
        stored("claims/echo/at-work", event="at work", posts="1"),
        stored("claims/echo/old", event="of a launcher that did not count"),
    ]
    logged = [{"event": event, "doubt": "why"} for event in ("named", "open", "well")] + [{"event": "unlogged"}]
    runs = {"well": "1", "named": "2", "unlogged": "3", "rejected": ""}
    others = {"rejected": "rejected"}
    assert read_said(ledger, logged) == Said(runs, frozenset({"open"}), frozenset({"named", "open"}), others)

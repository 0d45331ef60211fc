"""The oracle of chaos: what became of each event, by what was started and by what is said of it.

It knows nothing of the launcher's keys and run ids. It counts the workflows that were started with an event's URI
among their parameters, and reads what the ledger says about the event.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from rehearsal.chaos.traffic import Event
from rehearsal.google.objects import Object
from rehearsal.kfp.runs import Workflow

MOST_POSTS = MOST_WORKFLOWS = 2  # for an event, whatever happens: docs/guarantees.md


@dataclass(frozen=True)
class Said:
    """What ledger and log say, by subject: the run that an event started, what is left in doubt without an outcome,
    of which events a workflow that no run shows may be running, and which outcomes are others than ``launched``."""

    runs: Mapping[str, str]
    doubtful: frozenset[str]
    named: frozenset[str]
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What became of the events, by subject.

    An event is ``lost`` when no workflow was started for it, unless it is ``doubtful``, which is said of it. It is
    ``duplicated`` when several were and nobody says so, or more than the bound; ``doubled`` when two were, and it is
    said; ``forwarded`` when the proxy's agent sent a POST again, of which the launcher cannot know. It is
    ``unrecorded`` unless the ledger holds an outcome of it with the id of its run, or it is doubtful. Where files are
    read, it is ``unwanted`` when a workflow was started for one that is damaged or not complete.

    Where runs have fences, an event is ``idle`` when no workflow of it went on behind its fence, and done ``twice``
    when several did. Where launchers look into the cluster, it was doubled ``beside`` when one was started while
    another was there.
    """

    workflows: int
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    forwarded: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What is known beside what was started.

    By run id, ``posts`` is how many POSTs the launchers sent (what was started beyond that, somebody in between asked
    for), and ``beside`` are those of which a workflow was started while another was there. ``worked`` are the names
    of the workflows that went on behind their fences; None where runs have none. ``files``: whether files are read.
    """

    posts: Mapping[str, int] = field(default_factory=dict)
    beside: Set[str] = frozenset()
    worked: Set[str] | None = None
    files: bool = False


NOTHING = Seen()


def judge(crowd: Sequence[Event], workflows: Sequence[Workflow], said: Said, seen: Seen = NOTHING) -> Verdict:
    """Compares the events with the workflows and with what is said of them."""
    started: dict[str, list[Workflow]] = defaultdict(list)
    for workflow in workflows:
        for value in workflow.parameters.values():
            started[value].append(workflow)
    found: dict[str, list[str]] = defaultdict(list)
    for event in crowd:
        runs = [workflow.run_id for workflow in started[event.uri]]
        if seen.files and event.outcome != "launched":
            kinds = [*_refusals(event, runs, said)]
        else:
            kinds = [*_kinds(event.subject, runs, said, seen), *_works(started[event.uri], seen.worked)]
        for kind in kinds:
            found[kind].append(event.subject)
    return Verdict(len(workflows), **{kind: tuple(subjects) for kind, subjects in found.items()})


def _works(started: Sequence[Workflow], worked: Set[str] | None) -> Iterator[str]:
    """What becomes of an event with workflows at their fences."""
    if worked is not None and started:
        works = sum(workflow.name in worked for workflow in started)
        if works != 1:
            yield "twice" if works else "idle"


def _refusals(event: Event, runs: Sequence[str], said: Said) -> Iterator[str]:
    """What becomes of an event whose file is not as it is wanted."""
    if runs:
        yield "unwanted"
    if said.others.get(event.subject) != event.outcome:
        yield "unrecorded"


def _kinds(subject: str, runs: Sequence[str], said: Said, seen: Seen) -> Iterator[str]:
    if subject in said.doubtful:
        yield "doubtful"
    else:
        if not runs:
            yield "lost"
        if said.runs.get(subject) not in runs:
            yield "unrecorded"
    if len(runs) > 1:
        if any(started > seen.posts.get(run, started) for run, started in Counter(runs).items()):
            yield "forwarded"
        else:
            if not seen.beside.isdisjoint(runs):
                yield "beside"
            named = subject in said.named and len(runs) <= MOST_WORKFLOWS
            yield "doubled" if named else "duplicated"


def read_said(ledger: Iterable[Object], logged: Iterable[Mapping[str, Any]]) -> Said:
    """What is said of events. One is named only if both say so: the log, and what ``launches doubtful`` lists."""
    runs, others, open_, named = dict[str, str](), dict[str, str](), set[str](), set[str]()
    for found in ledger:
        kind = found.name.partition("/")[0]
        about = found.attributes.get("metadata", {})
        if kind == "outcomes":
            record = json.loads(found.body)
            runs[record["event"]] = record.get("run_id") or ""
            if record["outcome"] != "launched":
                others[record["event"]] = record["outcome"]
            if about.get("doubt"):
                named.add(record["event"])
        elif kind == "claims" and int(about.get("posts", 1)) >= MOST_POSTS:
            open_.add(about["event"])
    in_log = {line["event"] for line in logged if line.get("doubt")}
    doubtful = open_ - runs.keys()
    return Said(runs, frozenset(doubtful & in_log), frozenset((named | doubtful) & in_log), others)

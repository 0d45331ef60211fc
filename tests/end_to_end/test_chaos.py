"""One run per event, and no event lost, whatever goes wrong: a small chaos, with real processes and real kills."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import OperationError
from ops.rehearse.chaos import show_chaos
from rehearsal.chaos.chaos import PROCESSES, Report, run_chaos, run_rush
from rehearsal.chaos.faults import every_kind
from rehearsal.chaos.verdict import Verdict
from tests.plans import DEV, PROD, plan

EVENTS, SEED = 60, 1
WANTED = EVENTS * 18 // 20  # the files of the others are damaged or not complete
KINDS = every_kind(kfp=True, hosted=True, files=True)


@pytest.fixture(scope="module")
def report() -> Report:
    return run_chaos(plan(), EVENTS, SEED)


def test_no_event_is_lost(report: Report) -> None:
    assert report.drained
    assert not report.verdict.lost


def test_no_event_starts_a_second_workflow_of_which_nobody_knows(report: Report) -> None:
    verdict = report.verdict
    assert not verdict.duplicated
    assert report.failures() == []
    assert WANTED - len(verdict.doubtful) <= verdict.workflows


def test_the_ledger_says_which_run_each_event_started(report: Report) -> None:
    assert not report.verdict.unrecorded


def test_the_launcher_meets_no_defect_of_its_own(report: Report) -> None:
    assert not report.defects
    assert set(report.outcomes) - {"doubtful"} == {"launched", "duplicate", "retry", "rejected", "skipped"}


def test_a_damaged_file_is_rejected_and_one_that_is_not_complete_skipped(report: Report) -> None:
    assert not report.verdict.unwanted
    assert report.outcomes["rejected"] >= EVENTS // 20
    assert report.outcomes["skipped"] >= EVENTS // 20


def test_it_was_chaos(report: Report) -> None:
    assert report.kills >= 1
    assert report.messages > EVENTS
    assert report.deliveries > report.messages
    assert set(report.faults) <= set(KINDS)
    assert len(report.faults) > len(KINDS) / 2


@pytest.mark.parametrize(
    "host", ["https://1234abcd-dot-us-central1.pipelines.googleusercontent.com", "https://kfp.example"]
)
def test_a_rush_is_served_as_fast_as_the_server_can_and_once(host: str) -> None:
    """More deliveries at once than a stock server serves in their patience: it would stand still, or double runs."""
    access = "service-account-user" if host.endswith("googleusercontent.com") else "none"
    report = run_rush(plan(target__host=host, target__access=access), 80, SEED, lease=30, processes=2)
    verdict = report.verdict
    assert report.drained
    assert (verdict.workflows, report.outcomes["launched"]) == (80, 80)
    assert verdict == Verdict(80)


def test_behind_a_fence_one_workflow_of_each_event_works() -> None:
    report = run_chaos(plan(target__fence=True, target__runner="r@acme-ml-dev.iam.gserviceaccount.com"), EVENTS, 3)
    assert report.failures() == []
    started = WANTED - len(report.verdict.lost) - len(report.verdict.doubtful)
    assert report.fences is not None
    assert started <= report.fences <= WANTED
    assert report.verdict.workflows >= report.fences


def test_a_launcher_that_looks_starts_no_workflow_beside_another() -> None:
    look = {"endpoint": "https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"}
    report = run_chaos(plan(target__workflows=look), EVENTS, SEED)
    assert report.failures() == []
    assert not report.verdict.beside


def test_a_failure_says_what_was_promised_and_names_an_event(report: Report) -> None:
    verdict = Verdict(60, lost=("gs://b/x#1",), duplicated=("gs://b/y#1", "gs://b/z#1"), doubled=("gs://b/v#1",))
    failed = dataclasses.replace(report, verdict=verdict, defects=("Traceback",), drained=False)
    fences = dataclasses.replace(failed, verdict=Verdict(3, beside=("x",), idle=("y",), twice=("z",)), defects=())
    assert dataclasses.replace(fences, drained=True).failures() == [
        "started beside another: 1, for one x",
        "without a workflow that works: 1, for one y",
        "with two workflows that work: 1, for one z",
    ]
    assert failed.failures() == [
        "lost: 1, for one gs://b/x#1",
        "duplicated: 2, for one gs://b/y#1",
        "internal errors: 1, for one Traceback",
        "events were still delivered 15 leases after the last was published",
    ]


def test_a_long_run_fails_unless_every_kind_of_fault_hit(report: Report) -> None:
    well = Verdict(2000)
    faults = dict.fromkeys(KINDS, 1)
    long = dataclasses.replace(report, verdict=well, events=2000, kills=50, faults=faults)
    assert long.failures() == []
    missed = dataclasses.replace(long, kills=49, faults=faults | {"target: 429": 0})
    assert missed.failures() == ["never hit: target: 429", "only 49 kills"]


def test_a_rush_fails_of_what_chaos_may_come_to_and_if_it_takes_too_long(report: Report) -> None:
    verdict = Verdict(60, doubtful=("gs://b/x#1",), doubled=("gs://b/y#1",))
    rushed = dataclasses.replace(report, verdict=verdict, kinds=(), seconds=18.0, at_best=10.0)
    assert rushed.failures() == [
        "doubtful, of nothing: 1, for one gs://b/x#1",
        "doubled, of nothing: 1, for one gs://b/y#1",
        "it took 18 s; the endpoint could have had it done in 10 s",
    ]
    assert dataclasses.replace(rushed, verdict=Verdict(60), seconds=14.0).failures() == []


def test_the_command_takes_a_stack_on_vertex() -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    assert show_chaos("examples/Pulumi.vertex.yaml", 10, SEED, console, as_json=False) == 0
    shown = console.export_text()
    assert "post: killed" in shown
    assert re.search(r"10 +workflows started", shown)


@pytest.mark.parametrize("stack", [str(PROD), "examples/Pulumi.orders.yaml", "examples/Pulumi.batches.yaml"])
def test_a_stack_whose_runs_it_could_not_count_is_refused(stack: str) -> None:
    with pytest.raises(OperationError, match=r"needs a stack whose triggers start runs at one target"):
        show_chaos(stack, EVENTS, SEED, Console(quiet=True), as_json=False)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("prefix: incoming/", 'glob: "**/_SUCCESS"'),
        ("pipeline: echo ", "when: object.size > `1`\n      pipeline: echo "),
        ("filename: object.uri", "filename: content.uri"),
    ],
)
def test_a_trigger_that_would_not_launch_every_file_is_refused(key: str, change: str, tmp_path: Path) -> None:
    text = DEV.read_text()
    assert key in text
    (tmp_path / "Pulumi.picky.yaml").write_text(text.replace(key, change))
    with pytest.raises(OperationError, match=r"needs a stack whose triggers start runs at one target"):
        show_chaos(str(tmp_path / "Pulumi.picky.yaml"), EVENTS, SEED, Console(quiet=True), as_json=False)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_stopping_it_leaves_nothing_running() -> None:
    before, started = children(), set[int]()

    def stop_when_it_runs(what: str) -> None:
        if what.startswith("Publishing"):
            started.update(children() - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_chaos(plan(), EVENTS, SEED, stop_when_it_runs)
    assert len(started) == PROCESSES
    assert not children() & started


def children() -> set[int]:
    """The processes that this one started and that have not ended."""
    return {int(child) for path in Path("/proc/self/task").glob("*/children") for child in path.read_text().split()}

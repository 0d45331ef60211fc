"""Lets chaos loose on the launcher and shows what became of the events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ops.errors import OperationError
from ops.printing import print_json
from ops.tables import print_rows, visible
from rehearsal.chaos.chaos import Report, run_chaos, run_rush
from rehearsal.chaos.faults import LOST_RACE
from rehearsal.function import FunctionError
from rehearsal.planned import may_read
from rehearsal.program import Plan, evaluate, read_stack


def show_chaos(stack: str, events: int, seed: int, console: Console, *, as_json: bool, rush: bool = False) -> int:
    """Runs chaos or a rush on a stack; returns the exit status, 0 if what is promised came true.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: the stack is none whose runs can be counted, or the launcher does not start.
    """
    try:
        with console.status("Evaluating the program") as status:
            plan = evaluate(*read_stack(stack))
            _check(plan, stack)
            report = (run_rush if rush else run_chaos)(plan, events, seed, say=status.update)
    except FunctionError as error:
        raise OperationError(str(error)) from None
    failures = report.failures()
    if as_json:
        print_json({"seed": seed, **vars(report), "verdict": vars(report.verdict), "failures": failures})
    else:
        _show(report, seed, failures, console)
    return 1 if failures else 0


def _check(plan: Plan, stack: str) -> None:
    """Runs are counted by the file's URI, the files are never made, and each has to launch."""
    triggers = [
        json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])
        for function in plan.of_type(":Function")
    ]
    targets = {trigger["target"].get("host", trigger["target"]["kind"]) for trigger in triggers}
    if len(targets) != 1 or not all(_launches_every_file(trigger, plan) for trigger in triggers):
        raise OperationError(
            "chaos needs a stack whose triggers start runs at one target, each on a bucket, giving each file's "
            f"object.uri to a parameter, without glob and when, and reading no files; {stack} is another: try "
            "STACK=dev"
        )


def _launches_every_file(trigger: Mapping[str, Any], plan: Plan) -> bool:
    source = trigger["source"]
    given = trigger["parameters"].values()
    reads = may_read(plan, source.get("bucket"))
    skips = "when" in trigger or "glob" in source
    return source["kind"] == "gcs" and "object.uri" in given and not reads and not skips


def _show(report: Report, seed: int, failures: Sequence[str], console: Console) -> None:
    if report.kinds:
        console.print(Text("faults", "italic"))
        times = [(report.faults.get(kind, 0), kind) for kind in report.kinds]
        print_rows([(_figure(count, "" if count else "yellow"), kind) for count, kind in times], console, prose={1})
        console.print()
    console.print(Text(f"{'chaos' if report.kinds else 'a rush'} with seed {seed}", "italic"))
    print_rows(list(_summary(report)), console, prose={1})
    for failure in failures:
        console.print(Text.assemble(("✗ ", "red"), visible(failure)))


def _summary(report: Report) -> Iterator[tuple[Text, str]]:
    verdict = report.verdict
    yield _figure(report.events), "events"
    yield _figure(report.messages), "messages, the same event more than once among them"
    yield _figure(report.deliveries), "deliveries"
    for outcome, times in sorted(report.outcomes.items()):
        yield _figure(times), f"of them {outcome}"
    yield _figure(sum(report.faults.values()) - report.faults.get(LOST_RACE, 0)), "faults injected"
    yield _figure(report.kills), "kills"
    yield _figure(verdict.workflows), "workflows started"
    for subjects, what in (
        (verdict.lost, "lost: no workflow was started"),
        (verdict.duplicated, "duplicated: more than one was, and nobody says so"),
        (verdict.unrecorded, "unrecorded: the ledger does not say which, or why none"),
        (verdict.unwanted, "unwanted: the file was damaged or not complete, and a workflow was started"),
    ):
        yield _figure(len(subjects), "red" if subjects else "green"), what
    for subjects, what in (
        (verdict.doubtful, "doubtful: no other POST is sent, and log and ledger say so"),
        (verdict.doubled, "doubled by a death between workflow and row, and log and ledger say so"),
        (verdict.forwarded, "doubled by the proxy's agent, which forwarded a POST again"),
    ):
        yield _figure(len(subjects), "yellow" if subjects else ""), what
    if report.fences is not None:
        yield _figure(report.fences), "of the workflows went on behind their fences"
        yield _figure(len(verdict.idle), "red" if verdict.idle else "green"), "events without one that works"
        yield _figure(len(verdict.twice), "red" if verdict.twice else "green"), "events with two that work"
    if verdict.beside:
        yield _figure(len(verdict.beside), "red"), "doubled while the first workflow was there"
    yield _figure(f"{report.seconds:.0f} s"), f"in all, {report.seconds_to_drain:.0f} s of them to drain"
    if report.at_best:
        yield _figure(f"{report.at_best:.0f} s"), "is what the endpoint needs for so many workflows"


def _figure(value: object, colour: str = "") -> Text:
    return Text(f"{value:>6}", colour)

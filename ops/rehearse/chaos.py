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
from rehearsal.chaos.chaos import Report, run_chaos
from rehearsal.chaos.faults import LOST_RACE, every_kind
from rehearsal.environment import may_read
from rehearsal.function import FunctionError
from rehearsal.program import Plan, evaluate, read_stack


def show_chaos(stack: str, events: int, seed: int, console: Console, *, as_json: bool) -> int:
    """Runs chaos on a stack; returns the exit status, 0 if every event started one run.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: the stack is none whose runs can be counted, or the launcher does not start.
    """
    try:
        with console.status("Evaluating the program") as status:
            plan = evaluate(*read_stack(stack))
            _check(plan, stack)
            report = run_chaos(plan, events, seed, say=status.update)
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
    if len(triggers) != 1 or not _launches_every_file(triggers[0], plan):
        raise OperationError(
            "chaos needs a stack with one trigger, on a bucket, that gives each file's object.uri to a parameter, "
            f"without glob and when, and reads no files; {stack} is another: try STACK=dev"
        )


def _launches_every_file(trigger: Mapping[str, Any], plan: Plan) -> bool:
    source = trigger["source"]
    given = trigger["parameters"].values()
    reads = may_read(plan, source.get("bucket"))
    skips = "when" in trigger or "glob" in source
    return source["kind"] == "gcs" and "object.uri" in given and not reads and not skips


def _show(report: Report, seed: int, failures: Sequence[str], console: Console) -> None:
    console.print(Text("faults", "italic"))
    times = [(report.faults.get(kind, 0), kind) for kind in every_kind()]
    print_rows([(_figure(count, "" if count else "yellow"), kind) for count, kind in times], console, prose={1})
    console.print(Text(f"\nchaos with seed {seed}", "italic"))
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
        (verdict.duplicated, "duplicated: more than one was"),
        (verdict.unrecorded, "unrecorded: the ledger does not say which"),
    ):
        yield _figure(len(subjects), "red" if subjects else "green"), what
    yield _figure(f"{report.seconds:.0f} s"), f"in all, {report.seconds_to_drain:.0f} s of them to drain"


def _figure(value: object, colour: str = "") -> Text:
    return Text(f"{value:>6}", colour)

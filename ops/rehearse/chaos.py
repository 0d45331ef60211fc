"""Lets chaos loose on the launcher and shows what became of the events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.errors import OperationError
from rehearsal.chaos.chaos import Report, run_chaos
from rehearsal.chaos.faults import LOST_RACE, every_kind
from rehearsal.environment import may_read
from rehearsal.function import FunctionError
from rehearsal.program import Plan, evaluate, read_stack


def show_chaos(stack: str, events: int, seed: int, console: Console) -> int:
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
    console.print(_faults(report), "", _summary(report, seed))
    failures = report.failures()
    for failure in failures:
        console.print(f"[red]✗[/] {escape(failure)}", soft_wrap=True, highlight=False)
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


def _faults(report: Report) -> Table:
    table = Table(title="faults", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="right", min_width=6)
    table.add_column()
    for kind in every_kind():
        times = report.faults.get(kind, 0)
        table.add_row(str(times) if times else "[yellow]0[/]", kind)
    return table


def _summary(report: Report, seed: int) -> Table:
    table = Table(
        title=f"chaos with seed {seed}", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    table.add_column(justify="right", min_width=6)
    table.add_column()
    verdict = report.verdict
    table.add_row(str(report.events), "events")
    table.add_row(str(report.messages), "messages, the same event more than once among them")
    table.add_row(str(report.deliveries), "deliveries")
    for outcome, times in sorted(report.outcomes.items()):
        table.add_row(str(times), f"[dim]of them {outcome}[/]")
    table.add_row(str(sum(report.faults.values()) - report.faults.get(LOST_RACE, 0)), "faults injected")
    table.add_row(str(report.kills), "kills")
    table.add_row(str(verdict.workflows), "workflows started")
    for subjects, what in (
        (verdict.lost, "lost: no workflow was started"),
        (verdict.duplicated, "duplicated: more than one was"),
        (verdict.unrecorded, "unrecorded: the ledger does not say which"),
    ):
        table.add_row(f"[{'red' if subjects else 'green'}]{len(subjects)}[/]", what)
    table.add_row(f"{report.seconds:.0f} s", f"in all, {report.seconds_to_drain:.0f} s of them to drain")
    return table

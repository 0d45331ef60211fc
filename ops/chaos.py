"""Lets chaos loose on the launcher and shows what became of the events."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.errors import OperationError
from rehearsal.chaos import Report, run_chaos
from rehearsal.faults import LOST_RACE, every_kind
from rehearsal.function import FunctionError
from rehearsal.program import evaluate, read_stack

STACK = "dev"


def show_chaos(events: int, seed: int, console: Console) -> int:
    """Runs chaos on the dev stack; returns the exit status, 0 if every event started one run.

    Raises:
        OperationError: the launcher does not start.
    """
    try:
        with console.status("Evaluating the program") as status:
            report = run_chaos(evaluate(*read_stack(STACK)), events, seed, say=status.update)
    except FunctionError as error:
        raise OperationError(str(error)) from None
    console.print(_faults(report), "", _summary(report, seed))
    failures = report.failures()
    for failure in failures:
        console.print(f"[red]✗[/] {escape(failure)}", soft_wrap=True, highlight=False)
    return 1 if failures else 0


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

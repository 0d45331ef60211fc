"""Shows what was found in stack files: a line for each mistake, file first, as compilers do."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from ops.printing import MARKS, print_json
from ops.verify.stacks import FILES, FIRST, RULES, Verdict, verify


def show_verdicts(stack: str | None, console: Console, *, as_json: bool) -> int:
    """Shows what is wrong in the stack files; returns the exit status, 1 if something is.

    Raises:
        ConfigurationError: the project has no stack file.
    """
    with console.status("Looking"):
        verdicts = [*verify(stack)]
    if as_json:
        print_json([asdict(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            _show(verdict, console)
    return 1 if any(verdict.mistakes for verdict in verdicts) else 0


def _show(verdict: Verdict, console: Console) -> None:
    for mistake in verdict.mistakes:
        console.print(MARKS["problem"], escape(mistake.in_words))
    for line in verdict.advice:
        console.print(MARKS["advice"], escape(f"{verdict.file}: {line}"))
    if not verdict.mistakes:
        *others, last = verdict.looked_at
        console.print(MARKS["ok"], f"{escape(verdict.file)}: {', '.join(others)} and {last} are right")
    if verdict.looked_at == FIRST:
        console.print(
            MARKS["could not check"], f"{escape(verdict.file)}: {RULES} and {FILES} are looked at once it evaluates"
        )

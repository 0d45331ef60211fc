"""Shows what a stack costs a month, as the table of a page, of a terminal or of a script."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from ops.cost import prices
from ops.cost.estimate import SECONDS, VOLUMES, Line, estimate, total
from ops.printing import print_json
from ops.tables import print_table
from rehearsal.program import evaluate, read_stack

HEADINGS = ("trigger", "what", *(f"{events:,} events" for events in VOLUMES))
BASIS = (
    f"US dollars a month, for so many events of each trigger: list prices of us-central1, read on {prices.READ}, "
    f"before free tiers. Every event is assumed to have an instance to itself for {SECONDS:g} s; those that share "
    "one cost less. Not in it: what runs do at their target, your files, and what is sent to another region."
)


def show_cost(stack: str, console: Console, *, as_json: bool) -> None:
    """Prints the estimate of a stack.

    Raises:
        ConfigurationError: there is no such stack file, or the program refuses it.
    """
    lines = estimate(evaluate(*read_stack(stack)))
    if as_json:
        print_json({"currency": "USD", "read": str(prices.READ), "parts": [_as_json(line) for line in lines]})
        return
    table = [[trigger, what, *map(_aligned, HEADINGS[2:], dollars)] for trigger, what, *dollars in rows(lines)]
    print_table(HEADINGS, table, console)
    console.print(BASIS)


def to_markdown(lines: list[Line]) -> str:
    """The estimate as the table of a page."""
    table = [HEADINGS, ("---", "---", *("---:" for _ in VOLUMES)), *rows(lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def rows(lines: list[Line]) -> Iterator[tuple[str, ...]]:
    """One row for each part, and one for all of them."""
    for line in lines:
        yield line.trigger, line.what, *(f"{line.dollars(events):,.2f}" for events in VOLUMES)
    yield "", "all", *(f"{total(lines, events):,.2f}" for events in VOLUMES)


def _aligned(heading: str, figure: str) -> str:
    return figure.rjust(len(heading))


def _as_json(line: Line) -> dict[str, object]:
    return {"trigger": line.trigger, "what": line.what, "standing": line.standing, "per_event": line.per_event}

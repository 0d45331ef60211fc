"""What was measured, as the tables of docs/performance.md: a median of all rounds and, in brackets, its spread.

Of each figure the ratio to a function that does nothing and to the walk-through's; each is taken within a round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import AGAIN, CONTESTANTS, FLOOR, OURS, WALKTHROUGH
from benchmarks.figures import Figure, figure, ratio
from benchmarks.measure import ALONE, ENTRIES, LATENCY, RATE, SECONDS, TOGETHER

Results = Mapping[str, Any]
BESIDE = "beside the floor's"


@dataclass(frozen=True)
class Goal:
    """What was set out for: a figure of the launcher, how many times whose it may be, or how much at all."""

    what: str
    measure: str
    most: float
    than: str = ""


GOALS = (
    Goal("cold start", "cold", 1.2, FLOOR),
    Goal("cold start", "cold", 1 / 3, WALKTHROUGH),
    Goal("memory after the first event", "memory", 1.4, FLOOR),
    Goal("memory after the first event", "memory", 1 / 2, WALKTHROUGH),
    Goal("requests an event", "requests", 3),
    Goal(f"ms of processor an event, {BESIDE}", "cpu", 2, BESIDE),
)
COLUMNS = {
    "cold start, ms": ("cold", 0),
    "memory, MiB": ("memory", 1),
    "at its peak": ("peak", 1),
    "processor an event, ms": ("cpu", 2),
    "requests an event": ("requests", 0),
}
GROWTH = {
    "file": "the file that is read",
    "ledger": "entries in the ledger",
    "prefix": "objects under the trigger's prefix",
}


def values(results: Results, name: str, measure: str) -> list[float]:
    """A contestant's figure, round by round."""
    return [found[measure] for found in results["rounds"][name]]


def reached(results: Results, goal: Goal) -> Figure:
    """How it stands with a goal."""
    ours = values(results, OURS, goal.measure)
    if goal.than == BESIDE:
        floor = values(results, FLOOR, goal.measure)
        return figure([one - other for one, other in zip(ours, floor, strict=True)])
    return ratio(ours, values(results, goal.than, goal.measure)) if goal.than else figure(ours)


def page(results: Results) -> str:
    """All tables."""
    rounds, held_back = len(results["rounds"][FLOOR]), f"{LATENCY * 1000:.0f} ms"
    basis = f"{results['when']}, {rounds} rounds, {results['machine']}."
    return "\n".join(
        (
            f"{basis} Each answer of a stand-in is held back by {held_back}, but for cold starts.",
            "",
            *_goals(results),
            "",
            *_contestants(results),
            "",
            *_noise(results),
            "",
            *_loads(results),
            "",
            *_growth(results),
        )
    )


def _goals(results: Results) -> Iterator[str]:
    yield from _head("the launcher, KFP", "goal", "measured", "reached")
    for goal in GOALS:
        found = reached(results, goal)
        times = f" times the {goal.than}'s" if goal.than in (FLOOR, WALKTHROUGH) else ""
        at_most = f"at most {goal.most:.2g}{times}"
        yield _row(goal.what, at_most, _shown(found, 2), "yes" if found.median <= goal.most else "no")


def _contestants(results: Results) -> Iterator[str]:
    yield from _head("function", "what it is", "packages", "installed, MiB", *COLUMNS)
    for contestant in CONTESTANTS:
        name, installed = contestant.name, results["installed"][contestant.name]
        figures = (_shown(figure(values(results, name, key)), digits) for key, digits in COLUMNS.values())
        size = f"{installed['packages']}", f"{installed['size']:.0f}"
        yield _row(name, contestant.what, *size, *figures)


def _noise(results: Results) -> Iterator[str]:
    again = (ratio(values(results, AGAIN, key), values(results, FLOOR, key)) for key in ("cold", "memory", "cpu"))
    cold, memory, cpu = (_shown(one, 2) for one in again)
    yield (
        f"The floor was measured twice in each round. The second is {cold} times the first in its cold start, "
        f"{memory} in memory and {cpu} in processor: what differs by less than that does not differ."
    )


def _loads(results: Results) -> Iterator[str]:
    counts = ", ".join(f"{count} from {callers}" for callers, count in {1: ALONE, **TOGETHER}.items())
    loads = {str(callers): f"{callers} at once" for callers in (1, *TOGETHER)} | {"open": f"{RATE:g} a second"}
    yield (
        "Events a second, and how long one took (the medians of p50, p95 and p99, in ms). Closed: "
        f"{counts} callers at once, each of which waits for its answer. Open: {RATE:g} events a second for "
        f"{SECONDS} s, whatever became of the others."
    )
    yield ""
    yield from _head("function", *loads.values())
    for contestant in CONTESTANTS:
        cells = []
        for load in loads:
            parts = (figure(values(results, contestant.name, f"p{part} {load}")).median for part in (50, 95, 99))
            rate = figure(values(results, contestant.name, f"rate {load}")).median
            waited = " / ".join(f"{part:.0f}" for part in parts)
            cells.append(waited if load == "open" else f"{rate:.0f}: {waited}")
        yield _row(contestant.name, *cells)


def _growth(results: Results) -> Iterator[str]:
    yield f"What one event takes of the launcher as things grow, from 1,000 to {ENTRIES[-1]:,}:"
    yield ""
    yield from _head("what grows", "to", "processor, ms", "p50, ms", "memory, MiB")
    for what, words in GROWTH.items():
        for size in results["growth"][what][0]:
            rounds = [found[size] for found in results["growth"][what]]
            figures = (figure([one[key] for one in rounds]) for key in ("cpu", "p50", "memory"))
            yield _row(words, size, *(_shown(one, digits) for one, digits in zip(figures, (2, 0, 0), strict=True)))


def _shown(found: Figure, digits: int) -> str:
    median, least, most = (f"{value:,.{digits}f}" for value in (found.median, found.least, found.most))
    return median if least == most else f"{median} ({least} to {most})"


def _head(*cells: str) -> Iterable[str]:
    return _row(*cells), _row(*["---"] * len(cells)).replace(" ", "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def bars(results: Results, measure: str) -> Sequence[tuple[str, Figure]]:
    """What the picture shows of a measure."""
    return [(contestant.name, figure(values(results, contestant.name, measure))) for contestant in CONTESTANTS]

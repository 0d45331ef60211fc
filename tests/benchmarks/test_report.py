"""The tables say what was measured: of which function, in which unit, and whether a goal was reached."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from benchmarks.__main__ import END, PAGE, START, quoted
from benchmarks.contestants import AGAIN, CONTESTANTS, FLOOR, OURS, WALKTHROUGH
from benchmarks.measure import TOGETHER
from benchmarks.picture import draw
from benchmarks.report import GOALS, page, reached

LOADS = ("1", *map(str, TOGETHER), "open")


def a_round(cold: float, memory: float, cpu: float) -> dict[str, float]:
    loads = {f"{what} {load}": 5.0 for what in ("rate", "p50", "p95", "p99") for load in LOADS}
    return {"cold": cold, "memory": memory, "peak": memory, "cpu": cpu, "requests": 3, **loads}


def a_run(cold: float) -> dict[str, Any]:
    """A run in whose second round the machine was twice as slow."""
    others = {contestant.name: [a_round(400, 120, 9), a_round(800, 120, 9)] for contestant in CONTESTANTS}
    floors = {name: [a_round(100, 40, 0.5), a_round(200, 40, 0.5)] for name in (FLOOR, AGAIN)}
    ours = {OURS: [a_round(cold, 50, 2.25), a_round(2 * cold, 50, 2.25)]}
    grown = [{"1,000": {"cpu": 2.0, "p50": 30.0, "memory": 50.0}}]
    return {
        "when": "2026-11-27",
        "machine": "2 processors",
        "rounds": {**others, **floors, **ours},
        "growth": {"file": grown, "ledger": grown, "prefix": grown},
        "installed": {contestant.name: {"packages": 24, "size": 16.0} for contestant in CONTESTANTS},
    }


def with_all_rounds(run: dict[str, Any]) -> dict[str, Any]:
    """With a third round of those who have two."""
    for rounds in run["rounds"].values():
        rounds.extend(rounds[: 3 - len(rounds)])
    return run


def test_a_goal_is_reached_by_the_ratio_within_the_rounds() -> None:
    cold = GOALS[0]
    assert (cold.measure, cold.than) == ("cold", FLOOR)
    assert reached(a_run(119), cold).median == 1.19
    for measured, said in ((119, "yes"), (121, "no")):
        [row] = [
            line for line in page(a_run(measured)).splitlines() if line.startswith("| cold start | at most 1.2 ")
        ]
        assert row.endswith(f"| {said} |")


def test_one_good_round_reaches_no_goal() -> None:
    run = a_run(100)
    run["rounds"][OURS] = [a_round(cold, 50, 2) for cold in (110, 250, 130)]
    run["rounds"][FLOOR] = [a_round(cold, 40, 0.5) for cold in (100, 200, 100)]
    assert reached(run, GOALS[0]).median == 1.25
    [row] = [
        line for line in page(with_all_rounds(run)).splitlines() if line.startswith("| cold start | at most 1.2 ")
    ]
    assert row.endswith("| 1.25 (1.10 to 1.30) | no |")


def test_what_the_framework_takes_of_the_processor_is_not_the_launchers() -> None:
    [cpu] = [goal for goal in GOALS if goal.measure == "cpu"]
    assert reached(a_run(100), cpu).median == 1.75


def test_each_function_has_its_row_in_each_table() -> None:
    text = page(a_run(100))
    for contestant in CONTESTANTS:
        assert len(re.findall(rf"^\| {re.escape(contestant.name)} \|", text, re.MULTILINE)) == 2


def test_the_tables_are_as_wide_as_their_heads() -> None:
    for table in re.findall(r"(?:^\|.*\n?)+", page(a_run(100)), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_page_takes_another_run_and_keeps_its_words() -> None:
    words = f"before\n{START}an earlier run\n{END}after\n"
    once = quoted(words, a_run(100))
    assert once.startswith("before\n")
    assert once.endswith(f"{END}after\n")
    assert "an earlier run" not in once
    assert quoted(once, a_run(100)) == once


def test_the_page_quotes_a_run_of_these_functions() -> None:
    quoted_run = PAGE.read_text().split(START)[1].split(END)[0]
    assert all(f"| {contestant.name} | {contestant.what} |" in quoted_run for contestant in CONTESTANTS)
    assert all(goal.what in quoted_run for goal in GOALS)


def test_the_picture_has_a_bar_for_each_function() -> None:
    picture = ET.fromstring(draw(a_run(100)))
    names = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert all(names.count(contestant.name) == 2 for contestant in CONTESTANTS)
    widths = {
        name.text: float(bar.attrib["width"])
        for name, bar in zip(
            [t for t in picture.iter("{http://www.w3.org/2000/svg}text") if t.attrib.get("text-anchor")],
            picture.iter("{http://www.w3.org/2000/svg}rect"),
            strict=True,
        )
    }
    assert widths[FLOOR] < widths[WALKTHROUGH]

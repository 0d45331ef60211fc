"""A table shows all that is in it, at every width: nothing is cut, and in a pipe every row is a line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ops.printing import open_console, refuse
from ops.tables import GAP, HIDDEN, Prose, print_details, print_table, visible

WIDTHS = (40, 60, 80, 100, 200)
HEADINGS = ("at", "state", "event", "run", "name")
RUN = "726b4491-c2bd-5dfd-bd1e-6534265cf8dd"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"
ROWS = [
    ("2026-11-22 10:00:00", "launched", "gs://acme-incoming/incoming/a.json#1795358844171391", RUN, "nightly"),
    ("2026-11-22 10:00:01", "open", "gs://acme-incoming/受信/注文.json#1795358844171392", "", f"推荐 {FAMILY}"),
    ("2026-11-22 10:00:02", "dead-lettered", "gs://b/[red]x[/]:warning:.json#1", "", "é\u0301 \x1b[2J\x07"),
]

odd = st.sampled_from("ab/-.# :[]漢字한é\u0301👩\u200d🦊\ufe0f\x1b\x07\t\n\x9b\u202e\ud800")
names = st.text(odd | st.characters(), max_size=90)
ids = names.map(str.strip).filter(bool)
widths = st.integers(20, 220) | st.sampled_from(WIDTHS)


def printed(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The lines on a terminal of that width, or in a pipe."""
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, color_system=None, width=width) if width else Console(file=out)
    print_table(headings, rows, terminal)
    return out.getvalue().split("\n")[:-1]


def rows_of(lines: Sequence[str], count: int) -> list[list[str]]:
    """The lines of each row; every row has as many, but for those that are empty and left out."""
    starts = [number for number, line in enumerate(lines) if not line.startswith("  ")]
    assert len(starts) == count + 1
    ends = [*starts[1:], len(lines)]
    return [list(lines[start:end]) for start, end in zip(starts, ends, strict=True)][1:]


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_every_id_is_found_whole_in_its_row(width: int | None) -> None:
    for row, lines in zip(ROWS, rows_of(printed(HEADINGS, ROWS, width), len(ROWS)), strict=True):
        for cell in row:
            assert any(visible(cell) in line for line in lines)


@given(st.lists(st.lists(ids, min_size=4, max_size=4), min_size=1, max_size=4), widths)
@example([[RUN, "a", "b", "c"]], 20)
@example([["a\ud800", "\x9b31m", "x\u202ey", "\u2028"]], 20)
def test_an_id_is_never_cut_whatever_it_is_and_however_narrow_the_terminal(rows: list[list[str]], width: int) -> None:
    lines = printed(("one", "two", "three", "four"), rows, width)
    for row, its_lines in zip(rows, rows_of(lines, len(rows)), strict=True):
        for cell in row:
            assert any(visible(cell) in line for line in its_lines)


@given(st.lists(st.lists(ids | st.just(""), min_size=3, max_size=3), max_size=4))
def test_in_a_pipe_a_row_is_one_line_with_all_of_its_columns(rows: list[list[str]]) -> None:
    heading, *lines = printed(("one", Prose("two"), "three"), rows, None)
    assert heading.split() == ["one", "two", "three"]
    for row, line in zip(rows, lines, strict=True):
        position = 0
        for cell in row:
            position = line.index(visible(cell) or "-", position) + len(visible(cell) or "-")


@given(st.lists(st.lists(ids, min_size=4, max_size=4), min_size=1, max_size=4), widths)
def test_a_line_is_wider_than_the_terminal_only_where_one_id_is(rows: list[list[str]], width: int) -> None:
    for row, lines in zip(
        rows, rows_of(printed(("one", "two", "three", "four"), rows, width), len(rows)), strict=True
    ):
        for line in lines:
            assert cell_len(line) <= width or line.strip() in [visible(cell) for cell in row]


@given(st.lists(st.tuples(ids, ids), min_size=1, max_size=5))
def test_columns_stand_below_each_other_by_what_a_terminal_shows(rows: list[tuple[str, str]]) -> None:
    """A character may take two cells, or none."""
    widest = max(cell_len(text) for text in ["one", *(visible(first) for first, _ in rows)])
    for (_, second), line in zip([("", "two"), *rows], printed(("one", "two"), rows, None), strict=True):
        assert cell_len(line.removesuffix(visible(second))) == widest + GAP


@given(st.lists(st.lists(names, min_size=2, max_size=2), max_size=3), widths | st.none())
def test_no_name_steers_the_terminal(rows: list[list[str]], width: int | None) -> None:
    lines = printed(("one", Prose("two")), rows, width)
    assert not [line for line in lines if HIDDEN.search(line)]


@given(st.lists(ids.map(lambda text: re.sub(r"\s", "_", text)), min_size=1, max_size=12), widths)
@example(["漢字漢字漢字漢字"] * 8, 60)
def test_a_sentence_is_broken_between_words_only(words: list[str], width: int) -> None:
    lines = printed(("id", Prose("why")), [("x", " ".join(words))], width)
    shown = [word for line in lines for word in line.split(" ") if word]
    assert shown == ["id", "why", "x", *(visible(word) for word in words)]
    assert all(cell_len(line) <= width or len(line.removeprefix("x").split()) == 1 for line in lines)


def test_a_sentence_fills_what_its_row_leaves_it() -> None:
    why = "The launcher claims each event in the ledger, and records what became of it"
    assert printed(("id", Prose("why")), [("x", why)], 46) == [
        "id  why",
        "x   The launcher claims each event in the",
        "    ledger, and records what became of it",
    ]


def test_a_row_that_is_too_wide_goes_on_in_the_next_line() -> None:
    first, second, _ = (row[1:] for row in ROWS)
    assert printed(("state", "event", "run", "name"), [first, second], 72) == [
        "state     event",
        "  run                                   name",
        "launched  gs://acme-incoming/incoming/a.json#1795358844171391",
        f"  {RUN}  nightly",
        "open      gs://acme-incoming/受信/注文.json#1795358844171392",
        f"  -                                     推荐 {FAMILY}",
    ]


def test_a_line_of_nothing_is_left_out_and_in_a_pipe_nothing_has_a_sign() -> None:
    assert printed(("state", "run"), [("open", "")], 40) == ["state  run", "open   -"]
    assert printed(("state", "run"), [("open", ""), ("launched", RUN)], 40)[2:] == ["open", "launched", f"  {RUN}"]


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_details_keep_their_lines_and_their_words(width: int | None) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, color_system=None, width=width) if width else Console(file=out)
    url = f"https://1234abcd-dot-us-central1.pipelines.googleusercontent.com/#/runs/details/{RUN}"
    print_details([("run url", url), ("error", "Traceback:\n  File x\nKeyError")], terminal)
    lines = [line.strip() for line in out.getvalue().split("\n")]
    assert any(url in line for line in lines)
    assert [line.removeprefix("error").strip() for line in lines[-4:]] == ["Traceback:", "File x", "KeyError", ""]


def test_colours_are_for_terminals_alone() -> None:
    coloured, plain = io.StringIO(), io.StringIO()
    for out, terminal in ((coloured, True), (plain, False)):
        print_table(("state",), [(Text("launched", "green"),)], Console(file=out, force_terminal=terminal))
    assert "\x1b[32mlaunched\x1b[0m" in coloured.getvalue()
    assert plain.getvalue() == "state\nlaunched\n"


HOSTILE = [
    "\x1b]0;owned\x07",
    "\x1b[2Jgone",
    "line\rover",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "\x9b31m",
    "a\ud800b",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("make", [str, escape, Text, lambda name: Text.assemble(("is ", "bold"), name)])
def test_a_sentence_steers_no_terminal_whoever_named_what_it_is_about(name: str, make: Callable[[str], Any]) -> None:
    console = open_console()
    console.file = io.StringIO()
    console.print("[red]error:[/]", make(name))
    printed = console.file.getvalue()
    assert make is Text or not isinstance(make(name), str) or visible(name) in printed
    assert not HIDDEN.search(printed.removesuffix("\n"))


def test_the_lines_of_a_sentence_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        refuse("configuration", "one\ntwo \x1b[2J", 1, as_json=False)
    assert capsys.readouterr().err == "error: one\ntwo \\x1b[2J\n"

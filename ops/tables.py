"""Tables: as wide as a terminal is, and whole in a pipe.

rich measures, colours and prints them, but its own Table cuts or folds what is too wide for its column, and of an id
that was cut nothing can be copied or looked for. Here a row that is too wide goes on in the next line instead. In a
pipe every row is one line, with all columns and no colours, so that `grep` finds what it asks for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Cell = str | Text
NOTHING = "-"
GAP, INDENT = 2, 2
LEAST_PROSE = 40  # cells; in less, sentences are hard to read

# What a terminal obeys, or what turns the order of a line around: names in buckets are other people's.
HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Prose(str):
    """The heading of a column of sentences: they are wrapped between words, while ids and names stay whole."""

    __slots__ = ()


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], console: Console) -> None:
    """Prints rows under their headings. Cells are text and no markup; a rich Text brings its style."""
    heading = [Text(str(text), "bold") for text in headings]
    prose = {column for column, text in enumerate(headings) if isinstance(text, Prose)}
    print_rows([heading, *rows], console, prose=prose, nothing=NOTHING)


def print_details(rows: Iterable[tuple[str, str]], console: Console) -> None:
    """Prints names and their values; line breaks in a value are kept."""
    lines = (
        (Text("" if number else name, "dim"), line)
        for name, value in rows
        for number, line in enumerate(value.splitlines() or [""])
    )
    print_rows(list(lines), console, prose={1})


def print_rows(
    rows: Sequence[Sequence[Cell]], console: Console, *, prose: Collection[int] = (), nothing: str = ""
) -> None:
    """Prints rows in columns, some ``prose``. An empty cell shows ``nothing``; a line of empty cells is left out."""
    room = console.width if console.is_terminal else sys.maxsize
    table = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*table, strict=True)]
    lines = list(_lines(widths, prose, room))
    for row in table:
        for number, columns in enumerate(lines):
            if not any(row[column] for column in columns) and (number or not nothing):
                continue
            line = Text(" " * INDENT * bool(number))
            for column in columns[:-1]:
                line.append_text(_padded(row[column] or Text(nothing), widths[column] + GAP))
            last = row[columns[-1]] or Text(nothing)
            for part in _wrapped(last, room - line.cell_len) if columns[-1] in prose else [last]:
                console.print(line + part, soft_wrap=True, highlight=False)
                line = Text(" " * line.cell_len)


def visible(text: str) -> str:
    """Text that does no more than it says: what would steer a terminal is written out."""
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _cell(cell: Cell) -> Text:
    if isinstance(cell, str):
        return Text(visible(cell))
    return Text(visible(cell.plain), cell.style) if HIDDEN.search(cell.plain) else cell


def _padded(cell: Text, width: int) -> Text:
    return cell + " " * (width - cell.cell_len)


def _lines(widths: Sequence[int], prose: Collection[int], room: int) -> Iterator[list[int]]:
    """Puts the columns on as few lines as they fit on, in their order; one that fits on none has one of its own."""
    line: list[int] = []
    used = 0
    for column, width in enumerate(widths):
        least = min(width, LEAST_PROSE) if column in prose else width
        if line and used + least > room:
            yield line
            line, used = [], INDENT
        line.append(column)
        used += width + GAP
    yield line


def _wrapped(sentence: Text, room: int) -> Iterator[Text]:
    """Breaks between words only: rich would break an address that is longer than a line, or cut it."""
    line = ""
    for word in sentence.plain.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > room:
            yield Text(line, sentence.style)
            longer = word
        line = longer
    yield Text(line, sentence.style)

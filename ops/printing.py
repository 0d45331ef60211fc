"""How commands answer: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

MARKS = {"ok": "[green]✓[/]", "problem": "[red]✗[/]", "could not check": "[yellow]?[/]"}


def print_json(value: object) -> None:
    """Prints JSON for scripts; of messages of the KFP API, the fields that are set."""
    print(json.dumps(value, indent=2, default=_plain))  # not rich: a script wants no colours and no line breaks


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    """Prints one line for each row, never cut: ids and subjects are copied from it. Cells are rich's markup."""
    table = Table(*headings, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ignore"
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=True, crop=False)


def print_details(rows: Iterable[tuple[str, str]], console: Console) -> None:
    """Prints names and their values, which are text and no markup."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)


def show_moment(moment: datetime | None) -> str:
    """A moment for people, in their zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else "-"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else _set_fields(value.to_dict())


def _set_fields(value: Any) -> Any:
    """A message without its empty fields, and those in it."""
    if isinstance(value, dict):
        return {name: _set_fields(item) for name, item in value.items() if item is not None}
    return [_set_fields(item) for item in value] if isinstance(value, list) else value

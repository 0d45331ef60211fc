"""How commands answer: sentences for people, JSON for scripts. Tables are in `ops/tables.py`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rich.console import Console

MARKS = {"ok": "[green]✓[/]", "problem": "[red]✗[/]", "could not check": "[yellow]?[/]"}


def open_console(*, stderr: bool = False) -> Console:
    """Where sentences for people go. The terminal breaks their lines: a command is copied, and grep reads, whole."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False)


def print_json(value: object) -> None:
    """Prints JSON for scripts; of messages of the KFP API, the fields that are set."""
    print(json.dumps(value, indent=2, default=_plain))  # not rich: a script wants no colours and no line breaks


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

"""How commands answer: sentences for people, JSON for scripts. Tables are in `ops/tables.py`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ops.scripts import error_line
from ops.tables import visible

MARKS = {"ok": "[green]✓[/]", "problem": "[red]✗[/]", "could not check": "[yellow]?[/]", "advice": "[cyan]i[/]"}


class _Console(Console):
    """Prints nothing that a terminal obeys: names, reasons and errors in a sentence are other people's."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*map(_harmless, objects), **options)


def open_console(*, stderr: bool = False) -> Console:
    """Where sentences for people go. The terminal breaks their lines: a command is copied, and grep reads, whole."""
    return _Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False)


def print_json(value: object) -> None:
    """Prints JSON for scripts; of messages of the KFP API, the fields that are set."""
    print(json.dumps(value, indent=2, default=_plain))  # not rich: a script wants no colours and no line breaks


def print_json_line(value: object) -> None:
    """Prints JSON on one line, at once: for what is said while it happens."""
    print(json.dumps(value, default=_plain), flush=True)


def print_error(kind: str, message: str, status: int) -> None:
    """Prints to a script why a command did not do its work, on one line.

    On stdout: a script parses one stream, whatever happens, and `| jq` cannot take a failure for an empty answer.
    """
    print(error_line(kind, message, status), end="", flush=True)


def refuse(kind: str, message: str, status: int, *, as_json: bool) -> NoReturn:
    """Says why a command does not do its work, and exits."""
    if as_json:
        print_error(kind, message, status)
    else:
        open_console(stderr=True).print("[red]error:[/]", escape(message))
    sys.exit(status)


def show_moment(moment: datetime | None) -> str:
    """A moment for people, in their zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else "-"


def _harmless(sentence: Any) -> Any:
    """A sentence with what would steer a terminal written out; its lines stay lines."""
    if isinstance(sentence, str):
        return "\n".join(map(visible, sentence.split("\n")))
    if isinstance(sentence, Text):
        harmless = _harmless(sentence.plain)
        return sentence if harmless == sentence.plain else Text(harmless, sentence.style)
    return sentence


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else _set_fields(value.to_dict())


def _set_fields(value: Any) -> Any:
    """A message without its empty fields, and those in it."""
    if isinstance(value, dict):
        return {name: _set_fields(item) for name, item in value.items() if item is not None}
    return [_set_fields(item) for item in value] if isinstance(value, list) else value

"""To whom a rehearsal is told: to people as a story on their terminal, or to a script as lines of JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console
from rich.text import Text

from ops.printing import MARKS, print_json_line
from ops.tables import print_rows, visible

COLOURS = {"launched": "green", "duplicate": "cyan", "skipped": "cyan", "rejected": "red", "retry": "yellow"}


@dataclass(frozen=True)
class Step:
    """One step of the story and how it came out; ``details`` are lines for people."""

    title: str
    expected: str
    outcome: str
    details: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether the environment did what it promises."""
        return self.outcome == self.expected


class Teller(Protocol):
    """Hears of a rehearsal as it happens. What takes long before it begins is shown on ``progress``."""

    progress: Console

    def begin(self, trigger: str) -> None:
        """A trigger's story begins."""

    def scene(self, title: str) -> None:
        """The next thing is about to happen."""

    def say(self, who: str, what: str, **facts: object) -> None:
        """Somebody did something; ``facts`` are the parts of what was said: event, key, outcome."""

    def sum_up(self, trigger: str, steps: Sequence[Step]) -> None:
        """So did a trigger's story come out; said when all are told."""

    def end(self, *, as_expected: bool) -> None:
        """All is told."""


class OnTerminal:
    """For people."""

    def __init__(self, console: Console) -> None:
        self.progress = self._console = console
        self._started = 0.0

    def begin(self, trigger: str) -> None:
        """Under a rule; its time begins."""
        self._started = time.monotonic()
        self._console.rule(f"trigger [bold]{trigger}[/]")

    def scene(self, title: str) -> None:
        """As a headline."""
        self._console.print(Text.assemble("\n", (title, "bold")))

    def say(self, who: str, what: str, **facts: object) -> None:
        """On a line, with the seconds since the story began."""
        seconds = f"{time.monotonic() - self._started:6.2f} s"
        colour = COLOURS.get(str(facts.get("outcome")), "")
        line = Text.assemble((seconds, "dim"), "  ", (f"{who:<9}", "bold"), " ", (visible(what), colour))
        self._console.print(line, soft_wrap=True, highlight=False)

    def sum_up(self, trigger: str, steps: Sequence[Step]) -> None:
        """As a table."""
        self._console.print(Text.assemble("\n", (f"trigger {trigger}", "italic")))
        rows: list[tuple[Text, Text]] = []
        for step in steps:
            mark = Text.from_markup(MARKS["ok" if step.as_expected else "problem"])
            rows.append((Text.assemble(mark, " ", (step.outcome, "bold")), Text(step.title)))
            rows += [(Text(), Text(detail, "dim")) for detail in step.details]
        print_rows(rows, self._console, prose={1})

    def end(self, *, as_expected: bool) -> None:
        """The tables have said it."""


class InJson:
    """For scripts: a line for each thing, as it happens, with its time; the last says how all came out."""

    def __init__(self, progress: Console) -> None:
        self.progress = progress
        self._trigger = ""

    def begin(self, trigger: str) -> None:
        """Every line names its trigger."""
        self._trigger = trigger

    def scene(self, title: str) -> None:
        """Of kind ``scene``."""
        self._print("scene", what=title)

    def say(self, who: str, what: str, **facts: object) -> None:
        """Of kind ``happened``, with its facts as they are."""
        self._print("happened", who=who, what=what, **facts)

    def sum_up(self, trigger: str, steps: Sequence[Step]) -> None:
        """Each step of kind ``step``."""
        self._trigger = trigger
        for step in steps:
            self._print("step", **asdict(step), as_expected=step.as_expected)

    def end(self, *, as_expected: bool) -> None:
        """Of kind ``end``."""
        self._trigger = ""
        self._print("end", as_expected=as_expected)

    def _print(self, kind: str, **facts: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        trigger = {"trigger": self._trigger} if self._trigger else {}
        print_json_line({"kind": kind, "at": at, **trigger, **facts})

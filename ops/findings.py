"""What a check found, for every command that looks before something is done; and how findings are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ops.printing import MARKS, print_json
from ops.tables import print_rows

Status = Literal["ok", "problem", "could not check", "advice"]


@dataclass(frozen=True)
class Finding:
    """``what`` was found, in a sentence; ``fix`` is what to run or to change, and is empty where all is well."""

    check: str
    status: Status
    what: str
    fix: str = ""

    @property
    def in_words(self) -> str:
        """The finding and what to do about it, in one line."""
        return f"{self.what}: {self.fix}" if self.fix else self.what


Check = Callable[[], list[Finding]]


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", what)


def problem(check: str, what: str, fix: str) -> Finding:
    """This keeps people from what they are about to do."""
    return Finding(check, "problem", what, fix)


def unchecked(check: str, what: str, fix: str) -> Finding:
    """Nothing is known; ``fix`` lets the next look see more."""
    return Finding(check, "could not check", what, fix)


def advice(check: str, what: str, fix: str) -> Finding:
    """It works as it is; ``fix`` would make it better."""
    return Finding(check, "advice", what, fix)


def show_findings(findings: Iterable[Finding], console: Console, *, as_json: bool) -> int:
    """Shows what was found and then, once each, what mends it; returns the exit status, 1 if there is a problem."""
    with console.status("Looking"):
        found = list(findings)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        print_rows([row for each in found for row in _rows(each)], console, prose={2})
        for fix in dict.fromkeys(each.fix for each in found if each.fix):
            about = ", ".join(dict.fromkeys(each.check for each in found if each.fix == fix))
            console.print(f"\n[bold]{escape(about)}[/]\n{escape(fix)}", soft_wrap=True, highlight=False)
    return 1 if any(each.status == "problem" for each in found) else 0


def _rows(finding: Finding) -> list[tuple[str | Text, ...]]:
    """One row for each line of what was found: a wrong stack file has a list of problems."""
    first, *others = finding.what.splitlines() or [""]
    heading = (Text.from_markup(MARKS[finding.status]), Text(finding.check, "bold"), first)
    return [heading, *(("", "", line) for line in others)]

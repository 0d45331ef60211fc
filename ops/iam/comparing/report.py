"""What is said about a change: the table of a terminal, Markdown for a pull request, JSON for a program.

What cannot be seen in a preview or in a manifest is said under the table, every time: a reviewer must not take
silence for safety.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from ops.iam.comparing.compare import EFFECTS, Change
from ops.iam.comparing.risks import DESCRIPTIONS
from ops.iam.paths.paths import Path
from ops.iam.reading.permissions import WIDE, Permission
from ops.tables import Cell, Prose, print_table, visible

STYLES = {"broadened": "red", "narrowed": "green", "unchanged": "dim"}
MARKUP = re.compile(r"[\\*\[\]<>|]")  # what Markdown reads as more than itself, within a line
MENTION = re.compile(r"(?<!\w)@")
COLUMNS = ("Change", "Principal", "Role", "On", "Condition", "Look at")


@dataclass(frozen=True)
class Comparison:
    """The changes between two sides, under a title, with what must be said beside them."""

    title: str
    changes: Sequence[Change]
    caveats: Sequence[str]
    violations: Sequence[str] = ()  # of resources that give no permissions themselves
    other_steps: int = 0
    paths: Sequence[Path] = ()  # that it opens

    @property
    def broadened(self) -> bool:
        """Whether anybody may do more than before."""
        return any(change.effect == "broadened" for change in self.changes)

    @property
    def high(self) -> bool:
        """Whether something in it should not be approved in passing."""
        return bool(self.violations) or any(change.high for change in self.changes)

    @property
    def shown(self) -> list[Change]:
        """The changes that a reader looks at: not those that are none."""
        return [change for change in self.changes if change.effect != "unchanged" or change.what]


def to_terminal(comparisons: Iterable[Comparison], console: Console) -> None:
    """Prints each comparison as a table."""
    for comparison in comparisons:
        console.print(Text(f"{comparison.title}: {summary(comparison)}", "bold"))
        if comparison.shown:
            headings = ("change", "member", "role", "on", "condition", Prose("look at"))
            print_table(headings, [_row(change) for change in comparison.shown], console)
        for line in _below(comparison):
            console.print(Text(f"- {visible(line)}"))


def _row(change: Change) -> tuple[Cell, ...]:
    p = change.permission
    effect = Text(change.effect, STYLES[change.effect])
    return effect, p.member, p.role, place(p), p.condition, "; ".join(_look(change))


def to_markdown(comparisons: Iterable[Comparison]) -> str:
    """As a comment on a pull request. What a resource is called cannot break out of its cell."""
    return "\n".join(line for comparison in comparisons for line in _markdown(comparison)) + "\n"


def _markdown(comparison: Comparison) -> Iterable[str]:
    yield f"### {comparison.title}"
    yield ""
    yield f"**{summary(comparison)}**"
    yield ""
    if comparison.shown:
        yield f"| {' | '.join(COLUMNS)} |"
        yield "|---" * len(COLUMNS) + "|"
        for change in comparison.shown:
            effect = f"**{change.effect}**" if change.effect == "broadened" else change.effect
            p = change.permission
            named = (code(text) for text in (p.member, p.role, place(p), p.condition))
            cells = (effect, *named, cell("; ".join(_look(change))))
            yield f"| {' | '.join(cells)} |"
        yield ""
    yield from (f"- {cell(line)}" for line in _below(comparison))
    yield ""


def to_json(comparisons: Iterable[Comparison]) -> str:
    """For a program: every change, the unchanged ones too."""
    documents = [
        {
            "title": comparison.title,
            "summary": {effect: _count(comparison, effect) for effect in EFFECTS} | {"high": comparison.high},
            "changes": [_plain_change(change) for change in comparison.changes],
            "paths": [{"who": p.who, "whom": p.whom, "becomes": p.becomes, "by": p.by} for p in comparison.paths],
            "violations": list(comparison.violations),
            "caveats": list(comparison.caveats),
            "other_steps": comparison.other_steps,
        }
        for comparison in comparisons
    ]
    return json.dumps({"comparisons": documents}, indent=2)


def summary(comparison: Comparison) -> str:
    """How many changes of each kind: ``1 broadened, 2 unchanged; 1 high``."""
    high = sum(change.high for change in comparison.changes) + len(comparison.violations)
    counts = [f"{count} {effect}" for effect in EFFECTS if (count := _count(comparison, effect))]
    text = ", ".join(counts) or "no permissions are touched"
    return f"{text}; {high} high" if high else text


def _count(comparison: Comparison, effect: str) -> int:
    return sum(change.effect == effect for change in comparison.changes)


def _look(change: Change) -> list[str]:
    """What to look at: what is high first, then what became of the permission where the effect does not say it."""
    high = [f"HIGH: {risk.text}" for risk in change.risks if risk.level == "high"]
    notes = [risk.text for risk in change.risks if risk.level == "note"]
    what = [change.what] if change.what not in ("", "added", "removed") else []
    return [*high, *what, *notes]


def place(permission: Permission) -> str:
    """On what, for people: ``bucket launch-ledger-*``; of a service account its address alone."""
    thing = WIDE.get(permission.kind) or permission.kind.rsplit("/", 1)[-1].replace("serviceaccount", "account")
    return f"{thing} {permission.resource.rsplit('/serviceAccounts/', 1)[-1]}"


def _below(comparison: Comparison) -> Iterable[str]:
    rules = {risk.rule: risk.text for change in comparison.changes for risk in change.risks if risk.rule}
    yield from (f"{text}: {DESCRIPTIONS[rule]}" for rule, text in sorted(rules.items()))
    yield from (f"HIGH: {violation}" for violation in comparison.violations)
    yield from (f"NEW PATH: {path}" for path in comparison.paths)
    yield from comparison.caveats


def _plain_change(change: Change) -> dict[str, Any]:
    return {
        "effect": change.effect,
        "what": change.what,
        "high": change.high,
        "gained": list(change.gained),
        "lost": list(change.lost),
        "exact": change.exact,
        "risks": [risk.text for risk in change.risks],
        "before": _plain(change.before),
        "after": _plain(change.after),
    }


def _plain(permission: Permission | None) -> dict[str, str] | None:
    if permission is None:
        return None
    return {
        "principal": permission.member,
        "role": permission.role,
        "kind": permission.kind,
        "resource": permission.resource,
        "condition": permission.condition,
    }


def code(text: str) -> str:
    """Text as code in a cell of a Markdown table; nothing for nothing."""
    return f"`{_line(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""


def cell(text: str) -> str:
    """Text in a cell of a Markdown table: one line, which borders, links, pages and calls nobody."""
    return MENTION.sub("&#64;", MARKUP.sub(r"\\\g<0>", _line(text)))


def _line(text: str) -> str:
    return visible(" ".join(text.split()))

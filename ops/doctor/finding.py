"""What one check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "problem", "could not check"]


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
    """This would make a deployment fail, or what is deployed."""
    return Finding(check, "problem", what, fix)


def unchecked(check: str, what: str, fix: str) -> Finding:
    """Nothing is known; ``fix`` lets the next look see more."""
    return Finding(check, "could not check", what, fix)

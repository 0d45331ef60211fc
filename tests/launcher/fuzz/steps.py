"""How much is done for a name of some length: counted, since a busy machine would make a liar of a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from function_src.launcher.mapping.glob import Glob

# Globs over which a program that tries every way would not end in a lifetime, each with the letters of its name.
HOSTILE = {
    "**/" * 12 + "*a" * 12 + "x": "a/",
    "{a}-{b}-{c:int}-**-{d:date}": "1-",
    "**{a}**{b}**{c}**": "ab",
    "[!a]*?*?*?*?**/**/{day:date}*": "2026-01-01",
}


def steps(glob: str, name: str) -> int:
    """How often a letter of a name is held against a part of a glob."""
    count = 0

    def counted(takes: Callable[[str], bool]) -> Callable[[str], bool]:
        def take(letter: str) -> bool:
            nonlocal count
            count += 1
            return takes(letter)

        return take

    read = Glob(glob)
    read._steps = [replace(step, takes=counted(step.takes)) for step in read._steps]
    read.capture(name)
    return count


def name_of(letters: str, length: int) -> str:
    """A name of that length."""
    return (letters * length)[:length]

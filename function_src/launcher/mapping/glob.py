"""Which object names a glob matches: the whole name, by the rules that Cloud Storage has for its own lists.

``*`` and ``?`` stop at a slash, ``**`` does not, ``**/`` is any number of directories or none, ``[a-z]`` and
``[!a-z]`` are one character. ``{day}`` captures part of a directory's or the file's name, at least a letter;
``{n:int}`` and ``{day:date}`` take nothing but digits, and a day as in 2026-11-22. A name is read once from left to
right and once back, never tried over and over as a regular expression would: names of objects come from whoever may
write them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

INT, DATE = "int", "date"
KINDS = ("", INT, DATE)  # of captures; one without a kind takes any text
TOKEN = re.compile(
    r"\{(?P<capture>[a-z][a-z0-9_]*)(?::(?P<kind>[a-z]*))?\}|(?P<directories>(?<![^/])\*\*/)|(?P<deep>\*\*)|(?P<star>\*)|(?P<one>\?)|\[(?P<set>[^\]]+)\]|(?s:.)"
)
LONGEST_INT = 15  # digits: all of them are whole numbers of JSON, which a longer text of digits may not be
RANGE = re.compile(r"(?s:(.)-(.)|(.))")


class BadGlobError(ValueError):
    """The glob is none, or not one that is understood here."""


@dataclass(frozen=True)
class _Step:
    """``takes`` says which characters it is for; ``stays``: it takes any number of them, or none.

    ``leaps``: the steps after it that one can be at without a character, counted from the next one. ``capture`` is
    what takes the characters.
    """

    takes: Callable[[str], bool]
    stays: bool = False
    leaps: tuple[int, ...] = ()
    capture: str = ""

    @property
    def skips(self) -> tuple[int, ...]:
        """How many steps further one can be without a character."""
        return tuple(1 + leap for leap in ((0,) if self.stays else self.leaps))


class Glob:
    """A glob, read once.

    Raises:
        BadGlobError: it is empty, or has what is not understood.
    """

    def __init__(self, text: str) -> None:
        if not text or text.startswith(("/", "gs://")):
            raise BadGlobError("object names start without a slash and without gs://BUCKET/: use **/*.json")
        if found := re.search(r"[{}\\]", "".join(token[0] for token in TOKEN.finditer(text) if not token["capture"])):
            raise BadGlobError(
                f"{found[0]!r} is not understood; use *, **, ?, [a-z] and captures such as {{day}}, {{n:int}} or "
                "{day:date}, and one trigger for each pattern"
            )
        self.captures = _captures(text)
        self._steps = list(_steps(text))
        self.text = text

    @property
    def head(self) -> str:
        """What every name that matches starts with: the glob up to its first wildcard."""
        return re.split(r"[*?\[{]", self.text, maxsplit=1)[0]

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        return self.capture(name) is not None

    def can_follow(self, start: str) -> bool:
        """Whether any name that starts so fits."""
        return bool(self._passed(start)[-1])

    def capture(self, name: str) -> dict[str, Any] | None:
        """What the captures take of a name: numbers for ``int``, else text; None if the whole name does not fit.

        Where there is a choice, what stands first takes as little as it can.
        """
        passed = self._passed(name)
        if len(self._steps) not in passed[-1]:
            return None
        texts = self._texts(name, passed) if self.captures else {}
        try:
            return {found: _as_kind(text, self.captures[found]) for found, text in texts.items()}
        except ValueError:  # a day that no calendar has
            return None

    def _passed(self, name: str) -> list[set[int]]:
        """The steps at which one can be before a name, and after each of its characters."""
        passed = [self._reached({0})]
        for character in name:
            passed.append(self._reached({place for step in passed[-1] for place in self._next(step, character)}))
        return passed

    def _texts(self, name: str, passed: list[set[int]]) -> dict[str, str]:
        """What each capture takes: on the first of the ways that lead to the end."""
        ways = self._leading_to_the_end(name, passed)
        texts, place, at = dict.fromkeys(self.captures, ""), 0, 0
        while place < len(self._steps):
            step = self._steps[place]
            if further := [place + skip for skip in step.skips if place + skip in ways[at]]:
                place = further[-1]
                continue
            if step.capture:
                texts[step.capture] += name[at]
            place, at = place if step.stays else place + 1, at + 1
        return texts

    def _leading_to_the_end(self, name: str, passed: list[set[int]]) -> list[set[int]]:
        """Of the steps at which one can be, those from which the rest of the name leads to the end."""
        ways: list[set[int]] = [set() for _ in passed]
        for at in range(len(name), -1, -1):
            for place in sorted(passed[at], reverse=True):  # a step is reached from those before it alone
                ended = at == len(name) and place == len(self._steps)
                if ended or self._goes_on(place, at, name, ways):
                    ways[at].add(place)
        return ways

    def _goes_on(self, place: int, at: int, name: str, ways: list[set[int]]) -> bool:
        if place == len(self._steps):
            return False
        if any(place + skip in ways[at] for skip in self._steps[place].skips):
            return True
        return at < len(name) and any(one in ways[at + 1] for one in self._next(place, name[at]))

    def _next(self, place: int, character: str) -> Iterator[int]:
        if place < len(self._steps) and (step := self._steps[place]).takes(character):
            yield place if step.stays else place + 1

    def _reached(self, places: set[int]) -> set[int]:
        """These places and those that are reached from them without a character."""
        found, left = set(places), list(places)
        while left:
            place = left.pop()
            if place == len(self._steps):
                continue
            further = {place + skip for skip in self._steps[place].skips} - found
            found |= further
            left += further
        return found


def _steps(text: str) -> Iterator[_Step]:
    for token in TOKEN.finditer(text):
        if token["capture"]:
            yield from _steps_of(token["capture"], token["kind"] or "")
            continue
        match token.lastgroup:
            case "directories":
                # The first takes nothing itself: it is where one goes around the others, or in.
                yield from (_Step(_nothing, leaps=(0, 2)), _Step(_anything, stays=True), _Step("/".__eq__))
            case "deep":
                yield _Step(_anything, stays=True)
            case "star":
                yield _Step(_in_a_name, stays=True)
            case "one":
                yield _Step(_in_a_name)
            case "set":
                yield _Step(_member(token["set"]))
            case _ if token[0] == "[":
                raise BadGlobError("'[' has no ']'; write [[] for the character itself")
            case _:
                yield _Step(token[0].__eq__)


def _captures(text: str) -> dict[str, str]:
    """The kind of each capture."""
    found: dict[str, str] = {}
    for token in TOKEN.finditer(text):
        if not token["capture"]:
            continue
        name, kind = token["capture"], token["kind"] or ""
        if kind not in KINDS:
            raise BadGlobError(f"{token[0]} has the kind {kind!r}; use {{{name}}}, {{{name}:int}} or {{{name}:date}}")
        if name in found:
            raise BadGlobError(f"{{{name}}} stands in it twice; give each capture a name of its own")
        found[name] = kind
    return found


def _steps_of(capture: str, kind: str) -> Iterator[_Step]:
    if kind == DATE:
        for character in "dddd-dd-dd":
            yield _Step(_is_digit if character == "d" else "-".__eq__, capture=capture)
        return
    takes = _is_digit if kind == INT else _in_a_name
    yield _Step(takes, capture=capture)
    yield _Step(takes, stays=True, capture=capture)


def _as_kind(text: str, kind: str) -> int | str:
    if kind == DATE:
        date.fromisoformat(text)
    return int(text) if kind == INT and len(text) <= LONGEST_INT else text


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _member(written: str) -> Callable[[str], bool]:
    negated, ranges = written.startswith("!"), []
    for low, high, single in RANGE.findall(written.removeprefix("!")):
        if high < low:
            raise BadGlobError(f"[{written}] has a range that runs backwards: {low}-{high}")
        ranges.append((low or single, high or single))
    if not ranges:
        raise BadGlobError(f"[{written}] holds no character")
    return lambda character: character != "/" and negated != any(low <= character <= high for low, high in ranges)


def _in_a_name(character: str) -> bool:
    return character != "/"


def _anything(_: str) -> bool:
    return True


def _nothing(_: str) -> bool:
    return False

"""Which object names a glob matches: the whole name, by the rules that Cloud Storage has for its own lists.

``*`` and ``?`` stop at a slash, ``**`` does not, ``**/`` is any number of directories or none, ``[a-z]`` and
``[!a-z]`` are one character. A name is read once from left to right, never tried over and over as a regular
expression would: names of objects come from whoever may write them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"(?P<directories>(?<![^/])\*\*/)|(?P<deep>\*\*)|(?P<star>\*)|(?P<one>\?)|\[(?P<set>[^\]]+)\]|(?s:.)"
)
RANGE = re.compile(r"(?s:(.)-(.)|(.))")


class BadGlobError(ValueError):
    """The glob is none, or not one that is understood here."""


@dataclass(frozen=True)
class _Step:
    """``takes`` says which characters it is for; ``stays``: it takes any number of them, or none.

    ``leaps``: the steps after it that one can be at without a character, counted from the next one.
    """

    takes: Callable[[str], bool]
    stays: bool = False
    leaps: tuple[int, ...] = ()


class Glob:
    """A glob, read once.

    Raises:
        BadGlobError: it is empty, or has what is not understood.
    """

    def __init__(self, text: str) -> None:
        if not text or text.startswith(("/", "gs://")):
            raise BadGlobError("object names start without a slash and without gs://BUCKET/: use **/*.json")
        if found := re.search(r"[{}\\]", text):
            raise BadGlobError(
                f"{found[0]!r} is not understood; use *, **, ? and [a-z], and one trigger for each pattern"
            )
        self._steps = list(_steps(text))
        self.text = text

    @property
    def head(self) -> str:
        """What every name that matches starts with: the glob up to its first wildcard."""
        return re.split(r"[*?\[]", self.text, maxsplit=1)[0]

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        return len(self._steps) in self._after(name)

    def can_follow(self, start: str) -> bool:
        """Whether any name that starts so fits."""
        return bool(self._after(start))

    def _after(self, name: str) -> set[int]:
        """The steps at which one can be after a name."""
        here = self._reached({0})
        for character in name:
            here = self._reached({place for step in here for place in self._next(step, character)})
        return here

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
            step = self._steps[place]
            further = {place + 1 + leap for leap in ((0,) if step.stays else step.leaps)} - found
            found |= further
            left += further
        return found


def _steps(text: str) -> Iterator[_Step]:
    for token in TOKEN.finditer(text):
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

"""Pub/Sub's filter language: read when a stack is previewed, evaluated by the rehearsal's Pub/Sub. Pure.

``attributes:KEY``, ``attributes.KEY = "VALUE"``, ``!=`` and ``hasPrefix(attributes.KEY, "START")``, put together with
``AND``, ``OR``, ``NOT`` (or ``-``) and parentheses. AND and OR do not mix without parentheses (docs:
pubsub/docs/subscription-message-filter).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

LONGEST = 256  # bytes
TOKEN = re.compile(
    r"""\s*(?P<token> "(?:[^"\\]|\\.)*" | [A-Za-z0-9_][A-Za-z0-9_-]* | != | [=:.,()-] )""", re.VERBOSE | re.DOTALL
)
JOINTS = ("AND", "OR")
HELP = 'write attributes.KEY = "VALUE", attributes:KEY or hasPrefix(attributes.KEY, "START"), joined by AND, OR, NOT'

Attributes = Mapping[str, str]


class BadFilterError(ValueError):
    """The text is no filter."""


@dataclass(frozen=True)
class AttributeFilter:
    """A filter that was read.

    ``example`` are attributes that it lets through, ``counterexample`` some that it does not. Both are guesses from
    its parts, which can contradict each other: ask ``matches``.
    """

    matches: Callable[[Attributes], bool] = lambda _: True
    example: Attributes = field(default_factory=dict)
    counterexample: Attributes = field(default_factory=dict)


def read_filter(text: str) -> AttributeFilter:
    """Reads a filter. An empty one lets everything through.

    Raises:
        BadFilterError: it is too long or not in the language.
    """
    if len(text.encode()) > LONGEST:
        raise BadFilterError(f"has {len(text.encode())} bytes; Pub/Sub takes {LONGEST} at most")
    return _Reader(text).read() if text else AttributeFilter()


class _Reader:
    """Goes through a filter, token by token."""

    def __init__(self, text: str) -> None:
        self._left: list[str] = []
        end = len(text.rstrip())
        place = 0
        while place < end:
            found = TOKEN.match(text, place)
            if not found:
                raise BadFilterError(f"cannot be read from {text[place:].strip()[:20]!r} on; {HELP}")
            self._left.append(found["token"])
            place = found.end()

    def read(self) -> AttributeFilter:
        found = self._joined()
        if self._left:
            raise BadFilterError(f"has {self._left[0]!r} where AND, OR or its end is due; {HELP}")
        return found

    def _joined(self) -> AttributeFilter:
        parts, joint = [self._negated()], self._next()
        while self._next() in JOINTS:
            if self._take() != joint:
                raise BadFilterError("mixes AND and OR; put parentheses around one of them")
            parts.append(self._negated())
        if joint == "OR":
            matches, example, counter = _any(parts), parts[0].example, _merged(part.counterexample for part in parts)
        else:
            matches, example, counter = _all(parts), _merged(part.example for part in parts), parts[0].counterexample
        return AttributeFilter(matches, example, counter)

    def _negated(self) -> AttributeFilter:
        if self._next() in ("NOT", "-"):
            self._take()
            inner = self._negated()
            return AttributeFilter(lambda given: not inner.matches(given), inner.counterexample, inner.example)
        if self._next() == "(":
            self._take()
            inner = self._joined()
            self._take(")")
            return inner
        return self._condition()

    def _condition(self) -> AttributeFilter:
        if self._next() == "hasPrefix":
            self._take()
            self._take("(")
            self._take("attributes")
            self._take(".")
            key = self._key()
            self._take(",")
            start = self._text()
            self._take(")")
            return AttributeFilter(lambda given: key in given and given[key].startswith(start), {key: start})
        self._take("attributes")
        if self._take(":", ".") == ":":
            key = self._key()
            return AttributeFilter(lambda given: key in given, {key: "any"})
        key = self._key()
        sign, value = self._take("=", "!="), self._text()
        if sign == "=":
            return AttributeFilter(lambda given: given.get(key) == value, {key: value})
        return AttributeFilter(lambda given: given.get(key) != value, {}, {key: value})

    def _key(self) -> str:
        if self._next().startswith('"'):
            return self._text()
        token = self._take()
        if not re.match(r"\w", token):
            raise BadFilterError(f"has {token!r} where the name of an attribute is due; {HELP}")
        return token

    def _text(self) -> str:
        token = self._take()
        with contextlib.suppress(ValueError):
            if isinstance(text := json.loads(token), str):
                return text
        raise BadFilterError(f'has {token!r} where a text such as "order" is due; {HELP}')

    def _next(self) -> str:
        return self._left[0] if self._left else ""

    def _take(self, *wanted: str) -> str:
        if not self._left or (wanted and self._left[0] not in wanted):
            due = " or ".join(map(repr, wanted)) or "more"
            raise BadFilterError(f"has {repr(self._next()) if self._left else 'its end'} where {due} is due; {HELP}")
        return self._left.pop(0)


def _all(parts: list[AttributeFilter]) -> Callable[[Attributes], bool]:
    return lambda given: all(part.matches(given) for part in parts)


def _any(parts: list[AttributeFilter]) -> Callable[[Attributes], bool]:
    return lambda given: any(part.matches(given) for part in parts)


def _merged(examples: Iterable[Attributes]) -> Attributes:
    return {key: value for example in examples for key, value in example.items()}

"""Evaluates the filters of log sinks: the part of the Logging query language that filters of sinks are made of.

Comparisons of one field (``=``, ``!=``, ``:``, ``=~``, ``!~`` and, for severities, numbers and timestamps, ``<`` and
the like), with one value or several in parentheses, ``log_id()``, ``NOT`` or ``-``, ``AND`` or nothing, ``OR``,
parentheses and comments. OR binds more tightly than AND (docs: logging/docs/view/logging-query-language). What else
there is, such as words without a field, ``SEARCH()`` and ``sample()``, is refused: an entry that the stand-in let
through and the service would not, or the other way round, would be worse.
"""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

Entry = Mapping[str, Any]

TEXT = r'"(?:[^"\\]|\\.)*"'
TOKEN = re.compile(rf"(?:\s|--[^\n]*)*(?P<token>(?:{TEXT}|[^\s()\"=:<>!~])+|!=|=~|!~|>=|<=|[()=:<>])", re.DOTALL)
PART = re.compile(rf"({TEXT}|[^.\"]+)(?:\.|$)", re.DOTALL)
COMPARISONS = ("=", "!=", ":", "=~", "!~", ">", ">=", "<", "<=")
ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
# What stands where an entry says nothing: of LogEntry's own fields, the default of their type. Source: the language's
# page, "Missing fields". Of a payload and of labels nothing stands there, and every comparison with nothing is false.
OF_THE_ENTRY = {
    **dict.fromkeys(("insertId", "logName", "spanId", "textPayload", "trace"), ""),
    **dict.fromkeys(("receiveTimestamp", "timestamp"), "1970-01-01T00:00:00Z"),
    **dict.fromkeys(("severity",), "DEFAULT"),
    **dict.fromkeys(("traceSampled", "operation.first", "operation.last"), False),
    **dict.fromkeys(("operation.id", "operation.producer", "sourceLocation.file", "sourceLocation.function"), ""),
    **dict.fromkeys(("sourceLocation.line", "split.index", "split.totalSplits"), 0),
    **dict.fromkeys(("split.uid", "resource.type"), ""),
    **{f"httpRequest.{name}": 0 for name in ("cacheFillBytes", "requestSize", "responseSize", "status")},
    **{f"httpRequest.{name}": False for name in ("cacheHit", "cacheLookup", "cacheValidatedWithOriginServer")},
    **{
        f"httpRequest.{name}": ""
        for name in ("latency", "protocol", "referer", "remoteIp", "requestMethod", "requestUrl", "serverIp")
    },
    "httpRequest.userAgent": "",
}
WITHOUT_DEFAULT = ("apphub", "errorGroups", "jsonPayload", "labels", "metadata", "protoPayload", "resource.labels")
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")


class UnsupportedFilterError(ValueError):
    """The stand-in does not know what the filter means; Cloud Logging may well."""


@dataclass(frozen=True)
class LogFilter:
    """A filter that was read. ``example`` holds fields that it wants: no whole entry, and but a guess at a match."""

    matches: Callable[[Entry], bool]
    example: Mapping[tuple[str, ...], Any] = field(default_factory=dict)


def read_log_filter(text: str) -> LogFilter:
    """Reads a filter.

    Raises:
        UnsupportedFilterError: it has something that is not understood here.
    """
    return _Reader(text).read()


class _Reader:
    """Goes through a filter, token by token."""

    def __init__(self, text: str) -> None:
        self._left: list[str] = []
        place = 0
        end = len(re.sub(r"(\s|--[^\n]*)+$", "", text))
        while place < end:
            found = TOKEN.match(text, place)
            if not found:
                raise UnsupportedFilterError(f"the log filter cannot be read here from {text[place:][:20]!r} on")
            self._left.append(found["token"])
            place = found.end()

    def read(self) -> LogFilter:
        found = self._all()
        if self._left:
            raise UnsupportedFilterError(f"the log filter has {self._left[0]!r} where its end is due")
        return found

    def _all(self) -> LogFilter:
        parts = [self._any()]
        while self._left and self._left[0] != ")":
            if self._left[0] == "AND":
                self._take()
            parts.append(self._any())
        example = {path: value for part in parts for path, value in part.example.items()}
        return LogFilter(lambda entry: all(part.matches(entry) for part in parts), example)

    def _any(self) -> LogFilter:
        parts = [self._negated()]
        while self._left and self._left[0] == "OR":
            self._take()
            parts.append(self._negated())
        return LogFilter(lambda entry: any(part.matches(entry) for part in parts), parts[0].example)

    def _negated(self) -> LogFilter:
        if self._left and (self._left[0] == "NOT" or self._left[0].startswith("-")):
            negation = self._take()
            if rest := negation.removeprefix("-").removeprefix("NOT"):
                self._left.insert(0, rest)
            inner = self._negated()
            return LogFilter(lambda entry: not inner.matches(entry))
        if self._left and self._left[0] == "(":
            self._take()
            found = self._all()
            self._take(")")
            return found
        return self._comparison()

    def _comparison(self) -> LogFilter:
        name = self._take()
        if name == "log_id" and self._left[:1] == ["("]:
            self._take()
            log = f"/logs/{quote(_plain(self._take()), safe='')}"
            self._take(")")
            return LogFilter(
                lambda entry: str(entry.get("logName")).endswith(log), {("logName",): f"projects/p{log}"}
            )
        if not self._left or self._left[0] not in COMPARISONS:
            raise UnsupportedFilterError(
                f"the log filter has {name!r} without a comparison; here only FIELD=VALUE and its like are understood"
            )
        path = tuple(_plain(part) for part in PART.findall(name))
        sign, values = self._take(), self._values()
        default = _default_of(path)
        return LogFilter(
            lambda entry: _compares(_look_up(entry, path) or ([] if values == ["*"] else default), sign, values),
            {} if sign[0] == "!" else {path: values[0]},
        )

    def _values(self) -> list[str]:
        """One value, or several as in ``("a" OR "b")``."""
        if self._left[:1] != ["("]:
            return [_plain(self._take())]
        self._take()
        values = [_plain(self._take())]
        while self._left[:1] == ["OR"]:
            self._take()
            values.append(_plain(self._take()))
        self._take(")")
        return values

    def _take(self, wanted: str | None = None) -> str:
        if not self._left or wanted not in (None, self._left[0]):
            raise UnsupportedFilterError(f"the log filter lacks {wanted or 'a value'!r} before {self._left[:1]}")
        return self._left.pop(0)


def example_entry(fields: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """An entry with these fields and what every entry has."""
    entry: dict[str, Any] = {}
    for path, value in fields.items():
        inside = entry
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
        inside[path[-1]] = value
    return entry


def _look_up(entry: Any, path: Sequence[str]) -> list[Any]:
    """What stands at a path: nothing, one thing, or for a list all that is in it."""
    if isinstance(entry, list):
        return [found for item in entry for found in _look_up(item, path)]
    if not path:
        return [entry]
    return _look_up(entry[path[0]], path[1:]) if isinstance(entry, Mapping) and path[0] in entry else []


def _default_of(path: Sequence[str]) -> list[Any]:
    """What stands at a path in an entry that says nothing there.

    Raises:
        UnsupportedFilterError: no entry has such a field, which the service refuses too.
    """
    name = ".".join(path)
    if name in OF_THE_ENTRY:
        return [OF_THE_ENTRY[name]]
    if name in {known.partition(".")[0] for known in OF_THE_ENTRY} or f"{name}.".startswith(
        tuple(f"{root}." for root in WITHOUT_DEFAULT)
    ):
        return []
    raise UnsupportedFilterError(f"the log filter has {name!r}, which no log entry has")


def _compares(found: Sequence[Any], sign: str, values: Sequence[str]) -> bool:
    if sign in ("!=", "!~"):
        return bool(found) and not _compares(found, {"!=": "=", "!~": "=~"}[sign], values)
    return any(_holds(item, sign, value) for item in found for value in values)


def _holds(found: Any, sign: str, value: str) -> bool:
    """Compares as the service does: text without regard to case, but for regular expressions."""
    text = str(found).lower() if isinstance(found, bool) else str(found)
    match sign:
        case "=":
            return text.lower() == value.lower()
        case ":":
            return value == "*" or (
                value.lower() in map(str.lower, found)
                if isinstance(found, Mapping)
                else value.lower() in text.lower()
            )
        case "=~":
            return re.search(value, text) is not None
    order = ORDERS[sign]
    if value.upper() in SEVERITIES:
        return text.upper() in SEVERITIES and order(SEVERITIES.index(text.upper()), SEVERITIES.index(value.upper()))
    for kind in (float, _timestamp):
        with contextlib.suppress(ValueError):
            return order(kind(text), kind(value))
    raise UnsupportedFilterError(f"the log filter orders {value!r}; here only severities, numbers and timestamps are")


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _plain(token: str) -> str:
    """A value without its quotation marks."""
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token

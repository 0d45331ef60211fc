"""What expressions can call: JMESPath's functions and these. Pure.

Those of text are called, and do, as in JMESPath Community Edition (jmespath.site), with the arguments that one must
give there; ``find_first`` and ``find_last`` give null where nothing is found. Those of time take any zone of IANA's
database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import jmespath
from jmespath import functions
from jmespath.functions import signature

from .content import MOST_VALUES, holds_too_many, parse

TEXT: Any = {"types": ["string"]}
DURATION = re.compile(r"(?P<sign>[+-]?)(?P<parts>(?:\d{1,6}[wdhms])+)", re.ASCII)
# ISO 8601, for Python 3.11 reads 10:00:599Z, 2026-11-22710:00Z and 10:00+01:90 as well, and newer ones 24:00Z
# (python/cpython#127242): what a preview and a function make of a time is the same.
MOMENT = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ](?!24)\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?[0-5]\d(?::?[0-5]\d)?)?)",
    re.ASCII,
)
SECONDS = {"h": 3600, "m": 60, "s": 1}
DAYS = {"w": 7, "d": 1}
LONGEST_MADE = 1024 * 1024  # letters: what a function makes of a text is no longer than this, or than the text
DIRECTIVES = frozenset("YymdHMSjGVuFT%")  # which are written alike in every language
# Unicode's White_Space. Python's own strip() takes four controls too, U+001C to U+001F.
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
# Of those that take more than any text, arguments that are right.
RIGHT = {"format_time": ("2026-11-22T10:00:00Z", "%Y", "UTC"), "add_time": ("2026-11-22T10:00:00Z", "1d", "UTC")}


class BadArgumentError(ValueError):
    """A function was given text that is none of its kind. Says of which kind, and not what was given."""


class Functions(functions.Functions):
    """All that an expression can call."""

    @signature(TEXT)
    def _func_lower(self, text: str) -> str:
        return text.lower()

    @signature(TEXT)
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @signature(TEXT)
    def _func_trim(self, text: str) -> str:
        return text.strip(WHITE_SPACE)

    @signature(TEXT, TEXT)
    def _func_split(self, text: str, separator: str) -> list[str]:
        if (text.count(separator) if separator else len(text)) > MOST_VALUES:
            raise BadArgumentError(f"split() would make more than {MOST_VALUES} parts")
        return text.split(separator) if separator else list(text)

    @signature(TEXT, TEXT, TEXT)
    def _func_replace(self, text: str, old: str, new: str) -> str:
        length = len(text) + text.count(old) * (len(new) - len(old))
        if length > max(len(text), LONGEST_MADE):
            raise BadArgumentError(f"replace() would make a text of more than {LONGEST_MADE} letters")
        return text.replace(old, new)

    @signature(TEXT, TEXT)
    def _func_find_first(self, text: str, part: str) -> int | None:
        return None if (found := text.find(part)) < 0 or not part else found

    @signature(TEXT, TEXT)
    def _func_find_last(self, text: str, part: str) -> int | None:
        return None if (found := text.rfind(part)) < 0 or not part else found

    @signature(TEXT)
    def _func_parse_json(self, text: str) -> Any:
        with suppress(ValueError, RecursionError):
            if not holds_too_many(text):
                return parse(text)
        raise BadArgumentError("parse_json() was given text that is no JSON, or holds too many values")

    @signature(TEXT, TEXT, TEXT)
    def _func_format_time(self, time: str, pattern: str, zone: str) -> str:
        if wrong := set(re.findall(r"%(.?)", pattern, re.DOTALL)) - DIRECTIVES:
            raise BadArgumentError(f"format_time() has no %{min(wrong)}; it has {_listed(DIRECTIVES)}")
        local = _at("format_time", time, zone)
        try:
            return local.strftime(_with_years(local, pattern))
        except ValueError:  # half a character
            raise BadArgumentError("format_time() takes a pattern such as '%Y-%m-%d'") from None

    @signature(TEXT, TEXT, TEXT)
    def _func_add_time(self, time: str, duration: str, zone: str) -> str:
        if not (found := DURATION.fullmatch(duration)):
            raise BadArgumentError("add_time() takes a duration such as '-1d', '2w' or '1h30m'")
        sign = -1 if found["sign"] == "-" else 1
        parts = [(sign * int(count), unit) for count, unit in re.findall(r"(\d+)(\w)", found["parts"])]
        days = sum(count * DAYS.get(unit, 0) for count, unit in parts)
        seconds = sum(count * SECONDS.get(unit, 0) for count, unit in parts)
        local = _at("add_time", time, zone)
        try:  # a day later is at the same hour, whatever the clocks did in between; an hour later is an hour later
            on_that_day = local + timedelta(days=days) if days else local  # + forgets which of two equal hours it is
            later = on_that_day.astimezone(UTC) + timedelta(seconds=seconds)
            return later.astimezone(local.tzinfo).isoformat()
        except OverflowError:
            raise BadArgumentError("add_time() leaves the years 1 to 9999") from None


FUNCTIONS = Functions()
OPTIONS = jmespath.Options(custom_functions=FUNCTIONS)


def bad_call(name: str, arguments: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with a call, whatever the event: with how many arguments it has, or with those written out."""
    function, given = Functions.FUNCTION_TABLE[name], len(arguments)
    wanted, variadic = len(function["signature"]), function["signature"][-1].get("variadic")
    if given < wanted or (given > wanted and not variadic):
        return f"{name}() takes {wanted} argument{'s' * (wanted > 1)}, not {given}"
    if name not in RIGHT:
        return None
    written = [
        argument["value"] if argument["type"] == "literal" and isinstance(argument["value"], str) else right
        for argument, right in zip(arguments, RIGHT[name], strict=True)
    ]
    try:
        FUNCTIONS.call_function(name, written)
    except BadArgumentError as error:
        return str(error)
    return None


def _at(function: str, time: str, zone: str) -> datetime:
    """A time as it is on the clocks of a zone."""
    import zoneinfo  # only where it is asked for: it is read from files

    try:
        moment = datetime.fromisoformat(time) if MOMENT.fullmatch(time) else None
    except ValueError:
        moment = None
    if moment is None:
        raise BadArgumentError(f"{function}() takes a time such as 2026-11-22T10:00:00Z")
    try:
        return moment.astimezone(zoneinfo.ZoneInfo(zone))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise BadArgumentError(f"{function}() takes a zone such as 'UTC' or 'Europe/Amsterdam'") from None
    except OverflowError:
        raise BadArgumentError(f"{function}() takes times of the years 1 to 9999") from None


def _with_years(local: datetime, pattern: str) -> str:
    """A pattern with its years written out: to strftime the year 1 is 1 or 0001, by Python's version and system."""
    year, week_year = f"{local.year:04}", f"{local.isocalendar().year:04}"
    years = {"%Y": year, "%G": week_year, "%F": f"{year}-%m-%d"}
    return re.sub(r"%.", lambda directive: years.get(directive[0], directive[0]), pattern)


def _listed(directives: frozenset[str]) -> str:
    return ", ".join(f"%{letter}" for letter in sorted(directives))

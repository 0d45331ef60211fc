"""Schedules in the unix-cron format of Cloud Scheduler: which there are, when they fire, and what they are taken for.

Source: docs.cloud.google.com/scheduler/docs/configuring/cron-job-schedules.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST_WAIT = timedelta(days=8 * 366)  # for 29 February, around a year that is no leap year though 4 divides it
SHOWN = 5


@dataclass(frozen=True)
class _Field:
    """``around`` is what it is a part of, in which its values begin anew."""

    name: str
    lowest: int
    highest: int
    around: str
    words: Mapping[str, int]


FIELDS = (
    _Field("minute", 0, 59, "hour", {}),
    _Field("hour", 0, 23, "day", {}),
    _Field("day of the month", 1, 31, "month", {}),
    _Field("month", 1, 12, "year", {word: number for number, word in enumerate(MONTHS, start=1)}),
    _Field("day of the week", 0, 7, "week", {word: number for number, word in enumerate(WEEKDAYS)}),
)


@dataclass(frozen=True)
class Cron:
    """A schedule that was read: the five fields as written, and the values of each. Sunday is 0."""

    written: tuple[str, ...]
    values: tuple[Set[int], ...]

    def after(self, moment: datetime, zone: str) -> Iterator[datetime]:
        """When it fires after a moment, by a zone's clocks. Times that these leave out are left out."""
        clock = zoneinfo.ZoneInfo(zone)
        local = moment.astimezone(clock)
        minutes, hours = (sorted(values) for values in self.values[:2])
        day = local.date()
        while day - local.date() < LONGEST_WAIT:
            if self._is_on(day):
                for hour in hours:
                    for minute in minutes:
                        fires = datetime.combine(day, time(hour, minute), clock)
                        there = fires.astimezone(UTC).astimezone(clock)
                        if fires > local and there.replace(tzinfo=None) == fires.replace(tzinfo=None):
                            yield fires
            day += timedelta(days=1)

    @property
    def surprises(self) -> list[str]:
        """What it means that is seldom meant."""
        return [
            *(
                found
                for written, field, values in zip(self.written, FIELDS, self.values, strict=True)
                for part in written.split(",")
                if (found := _surprise(part, field, values))
            ),
            *self._surprising_together(),
        ]

    def _surprising_together(self) -> Iterator[str]:
        minute, hour, day, _, weekday = self.written
        if minute == "*" and hour != "*" and len(self.values[1]) == 1:
            yield f"* as minute fires 60 times in hour {hour}; for one time write 0"
        if "*" not in (day, weekday):
            yield (
                f"with {day} as day of the month and {weekday} as day of the week it fires on days that either has, "
                "and not only on those that both have"
            )

    def _is_on(self, day: date) -> bool:
        _, _, days, months, weekdays = self.values
        on = (day.day in days, day.isoweekday() % 7 in weekdays)
        restricted = "*" not in (self.written[2], self.written[4])
        return day.month in months and (any(on) if restricted else all(on))


def read_cron(text: str) -> Cron:
    """Reads a schedule: five fields.

    Raises:
        ValueError: it is none, or never fires.
    """
    written = tuple(text.split())
    if len(written) != len(FIELDS):
        raise ValueError(
            f"is {text!r}, which has {len(written)} fields; write minute, hour, day, month and weekday, "
            'as in "30 6 * * 1-5"'
        )
    values = [_values(part, field) for part, field in zip(written, FIELDS, strict=True)]
    _, _, days, months, weekdays = values
    if len(weekdays) >= len(WEEKDAYS) and all(min(days) > LONGEST_MONTHS[month - 1] for month in months):
        raise ValueError(f"is {text!r}, a day that never comes; choose another day of the month")
    return Cron(written, (*values[:4], {day % 7 for day in weekdays}))


def surprising(text: str, zone: str, now: datetime) -> str | None:
    """What a schedule means that is seldom meant, and when it will fire next; None if it means what it looks like."""
    cron = read_cron(text)
    if not cron.surprises:
        return None
    times = ", ".join(f"{fires:%a %d %b %Y %H:%M}" for fires in islice(cron.after(now, zone), SHOWN))
    return f"{text!r}: {'; '.join(cron.surprises)}. It fires next at {times} ({zone})"


def _surprise(part: str, field: _Field, values: Set[int]) -> str | None:
    """What is surprising in a step: it begins anew where the field does."""
    span, slash, step = part.partition("/")
    size = field.highest - field.lowest + (field.name != "day of the week")
    if not slash or span != "*" or step == "1" or (size % int(step) == 0 and field.name != "day of the month"):
        return None
    listed = ", ".join(map(str, sorted(value % 7 if field.highest == len(WEEKDAYS) else value for value in values)))
    return f"{part} as {field.name} begins anew each {field.around}, and is {listed}"


def _values(text: str, field: _Field) -> set[int]:
    """The values that one field of a schedule stands for."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|([A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?)(?:/([0-9]{1,2}))?", part)
        if not match or (match[4] and not (int(match[4]) and (match[1] == "*" or match[3]))):
            raise ValueError(
                f"has {part!r} as {field.name}; use numbers, lists (1,15), ranges (1-5) and steps (*/10)"
            )
        low, high = (
            (_number(match[2], field), _number(match[3] or match[2], field))
            if match[2]
            else (field.lowest, field.highest)
        )
        if low > high:
            raise ValueError(f"has {part!r} as {field.name}, a range that runs backwards; write two ranges")
        found |= set(range(low, high + 1, int(match[4] or 1)))
    return found


def _number(text: str, field: _Field) -> int:
    number = field.words.get(text.lower(), int(text) if re.fullmatch("[0-9]{1,2}", text) else -1)
    if not field.lowest <= number <= field.highest:
        words = f" or {', '.join(field.words).upper()}" if field.words else ""
        raise ValueError(f"has {text!r} as {field.name}; use {field.lowest} to {field.highest}{words}")
    return number

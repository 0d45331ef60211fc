"""What docs/configuration.md says of the functions for time, by counting: days of years, and each zone's own rule.

A moment is the microseconds since the first of January of the year 1, by UTC. Zones are those whose rule is one
sentence; it holds from 2012 on (of Etc/GMT and UTC always).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from tests.launcher.fuzz.globs import DAYS, DIGITS, RefusedError

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
LAST_YEAR = 9999
CLOCKS = ("dd:dd:dd", "dddddd", "dd:dd", "dddd", "dd")


def is_leap(year: int) -> bool:
    """Whether a year has a day more."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_of_months(year: int) -> list[int]:
    """How many days each month of a year has."""
    return [days + (is_leap(year) and number == 1) for number, days in enumerate(DAYS)]


BEFORE = [0, *accumulate(366 if is_leap(year) else 365 for year in range(1, LAST_YEAR + 1))]  # days before year n+1


@dataclass(frozen=True)
class Clock:
    """What the clocks of a zone show, as if it were a moment of UTC, and how far they are from that."""

    shown: int
    offset: int


@dataclass(frozen=True)
class Zone:
    """Minutes from UTC, and where they change in a year: ``starts`` and ``ends`` of summer as moments of UTC."""

    minutes: int
    summer: int = 0
    starts: Callable[[int], int] | None = None
    ends: Callable[[int], int] | None = None

    def offset(self, moment: int) -> int:
        """How far the clocks are from UTC."""
        if not self.starts or not self.ends:
            return self.minutes * MINUTE
        year = split_days(moment // DAY)[0]
        starts, ends = self.starts(year), self.ends(year)
        is_summer = starts <= moment < ends if starts < ends else not ends <= moment < starts
        return (self.minutes + is_summer * self.summer) * MINUTE

    def clock(self, moment: int) -> Clock:
        """What the clocks show."""
        offset = self.offset(moment)
        return Clock(moment + offset, offset)

    def moments(self, shown: int) -> list[int]:
        """When the clocks show that: never, once or twice."""
        possible = {shown - minutes * MINUTE for minutes in (self.minutes, self.minutes + self.summer)}
        return sorted(moment for moment in possible if moment + self.offset(moment) == shown)

    def moment(self, shown: int) -> int:
        """When the clocks first show that; where it is left out, when they would, had they not been changed."""
        if found := self.moments(shown):
            return found[0]
        return shown - self.offset(shown - max(self.minutes, self.minutes + self.summer) * MINUTE)


def split_days(days: int) -> tuple[int, int, int, int]:
    """Year, month, day and day of the year of a day, counted from 0, the first of January of the year 1."""
    if not 0 <= days < BEFORE[-1]:
        raise RefusedError
    year = days * 400 // 146_097 + 1  # about
    year += (BEFORE[year] <= days) - (BEFORE[year - 1] > days)
    month, day = 1, days - BEFORE[year - 1]
    of_the_year = day + 1
    for size in days_of_months(year):
        if day < size:
            break
        month, day = month + 1, day - size
    return year, month, day + 1, of_the_year


def joined_days(year: int, month: int, day: int) -> int:
    """The day of a date, counted so."""
    if not 1 <= year <= LAST_YEAR or not 1 <= month <= 12 or not 1 <= day <= days_of_months(year)[month - 1]:
        raise RefusedError
    return BEFORE[year - 1] + sum(days_of_months(year)[: month - 1]) + day - 1


def _weekday(days: int) -> int:
    """1 is Monday, as the first of January of the year 1 was."""
    return days % 7 + 1


@cache
def sunday(year: int, month: int, number: int, minutes: int) -> int:
    """A moment: so many minutes after the start, by UTC, of a month's first, second or (-1) last Sunday."""
    last = days_of_months(year)[month - 1]
    found = [days for day in range(1, last + 1) if _weekday(days := joined_days(year, month, day)) == 7]
    return found[number] * DAY + minutes * MINUTE


ZONES = {
    "UTC": Zone(0),
    "Etc/GMT+12": Zone(-720),
    "Etc/GMT-14": Zone(840),
    "Asia/Kolkata": Zone(330),
    "Europe/Amsterdam": Zone(60, 60, lambda y: sunday(y, 3, -1, 60), lambda y: sunday(y, 10, -1, 60)),
    "America/New_York": Zone(-300, 60, lambda y: sunday(y, 3, 1, 420), lambda y: sunday(y, 11, 0, 360)),
    "America/St_Johns": Zone(-210, 60, lambda y: sunday(y, 3, 1, 330), lambda y: sunday(y, 11, 0, 270)),
    "Australia/Lord_Howe": Zone(630, 30, lambda y: sunday(y, 10, 0, 120 - 630), lambda y: sunday(y, 4, 0, 120 - 660)),
}  # fmt: skip


def read(time: str) -> int:
    """A moment as ISO 8601 writes it, with dashes and colons or without; of a second's fraction six digits count."""
    date, between, rest = time.replace(" ", "T", 1).partition("T")
    sign = next((letter for letter in "Z+-" if letter in rest), "")
    clock, _, zone = rest.partition(sign) if sign else ("", "", "")
    clock, _, fraction = clock.replace(",", ".", 1).partition(".")
    if not between or _shape(date) not in ("dddd-dd-dd", "dddddddd") or _shape(clock) not in CLOCKS:
        raise RefusedError
    has_fraction = "." in rest or "," in rest
    if set(fraction) - set(DIGITS) or (has_fraction and (len(_plain(clock)) < 6 or not fraction)):
        raise RefusedError
    if zone if sign == "Z" else _shape(zone) not in CLOCKS:
        raise RefusedError
    digits = _plain(date)
    moment = joined_days(int(digits[:4]), int(digits[4:6]), int(digits[6:])) * DAY
    ahead = _of_the_day(zone)
    moment += _of_the_day(clock) + int((fraction + "000000")[:6]) - (-ahead if sign == "-" else ahead)
    split_days(moment // DAY)  # of the years that there are, by UTC
    return moment


def _shape(text: str) -> str:
    return "".join("d" if letter in DIGITS else letter for letter in text)


def _plain(text: str) -> str:
    return text.replace("-", "").replace(":", "")


def _of_the_day(text: str) -> int:
    digits = (_plain(text) + "000000")[:6]
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise RefusedError
    return hours * HOUR + minutes * MINUTE + seconds * SECOND


def format_time(time: str, pattern: str, zone: str) -> str:
    """A time as text, by the clocks of a zone."""
    shown = ZONES[zone].clock(read(time)).shown
    year, month, day, of_the_year = split_days(shown // DAY)
    hour, minute, second = shown % DAY // HOUR, shown % HOUR // MINUTE, shown % MINUTE // SECOND
    weekday = _weekday(shown // DAY)
    # A week belongs to the year of its Thursday (ISO 8601).
    thursday = shown // DAY + 4 - weekday
    week_year = year if thursday >= BEFORE[-1] else split_days(thursday)[0]
    week = (thursday - BEFORE[week_year - 1]) // 7 + 1
    written = {
        "Y": f"{year:04}", "m": f"{month:02}", "d": f"{day:02}", "H": f"{hour:02}", "M": f"{minute:02}",
        "S": f"{second:02}", "j": f"{of_the_year:03}", "G": f"{week_year:04}", "V": f"{week:02}",
        "u": str(weekday), "y": f"{year % 100:02}", "F": f"{year:04}-{month:02}-{day:02}",
        "T": f"{hour:02}:{minute:02}:{second:02}", "%": "%",
    }  # fmt: skip
    made, letters = "", iter(pattern)
    for letter in letters:
        directive = next(letters, "") if letter == "%" else None
        if directive is not None and directive not in written:
            raise RefusedError
        made += letter if directive is None else written[directive]
    return made


def add_time(time: str, duration: str, zone: str) -> str:
    """A time before or after another: days by the clocks, what is shorter by the time that passes."""
    days, seconds = _duration(duration)
    there = ZONES[zone]
    moment = read(time)
    clock = there.clock(moment)
    split_days(clock.shown // DAY)
    if days:
        shown = clock.shown + days * DAY
        split_days(shown // DAY)
        moment = there.moment(shown)
        split_days(moment // DAY)
    moment += seconds * SECOND
    split_days(moment // DAY)
    clock = there.clock(moment)
    return _iso(clock)


def _duration(text: str) -> tuple[int, int]:
    sign = -1 if text[:1] == "-" else 1
    text = text.removeprefix("-") if sign < 0 else text.removeprefix("+")
    days = seconds = 0
    if not text:
        raise RefusedError
    while text:
        count = ""
        while text and text[0] in DIGITS:
            count, text = count + text[0], text[1:]
        if not 1 <= len(count) <= 6 or text[:1] not in ("w", "d", "h", "m", "s"):
            raise RefusedError
        days += int(count) * {"w": 7, "d": 1}.get(text[0], 0)
        seconds += int(count) * {"h": 3600, "m": 60, "s": 1}.get(text[0], 0)
        text = text[1:]
    return sign * days, sign * seconds


def _iso(clock: Clock) -> str:
    year, month, day, _ = split_days(clock.shown // DAY)
    left = clock.shown % DAY
    fraction = f".{left % SECOND:06}" if left % SECOND else ""
    sign, away = ("-" if clock.offset < 0 else "+"), abs(clock.offset) // MINUTE
    return (
        f"{year:04}-{month:02}-{day:02}T{left // HOUR:02}:{left % HOUR // MINUTE:02}:{left % MINUTE // SECOND:02}"
        f"{fraction}{sign}{away // 60:02}:{away % 60:02}"
    )

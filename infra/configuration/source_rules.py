"""What Google Cloud accepts as names, globs, filters and schedules of sources: one function each, as in rules.py."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

from function_src.launcher.glob import BadGlobError, Glob
from infra.configuration.attribute_filter import BadFilterError, read_filter
from infra.configuration.rules import BUCKET, PROJECT_ID, accept, fits_in_a_name

LONGEST_LOG_FILTER = 20_000  # characters: docs.cloud.google.com/logging/docs/view/logging-query-language
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class _Field:
    name: str
    lowest: int
    highest: int
    words: Mapping[str, int]


FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {word: number for number, word in enumerate(MONTHS, start=1)}),
    _Field("day of the week", 0, 7, {word: number for number, word in enumerate(WEEKDAYS)}),
)


def bucket_name(value: str) -> str:
    """The name of a bucket that is there already, without gs://."""
    return accept(value, BUCKET, "use the bucket's name alone, as in acme-incoming")


def object_glob(value: str) -> str:
    """Which names of objects are events."""
    try:
        Glob(value)
    except BadGlobError as error:
        raise ValueError(f"is {value!r}: {error}") from None
    return fits_in_a_name(value)


def topic_name(value: str) -> str:
    """The full name of a topic that is there already: it may be in another project."""
    pattern = rf"projects/{PROJECT_ID}/topics/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{{2,254}}"
    return accept(value, pattern, "use the full name, projects/PROJECT/topics/TOPIC: gcloud pubsub topics list")


def attribute_filter(value: str) -> str:
    """A filter of Pub/Sub, over a message's attributes."""
    try:
        read_filter(value)
    except BadFilterError as error:
        raise ValueError(str(error)) from None
    if not value.strip():
        raise ValueError('is empty; leave it out, or write a condition such as attributes.type = "order"')
    return value


def log_filter(value: str) -> str:
    """A filter of Cloud Logging. Of its language only what would silently mean something else is checked."""
    if not value.strip():
        raise ValueError("is empty, and would make every log entry an event; write what tells yours from the others")
    if len(value) > LONGEST_LOG_FILTER:
        raise ValueError(f"has {len(value)} characters; Cloud Logging takes {LONGEST_LOG_FILTER} at most")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"--[^\n]*", "", value), flags=re.DOTALL)
    if bare.count('"') % 2:
        raise ValueError("has a quotation mark without its other; close it")
    if bare.count("(") != bare.count(")"):
        raise ValueError("has a parenthesis without its other; close it")
    if found := re.search(r"\b(and|or|not)\b", bare):
        raise ValueError(f"has {found[0]!r} in lower case, which is a word to look for; write {found[0].upper()}")
    if not re.search(r"[=:<>~]|\b(log_id|SEARCH|sample|ip_in_net)\(", bare):
        raise ValueError('compares nothing; write a condition such as protoPayload.methodName = "..."')
    return value


def cron_schedule(value: str) -> str:
    """A schedule in the unix-cron format of Cloud Scheduler: five fields."""
    written = value.split()
    if len(written) != len(FIELDS):
        raise ValueError(
            f"is {value!r}, which has {len(written)} fields; write minute, hour, day, month and weekday, "
            'as in "30 6 * * 1-5"'
        )
    _, _, days, months, weekdays = (_values(text, field) for text, field in zip(written, FIELDS, strict=True))
    if len(weekdays) >= len(WEEKDAYS) and all(min(days) > LONGEST_MONTHS[month - 1] for month in months):
        raise ValueError(f"is {value!r}, a day that never comes; choose another day of the month")
    return value


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


def time_zone(value: str) -> str:
    """A time zone of the IANA database. Where this machine has none, Cloud Scheduler has the last word."""
    known = zoneinfo.available_timezones()
    if known and value not in known:
        raise ValueError(f"is {value!r}, which is no time zone; use a name such as Etc/UTC or Europe/Amsterdam")
    return value

"""What Google Cloud accepts as names, globs, filters and schedules of sources: one function each, as in rules.py."""

from __future__ import annotations

import re
import zoneinfo

from function_src.launcher.mapping.glob import BadGlobError, Glob
from infra.configuration.attribute_filter import BadFilterError, read_filter
from infra.configuration.rules import BUCKET, PROJECT_ID, accept, fits_in_a_name
from infra.cron import read_cron

LONGEST_LOG_FILTER = 20_000  # characters: docs.cloud.google.com/logging/docs/view/logging-query-language


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
    """A schedule in the unix-cron format of Cloud Scheduler."""
    read_cron(value)
    return value


def time_zone(value: str) -> str:
    """A time zone of the IANA database. Where this machine has none, Cloud Scheduler has the last word."""
    known = zoneinfo.available_timezones()
    if known and value not in known:
        raise ValueError(f"is {value!r}, which is no time zone; use a name such as Etc/UTC or Europe/Amsterdam")
    return value

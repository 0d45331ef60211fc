"""The words that the command line takes: states of an event, moments, days, and what names an event."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from urllib.parse import unquote

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
DAYS = {"today": 0, "yesterday": 1}
GENERATION = r"\d{10,}"  # they have 16 digits; a name may end in a sharp and a short number
OUTCOME = "launched|duplicate|skipped|rejected|doubtful|retry"
CONSOLE = r"https://console\.cloud\.google\.com"
# What people paste, and the part of it that names the event.
PASTED = (
    re.compile(rf"(?:{OUTCOME}): (gs://.+?#{GENERATION}|.+?)(?:: .*)?", re.DOTALL),  # the message of a log line
    re.compile(rf"{CONSOLE}/logs/\S+jsonPayload\.key%3D%22(\w+)%22\S*"),
    re.compile(r"https?://\S+/runs/(?:details/)?([^/?#;\s]+)\S*"),  # a run's page, of KFP or of Vertex AI
)
OBJECT_PAGE = re.compile(rf"{CONSOLE}/storage/browser/_details/([^?;]+)\S*")


class State(StrEnum):
    """Where an event is. The first three are the ledger's outcomes.

    ``doubtful``: so many POSTs were sent for it that no other is, and there is no run. ``dead-lettered``: tried too
    often, and kept. ``open``: claimed, without an outcome yet; somebody is launching it, or it waits for its next
    delivery. ``missing``: an object that the ledger has never heard of. ``unknown``: the ledger cannot tell.
    """

    LAUNCHED = "launched"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    DOUBTFUL = "doubtful"
    DEAD_LETTERED = "dead-lettered"
    OPEN = "open"
    MISSING = "missing"
    UNKNOWN = "unknown"


# What a list can be of: neither the ledger nor the dead letters know what is missing.
KnownState = Literal[
    State.LAUNCHED,
    State.SKIPPED,
    State.REJECTED,
    State.DOUBTFUL,
    State.DEAD_LETTERED,
    State.OPEN,
    State.UNKNOWN,
]


def read_moment(text: str) -> datetime:
    """``90m``, ``24h`` or ``7d`` ago, or a date with or without a time, in the user's zone if it names none.

    Raises:
        ValueError: it is neither.
    """
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write 90m, 24h or 7d, or a date such as 2026-11-01") from None


def read_day(text: str) -> date:
    """``today``, ``yesterday`` or a date, of the user's calendar.

    Raises:
        ValueError: it is none of these.
    """
    if text in DAYS:
        return datetime.now().astimezone().date() - timedelta(days=DAYS[text])
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day; write today, yesterday or a date such as 2026-11-01") from None


def read_reference(text: str) -> str:
    """What names an event: as it is, or out of a log entry, its message, or the page of a run, object or query."""
    text = text.strip()
    if key := _key_in_log_entry(text):
        return key
    if page := OBJECT_PAGE.fullmatch(text):
        return f"gs://{unquote(page[1])}"
    return next((found[1] for pattern in PASTED if (found := pattern.fullmatch(text))), text)


def _key_in_log_entry(text: str) -> str | None:
    """The launch key in an entry of the log, as Cloud Logging shows it or as the launcher prints it."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match entry:
        case [{"jsonPayload": {"key": str(key)}}] | {"jsonPayload": {"key": str(key)}} | {"key": str(key)}:
            return key
    return None


def show_distance(moment: datetime) -> str:
    """How far away a moment is: ``3 min ago``, ``in 20 s``."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    size = abs(seconds)
    units = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"))
    number = next((f"{size // unit:.0f} {name}" for least, unit, name in units if size >= least), f"{size:.0f} s")
    return f"in {number}" if seconds > 0 else f"{number} ago"

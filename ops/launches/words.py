"""The words that the command line takes: states of an event, and moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class State(StrEnum):
    """Where an event is. The first three are the ledger's outcomes.

    ``dead-lettered``: tried too often, and kept. ``open``: claimed, without an outcome yet; somebody is launching it,
    or it waits for its next delivery. ``missing``: an object that the ledger has never heard of.
    """

    LAUNCHED = "launched"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead-lettered"
    OPEN = "open"
    MISSING = "missing"


# What a list can be of: neither the ledger nor the dead letters know what is missing.
KnownState = Literal[State.LAUNCHED, State.SKIPPED, State.REJECTED, State.DEAD_LETTERED, State.OPEN]


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

"""What an operation of the engine came to, read from the events that the CLI writes down with --event-log.

One JSON object in a line: pulumi/pulumi sdk/go/common/apitype/events.go, EngineEvent. The flag is there while
PULUMI_DEBUG_COMMANDS is set, as the Automation API sets it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RETRIED = "due to on-error hook request"
CANCELED = {"update canceled", "preview canceled"}
SUMMARIES = {"update failed", "preview failed", "destroy failed", "refresh failed", "resource operation failed"}
OVER = "Resource monitor has terminated"  # what a program is told that still asks when the engine has ended
TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class Failure:
    """What was not done, ``Function echo-launcher``, and what was said of it. It is empty for the program."""

    resource: str
    message: str


@dataclass(frozen=True)
class Events:
    """All that failed in the end, in order, how many resources were tried more than once on the way, and whether a
    signal ended it.
    """

    failures: tuple[Failure, ...] = ()
    retried: int = 0
    canceled: bool = False


def read_events(path: Path) -> Events:
    """Reads an event log; one that is not there, or ends in the middle, says as much as it holds."""
    failures, retried, canceled = [], set(), False
    for event in _diagnostics(path):
        urn, message = str(event.get("urn", "")), str(event.get("message", "")).strip()
        if RETRIED in message:
            retried.add(urn)
        elif message in CANCELED:
            canceled = True
        elif event.get("severity") == "error" and message not in SUMMARIES and OVER not in message:
            failures.append(Failure(_resource(urn), _in_short(message)))
    return Events(tuple(dict.fromkeys(failures)), len(retried), canceled)


def _diagnostics(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        found = event.get("diagnosticEvent") if isinstance(event, dict) else None
        if isinstance(found, dict) and found.get("severity") != "debug":
            yield found


def _in_short(message: str) -> str:
    """Of a traceback, which the CLI has printed, the line that says what it is about."""
    return message.splitlines()[-1].strip() if TRACEBACK in message else message


def _resource(urn: str) -> str:
    parts = urn.split("::", 3)
    if len(parts) < 4 or parts[2] == "pulumi:pulumi:Stack":
        return ""
    return f"{parts[2].rsplit(':', 1)[-1]} {parts[3]}"

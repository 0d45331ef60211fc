"""A delivery on its way to its outcome, and what is written down of it: the ledger's record, and a line of log.

The line has the shape that Cloud Logging reads from stdout. No payloads and no tokens: a reason may show a glimpse of
one value, never a file's content.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .event import Event
from .ledger import Claim

LONGEST_VALUE_RECORDED = 200  # characters of JSON
TRACE_HEADER = re.compile(r"^(?:00-)?([0-9a-f]{32})\b", re.IGNORECASE)
_LOCK = threading.Lock()


class Outcome(StrEnum):
    """What became of a delivery. All but ``doubtful`` and ``retry`` are final: the event will not be delivered again.

    ``doubtful``: so many POSTs were sent for it that no other is, and there is no run. A workflow without one may be
    running; it is delivered again all the same, until it is a dead letter, in case the run turns up.
    """

    LAUNCHED = "launched"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    DOUBTFUL = "doubtful"
    RETRY = "retry"


def _now() -> float:
    return time.monotonic()


@dataclass
class Delivery:
    """What is known of a delivery so far, and in the end its outcome.

    ``in_doubt``: a run may have been started, or may still start; the claim must then outlive this attempt.
    ``found``: the run was there already, of an earlier attempt.
    ``doubt``: why a workflow that no run shows may be running for the event, and how to find it.
    ``passed_over``: the source does not take the event up, and the ledger hears nothing of it. A bucket can get
     thousands of data files for one marker: a record of each costs several times what answering its delivery does,
     and would stand in the way of a launch when the glob was wrong and is mended.
    """

    key: str
    outcome: Outcome = Outcome.RETRY
    event: Event | None = None
    claim: Claim | None = None
    in_doubt: bool = False
    found: bool = False
    doubt: str | None = None
    passed_over: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    run_url: str | None = None
    reason: str | None = None
    stack: str | None = None
    started: float = field(default_factory=_now)

    @property
    def age(self) -> float:
        """How long it has been handled, in seconds."""
        return _now() - self.started

    @property
    def status(self) -> int:
        """The HTTP status that tells Pub/Sub: 200, finished with it; 503, deliver it again."""
        return 503 if self.outcome in (Outcome.RETRY, Outcome.DOUBTFUL) else 200

    @property
    def severity(self) -> str:
        """How loud its line of log is."""
        if self.outcome in (Outcome.REJECTED, Outcome.DOUBTFUL):
            return "ERROR"
        return "WARNING" if self.outcome is Outcome.RETRY or self.doubt else "INFO"

    def record(self, trigger: str, package: str) -> dict[str, Any]:
        """The ledger's record of its outcome, to be understood without anything else: of a trigger, by its id, and a
        package, by its digest."""
        event, launched = self.event, self.outcome is Outcome.LAUNCHED
        return {
            "outcome": self.outcome,
            "trigger": trigger,
            "key": self.key,
            "event": event.subject if event else None,
            "message_id": event.document["message"].get("id") if event else None,
            "parameters": {
                name: value
                for name, value in self.parameters.items()
                if len(json.dumps(value)) <= LONGEST_VALUE_RECORDED
            },
            "run_id": self.run_id if launched else None,
            "run_url": self.run_url if launched else None,
            "package": package,
            "reason": self.reason,
            "doubt": self.doubt,
            "again_because": event.again_because if event else None,
            "replayed": event.replayed if event else None,
            "attempt": self.claim.attempt if self.claim else 1,
            "recorded_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def log(self, trigger: str, package: str, headers: Mapping[str, str]) -> None:
        """Prints its line of log; fields that are None or empty are left out."""
        event = self.event
        told = "; ".join(filter(None, (self.doubt, self.reason)))
        entry = {
            "severity": self.severity,
            "message": f"{self.outcome}: {event.subject if event else 'a delivery'}" + (f": {told}" if told else ""),
            "outcome": self.outcome,
            "logging.googleapis.com/trace": _trace(trigger.partition("/")[0], headers),
            "trigger": trigger,
            "event": event.subject if event else None,
            "key": self.key,
            "message_id": event.document["message"].get("id") if event else None,
            "run_id": self.run_id,
            "run_url": self.run_url,
            "package": package,
            "reason": self.reason,
            "doubt": self.doubt,
            "stack_trace": self.stack,
            "seconds": round(self.age, 3),
        }
        line = json.dumps({key: value for key, value in entry.items() if value not in (None, "")})
        with _LOCK:  # a line longer than a pipe's buffer could otherwise be torn by another thread's
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def _trace(project: str, headers: Mapping[str, str]) -> str | None:
    """The request's trace, from Cloud Run's header or the W3C one."""
    for header in ("x-cloud-trace-context", "traceparent"):
        if found := TRACE_HEADER.match(headers.get(header, "")):
            return f"projects/{project}/traces/{found[1]}"
    return None

"""One line of structured log per delivery, in the shape that Cloud Logging reads from stdout.

No payloads and no tokens: a reason may show a glimpse of one value, never a file's content.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping
from typing import Any

TRACE_HEADER = re.compile(r"^(?:00-)?([0-9a-f]{32})\b", re.IGNORECASE)
SEVERITIES = {"launched": "INFO", "duplicate": "INFO", "skipped": "INFO", "rejected": "ERROR", "retry": "WARNING"}
_LOCK = threading.Lock()


def write(outcome: str, message: str, project: str, headers: Mapping[str, str], **fields: Any) -> None:
    """Prints one JSON line; fields that are None or empty are left out."""
    entry = {
        "severity": SEVERITIES[outcome],
        "message": message,
        "outcome": outcome,
        "logging.googleapis.com/trace": _trace(project, headers),
        **fields,
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

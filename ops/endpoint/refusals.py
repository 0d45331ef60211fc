"""What the KFP server refuses, in its words, and what mends it where that is known.

Of its own only: what stands before the server, or is none, is a ``ConnectError``.
"""

from __future__ import annotations

import json
import re
from typing import Any

NO_RUN = re.compile(r"\bRun (\S+) not found")
NO_NAMESPACE = "empty namespace in multi-user mode"
FIX_NAMESPACE = "this server has several users: name a namespace of yours with --namespace"
FIX_RUN = (
    "a run can be deleted, by a person or by the server itself (RUNS_RETENTION_TIME); a workflow that has lost its "
    "run is found with: kubectl get workflows --all-namespaces -l pipeline/runid={}"
)


def refusal(error: Any) -> str:
    """What the server says, of an ApiException. Of uploads it speaks in forms of its own, without a code."""
    return f"the endpoint answered {error.status}: {_message(error)}"


def mend(error: Any) -> str:
    """What to do about it; empty where the server's words are all there is."""
    message = _message(error)
    if NO_NAMESPACE in message:
        return FIX_NAMESPACE
    found = NO_RUN.search(message)
    return FIX_RUN.format(found[1]) if found else ""


def _message(error: Any) -> str:
    text = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        said = json.loads(text)
        return str(said.get("message") or said["error_message"])
    except (ValueError, KeyError, AttributeError):
        plain = "text/plain" in str((error.headers or {}).get("Content-Type"))
        return (plain and text.strip().partition("\n")[0]) or str(error.reason)

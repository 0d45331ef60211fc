"""What scripts are told. Apart, because a command may have to say it before the rest of its modules are imported."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence


def asked_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, be it one that no command can read."""
    return "--json" in itertools.takewhile(lambda argument: argument != "--", arguments)


def error_line(kind: str, message: str, status: int) -> str:
    """Why a command did not do its work."""
    return json.dumps({"error": {"kind": kind, "message": message, "exit_status": status}}) + "\n"

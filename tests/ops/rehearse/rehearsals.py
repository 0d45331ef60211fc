"""Rehearsals as processes, and what their summaries say."""

from __future__ import annotations

import re
import subprocess
import sys

from rehearsal.leash import leashed
from rehearsal.program import ROOT

COMMAND = [sys.executable, "-m", "ops", "rehearse"]
STORY = ["✓ launched", "✓ duplicate", "✓ rejected", "✓ launched"]
REPLAYED = "✓ launched"  # the last step, of the first trigger


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    command, on_leash = leashed(*COMMAND, *arguments)
    return subprocess.run(command, **on_leash, cwd=ROOT, capture_output=True, text=True, check=False)


def outcomes(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What came out of each step, trigger by trigger."""
    return re.findall(r"^[✓✗] \w+", done.stdout, re.MULTILINE)

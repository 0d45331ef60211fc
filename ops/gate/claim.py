"""What a pull request's own code says that it would change. It may say anything, so it is read as data."""

from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LARGEST = 20_000_000  # bytes; a preview of 50 triggers has 2 MB
PATIENCE = 120  # seconds
BROADENED = 3  # what `iam diff --fail-on broadened` exits with


@dataclass(frozen=True)
class Claim:
    """The comparison as Markdown, in which nothing that a resource is called is markup, and why it is not enough."""

    markdown: str = ""
    objection: str = ""


def read_claim(preview: Path) -> Claim:
    """Compares what a preview says, by the tool and the rules of this checkout, in a process that may fail."""
    try:
        found = preview.lstat()
    except OSError:
        return Claim(objection="there is no preview of it: it comes from a fork, or the job `evaluate` failed")
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        return Claim(objection=f"its preview is no file of at most {LARGEST:,} bytes, and was not read")
    command = (sys.executable, "-m", "ops", "iam", "diff", str(preview), "--markdown", "--fail-on", "broadened")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Claim(objection=f"its preview was not read in {PATIENCE} seconds")
    match done.returncode:
        case 0:
            return Claim(done.stdout)
        case code if code == BROADENED:
            return Claim(done.stdout, "its preview broadens permissions, or breaks a rule")
        case _:
            print(done.stderr[-2000:], file=sys.stderr)
            return Claim(objection="its preview cannot be read: the log of this job says why")

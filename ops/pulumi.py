"""The Pulumi CLI, asked about a stack that stands."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from ops.errors import OperationError
from rehearsal.program import ROOT


def ask_pulumi(*arguments: str, instead: str = "") -> Any:
    """What a command of the CLI answers, in JSON. ``instead`` is what does without it, for the errors.

    Raises:
        OperationError: the CLI is missing or refuses.
    """
    way_out = f"; {instead}" if instead else ""
    if not shutil.which("pulumi"):
        raise OperationError(f"the Pulumi CLI is not installed: curl -fsSL https://get.pulumi.com | sh{way_out}")
    done = subprocess.run(["pulumi", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"`pulumi {' '.join(arguments)}` failed: {done.stderr.strip()}{way_out}")
    return json.loads(done.stdout)

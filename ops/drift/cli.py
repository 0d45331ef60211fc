"""`pipeline-trigger iam drift`: its arguments, and nothing else."""

from __future__ import annotations

import sys

from ops.iam.cli import REACHED
from ops.options import Json, Stack
from ops.printing import open_console


def drift(stack: Stack = "dev", as_json: Json = False) -> None:
    """Compare what stands in the project with the manifest that was reviewed. Changes nothing.

    Takes roles/iam.securityReviewer on the project. Exits with 3 if something drifted, 1 if something cannot be read.
    """
    from infra.configuration import stack_file  # these import Pulumi, which takes a second
    from ops.drift.drift import find_drift
    from ops.findings import show_findings

    name, _ = stack_file.read_stack(stack)
    found = find_drift(name, stack_file.ROOT)
    drifted = show_findings(found, open_console(stderr=as_json), as_json=as_json)
    unread = any(one.status == "could not check" for one in found)
    sys.exit(REACHED if drifted else 1 if unread else 0)

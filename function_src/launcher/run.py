"""A run to start, and what can come of starting it: what all kinds of target have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .package import Package

LONGEST_NAME = 128
MOST_POSTS = 2  # for one event: what is in doubt after that, a person decides


class RefusedError(Exception):
    """The target says that the request is wrong; it will be wrong for ever."""


class StrandedError(RefusedError):
    """The target started the run before it found that it cannot store it, and would do so again."""


class UnavailableError(Exception):
    """The target did not serve the request; certainly nothing was started."""


class UnknownError(Exception):
    """No telling whether the run was started."""


class TwiceError(UnknownError):
    """There was a run of that id already, and the target has started another workflow for it."""


class DoubtfulError(Exception):
    """No more is sent for this event, unless a person asks for it."""


class ExistsError(Exception):
    """There is a run of that id already, and no second one was started."""


def doubt(why: str, run_id: str) -> str:
    """What no run shows, and how to look: the command finds workflows that KFP's server has no row of as well."""
    find = f"kubectl get workflows --all-namespaces -l pipeline/runid={run_id}"
    return f"{why}; a workflow that no run shows may be running, to be found by: {find}"


@dataclass(frozen=True)
class Run:
    """A run of ``package`` for one event: its subject, a ``label`` for its names, and its launch ``key``.

    ``trigger`` is the id of the trigger.
    """

    id: str
    trigger: str
    event: str
    label: str
    key: str
    package: Package
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it is called: pipeline, event and key. Only letters, digits, dots, dashes and underscores, since KFP's
        server unescapes filters twice and other characters could not be searched for."""
        name = f"{self.package.name}-{self.label}-{self.key[:8]}"
        return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-LONGEST_NAME:]

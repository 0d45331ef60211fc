"""Opens a trigger's target: the kind of endpoint, the cluster behind it, and the tokens that they are sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from . import kfp, vertex
from .credentials import EMAIL, AccessTokens, IdTokens, ImpersonatedTokens, Tokens
from .http import Api
from .pace import Pace
from .run import Run
from .settings import KfpTarget, Target, VertexTarget
from .workflows import Workflows


class Endpoint(Protocol):
    """Where runs are started. Its errors are those of run.py."""

    @property
    def atomic(self) -> bool:
        """Whether it starts nothing under an id that is taken, however many ask at once."""

    @property
    def memory(self) -> timedelta:
        """How long it keeps a run that has ended: of an older one it does not know whether it ever was."""

    def run_id(self, key: str) -> str:
        """The id of an event's run, by its launch key."""

    def run_url(self, run_id: str) -> str:
        """The run's page for people."""

    def has_run(self, run_id: str) -> bool:
        """Whether the run exists."""

    def start(self, run: Run, may_send: Callable[[], bool]) -> str:
        """Starts a run with one POST and returns its id."""


def open_target(target: Target, trigger: str, own: AccessTokens, pace: Pace) -> Endpoint:
    """The endpoint of a target; ``trigger`` is the name of the one that starts runs there."""
    waits = pace.for_an_answer, pace.for_a_post
    if isinstance(target, VertexTarget):
        return vertex.Endpoint(Api(target.api_endpoint, own, *waits), target, trigger)
    return kfp.Endpoint(Api(target.host, _tokens(target, own), *waits), target)


def open_workflows(target: Target, pace: Pace) -> Workflows | None:
    """The workflows in a target's cluster, where the launcher may look for them; as itself, whoever it is to the
    endpoint."""
    cluster = target.workflows if isinstance(target, KfpTarget) else None
    if not cluster:
        return None
    return Workflows(Api(cluster.endpoint, AccessTokens(EMAIL), pace.for_an_answer), cluster.namespace)


def _tokens(target: KfpTarget, own: AccessTokens) -> Tokens | None:
    if target.credentials == "none":
        return None
    if target.impersonate:
        return ImpersonatedTokens(target.impersonate, own, target.audience)
    return IdTokens(target.audience) if target.audience else own

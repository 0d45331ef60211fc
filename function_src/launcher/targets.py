"""Opens a trigger's target: the kind of endpoint, and the tokens that it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from . import kfp, vertex
from .credentials import AccessTokens, IdTokens, Tokens
from .http import Api
from .impersonation import ImpersonatedTokens
from .run import Run
from .settings import KfpTarget, Target, VertexTarget


class Endpoint(Protocol):
    """Where runs are started. Its errors are those of run.py."""

    @property
    def atomic(self) -> bool:
        """Whether it starts nothing under an id that is taken, however many ask at once."""

    def run_id(self, key: str) -> str:
        """The id of an event's run, by its launch key."""

    def run_url(self, run_id: str) -> str:
        """The run's page for people."""

    def has_run(self, run_id: str) -> bool:
        """Whether the run exists."""

    def start(self, run: Run, may_send: Callable[[], bool]) -> str:
        """Starts a run with one POST and returns its id."""


def open_target(target: Target, trigger: str, own: AccessTokens, timeout: float) -> Endpoint:
    """The endpoint of a target; ``trigger`` is the name of the one that starts runs there."""
    if isinstance(target, VertexTarget):
        return vertex.Endpoint(Api(target.api_endpoint, own, timeout), target, trigger)
    return kfp.Endpoint(Api(target.host, _tokens(target, own), timeout), target)


def _tokens(target: KfpTarget, own: AccessTokens) -> Tokens | None:
    if target.credentials == "none":
        return None
    if target.impersonate:
        return ImpersonatedTokens(target.impersonate, own, target.audience)
    return IdTokens(target.audience) if target.audience else own

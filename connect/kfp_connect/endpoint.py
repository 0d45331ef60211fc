"""Where the endpoint is: from an argument, a stack file or the environment; and what may be sent there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kfp_connect.origin import is_hosted, is_loopback, read_endpoint
from kfp_connect.problems import ConnectError, Problem
from kfp_connect.stack import Block, read_target

VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
DEFAULT_INSTALLATION = "PROJECT_NUMBER-compute@developer.gserviceaccount.com"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: its origin, and the path below which it is, if there is one. With an ``audience`` it is behind
    Identity-Aware Proxy, or another that wants ID tokens for it.

    ``installation`` is the service account that the Pipelines installation runs as, as far as it is known;
    ``namespace`` is whose experiments are meant, at installations for several users.
    """

    host: str
    audience: str | None = None
    installation: str = DEFAULT_INSTALLATION
    namespace: str = ""

    @property
    def hosted(self) -> bool:
        """Whether it is behind Google's inverting proxy, which wants access tokens."""
        return is_hosted(self.host)

    @property
    def takes_access_tokens(self) -> bool:
        """Whether an access token may go there: to Google's proxy, or to nobody but this machine."""
        return self.hosted or is_loopback(self.host)


def find_endpoint(
    host: str | None = None,
    stack: str | os.PathLike[str] | None = None,
    trigger: str | None = None,
    audience: str | None = None,
) -> Endpoint:
    """Returns the endpoint that was asked for: ``host``, else the target in ``stack``, else the environment's.

    ``trigger`` is the name of the stack's trigger; without it the first with a KFP target is taken.

    Raises:
        ConnectError: there is none, or it is none that a token may go to.
    """
    if host:
        return Endpoint(_read_host(host, "host"), audience)
    if stack is not None:
        return _of_target(read_target(stack, trigger), audience)
    if found := os.environ.get(VARIABLE):
        return Endpoint(_read_host(found, VARIABLE), audience)
    raise ConnectError(Problem.NO_ENDPOINT)


def _of_target(target: Block, audience: str | None) -> Endpoint:
    try:
        host = read_endpoint(target.require("host", str, "write it in quotes"))
    except ValueError as error:
        raise target.wrong("host", *_halves(error)) from None
    installation = target.text("installation_service_account") or DEFAULT_INSTALLATION
    return Endpoint(host, audience or target.text("audience"), installation, target.text("namespace") or "")


def _read_host(value: str, place: str) -> str:
    try:
        return read_endpoint(str(value))
    except ValueError as error:
        problem, fix = _halves(error)
        raise ConnectError(Problem.BAD_ENDPOINT, PLACE=place, PROBLEM=problem, FIX=fix) from None


def _halves(error: ValueError) -> tuple[str, str]:
    problem, _, fix = str(error).rpartition("; ")
    return problem, fix

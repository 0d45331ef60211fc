"""Where the endpoint is: from an argument, a stack file or the environment; and what may be sent there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from function_src.launcher.origin import is_loopback
from infra.configuration.rules import endpoint_host, is_hosted
from infra.configuration.settings import read_settings
from infra.configuration.stack_file import read_stack
from infra.configuration.target_settings import KfpTarget
from kfp_connect.problems import ConnectError, Problem

VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
DEFAULT_INSTALLATION = "PROJECT_NUMBER-compute@developer.gserviceaccount.com"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint's origin. With an ``audience`` it is behind Identity-Aware Proxy, which wants ID tokens for it.

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
    host: str | None = None, stack: str | None = None, trigger: str | None = None, audience: str | None = None
) -> Endpoint:
    """Returns the endpoint that was asked for: ``host``, else the target in ``stack``, else the environment's.

    ``trigger`` is the name of the stack's trigger; without it the first with a KFP target is taken.

    Raises:
        ConnectError: there is none, or it is none that a token may go to.
        ConfigurationError: there is no such stack, or it is wrong.
    """
    if host:
        return Endpoint(_origin(host, "host"), audience)
    if stack:
        return _of_stack(stack, trigger, audience)
    if found := os.environ.get(VARIABLE):
        return Endpoint(_origin(found, VARIABLE), audience)
    raise ConnectError(Problem.NO_ENDPOINT)


def _origin(value: str, place: str) -> str:
    try:
        return endpoint_host(value)
    except ValueError as error:
        problem, _, fix = str(error).partition("; ")
        raise ConnectError(Problem.BAD_ENDPOINT, PLACE=place, PROBLEM=problem, FIX=fix) from None


def _of_stack(stack: str, trigger: str | None, audience: str | None) -> Endpoint:
    settings = read_settings(*read_stack(stack))
    targets = {each.name: each.target for each in settings.triggers if isinstance(each.target, KfpTarget)}
    target = targets.get(trigger) if trigger else next(iter(targets.values()), None)
    if target is None:
        listed = ", ".join(targets) or "there is none"
        wanted = f"trigger {trigger}" if trigger else "any trigger"
        raise ConnectError(Problem.NO_TARGET, STACK=settings.stack, TRIGGER=wanted, TRIGGERS=listed)
    return Endpoint(
        target.host,
        audience or target.audience,
        target.installation_service_account or DEFAULT_INSTALLATION,
        target.namespace or "",
    )

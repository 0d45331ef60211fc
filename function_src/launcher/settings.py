"""The launcher's settings: the environment variable TRIGGER, as the Pulumi program wrote it.

Read once, when the function starts: a deployment with wrong settings then fails as a deployment, in front of
the person who made it, instead of failing every event later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jmespath.parser import ParsedResult

from .condition import read_condition
from .origin import BadOriginError, read_origin
from .parameters import Parameter, read_parameter


class BadSettingsError(ValueError):
    """TRIGGER is missing or wrong."""


@dataclass(frozen=True)
class KfpTarget:
    """A KFP endpoint. ``credentials`` is ``access-token``, or ``none`` for an endpoint that asks for none."""

    host: str
    credentials: str
    experiment: str


@dataclass(frozen=True)
class Trigger:
    """One trigger: ``id`` is ``project/stack/name``; ``content_limit`` is in bytes; ``ledger`` is a bucket."""

    id: str
    bucket: str
    prefix: str
    parameters: Mapping[str, Parameter]
    content_limit: int
    ledger: str
    lease_seconds: float
    target: KfpTarget
    when: ParsedResult | None = None

    @property
    def name(self) -> str:
        """The trigger's name within its stack."""
        return self.id.rsplit("/", 1)[-1]


def read_trigger(environment: Mapping[str, str] = os.environ) -> Trigger:
    """Reads TRIGGER.

    Raises:
        BadSettingsError: a key is missing, or the target's host may not be sent a token.
    """
    try:
        config = json.loads(environment["TRIGGER"])
        return Trigger(
            id=config["id"],
            bucket=config["source"]["bucket"],
            prefix=config["source"]["prefix"],
            parameters={name: read_parameter(name, value) for name, value in config["parameters"].items()},
            content_limit=config["content_limit"],
            ledger=config["ledger"],
            lease_seconds=float(config["lease_seconds"]),
            target=_target(config["target"]),
            when=read_condition(config["when"]) if "when" in config else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadSettingsError(f"TRIGGER is missing or wrong ({type(error).__name__}: {error})") from None


def _target(config: Mapping[str, Any]) -> KfpTarget:
    try:
        host = read_origin(config["host"])
    except BadOriginError as error:
        raise BadSettingsError(f"target.host {error}") from None
    return KfpTarget(host, config["credentials"], config["experiment"])

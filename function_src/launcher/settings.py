"""The launcher's settings: the environment variable TRIGGER, as the Pulumi program wrote it.

Read once, when the function starts: a deployment with wrong settings then fails as a deployment, in front of
the person who made it, instead of failing every event later.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from jmespath.parser import ParsedResult

from .mapping.condition import read_condition
from .mapping.expression import read_expression
from .mapping.fitting import KFP, VERTEX
from .mapping.parameters import Parameter, read_parameter
from .origin import BadOriginError, read_endpoint, read_origin
from .sources import Source, read_source

KFP_OPTIONS = (
    "audience",
    "impersonate",
    "namespace",
    "pipeline_root",
    "service_account",
    "database",
    "runs_retention_days",
)


class BadSettingsError(ValueError):
    """TRIGGER is missing or wrong."""


@dataclass(frozen=True)
class Cluster:
    """Where a KFP installation's workflows are: the Kubernetes API of its cluster, and their namespace."""

    endpoint: str
    namespace: str


@dataclass(frozen=True)
class KfpTarget:
    """A KFP endpoint. ``credentials`` is what it asks for: an ``access-token``, an ``id-token`` for ``audience``, or
    ``none``. With ``impersonate`` the tokens are of that account. ``host`` may have a path, below which the API is.

    ``database`` is the character set that its server's database takes, where that is not the stock one.
    ``runs_retention_days``: it may have deleted what ended so long ago. ``workflows`` is where the launcher may look
    for workflows.
    """

    kind: ClassVar[str] = KFP

    host: str
    credentials: str
    experiment: str
    audience: str | None = None
    impersonate: str | None = None
    namespace: str | None = None
    pipeline_root: str | None = None
    service_account: str | None = None
    database: str | None = None
    runs_retention_days: int | None = None
    workflows: Cluster | None = None


@dataclass(frozen=True)
class VertexTarget:
    """Vertex AI Pipelines in one location; runs belong to ``service_account``. ``network`` is a peered VPC."""

    kind: ClassVar[str] = VERTEX

    api_endpoint: str
    project: str
    location: str
    pipeline_root: str
    service_account: str
    labels: Mapping[str, str]
    network: str | None = None
    cmek_key: str | None = None


Target = KfpTarget | VertexTarget


@dataclass(frozen=True)
class Trigger:
    """One trigger: ``id`` is ``project/stack/name``; ``content_limit`` is in bytes; ``ledger`` is a bucket.

    ``timeout_seconds`` is for how long a delivery is handled, where that may be less than a lease. Of events with one
    value of ``once_per`` one is launched, within ``once_within`` or as long as the ledger remembers.
    """

    id: str
    source: Source
    parameters: Mapping[str, Parameter]
    content_limit: int
    ledger: str
    lease_seconds: float
    target: Target
    when: ParsedResult | None = None
    timeout_seconds: float = math.inf
    once_per: ParsedResult | None = None
    once_within: timedelta | None = None

    @property
    def name(self) -> str:
        """The trigger's name within its stack."""
        return self.id.rsplit("/", 1)[-1]


def read_trigger(environment: Mapping[str, str] = os.environ) -> Trigger:
    """Reads TRIGGER.

    Raises:
        BadSettingsError: a key is missing, the target's host may not be sent a token, or its output would start runs.
    """
    try:
        config = json.loads(environment["TRIGGER"])
        return Trigger(
            id=config["id"],
            source=read_source(config["source"], config["id"]),
            parameters={name: read_parameter(name, value) for name, value in config["parameters"].items()},
            content_limit=config["content_limit"],
            ledger=config["ledger"],
            lease_seconds=float(config["lease_seconds"]),
            target=_target(config["target"], config["source"].get("bucket")),
            when=read_condition(config["when"]) if "when" in config else None,
            timeout_seconds=float(config.get("timeout_seconds", math.inf)),
            once_per=read_expression("once_per", config["once_per"]) if "once_per" in config else None,
            once_within=timedelta(days=config["once_within_days"]) if "once_within_days" in config else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadSettingsError(f"TRIGGER is missing or wrong ({type(error).__name__}: {error})") from None


def _target(config: Mapping[str, Any], bucket: str | None) -> Target:
    target: Target
    match config["kind"]:
        case "kfp":
            host = _read("host", config, read_endpoint)
            options = _optional(config, *KFP_OPTIONS)
            if "workflows" in config:
                options["workflows"] = _cluster(config["workflows"])
            target = KfpTarget(host, config["credentials"], config["experiment"], **options)
        case "vertex":
            target = VertexTarget(
                _read("api_endpoint", config, read_origin),
                *(config[key] for key in ("project", "location", "pipeline_root", "service_account", "labels")),
                **_optional(config, "network", "cmek_key"),
            )
        case kind:
            raise BadSettingsError(f"target.kind is {kind!r}; this launcher knows kfp and vertex")
    if f"{target.pipeline_root}/".startswith(f"gs://{bucket}/"):
        raise BadSettingsError(
            f"target.pipeline_root is in the trigger bucket {bucket}: each output would be an event"
        )
    return target


def _cluster(config: Mapping[str, str]) -> Cluster:
    try:
        return Cluster(read_origin(config["endpoint"]), config["namespace"])
    except BadOriginError as error:
        raise BadSettingsError(f"target.workflows.endpoint {error}") from None


def _read(key: str, config: Mapping[str, Any], reader: Callable[[str], str]) -> str:
    try:
        return reader(config[key])
    except BadOriginError as error:
        raise BadSettingsError(f"target.{key} {error}") from None


def _optional(config: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: config[key] for key in keys if key in config}

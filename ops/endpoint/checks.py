"""Checks a connection step by step: which endpoint, whose token, which server, and what this account may do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kfp_server_api import ApiException

from infra.errors import ConfigurationError
from kfp_connect import Client, ConnectError, connecting
from kfp_connect.credentials import Wish
from kfp_connect.deadline import Deadline
from kfp_connect.endpoint import Endpoint, find_endpoint
from ops.endpoint.options import refusal

INVALID_ARGUMENT = 400


@dataclass(frozen=True)
class Check:
    """One step and how it came out; ``found`` says what is there, or what is wrong and what mends it."""

    step: str
    found: str
    passed: bool = True


def check_connection(options: dict[str, Any]) -> Iterator[Check]:
    """Takes the steps one after the other, and none after one that fails.

    What the account may do is asked for one by one, since one may be refused and not another: proxies have been seen
    to let reading through and not writing (kubeflow/pipelines#4667).
    """
    step = "endpoint"
    try:
        endpoint = find_endpoint(options["host"], options["stack"], options["trigger"], options["audience"])
        yield Check(step, f"{endpoint.host}, {_kind(endpoint)}")
        step, deadline = "token", Deadline(connecting.SECONDS)
        wish = Wish(options["credentials"], options["key_file"], None, options["account"], options["source"])
        tokens = connecting.open_tokens(endpoint, wish, deadline)
        kind = "ID" if endpoint.audience else "access"
        yield Check(step, f"an {kind} token of {tokens.account}" if tokens else "none is needed")
        step, extras = "server", {name: options[name] for name in ("namespace", "ca_file")}
        client = connecting.open_client(endpoint, tokens, deadline, **extras)
        yield Check(step, f"Kubeflow Pipelines {client.server_version}")
    except (ConnectError, ConfigurationError) as error:
        yield Check(step, str(error), passed=False)
        return
    yield from _permissions(client)


def _kind(endpoint: Endpoint) -> str:
    if endpoint.audience:
        return f"behind Identity-Aware Proxy with audience {endpoint.audience}"
    if endpoint.hosted:
        return "hosted"
    return "on this machine" if endpoint.takes_access_tokens else "inside a network"


def _permissions(client: Client) -> Iterator[Check]:
    yield _may("list pipelines", lambda: client.list_pipelines(page_size=1))
    yield _may("list experiments", lambda: client.list_experiments(page_size=1))
    yield _may("list runs", lambda: client.list_runs(page_size=1))
    yield _may("change things", lambda: _ask_for_nothing(client))


def _may(what: str, attempt: Callable[[], Any]) -> Check:
    try:
        attempt()
    except ConnectError as error:
        return Check(f"may {what}", str(error), passed=False)
    except ApiException as error:
        return Check(f"may {what}", refusal(error), passed=False)
    return Check(f"may {what}", "yes")


def _ask_for_nothing(client: Client) -> None:
    """Asks for an experiment without a name, which a server that may be asked refuses for that."""
    try:
        client.experiments.experiment_service_create_experiment({})
    except ApiException as error:
        if error.status != INVALID_ARGUMENT:
            raise

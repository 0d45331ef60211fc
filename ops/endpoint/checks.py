"""Checks a connection step by step: which endpoint, whose token, which server, and what this account may do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kfp_server_api import ApiException

from kfp_connect import Client, ConnectError, connecting
from kfp_connect.credentials import Wish
from kfp_connect.deadline import Deadline
from kfp_connect.endpoint import Endpoint, find_endpoint
from ops.endpoint.refusals import mend, refusal
from ops.findings import Finding, ok, problem

NO_NAME = "non-empty name"
Judge = Callable[[str, ConnectError | ApiException], Finding]


def as_problem(check: str, error: ConnectError | ApiException) -> Finding:
    """What a failed step means to somebody who wants to connect."""
    if isinstance(error, ConnectError):
        return problem(check, error.what, error.fix)
    return problem(check, refusal(error), mend(error))


def check_connection(options: dict[str, Any]) -> Iterator[Finding]:
    """Takes the steps one after the other, and none after one that fails."""
    try:
        endpoint = find_endpoint(options["host"], options["stack"], options["trigger"], options["audience"])
    except ConnectError as error:
        yield as_problem("endpoint", error)
        return
    yield ok("endpoint", f"{endpoint.host}, {_kind(endpoint)}")
    wish = Wish(options["credentials"], options["key_file"], None, options["account"], options["source"])
    extras = {name: options[name] for name in ("namespace", "ca_file")}
    yield from check_endpoint(endpoint, wish, as_problem, **extras)


def check_endpoint(endpoint: Endpoint, wish: Wish, judge: Judge, **extras: Any) -> Iterator[Finding]:
    """Takes the steps at an endpoint; ``judge`` says what a failed one means.

    What the account may do is asked for one by one, since one may be refused and not another: proxies have been seen
    to let reading through and not writing (kubeflow/pipelines#4667).
    """
    step, deadline = "token", Deadline(connecting.SECONDS)
    try:
        tokens = connecting.open_tokens(endpoint, wish, deadline)
        kind = "ID" if endpoint.audience else "access"
        yield ok(step, f"an {kind} token of {tokens.account}" if tokens else "none is needed")
        step = "server"
        client = connecting.open_client(endpoint, tokens, deadline, **extras)
        yield ok(step, f"Kubeflow Pipelines {client.server_version}")
    except ConnectError as error:
        yield judge(step, error)
        return
    for step, attempt in _attempts(client).items():
        try:
            attempt()
        except (ConnectError, ApiException) as error:
            yield judge(step, error)
        else:
            yield ok(step, "yes")


def _kind(endpoint: Endpoint) -> str:
    if endpoint.audience:
        return f"behind Identity-Aware Proxy with audience {endpoint.audience}"
    if endpoint.hosted:
        return "hosted"
    return "on this machine" if endpoint.takes_access_tokens else "inside a network"


def _attempts(client: Client) -> dict[str, Callable[[], Any]]:
    return {
        "may list pipelines": lambda: client.list_pipelines(page_size=1),
        "may list experiments": lambda: client.list_experiments(page_size=1),
        "may list runs": lambda: client.list_runs(page_size=1),
        "may change things": lambda: _ask_for_nothing(client),
    }


def _ask_for_nothing(client: Client) -> None:
    """Asks for an experiment without a name, which a server that may be asked refuses for that.

    It says so as an internal error, in every release since 2.0.5 (api_converter.go toModelExperiment).
    """
    try:
        client.experiments.experiment_service_create_experiment({})
    except ApiException as error:
        if NO_NAME not in refusal(error):
            raise

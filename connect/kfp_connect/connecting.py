"""Connects to a Pipelines endpoint from wherever the code runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from kfp_connect.client import Client
from kfp_connect.credentials import TOKEN_VARIABLE, TokenRequest, Way, Wish, find_credentials
from kfp_connect.deadline import Deadline
from kfp_connect.endpoint import Endpoint, find_endpoint, own_headers
from kfp_connect.problems import ConnectError, Problem
from kfp_connect.tokens import Tokens

SECONDS = 5.0  # less than anybody waits before wondering


def connect(
    host: str | None = None,
    credentials: Way | None = None,
    *,
    stack: str | os.PathLike[str] | None = None,
    trigger: str | None = None,
    audience: str | None = None,
    key_file: str | None = None,
    token: str | None = None,
    account: str | None = None,
    source: Way = "default",
    namespace: str = "",
    ca_file: str | None = None,
    cookies: str | Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Client:
    """Returns a ``kfp.Client`` that has reached the endpoint and keeps its token fresh.

    The endpoint is ``host``, or the KFP target of a ``stack`` (and of a ``trigger`` in it), or KF_PIPELINES_ENDPOINT.
    A stack is the path of a stack file, or ``dev``: Pulumi.dev.yaml in the working directory or the nearest above it.

    ``credentials`` say as whom: ``default`` (Application Default Credentials: gcloud's, a runtime's, Workbench's),
    ``metadata`` (the runtime's own account), ``key-file`` (with ``key_file``), ``impersonate`` (acting as
    ``account``, with the credentials that ``source`` names) or ``token`` (with ``token``, or KF_PIPELINES_TOKEN).
    Left out, they are those that ``key_file``, ``account`` or ``token`` go with; else ``token``, if the environment
    has one that may be sent there; else ``default`` for a hosted endpoint and with an ``audience``, and none
    elsewhere: an endpoint inside a network or behind a port-forward asks for none.

    ``audience`` is what Identity-Aware Proxy wants ID tokens for. ``namespace`` is for installations with several
    users. ``ca_file`` holds the certificates of an authority of your own. ``cookies`` (``NAME=VALUE; ...``, or a map)
    and ``headers`` are those of a session of yours, at a Kubeflow behind Dex or oauth2-proxy.

    Raises:
        ConnectError: within five seconds, with what is wrong and what mends it.
    """
    endpoint = find_endpoint(host, stack, trigger, audience)
    own = own_headers(endpoint, cookies, headers)
    deadline = Deadline(SECONDS)
    tokens = open_tokens(endpoint, Wish(credentials, key_file, token, account, source), deadline)
    if tokens and "authorization" in own:
        raise ConnectError(
            Problem.BAD_ARGUMENT, NAME="headers", VALUE="a second authorization", FIX="either this one or credentials"
        )
    return open_client(endpoint, tokens, deadline, namespace=namespace, ca_file=ca_file, own=own)


def open_tokens(endpoint: Endpoint, wish: Wish, deadline: Deadline) -> Tokens | None:
    """Returns tokens for an endpoint, the first of which is there; None for one that needs none.

    Raises:
        ConnectError: there is none, or it may not be sent there.
    """
    wish = replace(wish, way=wish.way or _default_way(endpoint, wish))
    if not wish.way:
        return None
    if not endpoint.audience and not endpoint.takes_access_tokens:
        raise ConnectError(Problem.NOT_FOR_TOKENS, HOST=endpoint.host)

    def first_token() -> Tokens:
        request = TokenRequest()
        tokens = Tokens(find_credentials(wish, endpoint.audience, request), request)
        tokens.get()
        if not endpoint.takes_access_tokens and tokens.audience != endpoint.audience:
            raise ConnectError(Problem.NOT_FOR_TOKENS, HOST=endpoint.host)
        return tokens

    return deadline.run(first_token, Problem.NO_TOKEN_IN_TIME)


def _default_way(endpoint: Endpoint, wish: Wish) -> Way | None:
    """The way of whoever names none: what else was passed is not overlooked, least of all whose key it is."""
    if wish.account:
        return "impersonate"
    if wish.key_file:
        return "key-file"
    sendable = endpoint.audience or endpoint.takes_access_tokens
    if wish.token or (sendable and os.environ.get(TOKEN_VARIABLE)):
        return "token"
    return "default" if endpoint.audience or endpoint.hosted else None


def open_client(
    endpoint: Endpoint,
    tokens: Tokens | None,
    deadline: Deadline,
    *,
    namespace: str = "",
    ca_file: str | None = None,
    own: Mapping[str, str] | None = None,
) -> Client:
    """Returns a client that has reached the endpoint. ``own`` are headers of the user's.

    Raises:
        ConnectError: it has not.
    """

    def reach() -> Client:
        return Client(endpoint, tokens, namespace=namespace, ca_file=ca_file, own=own)

    return deadline.run(reach, Problem.NO_ANSWER_IN_TIME, HOST=endpoint.host)

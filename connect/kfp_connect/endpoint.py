"""Where the endpoint is: from an argument, a stack file or the environment; and what may be sent there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kfp_connect.origin import is_hosted, is_loopback, read_endpoint
from kfp_connect.problems import ConnectError, Problem
from kfp_connect.stack import Block, read_target

VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
DEFAULT_INSTALLATION = "PROJECT_NUMBER-compute@developer.gserviceaccount.com"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=[!-:<-~]*")
NOT_YOURS = ("connection", "content-length", "content-type", "cookie", "host", "te", "transfer-encoding", "upgrade")
GOOGLE_TOKEN = "ya29."  # noqa: S105 how Google's access tokens begin, and no token


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


def own_headers(
    endpoint: Endpoint, cookies: str | Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> dict[str, str]:
    """The headers of somebody whom Dex or oauth2-proxy has let in already. They go with each request, to the endpoint
    alone, and no message shows them.

    Raises:
        ConnectError: they cannot be sent, or not there.
    """
    own = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    for name, value in own.items():
        if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            raise _bad("headers", "none: a name or a value has characters that no header has", "NAME: VALUE in ASCII")
        if name in NOT_YOURS:
            raise _bad("headers", f"one of {name!r}, which is the client's", 'others, and cookies="..." for cookies')
    token = own.get("authorization", "").partition(" ")[2].strip()
    if token.startswith(GOOGLE_TOKEN) and not endpoint.takes_access_tokens:
        raise ConnectError(Problem.NOT_FOR_TOKENS, HOST=endpoint.host)
    return {**own, "cookie": _cookie(cookies)} if cookies else own


def _cookie(cookies: str | Mapping[str, str]) -> str:
    if isinstance(cookies, Mapping):
        pairs = [f"{name}={value}" for name, value in cookies.items()]
    else:
        pairs = [pair.strip() for pair in str(cookies).strip().rstrip(";").split(";")]
    if all(COOKIE.fullmatch(pair) for pair in pairs):
        return "; ".join(pairs)
    raise _bad("cookies", "none: it has no NAME=VALUE, or characters that no cookie has", "NAME=VALUE; NAME=VALUE")


def _bad(name: str, value: str, fix: str) -> ConnectError:
    return ConnectError(Problem.BAD_ARGUMENT, NAME=name, VALUE=value, FIX=fix)

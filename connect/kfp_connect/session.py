"""What somebody has who was let in already: a session's cookies, or headers, as Dex and oauth2-proxy want them.

They are the user's own, go to the configured endpoint alone, and are shown in no message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kfp_connect.endpoint import Endpoint
from kfp_connect.problems import ConnectError, Problem

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+=[!-:<-~]*")
NOT_YOURS = ("connection", "content-length", "content-type", "cookie", "host", "te", "transfer-encoding", "upgrade")
GOOGLE_TOKEN = "ya29."  # noqa: S105 how Google's access tokens begin, and no token


def own_headers(
    endpoint: Endpoint, cookies: str | Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> dict[str, str]:
    """The headers that go with each request.

    Raises:
        ConnectError: they cannot be sent, or not there.
    """
    own = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    for name, value in own.items():
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
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

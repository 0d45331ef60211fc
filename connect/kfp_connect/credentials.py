"""As whom to connect: google-auth's credentials for each way of having some.

An access token can do all that its account may, on all of Google Cloud; an ID token only tells one audience who is
there. So what is behind Identity-Aware Proxy gets the second kind.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import google.auth
import requests
from google.auth import _cloud_sdk, compute_engine, impersonated_credentials
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from kfp_connect.credential_files import SCOPE, UNREADABLE, kind_of, read_credentials, read_key
from kfp_connect.problems import ConnectError, Problem

Way = Literal["default", "metadata", "key-file", "impersonate", "token"]
WAYS: tuple[str, ...] = get_args(Way)
SOURCES = ("default", "metadata", "key-file")  # of those who act as another
TOKEN_VARIABLE = "KF_PIPELINES_TOKEN"  # noqa: S105 the name of a variable and no token
KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
LONGEST_WAIT = 10.0  # seconds, for each wait on a server that gives tokens


@dataclass(frozen=True)
class Wish:
    """As whom to connect; without a ``way`` as the default account. ``account`` and ``source`` go with
    ``impersonate``: whom to act as, and who acts."""

    way: str | None
    key_file: str | None = None
    token: str | None = field(default=None, repr=False)
    account: str | None = None
    source: str = "default"


class GivenToken(Credentials):
    """A token that was passed as it is. There is no other when it ends."""

    # Here and below: google-auth has no types.

    def __init__(self, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self.token = token

    def refresh(self, request: Request) -> None:
        """Leaves it as it is; the endpoint says what it thinks of it."""


class TokenRequest(Request):
    """google-auth's transport, with no redirects, no netrc and no proxies of the surroundings, and never for long."""

    def __init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        super().__init__(session)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        timeout: float = LONGEST_WAIT,
        **options: Any,
    ) -> Any:
        """Sends one request, as google-auth wants it sent."""
        seconds = min(timeout or LONGEST_WAIT, LONGEST_WAIT)
        return super().__call__(  # type: ignore[no-untyped-call]  # google-auth has no types
            url, method, body, headers, seconds, allow_redirects=False, **options
        )


def find_credentials(wish: Wish, audience: str | None, request: Request) -> Credentials:
    """Returns credentials that give access tokens or, with an audience, ID tokens for it.

    Raises:
        ConnectError: there are none, or they cannot give such tokens.
    """
    found = _impersonated(wish, request) if wish.way == "impersonate" else _own(wish, request)
    return _for_audience(found, audience, request) if audience and wish.way != "token" else found


def _own(wish: Wish, request: Request) -> Credentials:
    match wish.way:
        case None | "default":
            return _default(request)
        case "metadata":
            return compute_engine.Credentials(scopes=[SCOPE])
        case "key-file":
            return _key_file(str(wish.key_file or os.environ.get(KEY_VARIABLE) or ""))
        case "token":
            token = wish.token or os.environ.get(TOKEN_VARIABLE)
            if not token:
                raise _missing("token", "a token", f'token="..." or {TOKEN_VARIABLE}')
            return GivenToken(_readable(token))
    raise _no_way("credentials", wish.way, WAYS)


def _default(request: Request) -> Credentials:
    """Application Default Credentials: a file that is named, the one that gcloud wrote, or the metadata server.

    google.auth.default() would start gcloud to learn a project that is not needed here, which takes seconds.
    """
    named = os.environ.get(KEY_VARIABLE)
    path = named or _cloud_sdk.get_application_default_credentials_path()
    if named or Path(path).is_file():
        return read_credentials(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # against people without a quota project
            found, _ = google.auth.default(scopes=[SCOPE], request=request)
    except UNREADABLE:
        raise ConnectError(Problem.NO_CREDENTIALS) from None
    return found


def _key_file(path: str) -> Credentials:
    if not path:
        raise _missing(
            "key-file", "a file", f'key_file="key.json", on the command line --key-file, or {KEY_VARIABLE}'
        )
    return read_key(path)


def _impersonated(wish: Wish, request: Request) -> Credentials:
    if not wish.account:
        raise _missing(
            "impersonate",
            "an account",
            'account="NAME@PROJECT.iam.gserviceaccount.com", on the command line --account',
        )
    if wish.source not in SOURCES:
        raise _no_way("source", wish.source, SOURCES)
    source = _own(Wish(wish.source, wish.key_file), request)
    return impersonated_credentials.Credentials(source, wish.account, target_scopes=[SCOPE])


def _for_audience(found: Credentials, audience: str, request: Request) -> Credentials:
    match found:
        case compute_engine.Credentials():
            try:  # it asks whose account it is
                return compute_engine.IDTokenCredentials(request, audience, use_metadata_identity_endpoint=True)
            except (GoogleAuthError, LookupError, TypeError) as error:
                raise ConnectError(Problem.NO_METADATA, REASON=_first_line(error)) from None
        case impersonated_credentials.Credentials():
            return impersonated_credentials.IDTokenCredentials(found, audience, include_email=True)
        case service_account.Credentials():
            uri = found._token_uri  # noqa: SLF001 google-auth has no public name for it
            return service_account.IDTokenCredentials(found.signer, found.service_account_email, uri, audience)
    raise ConnectError(Problem.NO_ID_TOKEN, WHAT=kind_of(found), AUDIENCE=audience)


def _missing(way: str, option: str, example: str) -> ConnectError:
    return ConnectError(Problem.MISSING, WAY=way, OPTION=option, EXAMPLE=example)


def _no_way(name: str, value: object, ways: Sequence[str]) -> ConnectError:
    return ConnectError(Problem.BAD_ARGUMENT, NAME=name, VALUE=repr(value), FIX=f"one of {', '.join(ways)}")


def _readable(token: str) -> str:
    """A token without the line's end that a file of it has. One that cannot be sent is not shown either."""
    found = str(token).strip()
    if re.fullmatch(r"[!-~]+", found):
        return found
    raise ConnectError(
        Problem.BAD_ARGUMENT,
        NAME="token",
        VALUE="none: it has characters that no token has",
        FIX="what is printed by gcloud auth application-default print-access-token",
    )


def _first_line(error: Exception) -> str:
    """What is wrong; google-auth's errors have their cause for a second argument."""
    text = error.args[0] if isinstance(error, GoogleAuthError) and error.args else error
    return str(text).partition("\n")[0]

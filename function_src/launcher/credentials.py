"""Tokens: of the function's own service account, from the runtime's metadata server, and of another that it may
impersonate.

Not google-auth's AuthorizedSession: since 2.5x it also looks up a "regional access boundary", which sends the
token to iamcredentials.googleapis.com from a background thread and adds a header to every request. Here a token
goes to the configured origin and nowhere else. Not google.auth.default() either: on a laptop that finds the
person's own credentials, and a rehearsal must not use them. Nor google-auth's impersonated credentials: for an ID
token they use an AuthorizedSession, and neither kind lets the address of the API be set apart from the account.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from google.auth import compute_engine, jwt
from google.auth.credentials import Credentials, TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from .answers import Service, explain, shorten
from .http import Answer, Api, clean, read_answer
from .origin import BadOriginError, is_loopback, read_origin

ORIGIN = "https://iamcredentials.googleapis.com"
EMULATOR = "IAM_CREDENTIALS_EMULATOR_HOST"
TIMEOUT = 10.0  # seconds; a lease is running
LIFETIME = "3600s"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"  # without it GKE knows an account by its number alone
# What reading an answer fails with that is not as its API documents it: cut off, of another shape, of other types.
MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class TokenUnavailableError(Exception):
    """There is no token to be had, for now."""


class Tokens:
    """Hands out a fresh token of one kind; threads that find it stale together cause one refresh."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    def get(self, *, refused: str | None = None) -> str:
        """Returns a token, renewed when it is about to expire or is the one just ``refused`` with 401.

        Raises:
            TokenUnavailableError: no token is to be had.
        """
        with self._lock:
            if self._credentials.token_state is not TokenState.FRESH or self._credentials.token == refused:
                try:
                    self._credentials.refresh(_request())
                except GoogleAuthError as error:
                    why = _explain(error, self._credentials.token)
                    raise TokenUnavailableError(f"the metadata server gave no token: {why}") from None
                except MISREAD as error:
                    why = f"it answered what is none ({type(error).__name__})"
                    raise TokenUnavailableError(f"the metadata server gave no token: {why}") from None
            return str(self._credentials.token)


class AccessTokens(Tokens):
    """Access tokens, which Google's APIs and the proxy of hosted Pipelines installations take; of more scopes if need
    be."""

    def __init__(self, *more: str) -> None:
        super().__init__(compute_engine.Credentials(scopes=[SCOPE, *more]))


class IdTokens(Tokens):
    """ID tokens for one audience, which Identity-Aware Proxy takes: they open nothing else."""

    def __init__(self, audience: str) -> None:
        # Without a request it does not look the account up, which would be a round trip at every cold start. Not
        # bound: a token that is bound to a certificate is refused on a connection that does not show it.
        credentials = compute_engine.IDTokenCredentials(
            None, audience, use_metadata_identity_endpoint=True, bind_id_token=False
        )
        super().__init__(credentials)


class ImpersonatedTokens(Tokens):
    """Fresh tokens of the account ``email``: access tokens or, with an ``audience``, ID tokens."""

    def __init__(self, email: str, own: AccessTokens, audience: str | None = None) -> None:
        super().__init__(_Account(Api(_origin(), own, TIMEOUT), email, audience))


class _Account(Credentials):
    """As google-auth wants credentials: what renews ``token`` and ``expiry``."""

    def __init__(self, api: Api, email: str, audience: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self.token: str | None = None
        self._api = api
        self._email = email
        self._audience = audience

    def refresh(self, request: object) -> None:
        """Makes a new token. ``request`` is google-auth's way of sending, which is not used."""
        del request
        try:
            if self._audience:
                # Identity-Aware Proxy refuses a token that does not say whose it is.
                token = self._make("generateIdToken", {"audience": self._audience, "includeEmail": True})["token"]
                expiry = datetime.fromtimestamp(jwt.decode(token, verify=False)["exp"], UTC)
            else:
                made = self._make("generateAccessToken", {"scope": [SCOPE], "lifetime": LIFETIME})
                token, expiry = made["accessToken"], datetime.fromisoformat(made["expireTime"])
        except MISREAD as error:
            raise self._unavailable(f"it answered what is none ({type(error).__name__})") from None
        self.token, self.expiry = token, expiry.replace(tzinfo=None)  # in UTC, and without saying so

    def _make(self, method: str, body: Mapping[str, Any]) -> Any:
        path = f"/v1/projects/-/serviceAccounts/{self._email}:{method}"
        try:
            response = self._api.send("POST", path, json=body)
        except requests.RequestException as error:
            raise self._unavailable(type(error).__name__) from None
        if response.status_code != requests.codes.ok:
            meaning = explain(Service.TOKENS, read_answer(response), self._email)
            raise self._unavailable(f"it {meaning.said}")
        return response.json()

    def _unavailable(self, reason: str) -> TokenUnavailableError:
        return TokenUnavailableError(f"iamcredentials.googleapis.com gave no token of {self._email}: {reason}")


def _origin() -> str:
    """Where tokens are made: Google's own, or a stand-in on this machine. No other host may be sent ours."""
    origin = read_origin(os.environ.get(EMULATOR, ORIGIN))
    if origin != ORIGIN and not is_loopback(origin):
        raise BadOriginError(f"{EMULATOR} is {origin!r}, which is not on this machine; leave it out")
    return origin


def _explain(error: GoogleAuthError, token: str | None) -> str:
    """What google-auth says of an answer that was no token. The status stands in its words, and nowhere else."""
    said: object = error
    while isinstance(said, Exception) and said.args:
        said = said.args[0]
    words = clean(str(said), token or "")
    status = re.search(r"status: (\d{3})\b", words, re.IGNORECASE)
    return f"it {explain(Service.METADATA, Answer(int(status[1]), words=words)).said}" if status else shorten(words)


def _request() -> Request:
    """google-auth's transport, but deaf to proxies of the surroundings: one would be handed the token."""
    session = requests.Session()
    session.trust_env = False
    return Request(session)

"""Tokens of another service account, which the function's own may make: impersonation.

Not google-auth's impersonated credentials: for an ID token they use an AuthorizedSession (see credentials.py), and
neither kind lets the address of the API be set apart from the account.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from google.auth import jwt
from google.auth.credentials import Credentials

from .credentials import MISREAD, SCOPE, AccessTokens, Tokens, TokenUnavailableError
from .http import Api
from .origin import BadOriginError, is_loopback, read_origin

ORIGIN = "https://iamcredentials.googleapis.com"
EMULATOR = "IAM_CREDENTIALS_EMULATOR_HOST"
TIMEOUT = 10.0  # seconds; a lease is running
LIFETIME = "3600s"
LONGEST_MESSAGE = 300
HINT = " (the function's identity needs roles/iam.serviceAccountTokenCreator on that account)"


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
            hint = HINT if response.status_code == requests.codes.forbidden else ""
            raise self._unavailable(f"it answered {response.status_code}{hint}: {response.text[:LONGEST_MESSAGE]}")
        return response.json()

    def _unavailable(self, reason: str) -> TokenUnavailableError:
        return TokenUnavailableError(f"iamcredentials.googleapis.com gave no token of {self._email}: {reason}")


def _origin() -> str:
    """Where tokens are made: Google's own, or a stand-in on this machine. No other host may be sent ours."""
    origin = read_origin(os.environ.get(EMULATOR, ORIGIN))
    if origin != ORIGIN and not is_loopback(origin):
        raise BadOriginError(f"{EMULATOR} is {origin!r}, which is not on this machine; leave it out")
    return origin

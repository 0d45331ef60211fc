"""Tokens: of the function's own service account, from the runtime's metadata server, and of another that it may
impersonate.

Without google-auth, of which the launcher would need nothing but this: no token here is signed, each is one request
for JSON. It would take as long to import as all the rest, most of it for the cryptography of credentials with keys;
ask who the account is before each token; and look up a "regional access boundary", which sends the token to
iamcredentials.googleapis.com from a background thread. Here a token goes to the configured origin and nowhere else.
Nor are there the credentials of a person, which it finds on a laptop: a rehearsal must not use them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NoReturn

from urllib3.exceptions import HTTPError

from .answers import Service, explain
from .http import Api, Response, read_answer
from .origin import BadOriginError, is_loopback, read_origin

ORIGIN = "https://iamcredentials.googleapis.com"
EMULATOR = "IAM_CREDENTIALS_EMULATOR_HOST"
TIMEOUT = 10.0  # seconds; a lease is running
LIFETIME = "3600s"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"  # without it GKE knows an account by its number alone
METADATA = "GCE_METADATA_HOST"
METADATA_SERVER = "metadata.google.internal"
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"
# Who asks says it, since no page of a browser can; who answers does, since no other server would (gcp-metadata, the
# library of Node.js, takes no answer without it).
FLAVOR = {"Metadata-Flavor": "Google"}
# As google-auth has them (compute_engine/_metadata.py, _exponential_backoff.py, transport/__init__.py, _helpers.py):
# seconds to wait for the metadata server, which is on the same machine, and between attempts; what passes; and how
# long before its end a token is renewed, since the metadata server keeps one until four minutes before it.
TIMEOUT_HERE = 3.0
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
PASSING = (408, 429, 500, 503, 504)
SPARE = 225.0
TOKEN = re.compile(r"[!-~]+")  # what a header can carry
# What reading an answer fails with that is not as its API documents it: cut off, of another shape, of other types.
MISREAD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class TokenUnavailableError(Exception):
    """There is no token to be had, for now."""


class Tokens(ABC):
    """Hands out a fresh token of one kind; threads that find it stale together cause one refresh."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token, self._end = "", 0.0

    def get(self, *, refused: str | None = None) -> str:
        """Returns a token, renewed when it is about to expire or is the one just ``refused`` with 401.

        Raises:
            TokenUnavailableError: no token is to be had.
        """
        with self._lock:
            if not time.time() < self._end - SPARE or self._token == refused:
                self._renew()
            return self._token

    @abstractmethod
    def _make(self) -> tuple[str, float]:
        """A new token, and when it ends, in seconds since 1970. What it cannot read it raises as MISREAD."""

    @abstractmethod
    def _refuse(self, reason: str) -> NoReturn:
        """Raises TokenUnavailableError, which says who gave no token, and why."""

    def _renew(self) -> None:
        try:
            token, end = self._make()
            if not TOKEN.fullmatch(token):
                raise ValueError
        except MISREAD as error:
            self._refuse(f"it answered what is none ({type(error).__name__})")
        self._token, self._end = token, end


class OwnTokens(Tokens):
    """Tokens of the function's own account. ``GCE_METADATA_HOST`` says where else the metadata server is."""

    def __init__(self) -> None:
        super().__init__()
        self._api = Api(f"http://{os.environ.get(METADATA) or METADATA_SERVER}", None, TIMEOUT_HERE)

    def _ask(self, kind: str, params: Mapping[str, str]) -> Response:
        """What the metadata server answers, asked again while it has passing trouble."""
        answer, why = None, ""
        for pause in PAUSES:
            time.sleep(pause)
            try:
                answer = self._api.send("GET", f"{ACCOUNT}/{kind}", params=params, headers=FLAVOR)
            except HTTPError as error:
                answer, why = None, type(error).__name__
            if answer and answer.status_code not in PASSING:
                break
        if not answer:
            self._refuse(why)
        if answer.status_code != HTTPStatus.OK:
            self._refuse(f"it {explain(Service.METADATA, read_answer(answer)).said}")
        if answer.headers.get("Metadata-Flavor") != "Google":
            self._refuse("what answered is no metadata server")
        return answer

    def _refuse(self, reason: str) -> NoReturn:
        raise TokenUnavailableError(f"the metadata server gave no token: {reason}") from None


class AccessTokens(OwnTokens):
    """Access tokens, which Google's APIs and the proxy of hosted Pipelines installations take; of more scopes if need
    be."""

    def __init__(self, *more: str) -> None:
        super().__init__()
        self._scopes = ",".join((SCOPE, *more))

    def _make(self) -> tuple[str, float]:
        made = self._ask("token", {"scopes": self._scopes}).json()
        return made["access_token"], time.time() + made["expires_in"]


class IdTokens(OwnTokens):
    """ID tokens for one audience, which Identity-Aware Proxy takes: they open nothing else."""

    def __init__(self, audience: str) -> None:
        super().__init__()
        self._audience = audience

    def _make(self) -> tuple[str, float]:
        # Identity-Aware Proxy refuses a token that does not say whose it is: the short format does not.
        token = (self._ask("identity", {"audience": self._audience, "format": "full"}).read() or b"").decode()
        return token, _end(token)


class ImpersonatedTokens(Tokens):
    """Fresh tokens of the account ``email``: access tokens or, with an ``audience``, ID tokens."""

    def __init__(self, email: str, own: AccessTokens, audience: str | None = None) -> None:
        super().__init__()
        self._api = Api(_origin(), own, TIMEOUT)
        self._email = email
        self._audience = audience

    def _make(self) -> tuple[str, float]:
        if self._audience:
            token = self._ask("generateIdToken", {"audience": self._audience, "includeEmail": True})["token"]
            return token, _end(token)
        made = self._ask("generateAccessToken", {"scope": [SCOPE], "lifetime": LIFETIME})
        return made["accessToken"], datetime.fromisoformat(made["expireTime"]).replace(tzinfo=UTC).timestamp()

    def _ask(self, method: str, body: Mapping[str, Any]) -> Any:
        path = f"/v1/projects/-/serviceAccounts/{self._email}:{method}"
        try:
            response = self._api.send("POST", path, json=body)
        except HTTPError as error:
            self._refuse(type(error).__name__)
        if response.status_code != HTTPStatus.OK:
            meaning = explain(Service.TOKENS, read_answer(response), self._email)
            self._refuse(f"it {meaning.said}")
        return response.json()

    def _refuse(self, reason: str) -> NoReturn:
        raise TokenUnavailableError(
            f"iamcredentials.googleapis.com gave no token of {self._email}: {reason}"
        ) from None


def _origin() -> str:
    """Where tokens are made: Google's own, or a stand-in on this machine. No other host may be sent ours."""
    origin = read_origin(os.environ.get(EMULATOR, ORIGIN))
    if origin != ORIGIN and not is_loopback(origin):
        raise BadOriginError(f"{EMULATOR} is {origin!r}, which is not on this machine; leave it out")
    return origin


def _end(token: str) -> float:
    """When an ID token ends, by its claims. Whom it is for checks the signature; here it comes from who signed it."""
    claims = token.split(".")[1]
    return float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])

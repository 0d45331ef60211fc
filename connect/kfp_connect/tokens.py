"""Tokens that stay fresh: one refresh for each that expires, however many threads ask."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from google.auth import compute_engine, external_account, impersonated_credentials, jwt
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from kfp_connect.problems import ConnectError, Problem

MARGIN = timedelta(minutes=4)  # the metadata server hands a token out again until 5 minutes before its end
LONGEST_REASON = 300
IMPERSONATED = (impersonated_credentials.Credentials, impersonated_credentials.IDTokenCredentials)
FEDERATED = external_account.Credentials
METADATA = (compute_engine.Credentials, compute_engine.IDTokenCredentials)


def now() -> datetime:
    """The present. Tests have their own."""
    return datetime.now(UTC).replace(tzinfo=None)  # google-auth's expiry is in UTC and does not say so


class Tokens:
    """Hands out a fresh token of some credentials.

    Threads that find it stale wait for the one that renews it. google-auth's own ``token_state`` would not do: it
    takes a token that lasts less than its threshold for stale at once, and each request would fetch another.
    """

    def __init__(self, credentials: Credentials, request: Request) -> None:
        self._credentials = credentials
        self._request = request
        self._lock = threading.Lock()
        self._renew_at: datetime | None = None

    def get(self, refused: str | None = None) -> str:
        """Returns a token, renewed when it is about to expire or is the one just ``refused``.

        Raises:
            ConnectError: there is none to be had.
        """
        with self._lock:
            if self._stale() or self._credentials.token == refused:
                self._renew()
            return str(self._credentials.token)

    @property
    def account(self) -> str:
        """Whose tokens these are, as far as it can be known without asking anybody."""
        target = getattr(
            self._credentials, "_target_credentials", self._credentials
        )  # of an impersonator's ID tokens
        told = [getattr(target, name, None) for name in ("service_account_email", "account")]
        claimed = [_claims(getattr(target, name, None)).get("email") for name in ("id_token", "token")]
        return next((str(email) for email in (*told, *claimed) if email), "the account in use")

    @property
    def audience(self) -> str | None:
        """Whom the token is for, if it is an ID token; an access token is for everybody."""
        return _claims(self._credentials.token).get("aud")

    def _stale(self) -> bool:
        return not self._credentials.token or (self._renew_at is not None and now() >= self._renew_at)

    def _renew(self) -> None:
        try:
            self._credentials.refresh(self._request)
        except (GoogleAuthError, requests.RequestException) as error:
            raise self._explain(error) from None
        expiry = self._credentials.expiry
        self._renew_at = expiry and expiry - min(MARGIN, (expiry - now()) / 4)

    def _explain(self, error: GoogleAuthError | requests.RequestException) -> ConnectError:
        reason, account = _said(error), self.account
        if isinstance(self._credentials, METADATA):
            return ConnectError(Problem.NO_METADATA, REASON=reason)
        if isinstance(error, TransportError | requests.RequestException):
            return ConnectError(Problem.NO_WAY_TO_GOOGLE, REASON=reason)
        federated = isinstance(_source(self._credentials), FEDERATED)
        if isinstance(self._credentials, IMPERSONATED) and reason.startswith(("Unable to acquire", "Error getting")):
            kind = Problem.FEDERATED_MAY_NOT_IMPERSONATE if federated else Problem.MAY_NOT_IMPERSONATE
            return ConnectError(kind, ACCOUNT=account, REASON=reason)
        if federated:
            return ConnectError(Problem.FEDERATION_REFUSED, REASON=reason)
        return ConnectError(Problem.CREDENTIALS_REFUSED, ACCOUNT=account, REASON=reason)


def _source(credentials: Any) -> Any:
    """Whose credentials are used in the end, however many act as another."""
    inner = getattr(credentials, "_target_credentials", None) or getattr(credentials, "_source_credentials", None)
    return _source(inner) if inner else credentials


def _said(error: Exception) -> str:
    """What the server that gives tokens said, in one line; as its own ``invalid_grant: ...`` where it says that."""
    for argument in error.args:
        try:
            said = argument if isinstance(argument, dict) else json.loads(argument)
            parts = [said["error"], *filter(None, [said.get("error_description")])]
            text = ": ".join(parts)
            break
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    else:
        text = " ".join(map(str, error.args))
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line[:LONGEST_REASON].strip().removesuffix(".")


def _claims(token: Any) -> dict[str, Any]:
    """What an ID token says; nothing for any other token."""
    try:
        claims: dict[str, Any] = jwt.decode(token, verify=False)
    except (ValueError, TypeError, AttributeError, GoogleAuthError):
        return {}
    return claims

"""Tokens of the function's own service account, from the runtime's metadata server.

Not google-auth's AuthorizedSession: since 2.5x it also looks up a "regional access boundary", which sends the
token to iamcredentials.googleapis.com from a background thread and adds a header to every request. Here a token
goes to the configured origin and nowhere else. Not google.auth.default() either: on a laptop that finds the
person's own credentials, and a rehearsal must not use them.
"""

from __future__ import annotations

import threading

import requests
from google.auth import compute_engine
from google.auth.credentials import Credentials, TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

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
                    raise TokenUnavailableError(f"the metadata server gave no token: {error}") from None
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


def _request() -> Request:
    """google-auth's transport, but deaf to proxies of the surroundings: one would be handed the token."""
    session = requests.Session()
    session.trust_env = False
    return Request(session)

"""Access tokens of the function's own service account, from the runtime's metadata server.

Not google-auth's AuthorizedSession: since 2.5x it also looks up a "regional access boundary", which sends the
token to iamcredentials.googleapis.com from a background thread and adds a header to every request. Here a token
goes to the configured origin and nowhere else. Not google.auth.default() either: on a laptop that finds the
person's own credentials, and a rehearsal must not use them.
"""

from __future__ import annotations

import threading

import requests
from google.auth import compute_engine
from google.auth.credentials import TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class TokenUnavailableError(Exception):
    """The metadata server gave no token."""


class AccessTokens:
    """Hands out a fresh access token; threads that find it stale together cause one refresh."""

    def __init__(self) -> None:
        self._credentials = compute_engine.Credentials(scopes=[SCOPE])
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
            return str(self._credentials.token)


def _request() -> Request:
    """google-auth's transport, but deaf to proxies of the surroundings: one would be handed the token."""
    session = requests.Session()
    session.trust_env = False
    return Request(session)

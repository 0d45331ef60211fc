"""One HTTP request to one API, with everything that could surprise turned off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from .credentials import Tokens

LONGEST_TO_CONNECT = 5  # seconds


class TooLateError(Exception):
    """The request was not sent: who wanted it did not want it any more when it could be."""


class Api:
    """Sends requests to one origin, and the token to that origin only.

    No redirects: KFP's proxies redirect to a login page, and a redirected POST would carry the token along.
    No retries: a request is sent once, so the caller knows what may have happened. No cookies: the login page
    sets some. No proxies or netrc from the surroundings. A 401 renews the token and sends again, once: what was
    refused was not executed. ``timeout`` is in seconds, for each wait on the server; ``patience`` is that of what is
    sent ``patiently``.
    """

    def __init__(self, origin: str, tokens: Tokens | None, timeout: float, patience: float = 0) -> None:
        self._origin = origin
        self._tokens = tokens
        self._timeout, self._patience = timeout, patience or timeout
        self._to_connect = min(timeout, LONGEST_TO_CONNECT)
        self._local = threading.local()

    def send(
        self,
        method: str,
        path: str,
        *,
        may_send: Callable[[], bool] = lambda: True,
        patiently: bool = False,
        **options: Any,
    ) -> requests.Response:
        """Sends one request; ``path`` starts with a slash.

        ``may_send`` is asked last of all, with the token in hand: one may be long in coming, and others wait for it.
        It is asked again before the request is sent again after a 401.

        Raises:
            TokenUnavailableError: the request was not sent.
            TooLateError: nor then, for it may not be any more.
            requests.RequestException: as requests does.
        """
        options["timeout"] = (self._to_connect, self._patience if patiently else self._timeout)
        token = self._tokens.get() if self._tokens else ""
        if not may_send():
            raise TooLateError
        response = self._send(method, path, options, token)
        if self._tokens and response.status_code == requests.codes.unauthorized:
            response.close()
            renewed = self._tokens.get(refused=token)
            if may_send():
                response = self._send(method, path, options, renewed)
        return response

    def _send(self, method: str, path: str, options: Mapping[str, Any], token: str = "") -> requests.Response:
        given: Mapping[str, str] = options.get("headers", {})
        options = {
            **options,
            "headers": {**given, "Authorization": f"Bearer {token}"} if token else given,
            "allow_redirects": False,
        }
        return self._session().request(method, self._origin + path, **options)

    def _session(self) -> requests.Session:
        """The thread's own session: requests does not promise that one can be shared."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            self._local.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        found: requests.Session = self._local.session
        return found


def never_sent(error: requests.RequestException) -> bool:
    """Whether a request failed before anything of it could arrive."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError | ConnectTimeoutError)

"""How requests leave: to one origin, with a token that is fresh at that moment, and nothing taken for what it is not.

kfp's own transport follows redirects with the token in hand, waits for ever, and takes a login page that is answered
with 200 for an object whose fields are all None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from kfp_server_api import ApiException, Configuration
from kfp_server_api.rest import RESTClientObject
from urllib3 import Retry
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from kfp_connect.endpoint import Endpoint
from kfp_connect.problems import ConnectError, Problem
from kfp_connect.tokens import LONGEST_REASON, Tokens

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
FRESH = "fresh"  # a parameter that the server does not know and passes over
CONNECTIONS = 32  # kept open, so that threads need not make new ones
# A request that changes something is sent once; others once more when the connection breaks. Redirects lead to login
# pages, and a Retry-After would make a client sleep for as long as a proxy likes.
RETRIES = Retry(
    connect=1, read=1, redirect=False, status=0, other=0, raise_on_redirect=False, respect_retry_after_header=False
)


def make_configuration(endpoint: Endpoint, ca_file: str | None) -> Configuration:
    """kfp's configuration for an endpoint. The token is not in it: see :class:`Transport`."""
    configuration = Configuration()
    configuration.host = endpoint.host
    configuration.retries = RETRIES
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.ssl_ca_cert = ca_file
    return configuration


class Transport(RESTClientObject):  # type: ignore[misc]  # kfp_server_api has no types
    """The transport of one client. Safe to use from any number of threads.

    kfp would have the token put into a configuration that all threads share (``refresh_api_key_hook``); here each
    request carries its own, and only to the endpoint. A 401 renews it and sends again, once: what was refused was not
    executed.
    """

    def __init__(
        self,
        configuration: Configuration,
        endpoint: Endpoint,
        tokens: Tokens | None,
        own: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(configuration)
        # Before 2.5.0 urllib3 follows redirects whatever the retries of a pool say (CVE-2025-50181).
        self.pool_manager.request = partial(self.pool_manager.request, redirect=False)
        self._endpoint = endpoint
        self._tokens = tokens
        self._own = own or {}

    @property
    def account(self) -> str:
        """Whose requests these are, as far as it can be known without asking anybody."""
        return self._tokens.account if self._tokens else "whose session it is" if self._own else "nobody"

    def request(
        self,
        method: str,
        url: str,
        query_params: Any = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        post_params: Any = None,
        _preload_content: bool = True,
        _request_timeout: Any = None,
    ) -> Any:
        """Sends one request.

        Raises:
            ConnectError: the endpoint was not reached, or something before it answered.
            ApiException: the KFP server refused the request.
        """
        if not url.startswith(f"{self._endpoint.host}/"):
            raise ConnectError(Problem.ANOTHER_HOST, HOST=self._endpoint.host, URL=url)
        options = {
            # A proxy may answer a GET from its cache, for ever: the inverting proxy keeps every 200 by user and URL.
            "query_params": [*(query_params or ()), (FRESH, token_hex(8))] if method == "GET" else query_params,
            "body": body,
            "post_params": post_params,
            "_preload_content": _preload_content,
            "_request_timeout": _timeouts(_request_timeout),
        }
        headers = {**(headers or {}), **self._own}
        if not self._tokens:
            return self._send(method, url, headers, options)
        token = self._tokens.get()
        try:
            return self._send(method, url, {**headers, "authorization": f"Bearer {token}"}, options)
        except ConnectError as error:
            if error.problem is not Problem.UNAUTHORIZED:
                raise
        token = self._tokens.get(refused=token)
        return self._send(method, url, {**headers, "authorization": f"Bearer {token}"}, options)

    def get_json(self, path: str) -> dict[str, Any]:
        """The JSON object at a path of the endpoint; raises as :meth:`request` does."""
        response = self.request("GET", self._endpoint.host + path)
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._problem(Problem.NO_API, STATUS=response.status)
        return answer

    def explain(self, error: ApiException) -> ConnectError:
        """What an answer means that is none of the KFP API."""
        status = error.status
        if not status:  # kfp_server_api's way to say that TLS failed
            return self._problem(Problem.UNTRUSTED, REASON=error.reason)
        if self._own and not self._tokens and (300 <= status < 400 or status in (401, 403)):
            return self._problem(Problem.SESSION_REFUSED, SAID=_said(error))
        if 300 <= status < 400:
            return self._problem(Problem.LOGIN_PAGE, STATUS=status)
        if status in (401, 403) and not self._tokens:
            return self._problem(Problem.NEEDS_TOKEN, SAID=_said(error))
        if status == 401:
            return self._problem(Problem.UNAUTHORIZED, SAID=_said(error))
        if status == 403:
            return self._problem(Problem.FORBIDDEN_BY_IAP if self._endpoint.audience else Problem.FORBIDDEN)
        if status == 429 or status >= 500:
            return self._problem(Problem.UNAVAILABLE, STATUS=status)
        return self._problem(Problem.NO_API, STATUS=status)

    def _send(self, method: str, url: str, headers: dict[str, str], options: Mapping[str, Any]) -> Any:
        try:
            response = super().request(method, url, headers=headers, **options)
        except ApiException as error:
            if error.status and not _is_from_a_proxy(error.status, error.headers):
                raise
            raise self.explain(error) from None
        except HTTPError as error:
            raise self._explain_broken(error) from None
        kind = response.headers if hasattr(response, "headers") else response.getheaders()
        if not _is_json(kind):
            if self._own and not self._tokens:
                raise self._problem(Problem.SESSION_REFUSED, SAID=f"{response.status} with a page for people")
            raise self._problem(Problem.LOGIN_PAGE, STATUS=response.status)
        return response

    def _explain_broken(self, error: HTTPError) -> ConnectError:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(reason, SSLError):
            return self._problem(Problem.UNTRUSTED, REASON=reason)
        if isinstance(reason, NewConnectionError | ConnectTimeoutError):
            return self._problem(Problem.UNREACHABLE, REASON=str(reason).rsplit(": ", 1)[-1])
        if isinstance(reason, ReadTimeoutError):
            return self._problem(Problem.BROKEN, REASON="there was no answer")
        return self._problem(Problem.BROKEN, REASON=reason)

    def _problem(self, problem: Problem, **facts: object) -> ConnectError:
        account = self.account
        return ConnectError(
            problem,
            HOST=self._endpoint.host,
            AUDIENCE=self._endpoint.audience,
            INSTALLATION=self._endpoint.installation,
            ACCOUNT=account,
            MEMBER=_member(account),
            **facts,
        )


def _timeouts(given: Any) -> tuple[float, float]:
    """Seconds to connect and for each wait on the answer: kfp_server_api overlooks a float, and has no default."""
    if isinstance(given, int | float):
        return min(float(given), CONNECT_SECONDS), float(given)
    return tuple(given) if given else (CONNECT_SECONDS, READ_SECONDS)


def _is_from_a_proxy(status: int, headers: Any) -> bool:
    """Whether it is not the KFP server that speaks. Of its own refusals only 401 is about the connection.

    It calls what is wrong with an upload plain text, whether or not that is JSON.
    """
    wrong_upload = status == 400 and _content_type(headers) == "text/plain"
    return status == 401 or not (wrong_upload or _is_json(headers))


def _is_json(headers: Any) -> bool:
    return "json" in _content_type(headers)


def _content_type(headers: Any) -> str:
    kinds = [value for name, value in dict(headers or {}).items() if name.lower() == "content-type"]
    return str(kinds[0]).partition(";")[0] if kinds else ""


def _said(error: ApiException) -> str:
    """The status, and what is said in plain text: Identity-Aware Proxy gives its reason. A page says nothing."""
    kind = _content_type(error.headers)
    text = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    said = kind == "text/plain" and text
    return f"{error.status}: {text.splitlines()[0][:LONGEST_REASON]}" if said else str(error.status)


def _member(account: str) -> str:
    """An account as gcloud wants it in ``--member``."""
    if "@" not in account:
        return "user:YOU"
    return f"serviceAccount:{account}" if account.endswith(".gserviceaccount.com") else f"user:{account}"

"""A kfp.Client that keeps working."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import kfp
from kfp_server_api import ApiException, Configuration, V2beta1GetHealthzResponse, V2beta1Run

from kfp_connect.endpoint import Endpoint
from kfp_connect.problems import ConnectError, Problem
from kfp_connect.tokens import Tokens
from kfp_connect.transport import Transport, make_configuration
from kfp_connect.waiting import wait_for_run

HEALTH, HEALTH_V1 = "/apis/v2beta1/healthz", "/apis/v1beta1/healthz"
VERSION_KEYS = ("tag_name", "apiServerTagName")  # the API server's, and the UI server's that stands before it


class Client(kfp.Client):  # type: ignore[misc]  # kfp has no types
    """A ``kfp.Client`` for one endpoint, which it has reached: the constructor asks for its health.

    The overridden methods are where kfp looks for credentials of its own, for a file in the home directory that
    outlives the process, for the server's health five times, and for the end of a run in vain.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Tokens | None,
        *,
        namespace: str = "",
        ca_file: str | None = None,
        own: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.server_version = ""
        configuration = make_configuration(endpoint, ca_file)
        self._transport = Transport(configuration, endpoint, tokens, own)
        self._configuration = configuration
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "only works with v2": which is checked here
            super().__init__(host=endpoint.host)
        # One API client is shared by all of kfp's APIs.
        self._run_api.api_client.rest_client = self._transport
        if namespace or endpoint.namespace:
            self.set_user_namespace(namespace or endpoint.namespace)

    def __repr__(self) -> str:
        return f"<Client of {self.endpoint.host} as {self.account}, Kubeflow Pipelines {self.server_version}>"

    @property
    def account(self) -> str:
        """Whose token is sent: an address, as far as it can be known without asking anybody."""
        return self._transport.account

    def get_kfp_healthz(self, sleep_duration: int = 5) -> V2beta1GetHealthzResponse:  # noqa: ARG002 kfp's signature
        """The server's health, asked for once.

        Raises:
            ConnectError: what answers is no KFP server of version 2, or nothing answers.
        """
        try:
            health = self._transport.get_json(HEALTH)
        except (ConnectError, ApiException) as error:
            # Behind its UI server the API of version 1 answers with a page, and alone with JSON of its own.
            problem = self._transport.explain(error) if isinstance(error, ApiException) else error
            if problem.problem in (Problem.NO_API, Problem.LOGIN_PAGE) and self._is_version_1():
                raise ConnectError(Problem.V1_ONLY, HOST=self.endpoint.host) from None
            raise problem from None
        self.server_version = next((str(health[key]) for key in VERSION_KEYS if key in health), "unknown")
        return V2beta1GetHealthzResponse(health.get("multi_user", False), health.get("pipeline_store"))

    def set_user_namespace(self, namespace: str) -> None:
        """Sets the namespace of this client. kfp would write it down for every later one."""
        self._context_setting["namespace"] = namespace

    def get_run(self, run_id: str, timeout: float | None = None) -> V2beta1Run:
        """One run; ``timeout`` is in seconds, for each wait on the server."""
        return self._run_api.run_service_get_run(run_id=run_id, _request_timeout=timeout)

    def wait_for_run_completion(
        self, run_id: str, timeout: float | timedelta | None, sleep_duration: float = 5
    ) -> V2beta1Run:
        """Waits until a run has ended, cancelled ones among them, for ``timeout`` seconds at most.

        Raises:
            NotEndedError: it has not ended.
            ConnectError, ApiException: the endpoint does not say.
        """
        return wait_for_run(lambda seconds: self.get_run(run_id, seconds), timeout, sleep_duration)

    def _load_config(self, *_: Any) -> Configuration:
        return self._configuration

    def _load_context_setting_or_default(self) -> None:
        self._context_setting = {"namespace": ""}

    def _is_version_1(self) -> bool:
        try:
            self._transport.get_json(HEALTH_V1)
        except (ConnectError, ApiException):
            return False
        return True

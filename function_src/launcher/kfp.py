"""Starts runs at a KFP endpoint by its REST API, v2beta1.

The server honours a ``run_id`` that the client chooses, but not atomically: it starts the workflow first and
inserts the row second, so a second POST of one id starts a second workflow and then fails with 500
(apiserver/resource/resource_manager.go, CreateRun). Hence the kinds of failure in run.py: the caller must know
whether a run can have started, and ask for it by id before it ever sends another POST.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import requests
from requests import codes

from .credentials import MISREAD, TokenUnavailableError
from .http import Api, TooLateError, never_sent
from .run import RefusedError, Run, StrandedError, TwiceError, UnavailableError, UnknownError
from .settings import KfpTarget
from .storable import printable, unstorable

API = "/apis/v2beta1"
HEALTH_OF_V1 = "/apis/v1beta1/healthz"
ALREADY_EXISTS = 6  # gRPC codes, as the server puts them into the body's "code"
NOT_FOUND = 5
IAP_ANSWERED = "X-Goog-IAP-Generated-Response"
LONGEST_MESSAGE = 500
LONGEST_DESCRIPTION = 255  # what run_details.Description holds; the server notices after it has started the workflow
# What else the server says, by the step of CreateRun that it comes from (resource_manager.go, run_store.go). Any
# other error may have come before the workflow or after it.
MEANINGS: tuple[tuple[re.Pattern[str], type[Exception]], ...] = (
    (re.compile(r"Failed to store run .*Error (1366|1406)\b", re.DOTALL), StrandedError),  # letters, lengths
    (re.compile(r"Error 1062\b|Duplicate entry"), TwiceError),
    (re.compile("Failed to validate workflow|request is too large"), RefusedError),
    (re.compile("error fetching manifest|Failed to generate the ExecutionSpec"), RefusedError),
    (re.compile("Failed to create a workflow for .*(dial tcp|is forbidden)", re.DOTALL), UnavailableError),
    (re.compile("Failed to check supplied run ID"), UnavailableError),
)
NO_NAMESPACE = "empty namespace"
RUN_IDS = uuid.UUID("8f0f2ed5-9a3f-5b0c-a2c4-8d1d6c1f7a5e")  # never change it: the same event would run again


def run_id(key: str) -> str:
    """The id of an event's run, by its launch key."""
    return str(uuid.uuid5(RUN_IDS, key))


class Endpoint:
    """One KFP endpoint and the experiment that runs go into."""

    atomic = False

    def __init__(self, api: Api, target: KfpTarget) -> None:
        self._api = api
        self._target = target
        self._experiment_id: str | None = None
        self._lock = threading.Lock()
        days = target.runs_retention_days
        self.memory = timedelta.max if days is None else timedelta(days=days)

    def run_id(self, key: str) -> str:
        """The id of an event's run, by its launch key."""
        return run_id(key)

    def run_url(self, run_id: str) -> str:
        """The run's page in the KFP UI."""
        return f"{self._target.host}/#/runs/details/{run_id}"

    def has_run(self, run_id: str) -> bool:
        """Whether the run exists.

        Raises:
            UnavailableError: the endpoint does not say.
        """
        status, body = self._call("GET", f"/runs/{run_id}")
        if status == codes.not_found and body and body.get("code") == NOT_FOUND:
            return False
        if status == codes.ok and body and body.get("run_id") == run_id:
            return True
        raise UnavailableError(_explain(status, body))

    def start(self, run: Run, may_send: Callable[[], bool] = lambda: True) -> str:
        """Starts a run with one POST and returns the id that the server gave it: ours, if it honours ids.

        ``may_send`` is asked last thing before the POST: experiment and token may have taken a while. The answer is
        waited for with all the patience there is: a server that is given up may start the workflow and lose its row.

        Raises:
            RefusedError: the parameters or the pipeline are wrong; nothing was started.
            StrandedError: a workflow was started, and the server cannot store its run.
            UnavailableError: nothing was started.
            UnknownError: the run may have been started; ask :meth:`has_run`.
            TwiceError: so it is, and there was a run of that id before.
        """
        if problem := unstorable(run.parameters, self._target.database):
            raise RefusedError(problem)
        request = self._request(run)
        try:
            status, body = self._call("POST", "/runs", json=request, may_send=may_send, patiently=True)
        except _BrokenConnectionError as error:
            raise UnknownError(str(error)) from None
        if status == codes.ok and body and isinstance(body.get("run_id"), str):
            return str(body["run_id"])
        if status == codes.not_found:
            self._experiment_id = None
        raise _meaning(status, body)

    def _request(self, run: Run) -> dict[str, Any]:
        """Servers are of all ages and refuse fields that they do not know: only what is wanted is sent."""
        root = self._target.pipeline_root or run.package.pipeline_root
        account = self._target.service_account
        return {
            "run_id": run.id,
            "display_name": run.name,
            "description": printable(_lineage(run), LONGEST_DESCRIPTION),
            "experiment_id": self._find_experiment(),
            "pipeline_spec": run.package.spec,
            "runtime_config": {"parameters": run.parameters} | ({"pipeline_root": root} if root else {}),
        } | ({"service_account": account} if account else {})

    def _find_experiment(self) -> str:
        """Finds the experiment or creates it; once per process, not once per event."""
        with self._lock:
            if self._experiment_id is None:
                self._experiment_id = self._list_experiment() or self._create_experiment()
            return self._experiment_id

    def _list_experiment(self) -> str | None:
        predicate = {"operation": "EQUALS", "key": "display_name", "string_value": self._target.experiment}
        query = json.dumps({"predicates": [predicate]}, separators=(",", ":"))
        status, body = self._call("GET", "/experiments", params={"filter": query, **self._namespace})
        if status == codes.not_found and self._speaks_v1_only():
            raise UnavailableError("the endpoint speaks the KFP API v1beta1 only: upgrade it to KFP 2 or newer")
        if status != codes.ok or body is None:
            raise UnavailableError(_explain(status, body))
        try:
            found = (body.get("experiments") or [{}])[0].get("experiment_id")
        except MISREAD:
            raise UnavailableError("the endpoint answered 200 with what is no list of experiments") from None
        return str(found) if found else None

    def _create_experiment(self) -> str:
        request = {"display_name": self._target.experiment, **self._namespace}
        status, body = self._call("POST", "/experiments", json=request)
        if status == codes.conflict:  # another instance was quicker
            found = self._list_experiment()
        else:
            found = body.get("experiment_id") if body and status == codes.ok else None
        if not found:
            raise UnavailableError(_explain(status, body))
        return str(found)

    @property
    def _namespace(self) -> dict[str, str]:
        """An installation for several users keeps experiments apart by namespace; runs go where theirs is."""
        return {"namespace": self._target.namespace} if self._target.namespace else {}

    def _speaks_v1_only(self) -> bool:
        """Asked only where the API that is wanted is not found."""
        try:
            response = self._api.send("GET", HEALTH_OF_V1)
            return response.status_code == codes.ok and isinstance(response.json(), dict)
        except (TokenUnavailableError, requests.RequestException):
            return False

    def _call(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any] | None]:
        """Returns the status and the body, None if that is no JSON object (a proxy's page, say).

        A proxy may keep what it answered to a GET for ever, by its URL (google/inverting-proxy, app/proxy.go). Each
        has one of its own, by a parameter that the server does not know and passes over.
        """
        if method == "GET":
            options["params"] = {**options.get("params", {}), "fresh": uuid.uuid4().hex}
        try:
            response = self._api.send(method, API + path, **options)
        except TokenUnavailableError as error:
            raise UnavailableError(str(error)) from None
        except TooLateError:
            raise UnavailableError("the attempt took too long to start a run in its lease") from None
        except requests.RequestException as error:
            kind = UnavailableError if never_sent(error) else _BrokenConnectionError
            raise kind(f"{type(error).__name__} at {self._target.host}") from None
        try:
            body = response.json()
        except (ValueError, RecursionError):
            # Identity-Aware Proxy gives its reason in a line of text, and else a page.
            told = IAP_ANSWERED in response.headers and not response.text.startswith("<")
            body = {"message": response.text} if told else None
        return response.status_code, body if isinstance(body, dict) else None


def _lineage(run: Run) -> str:
    """Where a run comes from. The event comes last, since it can be long: its key leads to it in the ledger."""
    return f"trigger={run.trigger} key={run.key} package={run.package.digest} event={run.event}"


class _BrokenConnectionError(UnavailableError):
    """The connection broke after the request may have left."""


def _meaning(status: int, body: Mapping[str, Any] | None) -> Exception:
    """What an answer to a POST says of the run. Without a code it is not the server that speaks but a proxy, and what
    that says can be mended."""
    told, code = _explain(status, body), body.get("code") if body else None
    message = str(body.get("message")) if body and code is not None else ""
    if code is not None and (status == codes.bad_request or (status == codes.conflict and code != ALREADY_EXISTS)):
        return UnavailableError(told) if NO_NAMESPACE in message else RefusedError(told)
    if 300 <= status < 400 or status in (400, 401, 403, 404, 429):
        return UnavailableError(told)
    for pattern, kind in MEANINGS:
        if pattern.search(message):
            return kind(told)
    return UnknownError(told)


def _explain(status: int, body: Mapping[str, Any] | None) -> str:
    """What the endpoint's answer means and, where it is known, what would mend it."""
    if body is not None:
        message = str(body.get("message") or body.get("error") or "no message")
        hint = " (it serves several users: set target.namespace)" if NO_NAMESPACE in message else ""
        return f"the endpoint answered {status}: {message[:LONGEST_MESSAGE]}{hint}"
    if status == codes.unauthorized:
        return "the endpoint answered 401: it does not accept the token of the function's identity"
    if status == codes.forbidden:
        return "the endpoint answered 403: the function's identity has no access to it (see target.access)"
    if status == codes.not_found:
        return "the endpoint answered 404 with no JSON: the host serves no KFP API v2beta1"
    if status == codes.ok or 300 <= status < 400:
        return f"the endpoint answered {status} with a page and no JSON: it wants a login"
    return f"the endpoint answered {status} with no JSON"

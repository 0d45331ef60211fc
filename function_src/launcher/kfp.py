"""Starts runs at a KFP endpoint by its REST API, v2beta1.

The server honours a ``run_id`` that the client chooses, but not atomically: it starts the workflow first and
inserts the row second, so a second POST of one id starts a second workflow and then fails with 500
(apiserver/resource/resource_manager.go, CreateRun). Hence the kinds of failure in run.py: the caller must know
whether a run can have started, and ask for it by id before it ever sends another POST.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from urllib3.exceptions import HTTPError

from .answers import Service, explain
from .credentials import MISREAD, TokenUnavailableError
from .http import Answer, Api, TooLateError, never_sent, read_answer
from .run import RefusedError, Run, UnavailableError, UnknownError
from .settings import KfpTarget
from .storable import printable, unstorable

API = "/apis/v2beta1"
HEALTH_OF_V1 = "/apis/v1beta1/healthz"
NOT_FOUND = "5"  # a gRPC code, as the server puts it into the body's "code"
LONGEST_DESCRIPTION = 255  # what run_details.Description holds; the server notices after it has started the workflow
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
        answer = self._call("GET", f"/runs/{run_id}")
        if answer.status == HTTPStatus.NOT_FOUND and answer.code == NOT_FOUND:
            return False
        if answer.status == HTTPStatus.OK and answer.body and answer.body.get("run_id") == run_id:
            return True
        raise UnavailableError(_explain(answer))

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
            answer = self._call("POST", "/runs", json=request, may_send=may_send, patiently=True)
        except _BrokenConnectionError as error:
            raise UnknownError(str(error)) from None
        if answer.status == HTTPStatus.OK and answer.body and isinstance(answer.body.get("run_id"), str):
            return answer.clean(answer.body["run_id"])
        if answer.status == HTTPStatus.NOT_FOUND:
            self._experiment_id = None
        raise explain(Service.KFP, answer).error(_explain(answer))

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
        answer = self._call("GET", "/experiments", params={"filter": query, **self._namespace})
        if answer.status == HTTPStatus.NOT_FOUND and self._speaks_v1_only():
            raise UnavailableError("the endpoint speaks the KFP API v1beta1 only: upgrade it to KFP 2 or newer")
        if answer.status != HTTPStatus.OK or answer.body is None:
            raise UnavailableError(_explain(answer))
        try:
            found = (answer.body.get("experiments") or [{}])[0].get("experiment_id")
        except MISREAD:
            raise UnavailableError("the endpoint answered 200 with what is no list of experiments") from None
        return str(found) if found else None

    def _create_experiment(self) -> str:
        request = {"display_name": self._target.experiment, **self._namespace}
        answer = self._call("POST", "/experiments", json=request)
        if answer.status == HTTPStatus.CONFLICT:  # another instance was quicker
            found = self._list_experiment()
        else:
            found = answer.body.get("experiment_id") if answer.body and answer.status == HTTPStatus.OK else None
        if not found:
            raise UnavailableError(_explain(answer))
        return str(found)

    @property
    def _namespace(self) -> dict[str, str]:
        """An installation for several users keeps experiments apart by namespace; runs go where theirs is."""
        return {"namespace": self._target.namespace} if self._target.namespace else {}

    def _speaks_v1_only(self) -> bool:
        """Asked only where the API that is wanted is not found."""
        try:
            response = self._api.send("GET", HEALTH_OF_V1)
            return response.status_code == HTTPStatus.OK and isinstance(response.json(), dict)
        except (TokenUnavailableError, HTTPError, *MISREAD):
            return False

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        """Sends one request.

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
        except HTTPError as error:
            kind = UnavailableError if never_sent(error) else _BrokenConnectionError
            raise kind(f"{type(error).__name__} at {self._target.host}") from None
        return read_answer(response)


def _lineage(run: Run) -> str:
    """Where a run comes from. The event comes last, since it can be long: its key leads to it in the ledger."""
    return f"trigger={run.trigger} key={run.key} package={run.package.digest} event={run.event}"


class _BrokenConnectionError(UnavailableError):
    """The connection broke after the request may have left."""


def _explain(answer: Answer) -> str:
    return explain(Service.KFP, answer).told

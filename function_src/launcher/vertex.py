"""Starts runs as pipeline jobs of Vertex AI, by its REST API.

A job's id is chosen by the client and taken once: a second job of the same id is refused with 409, whoever asks and
however often. So the id, made from the launch key, is all that "one run per event" takes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from urllib3.exceptions import HTTPError

from .answers import Service, explain
from .credentials import TokenUnavailableError
from .http import Answer, Api, TooLateError, never_sent, read_answer
from .run import Run, UnavailableError, UnknownError
from .settings import VertexTarget

LONGEST_LABEL = 63


class Endpoint:
    """Pipeline jobs of one project and location."""

    atomic = True
    memory = timedelta.max

    def __init__(self, api: Api, target: VertexTarget, trigger: str) -> None:
        self._api = api
        self._target = target
        self._trigger = trigger
        self._jobs = f"/v1/projects/{target.project}/locations/{target.location}/pipelineJobs"

    def run_id(self, key: str) -> str:
        """The id of an event's job, by its launch key. Never change it: the same event would run again."""
        return f"{self._trigger}-{key}"

    def run_url(self, run_id: str) -> str:
        """The job's page in the console."""
        pipelines = f"https://console.cloud.google.com/vertex-ai/locations/{self._target.location}/pipelines"
        return f"{pipelines}/runs/{run_id}?project={self._target.project}"

    def has_run(self, run_id: str) -> bool:
        """Whether the job exists.

        Raises:
            UnavailableError: Vertex AI does not say.
        """
        answer = self._call("GET", f"{self._jobs}/{run_id}")
        if answer.status == HTTPStatus.NOT_FOUND and answer.code == "NOT_FOUND":
            return False
        if answer.status == HTTPStatus.OK and _is_job(answer.body, run_id):
            return True
        raise UnavailableError(_explain(answer))

    def start(self, run: Run, may_send: Callable[[], bool] = lambda: True) -> str:
        """Starts a job with one POST and returns its id.

        Raises:
            ExistsError: there is a job of that id.
            RefusedError: the parameters or the pipeline are wrong.
            UnavailableError: nothing was started.
            UnknownError: the job may have been started; ask :meth:`has_run`.
        """
        request = {"params": {"pipelineJobId": run.id}, "json": self._request(run), "patiently": True}
        try:
            answer = self._call("POST", self._jobs, **request, may_send=may_send)
        except _BrokenConnectionError as error:
            raise UnknownError(str(error)) from None
        if answer.status == HTTPStatus.OK and _is_job(answer.body, run.id):
            return run.id
        raise explain(Service.VERTEX, answer).error(_explain(answer))

    def _request(self, run: Run) -> dict[str, Any]:
        """The package's own job, if it is one, with what the target says laid over it."""
        target, job = self._target, run.package.job(run.parameters)
        request = {
            **job,
            "displayName": run.name,
            "labels": {**job.get("labels", {}), **target.labels, **_lineage(run)},
            "runtimeConfig": {**job["runtimeConfig"], "gcsOutputDirectory": target.pipeline_root},
            "serviceAccount": target.service_account,
        }
        if target.network:
            request["network"] = target.network
        if target.cmek_key:
            request["encryptionSpec"] = {"kmsKeyName": target.cmek_key}
        return request

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        try:
            return read_answer(self._api.send(method, path, **options))
        except TokenUnavailableError as error:
            raise UnavailableError(str(error)) from None
        except TooLateError:
            raise UnavailableError("the attempt took too long to start a run") from None
        except HTTPError as error:
            kind = UnavailableError if never_sent(error) else _BrokenConnectionError
            raise kind(f"{type(error).__name__} at {self._target.api_endpoint}") from None


class _BrokenConnectionError(UnavailableError):
    """The connection broke after the request may have left."""


def _lineage(run: Run) -> dict[str, str]:
    """Where a job comes from, as labels, which are lower case, short and without most punctuation."""
    lineage = {"trigger": run.trigger, "launch-key": run.key, "package": run.package.digest.removeprefix("sha256:")}
    return {name: re.sub(r"[^a-z0-9_-]", "-", value.lower())[:LONGEST_LABEL] for name, value in lineage.items()}


def _is_job(body: Mapping[str, Any] | None, run_id: str) -> bool:
    """Whether it is that job's resource; its name has the project's number where the request had the id."""
    return bool(body and str(body.get("name")).endswith(f"/pipelineJobs/{run_id}"))


def _explain(answer: Answer) -> str:
    return explain(Service.VERTEX, answer).told

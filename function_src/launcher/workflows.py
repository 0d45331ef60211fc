"""Looks into the cluster for a workflow that its server knows nothing of.

KFP's server creates a workflow first and writes the run's row second, so the run of an id can say 404 while its
workflow works. Kubernetes knows better: each workflow has its run's id as a label. Asked only before a second POST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from urllib3.exceptions import HTTPError

from .answers import Service, explain
from .credentials import MISREAD, TokenUnavailableError
from .http import Api, read_answer
from .run import UnavailableError

PATH = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows"
# Names and labels alone, which is all that is needed: a workflow with its nodes can be a megabyte.
METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
RUN_ID = "pipeline/runid"  # kubeflow/pipelines, backend/src/common/util/consts.go
COMPLETED, PHASE = "workflows.argoproj.io/completed", "workflows.argoproj.io/phase"  # argo, workflow/common/common.go
SUCCEEDED = "Succeeded"


class Workflows:
    """The workflows of one namespace, by the Kubernetes API of their cluster."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._path = api, PATH.format(namespace)

    def succeeded(self, run_id: str) -> str | None:
        """The name of a run's workflow that has succeeded; None if none has and none is at work.

        Raises:
            UnavailableError: one is at work, or being removed; or the cluster does not say.
        """
        selector = {"labelSelector": f"{RUN_ID}={run_id}"}
        try:
            response = self._api.send("GET", self._path, params=selector, headers=METADATA)
        except TokenUnavailableError as error:
            raise UnavailableError(str(error)) from None
        except HTTPError as error:
            raise UnavailableError(f"{type(error).__name__} at Kubernetes") from None
        answer = read_answer(response)
        if answer.status != HTTPStatus.OK:
            raise UnavailableError(explain(Service.KUBERNETES, answer).told)
        try:
            found = [item["metadata"] for item in (answer.body or {})["items"]]
            return judge([{**metadata, "name": answer.clean(metadata["name"])} for metadata in found])
        except MISREAD:
            raise UnavailableError("Kubernetes answered 200 with what is no list of workflows") from None


def judge(found: Sequence[Mapping[str, Any]]) -> str | None:
    """What the metadata of a run's workflows say, as :meth:`Workflows.succeeded` does.

    One that failed is as good as none: nobody sees it, and KFP removes it.
    """
    done = None
    for metadata in found:
        labels = metadata.get("labels", {})
        if labels.get(COMPLETED) != "true" or "deletionTimestamp" in metadata:
            raise UnavailableError(
                f"its workflow {metadata['name']} is at work, or being removed, and no run shows it: none is started "
                "beside it"
            )
        if labels.get(PHASE) == SUCCEEDED:
            done = str(metadata["name"])
    return done

"""The Kubernetes API of an installation's cluster, and what KFP does to a Workflow that has no row."""

from typing import Any

import pytest
import requests

from rehearsal.google.metadata import Tokens
from rehearsal.kfp.kubernetes import REVIEWS
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.runs import Workflow
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from tests.conftest import Clock

PATH = "/apis/argoproj.io/v1alpha1/namespaces/{}/workflows"
METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
CALLER = "launcher@acme.iam.gserviceaccount.com"


class Api:
    def __init__(self, loopback: Loopback) -> None:
        self.clock, self.tokens = Clock(), Tokens()
        self.kfp = KfpEndpoint(self.tokens.principal, pace=Pace(0, clock=lambda: self.clock.now))
        self.kubernetes = self.kfp.kubernetes
        self._url = loopback.serve(self.kubernetes.app)
        self.headers = {"Authorization": f"Bearer {self.tokens.issue(CALLER, 3600)}", **METADATA}

    def start(self, name: str, run_id: str = "run-1") -> None:
        self.kfp._start(Workflow(name, run_id, "", {}, {}))

    def get(self, selector: str = "", namespace: str = "kubeflow", **options: Any) -> requests.Response:
        params = {"labelSelector": selector} if selector else {}
        given = {"headers": self.headers, **options}
        return requests.get(self._url + PATH.format(namespace), params=params, timeout=10, **given)

    def names(self, selector: str = "", namespace: str = "kubeflow") -> list[str]:
        return [item["metadata"]["name"] for item in self.get(selector, namespace).json()["items"]]

    def review(self, user: str, **attributes: str) -> requests.Response:
        asked = {"verb": "list", "group": "argoproj.io", "resource": "workflows", "namespace": "kubeflow"}
        body = {"spec": {"user": user, "resourceAttributes": asked | attributes}}
        return requests.post(self._url + REVIEWS, json=body, headers=self.headers, timeout=10)


@pytest.fixture
def api(loopback: Loopback) -> Api:
    return Api(loopback)


def test_workflows_are_found_by_a_label_in_their_namespace(api: Api) -> None:
    api.start("a")
    api.start("b", "run-2")
    assert api.names() == ["a", "b"]
    assert api.names("pipeline/runid=run-2") == api.names("pipeline/runid==run-2") == ["b"]
    assert api.names(namespace="default") == [], "no error, where there is no such namespace"
    assert api.get("pipeline/runid in (a)").status_code == 400


def test_metadata_alone_is_given_to_who_asks_for_that(api: Api) -> None:
    api.start("a")
    [item] = api.get().json()["items"]
    assert item.keys() == {"kind", "apiVersion", "metadata"}
    whole = api.get(headers={"Authorization": api.headers["Authorization"]}).json()
    assert (whole["kind"], whole["items"][0].keys()) == ("WorkflowList", {"metadata", "spec", "status"})


def test_an_end_is_among_the_labels(api: Api) -> None:
    api.start("a")
    labels = api.get().json()["items"][0]["metadata"]["labels"]
    assert labels == {"pipeline/runid": "run-1", "workflows.argoproj.io/phase": "Running"}
    api.kubernetes.ended["a"] = "Failed"
    labels = api.get().json()["items"][0]["metadata"]["labels"]
    assert labels["workflows.argoproj.io/completed"] == "true"


def test_who_may_not_is_told_as_kubernetes_does(api: Api) -> None:
    assert api.get(headers={}).json()["reason"] == "Unauthorized"
    api.kubernetes.may_list = lambda _: False
    refused = api.get()
    assert refused.status_code == 403
    assert f'User "{CALLER}" cannot list resource "workflows"' in refused.json()["message"]
    api.kubernetes.may_connect = lambda _: False
    assert api.get().json()["error"]["status"] == "PERMISSION_DENIED"


def test_a_cluster_without_argo_knows_no_such_path(api: Api) -> None:
    api.kubernetes.installed = False
    assert (api.get().status_code, api.get().text) == (404, "404 page not found\n")


def test_a_review_says_who_may_list(api: Api) -> None:
    api.kubernetes.may_list = lambda caller: caller == CALLER
    assert api.review(CALLER).json()["status"] == {"allowed": True}
    for user, attributes in ((CALLER, {"verb": "delete"}), (CALLER, {"namespace": "x"}), ("other", {})):
        assert api.review(user, **attributes).json()["status"] == {"allowed": False}
    api.kubernetes.may_review = lambda _: False
    assert api.review(CALLER).status_code == 403


def test_kfp_removes_what_has_had_no_row_for_long_enough(api: Api) -> None:
    api.start("a")
    api.clock.now += 479
    assert api.names() == ["a"]
    api.clock.now += 1
    assert api.names() == []
    api.start("b")
    assert not api.kubernetes.beside(), "the first was gone"
    api.start("c")
    assert api.kubernetes.beside() == {"run-1"}

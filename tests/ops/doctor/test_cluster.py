"""Whether the launcher may look into the cluster, as far as a person can see."""

from collections.abc import Callable

import pytest

from ops.doctor.cluster import Look, how_to_allow
from ops.findings import Finding
from rehearsal.kfp.kubernetes import Kubernetes
from rehearsal.kfp.runs import Workflow
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from tests.ops.doctor.conftest import APP_ENGINE, HOST, Clinic

DNS = "https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"
CHECK = f"cluster of kubeflow, for {APP_ENGINE}"


@pytest.fixture
def kubernetes(clinic: Clinic, loopback: Loopback) -> Kubernetes:
    """The cluster of an installation at which something has run; a stack that looks into it."""
    kfp = KfpEndpoint(clinic.person._tokens.principal)
    kfp._start(Workflow("echo-1", "1", "", {}, {}))
    clinic.edit(f"host: {HOST}", f"host: {HOST}\n        workflows: {{endpoint: {DNS}}}")
    clinic.reach = {**clinic.reach, DNS: loopback.serve(kfp.kubernetes.app)}
    return kfp.kubernetes


def look(clinic: Clinic) -> Finding:
    return clinic.look()[CHECK]


@pytest.mark.usefixtures("kubernetes")
def test_a_launcher_that_may_list_workflows(clinic: Clinic) -> None:
    assert (look(clinic).status, look(clinic).what) == ("ok", "the launcher may list workflows there")


def test_a_stack_that_looks_into_no_cluster_is_asked_about_none(clinic: Clinic) -> None:
    assert not [check for check in clinic.look() if check.startswith("cluster")]


def unlistable(kubernetes: Kubernetes) -> None:
    kubernetes.may_list = lambda caller: caller != APP_ENGINE


def elsewhere(kubernetes: Kubernetes) -> None:
    kubernetes.installed = False


def unreviewable(kubernetes: Kubernetes) -> None:
    kubernetes.may_review = lambda _: False


def closed(kubernetes: Kubernetes) -> None:
    kubernetes.may_connect = lambda _: False


def empty(kubernetes: Kubernetes) -> None:
    kubernetes.stored.clear()


@pytest.mark.parametrize(
    ("change", "status", "what", "fix"),
    [
        (unlistable, "problem", "may not list workflows there: events in doubt are retried", "create rolebinding"),
        (elsewhere, "problem", "knows no workflows", "set target.workflows to the cluster"),
        (unreviewable, "could not check", "not for you to ask: it answered 403", f"--as={APP_ENGINE}"),
        (closed, "could not check", "not for you to ask: it answered 403", "kubectl auth can-i list"),
        (empty, "could not check", "and there is none yet", "kubectl get workflows --all-namespaces"),
    ],
)
def test_a_look_that_would_see_nothing(
    clinic: Clinic,
    kubernetes: Kubernetes,
    change: Callable[[Kubernetes], None],
    status: str,
    what: str,
    fix: str,
) -> None:
    change(kubernetes)
    finding = look(clinic)
    assert finding.status == status
    assert what in finding.what
    assert fix in finding.fix


@pytest.mark.usefixtures("kubernetes")
def test_a_cluster_out_of_reach_from_here(clinic: Clinic) -> None:
    clinic.reach = {**clinic.reach, DNS: "http://127.0.0.1:9"}
    assert look(clinic).status == "could not check"
    assert "--enable-dns-access" in look(clinic).fix


@pytest.mark.usefixtures("kubernetes")
def test_a_namespace_that_is_named_is_looked_at(clinic: Clinic) -> None:
    clinic.edit(f"endpoint: {DNS}", f"endpoint: {DNS}, namespace: team-a")
    finding = clinic.look()[f"cluster of team-a, for {APP_ENGINE}"]
    assert finding.status == "problem", "the role is for another namespace"


def test_the_role_that_lets_a_launcher_look_lets_it_list_workflows_in_one_namespace() -> None:
    """docs/guarantees.md has the same commands."""
    role, binding = how_to_allow(Look(DNS, "kubeflow", "launcher@acme.iam.gserviceaccount.com")).splitlines()
    assert role == (
        "kubectl -n kubeflow create role event-triggered-pipelines --verb=list --resource=workflows.argoproj.io"
    )
    assert binding.endswith("--role=event-triggered-pipelines --user=launcher@acme.iam.gserviceaccount.com")

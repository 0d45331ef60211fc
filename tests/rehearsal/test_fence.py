"""Of two Workflows of one event, one works and one ends at its fence: both are executed here."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.package.fence import TASK, raise_fence
from infra.package.fence_step import TEMPLATE_AND_NUMBER
from rehearsal.google.metadata import MetadataServer
from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback
from rehearsal.runs.executor import Outcome, RunExecutor
from rehearsal.runs.pods import expand, variables
from tests.infra.package.shapes import compiled, exit_handler, tell

LEDGER = "ledger"
PLACE = f"gs://{LEDGER}/started/echo/0123abcd"


class Cluster:
    """Executes Workflows, with a ledger that their fences reach."""

    def __init__(self, loopback: Loopback) -> None:
        self.storage = Storage(lambda *_: None)
        self.storage.create_bucket(LEDGER)
        self._loopback = loopback
        metadata = loopback.serve(MetadataServer("runner@acme.iam.gserviceaccount.com", "acme").app)
        self._executor = RunExecutor(loopback.serve(self.storage.app), metadata.removeprefix("http://"), in_pods=True)

    def execute(self, workflow: str, package: dict[str, Any], place: str = PLACE) -> tuple[Outcome, list[str]]:
        """How a Workflow ends, and the tasks of it that finished."""
        finished: list[str] = []
        parameters = {"text": "t", "launch_fence": place}
        running = self._executor.run(package, parameters, lambda task, *_: finished.append(task), workflow)
        return self._loopback.run(running), finished


@pytest.fixture
def cluster(loopback: Loopback) -> Cluster:
    return Cluster(loopback)


def two_steps(text: str) -> None:
    tell(text=tell(text=text).output)


def fenced(shape: Callable[..., Any]) -> dict[str, Any]:
    package: dict[str, Any] = json.loads(raise_fence(json.dumps(compiled(shape))))
    return package


@pytest.mark.parametrize("shape", [two_steps, exit_handler], ids=lambda shape: shape.__name__)
def test_of_two_workflows_of_one_event_one_works_and_one_ends_at_its_fence(
    cluster: Cluster, shape: Callable[..., Any]
) -> None:
    package = fenced(shape)
    first, worked = cluster.execute("echo-aaaaa", package)
    assert first.state == "SUCCEEDED"
    assert len(worked) == 1 + len([task for task in worked if not task.endswith(TASK)]) >= 3
    second, worked = cluster.execute("echo-bbbbb", package)
    assert (second.state, worked) == ("FAILED", [])
    assert f"duplicate of echo-aaaaa: this event's work is that workflow's, as {PLACE} says" in second.error
    again, worked = cluster.execute("echo-aaaaa", package)  # as KFP retries a run, or Kubernetes a pod
    assert (again.state, len(worked) >= 3) == ("SUCCEEDED", True)


def test_a_run_that_a_person_starts_without_an_event_asks_for_no_fence(cluster: Cluster) -> None:
    outcome, worked = cluster.execute("echo-ccccc", fenced(two_steps), place="none")
    assert (outcome.state, len(worked)) == ("SUCCEEDED", 3)


@pytest.mark.parametrize(
    "pod",
    [
        "echo-x7f2q-system-container-impl-1234567890",
        "echo-x7f2q-retry-system-container-impl-987",
        "echo-x7f2q-metadata-1-0-retry-system-container-impl-987",
        "echo-x7f2q-1234567890",
        variables("echo-x7f2q")["KFP_POD_NAME"],
    ],
)
def test_a_pod_s_name_tells_its_workflow_s(pod: str) -> None:
    assert TEMPLATE_AND_NUMBER.sub("", pod) == "echo-x7f2q"


# --- arguments, as the kubelet hands them on ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "arrives"),
    [
        ("$(POD)", "echo-1"),
        ("a$(POD)b$(POD)", "aecho-1becho-1"),
        ("$(OTHER)", "$(OTHER)"),
        ("$$(POD)", "$(POD)"),
        ("$$$(POD)", "$echo-1"),
        ("$$.csv", "$.csv"),
        ("$POD ${POD} $( 5$", "$POD ${POD} $( 5$"),
    ],
)
def test_kubernetes_expands_variables_in_arguments(argument: str, arrives: str) -> None:
    assert expand(argument, {"POD": "echo-1"}) == arrives


def test_what_the_launcher_refuses_would_not_have_arrived(loopback: Loopback) -> None:
    outputs: list[Any] = []
    executor = RunExecutor(in_pods=True)
    parameters = {"text": "gs://b/$$(1).csv of $(KFP_POD_NAME)"}
    package = compiled(two_steps)
    running = executor.run(
        package, parameters, lambda _, put_out, __: outputs.append(put_out["Output"]), "echo-ddddd"
    )
    assert loopback.run(running).state == "SUCCEEDED"
    assert outputs[-1] == f"gs://b/$(1).csv of {variables('echo-ddddd')['KFP_POD_NAME']}"

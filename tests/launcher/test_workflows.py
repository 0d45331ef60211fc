"""A look into the cluster before a second POST: none is sent beside one at work, or after one that succeeded."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from function_src.launcher.launch import Launcher
from function_src.launcher.run import UnavailableError
from function_src.launcher.settings import BadSettingsError, Cluster, KfpTarget, read_trigger
from function_src.launcher.workflows import judge
from rehearsal.kfp.cluster import Trouble
from tests.conftest import Serve
from tests.launcher.deliveries import OBJECT, push
from tests.launcher.wire import RUNS, Wire, page
from tests.launcher.world import LEDGER, RUN_ID, World

KEY = "29618ab4d3b51d9f7e2a030ed46c5e19"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/kubeflow/workflows"
DONE = {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}
FAILED = {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Failed"}


@dataclass
class Lookout:
    """A world whose launchers may look into the cluster, over a wire."""

    world: World
    wire: Wire
    endpoint: str

    def launcher(self, namespace: str = "kubeflow", **changes: Any) -> Launcher:
        target = KfpTarget(
            self.world.host, "access-token", "gcs-triggered", workflows=Cluster(self.endpoint, namespace)
        )
        return self.world.launcher(target=target, **changes)

    def strand(self) -> str:
        """The server starts a workflow and loses its row, and the lease runs out; the workflow's name."""
        self.world.kfp.trouble = lambda _: Trouble.ANSWER_LOST
        assert self.world.outcomes(self.launcher(), push(OBJECT)) == ["retry"]
        self.world.kfp.trouble = lambda _: None
        self.world.time_passes()
        return self.world.kfp.workflows[-1].name

    def record(self) -> dict[str, Any]:
        world = self.world
        found: dict[str, Any] = json.loads(
            world.loopback.call(world.storage.get, LEDGER, f"outcomes/echo/{KEY}").body
        )
        return found


@pytest.fixture
def cluster(world: World, serve: Serve) -> Lookout:
    wire = Wire(world.kfp.kubernetes.app)
    return Lookout(world, wire, serve(wire))


def test_an_ordinary_launch_does_not_look(cluster: Lookout) -> None:
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT), push(OBJECT)) == ["launched", "duplicate"]
    assert cluster.wire.seen == []


def test_no_second_post_is_sent_beside_a_workflow_at_work(cluster: Lookout) -> None:
    name = cluster.strand()
    for _ in range(3):
        handled = cluster.world.handle(cluster.launcher(), push(OBJECT))
        assert (handled.outcome, handled.status) == ("retry", 503)
        assert handled.reason == (
            f"its workflow {name} is at work, or being removed, and no run shows it: none is started beside it"
        )
    assert cluster.world.posts == 1


def test_what_is_asked_for_is_small_and_of_that_run_alone(cluster: Lookout) -> None:
    cluster.strand()
    cluster.world.outcomes(cluster.launcher(), push(OBJECT))
    [seen] = cluster.wire.seen
    assert (seen.path, seen.query) == (WORKFLOWS, {"labelSelector": f"pipeline/runid={RUN_ID}"})
    assert "PartialObjectMetadataList" in seen.headers["accept"]


def test_an_event_whose_workflow_has_succeeded_is_launched_without_another_and_says_so(cluster: Lookout) -> None:
    name = cluster.strand()
    cluster.world.kfp.kubernetes.ended[name] = "Succeeded"
    handled = cluster.world.handle(cluster.launcher(), push(OBJECT))
    assert (handled.outcome, handled.found) == ("launched", True)
    assert handled.doubt == f"the workflow {name} has succeeded, and the endpoint has no run of it"
    assert cluster.world.logs[-1]["severity"] == "WARNING"
    record = cluster.record()
    assert (record["doubt"], record["run_id"]) == (handled.doubt, RUN_ID)
    assert cluster.world.started == [RUN_ID]


@pytest.mark.parametrize("end", ["removed", "Failed", "Error"])
def test_an_event_whose_workflow_is_gone_or_failed_is_not_lost(cluster: Lookout, end: str) -> None:
    """KFP removes what has no row, some minutes after it began, and its pods with it."""
    name = cluster.strand()
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["retry"]
    if end == "removed":
        cluster.world.loopback.call(cluster.world.kfp.kubernetes.remove, name)
    else:
        cluster.world.kfp.kubernetes.ended[name] = end
    handled = cluster.world.handle(cluster.launcher(), push(OBJECT))
    assert handled.outcome == "launched"
    assert "2 POSTs may have reached the endpoint" in str(handled.doubt)
    assert cluster.world.posts == 2


def test_the_row_says_more_than_the_cluster(cluster: Lookout) -> None:
    cluster.world.wire.fail("POST", RUNS, None, served=True)
    cluster.world.wire.fail("GET", f"{RUNS}/{RUN_ID}", page(503))
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["retry"]
    cluster.world.time_passes()
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["launched"]
    assert cluster.wire.seen == []


def test_a_doubtful_event_whose_second_workflow_succeeds_is_launched_after_all(cluster: Lookout) -> None:
    first = cluster.strand()
    cluster.world.loopback.call(cluster.world.kfp.kubernetes.remove, first)
    second = cluster.strand()
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["retry"]
    cluster.world.kfp.kubernetes.ended[second] = "Succeeded"
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["launched"]


def test_a_doubtful_event_stays_doubtful_when_both_of_its_workflows_are_gone(cluster: Lookout) -> None:
    for _ in range(2):
        name = cluster.strand()
        cluster.world.loopback.call(cluster.world.kfp.kubernetes.remove, name)
    assert cluster.world.outcomes(cluster.launcher(), push(OBJECT)) == ["doubtful"]
    assert cluster.world.posts == 2


def none_may_list(cluster: Lookout) -> None:
    cluster.world.kfp.kubernetes.may_list = lambda _: False


def none_may_connect(cluster: Lookout) -> None:
    cluster.world.kfp.kubernetes.may_connect = lambda _: False


def another_cluster(cluster: Lookout) -> None:
    cluster.world.kfp.kubernetes.installed = False


def answers(*given: Response | None) -> Callable[[Lookout], None]:
    return lambda cluster: cluster.wire.fail("GET", WORKFLOWS, *given)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (none_may_list, "Kubernetes answered 403: workflows.argoproj.io is forbidden"),
        (none_may_connect, "Kubernetes answered 403"),
        (another_cluster, "Kubernetes answered 404: "),
        (answers(page(401), page(401)), "Kubernetes answered 401: a page: 401; it does not accept the token"),
        (answers(page(503)), "Kubernetes answered 503"),
        (answers(page(200)), "Kubernetes answered 200 with what is no list"),
        (answers(JSONResponse({"kind": "Status"})), "Kubernetes answered 200 with what is no list"),
        (answers(JSONResponse([])), "Kubernetes answered 200 with what is no list"),
        (answers(PlainTextResponse("", 302, {"location": "/"})), "Kubernetes answered 302"),
        (answers(None), "ProtocolError at Kubernetes"),
    ],
)
def test_a_cluster_that_does_not_say_is_no_word_that_there_is_no_workflow(
    cluster: Lookout, trouble: Callable[[Lookout], None], reason: str
) -> None:
    cluster.strand()
    trouble(cluster)
    handled = cluster.world.handle(cluster.launcher(), push(OBJECT))
    assert handled.outcome == "retry"
    assert str(handled.reason).startswith(reason)
    assert cluster.world.posts == 1
    assert cluster.world.claims[KEY]["posts"] == "1"


def test_a_token_goes_to_the_cluster_as_the_function_s_own(cluster: Lookout) -> None:
    cluster.strand()
    cluster.world.outcomes(cluster.launcher(), push(OBJECT))
    token = cluster.wire.seen[0].headers["authorization"].removeprefix("Bearer ")
    assert token in cluster.world.identity.issued
    asked = [seen.query["scopes"] for seen in cluster.world.identity.wire.seen if "scopes" in seen.query]
    assert [scopes for scopes in asked if "userinfo.email" in scopes], "or a Role would have to name its number"


def workflow(**about: Any) -> dict[str, Any]:
    return {"name": "echo-1", **about}


@pytest.mark.parametrize(
    ("found", "succeeded"),
    [
        ([], None),
        ([workflow(labels=DONE)], "echo-1"),
        ([workflow(labels=FAILED)], None),
        ([workflow(labels=FAILED), workflow(labels=DONE)], "echo-1"),
    ],
)
def test_what_the_workflows_of_a_run_come_to(found: list[dict[str, Any]], succeeded: str | None) -> None:
    assert judge(found) == succeeded


@pytest.mark.parametrize(
    "found",
    [
        [workflow()],
        [workflow(labels={"workflows.argoproj.io/phase": "Running"})],
        [workflow(labels=DONE), workflow(labels={"workflows.argoproj.io/completed": "false"})],
        [workflow(labels=DONE, deletionTimestamp="2026-11-26T10:00:00Z")],
    ],
    ids=["new", "running", "one of two", "being removed"],
)
def test_what_is_not_at_its_end_is_waited_for(found: list[dict[str, Any]]) -> None:
    with pytest.raises(UnavailableError, match="none is started beside it"):
        judge(found)


def test_a_cluster_that_may_not_be_sent_a_token_fails_the_deployment() -> None:
    given: dict[str, Any] = {
        "id": "p/s/echo",
        "source": {"kind": "gcs", "bucket": "b", "prefix": ""},
        "parameters": {},
        "content_limit": 1,
        "ledger": "l",
        "lease_seconds": 300,
        "target": {
            "kind": "kfp",
            "host": "https://kfp.example",
            "credentials": "none",
            "experiment": "e",
            "workflows": {"endpoint": "https://gke-1.us-central1.gke.goog", "namespace": "kubeflow"},
        },
    }
    read = read_trigger({"TRIGGER": json.dumps(given)}).target
    assert isinstance(read, KfpTarget)
    assert read.workflows == Cluster("https://gke-1.us-central1.gke.goog", "kubeflow")
    given["target"]["workflows"]["endpoint"] = "http://gke-1.us-central1.gke.goog"
    with pytest.raises(BadSettingsError, match=r"target\.workflows\.endpoint is"):
        read_trigger({"TRIGGER": json.dumps(given)})

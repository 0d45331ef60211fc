"""A workflow that no run shows, from file to record: the deployed launcher looks into the cluster, and waits."""

import math
from collections.abc import Iterator

import pytest

from rehearsal.environment import Environment
from rehearsal.kfp.cluster import Trouble
from rehearsal.kfp.server import KfpEndpoint
from tests.end_to_end.conftest import Stage
from tests.plans import plan

LOOK = {"endpoint": "https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"}


@pytest.fixture
def looking() -> Iterator[Stage]:
    with Environment(plan(target__workflows=LOOK)) as environment:
        [trigger] = environment.triggers
        yield Stage(environment, trigger)


def test_an_event_whose_workflow_succeeds_without_a_row_is_launched_by_that_one(looking: Stage) -> None:
    endpoint = looking.trigger.endpoint
    assert isinstance(endpoint, KfpEndpoint)
    endpoint.kubernetes.cleans_up_after = math.inf
    endpoint.trouble = lambda _: Trouble.ANSWER_LOST
    subject = looking.upload("a.csv")
    assert looking.outcome(subject)["outcome"] == "retry"
    endpoint.trouble = lambda _: None
    [name] = endpoint.executions
    launched = looking.log(lambda entry: entry.get("event") == subject and entry.get("outcome") == "launched")
    assert launched["doubt"] == f"the workflow {name} has succeeded, and the endpoint has no run of it"
    assert [*endpoint.executions] == [name]


def test_a_launcher_that_the_stack_does_not_let_near_the_cluster_starts_no_second_workflow(looking: Stage) -> None:
    """What opens the stand-in is the plan's own grant."""
    endpoint = looking.trigger.endpoint
    assert isinstance(endpoint, KfpEndpoint)
    endpoint.kubernetes.may_connect = lambda _: False
    endpoint.trouble = lambda _: Trouble.ANSWER_LOST
    subject = looking.upload("b.csv")
    refused = looking.log(
        lambda entry: entry.get("event") == subject and "Kubernetes answered 403" in entry.get("reason", "")
    )
    assert refused["outcome"] == "retry"
    assert len(endpoint.workflows) == 1

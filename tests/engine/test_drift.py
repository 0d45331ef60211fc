"""What somebody changed by hand is seen by a preview that refreshes, and only by that."""

from __future__ import annotations

from ops.drift.standing import Scope, standing_of
from ops.iam.kept.manifest import from_plan
from rehearsal.program import evaluate, read_stack
from tests.engine.worlds import World
from tests.plans import DEV


def test_a_plain_preview_sees_no_drift_and_one_that_refreshes_does(standing: World) -> None:
    (function,) = standing.cloud.of_type(":Function")
    function.inputs = {**function.inputs, "labels": {"stack": "by hand"}}
    standing.cloud.things.pop(standing.outputs()["triggers"]["echo"]["dead_letters"])
    assert standing.changes() == {}
    seen = standing.changes("--refresh")
    assert "Function echo-launcher" in seen["update"]
    assert "Subscription echo-dead-letters" in seen["create"]


def test_a_grant_that_was_taken_away_is_given_again_after_a_refresh(standing: World) -> None:
    (service,) = standing.cloud.running
    standing.cloud.policies[service].clear()
    assert standing.changes("--refresh") == {"create": ["ServiceIamMember echo-launcher/run.invoker/echo-push"]}
    standing.up("--refresh")
    assert standing.cloud.policies[service]
    assert standing.changes() == {}


def test_what_google_cloud_fills_in_is_no_drift(standing: World) -> None:
    standing.triggers[0]["function"] = {"network": "ml"}
    standing.up()
    assert standing.changes("--refresh") == {}


def test_in_the_engine_s_state_stands_what_iam_drift_asks_after(standing: World) -> None:
    """Names, and what the stack has made: of each grant of the manifest the very resource and member."""
    found = standing_of(standing.resources())
    name, config = read_stack(str(DEV))
    manifest = from_plan(evaluate(name, config), config["gcp:project"])
    expected = list(found.expected(manifest, "1"))
    assert expected
    assert not [grant for grant in expected if "*" in f"{grant.scope.name}{grant.condition}"]
    assert {scope.kind for scope in found.own} == {
        "artifactregistry/repository",
        "cloudrunv2/service",
        "pubsub/subscription",
        "pubsub/topic",
        "serviceaccount",
        "storage/bucket",
    }
    of_others = {grant.scope for grant in expected} - found.own
    assert {scope.kind for scope in of_others} == {"projects", "serviceaccount"}
    assert Scope("serviceaccount", "1-compute@developer.gserviceaccount.com") in of_others

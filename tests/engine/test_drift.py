"""What somebody changed by hand is seen by a preview that refreshes, and only by that."""

from __future__ import annotations

from tests.engine.worlds import World


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

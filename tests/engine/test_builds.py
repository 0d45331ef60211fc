"""A build that fails, the first or a later one, is built again by the next `up`, and nothing waits for a person."""

from __future__ import annotations

import pytest

from infra.resources import propagation
from rehearsal.engine.cloud import Fault, Thing
from rehearsal.engine.kinds.functions import BUILD_FAILED
from tests.engine.worlds import World

FUNCTION = "function:Function"
NOBODY_KNOWS = "Error waiting to create function: Error waiting for Creating function: Error code 13, message: oops"
UNHEALTHY = (
    "Error waiting to update function: Error waiting for Updating function: Error code 3, message: Could not create "
    "or update Cloud Run service echo-launcher, Container Healthcheck failed. Revision 'echo-launcher-00002' is not "
    "ready and cannot serve traffic. The user-provided container failed to start and listen on the port defined "
    "provided by the PORT=8080 environment variable within the allocated timeout."
)


def functions(world: World) -> list[Thing]:
    return world.cloud.of_type(FUNCTION)


def runs_what_was_asked(world: World) -> bool:
    """There is one function, it serves its own source, and events are pushed to it by who may call it."""
    (function,) = functions(world)
    service = function.id.replace("/functions/", "/services/")
    (events,) = [thing for thing in world.cloud.of_type(":Subscription") if "pushConfig" in thing.inputs]
    pushed = events.inputs["pushConfig"]
    invoker = ("roles/run.invoker", f"serviceAccount:{pushed['oidcToken']['serviceAccountEmail']}", "")
    return (
        function.computed["state"] == "ACTIVE"
        and world.cloud.running[service] == function.inputs["buildConfig"]["source"]["storageSource"]["object"]
        and pushed["pushEndpoint"] == function.computed["serviceConfig"]["uri"]
        and invoker in world.cloud.policies[service]
    )


def another_pipeline(world: World) -> None:
    world.triggers[0]["pipeline"] = "validate_csv"
    world.triggers[0]["parameters"] = {"csv_uri": "object.uri", "required_columns": {"value": ["id"]}}


def test_a_build_waits_until_its_grants_are_known_everywhere(new: World, monkeypatch: pytest.MonkeyPatch) -> None:
    new.cloud.delays.grants = 1.0
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 1.2)
    done = new.up()
    assert runs_what_was_asked(new)
    assert "errored" not in done.said.partition("Resources:")[2]


def test_nothing_is_waited_for_where_no_grant_is_new(standing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 3600.0)
    another_pipeline(standing)
    standing.up()
    assert runs_what_was_asked(standing)


@pytest.mark.parametrize("message", [BUILD_FAILED.format(verb="create"), NOBODY_KNOWS])
def test_a_first_build_that_fails_is_built_again_by_the_next_up(new: World, message: str) -> None:
    new.cloud.faults.append(Fault(FUNCTION, "create", message, late=True))
    said = new.fail()
    assert message in said
    assert new.changes()["replace"] == ["Function echo-launcher"]
    new.up()
    assert runs_what_was_asked(new)
    assert new.changes() == {}


def test_a_build_is_not_tried_again_half_made(new: World) -> None:
    """The engine would retry it as an update, which finds no difference and calls it done."""
    new.cloud.faults.append(Fault(FUNCTION, "create", BUILD_FAILED.format(verb="create"), late=True))
    assert "retrying" not in new.fail()
    (function,) = functions(new)
    assert function.computed["state"] == "FAILED"
    assert not new.cloud.of_type("pubsub/subscription:Subscription")[1:]  # but for that of dead letters


def test_after_a_refresh_it_is_said_how_to_build_anew(new: World) -> None:
    """A refresh forgets that the build has failed: what is left says itself that it does not run."""
    new.cloud.faults.append(Fault(FUNCTION, "create", NOBODY_KNOWS, late=True))
    new.fail()
    assert not new.operate("refresh").status
    said = new.fail()
    assert "Google Cloud does not say where function echo-launcher is called, and says that it is FAILED" in said
    assert "None" not in str([thing.inputs for thing in new.cloud.things.values()])
    (urn,) = [resource["urn"] for resource in new.resources() if resource["type"].endswith(FUNCTION)]
    assert f"pulumi up --replace '{urn}'" in said
    new.up("--replace", urn)
    assert runs_what_was_asked(new)


@pytest.mark.parametrize("message", [BUILD_FAILED.format(verb="update"), UNHEALTHY])
def test_a_later_build_that_fails_is_built_again_by_the_next_up(standing: World, message: str) -> None:
    before = dict(standing.cloud.running)
    standing.cloud.faults.append(Fault(FUNCTION, "update", message, late=True))
    another_pipeline(standing)
    assert message in standing.fail()
    assert standing.cloud.running == before  # the old code serves on
    standing.up()
    assert runs_what_was_asked(standing)
    assert standing.changes() == {}


def test_events_wait_in_the_subscription_while_its_function_is_replaced(standing: World) -> None:
    """The subscription is the same one before and after, with another address."""
    (events,) = [t for t in standing.cloud.of_type(":Subscription") if "pushConfig" in t.inputs]
    endpoint = events.inputs["pushConfig"]["pushEndpoint"]
    standing.cloud.faults.append(Fault(FUNCTION, "update", UNHEALTHY, late=True))
    another_pipeline(standing)
    standing.fail()
    standing.up()
    assert standing.cloud.things[events.id] is events
    assert events.inputs["pushConfig"]["pushEndpoint"] != endpoint


def test_an_update_builds_the_object_that_it_names(standing: World) -> None:
    another_pipeline(standing)
    standing.up()
    (sent,) = standing.cloud.patches
    assert sent["generation"] == standing.cloud.objects[sent["bucket"]][sent["object"]]

"""What the fence of a run is told: one place for each launch key, beside the parameters of the event."""

import json

import pytest

from function_src.launcher.event import AGAIN
from function_src.launcher.package import FENCE
from tests.launcher.deliveries import Delivery, as_json
from tests.launcher.world import LEDGER, PACKAGE, World

SPEC = json.loads(PACKAGE)
SPEC["root"]["inputDefinitions"]["parameters"][FENCE] = {"parameterType": "STRING"}


@pytest.fixture
def fenced(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("tests.launcher.world.PACKAGE", as_json(SPEC))
    return world


def again(delivery: Delivery) -> Delivery:
    headers, body = delivery
    push = json.loads(body)
    push["message"]["attributes"][AGAIN] = "2"
    return headers, as_json(push)


def test_a_fence_is_told_where_its_event_is_noted(fenced: World) -> None:
    handled = fenced.handle(fenced.launcher(), fenced.upload())
    [workflow] = fenced.kfp.workflows
    assert workflow.parameters[FENCE] == f"gs://{LEDGER}/started/echo/{handled.key}"
    assert FENCE not in handled.parameters


def test_what_was_launched_before_there_was_a_fence_stays_launched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = world.upload()
    before = world.handle(world.launcher(), delivery)
    monkeypatch.setattr("tests.launcher.world.PACKAGE", as_json(SPEC))
    after = world.handle(world.launcher(), delivery)
    assert (after.outcome, after.key, after.run_id) == ("duplicate", before.key, before.run_id)


def test_a_run_that_a_person_asks_for_again_has_a_fence_of_its_own(fenced: World) -> None:
    first = fenced.upload()
    keys = [fenced.handle(fenced.launcher(), delivery).key for delivery in (first, again(first))]
    places = [workflow.parameters[FENCE].rpartition("/")[2] for workflow in fenced.kfp.workflows]
    assert places == keys
    assert len(set(keys)) == 2


def test_a_run_without_a_fence_is_told_nothing_of_one(world: World) -> None:
    world.handle(world.launcher(), world.upload())
    [workflow] = world.kfp.workflows
    assert list(workflow.parameters) == ["filename"]

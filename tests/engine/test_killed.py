"""An engine that is killed while it makes something: what the next `up` says, and what is left in the project."""

from __future__ import annotations

import pytest

from tests.engine.worlds import World


def killed_at(world: World, kind: str) -> None:
    """Kills an `up` when a thing of this kind has been made, and before the engine hears of it."""
    with world.workspace.running("up", "--stack", world.stack, "--skip-preview", "--parallel", "1") as engine:
        world.cloud.interrupts[kind] = engine.kill
        engine.communicate()
    assert kind not in world.cloud.interrupts, "nothing of that kind was made"


def cancel(world: World) -> None:
    done = world.workspace.run("cancel", "--yes", "--stack", world.stack)
    assert not done.status, done.said


def test_a_killed_engine_leaves_a_lock_and_the_next_up_names_it(new: World) -> None:
    killed_at(new, ":Topic")
    assert "the stack is currently locked by 1 lock(s)" in new.fail()
    cancel(new)
    new.up()


@pytest.mark.parametrize("kind", [":Account", ":Repository"])
def test_what_has_a_name_of_its_own_is_in_the_way_of_every_later_up(new: World, kind: str) -> None:
    killed_at(new, kind)
    cancel(new)
    for _ in range(2):
        said = new.fail()
        assert "interrupted while creating" in said
        assert "Error 409" in said


@pytest.mark.parametrize("kind", [":Bucket", ":Topic", ":Function", ":Subscription", ":Notification"])
def test_what_has_a_made_up_name_is_made_again_and_the_first_is_left(new: World, kind: str) -> None:
    killed_at(new, kind)
    cancel(new)
    before = len(new.cloud.of_type(kind))
    assert "interrupted while creating" in new.up().said
    known = {resource["id"] for resource in new.resources() if resource["type"].endswith(kind)}
    orphans = {thing.id for thing in new.cloud.of_type(kind)} - known
    assert before
    assert len(orphans) == 1


@pytest.mark.parametrize("kind", ["service:Service", ":ServiceIdentity", ":BucketObject", ":BucketIAMMember"])
def test_what_can_be_made_twice_is_made_again_and_nothing_is_left(new: World, kind: str) -> None:
    killed_at(new, kind)
    cancel(new)
    new.up()
    known = {resource["id"] for resource in new.resources() if resource["type"].endswith(kind)}
    assert {thing.id for thing in new.cloud.of_type(kind)} <= known

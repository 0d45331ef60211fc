"""An engine that is killed while it makes something: what the next `up` says, and what is left in the project."""

from __future__ import annotations

import contextlib
import json

import pytest

from tests.engine.worlds import World


def killed_at(world: World, *kinds: str) -> tuple[str, ...]:
    """Kills an `up` when a thing of one of these kinds has been made, before the engine hears of it.

    Returns the kinds that it was not killed at.
    """
    with world.workspace.running("up", "--stack", world.stack, "--skip-preview", "--parallel", "1") as engine:

        def kill() -> None:
            _await_state(world)
            engine.kill()
            engine.wait()  # else it may hear, and begin with the next thing

        world.cloud.interrupts = dict.fromkeys(kinds, kill)
        said = "".join(engine.communicate())
    assert engine.returncode < 0, said
    return tuple(world.cloud.interrupts)


def _await_state(world: World) -> None:
    """The engine writes the state beside its work. Killed in the middle of that, it would be another story."""
    [state] = world.workspace.state.glob(f".pulumi/stacks/*/{world.stack}.json")
    whole = False
    while not whole:
        with contextlib.suppress(ValueError):
            whole = bool(json.loads(state.read_text()))


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
    said = new.fail()
    assert "interrupted while creating" in said
    assert "Error 409" in said


def test_all_else_is_made_again_after_each_kill_and_what_has_a_made_up_name_is_left(new: World) -> None:
    """Killed once at each kind, one after the other, until the stack stands."""
    named = (":Bucket", ":Topic", ":Function", ":Subscription", ":Notification")
    others = ("service:Service", ":ServiceIdentity", ":BucketObject", ":BucketIAMMember")
    left_to_kill: tuple[str, ...] = (*others, *named)
    while left_to_kill:
        left_to_kill = killed_at(new, *left_to_kill)
        cancel(new)
    assert "interrupted while creating" in new.up().said
    known = {resource.get("id") for resource in new.resources()}
    left = [thing for thing in new.cloud.things.values() if thing.id not in known]
    assert sorted(f":{thing.type.rsplit(':', 1)[-1]}" for thing in left) == sorted(named)

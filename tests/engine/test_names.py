"""What a stack was made as stays, whatever is renamed or moved; two stacks in one project leave each other alone."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.engine.cloud import Thing
from tests.engine.worlds import World


def launcher_settings(world: World) -> dict[str, Any]:
    (function,) = world.cloud.of_type(":Function")
    settings: dict[str, Any] = json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])
    return settings


def ledger(world: World) -> Thing:
    return world.cloud.things[world.outputs()["ledger"]]


def test_a_renamed_stack_keeps_the_launch_keys_of_its_events(standing: World) -> None:
    """A redelivered event would start again: its key is made of the stack's name."""
    before = launcher_settings(standing)["id"]
    old_file, old = standing.workspace.stack_file(standing.stack), standing.stack
    done = standing.workspace.run("stack", "rename", "renamed", "--stack", old)
    assert not done.status, done.said
    standing.stack = "renamed"
    if old_file.exists():
        old_file.rename(standing.workspace.stack_file("renamed"))
    standing.up()
    assert launcher_settings(standing)["id"] == before == "acme-ml-dev/dev/echo"


def test_another_region_moves_neither_the_ledger_nor_what_is_in_it(standing: World) -> None:
    standing.triggers[0]["source"]["location"] = "us-central1"
    standing.up()
    before = ledger(standing)
    standing.cloud.objects[before.id]["outcomes/echo/1"] = 1
    standing.config["gcp:region"] = "europe-west4"
    standing.up()
    assert ledger(standing) is before
    assert launcher_settings(standing)["ledger"] == before.id
    (function,) = standing.cloud.of_type(":Function")
    assert function.inputs["location"] == "europe-west4"
    assert standing.changes() == {}


def test_another_region_is_refused_for_a_trigger_bucket_before_anything_is_touched(standing: World) -> None:
    """By the preview that every `up` begins with, or by that which saved its plan."""
    before = {name: thing.made_at for name, thing in standing.cloud.things.items()}
    standing.config["gcp:region"] = "europe-west4"
    for verb in ("preview", "up"):
        said = standing.fail(verb, previewed=True)
        assert "Buckets do not move: trigger echo, source.location: echo-bucket-" in said
        assert "connection" not in said
        assert "Keep it with `location: us-central1`" in said
    assert {name: thing.made_at for name, thing in standing.cloud.things.items()} == before


def test_another_project_is_refused_before_anything_is_touched(standing: World) -> None:
    before = {name: thing.made_at for name, thing in standing.cloud.things.items()}
    standing.config["gcp:project"] = "acme-ml-other"
    for verb in ("preview", "up"):
        said = standing.fail(verb, previewed=True)
        assert "gcp:project: stack dev was made in acme-ml-dev, and nothing moves to acme-ml-other" in said
    assert {name: thing.made_at for name, thing in standing.cloud.things.items()} == before


def test_two_stacks_in_one_project_leave_each_other_alone(standing: World) -> None:
    standing.triggers[0]["identity"] = "dedicated"
    standing.up()
    mine = set(standing.cloud.things)
    standing.stack = "other"
    standing.write()
    assert not standing.workspace.run("stack", "init", "other").status
    standing.up()
    shared = {"gcp:projects/service:Service", "gcp:projects/serviceIdentity:ServiceIdentity"}
    assert mine < set(standing.cloud.things)
    destroyed = standing.operate("destroy")
    assert not destroyed.status, destroyed.said
    standing.stack = "dev"
    assert not standing.operate("refresh").status
    assert standing.changes() == {}
    assert {standing.cloud.things[name].type for name in mine} > shared

"""A stack comes up at the first try, stays as it is, changes where its file changed, and goes."""

from __future__ import annotations

from tests.engine.worlds import World


def test_a_stack_comes_up_at_the_first_try_and_nothing_is_tried_twice(new: World) -> None:
    done = new.up()
    assert "errored" not in done.said
    assert "retry" not in done.said
    assert new.outputs()["echo-bucket"] in new.cloud.things


def test_a_second_preview_is_empty(standing: World) -> None:
    assert standing.changes() == {}


def test_a_preview_after_a_refresh_is_empty(standing: World) -> None:
    refreshed = standing.operate("refresh")
    assert not refreshed.status, refreshed.said
    assert standing.changes() == {}


def test_another_pipeline_changes_its_object_and_its_function_and_nothing_else(standing: World) -> None:
    standing.triggers[0]["pipeline"] = "validate_csv"
    standing.triggers[0]["parameters"] = {"csv_uri": "object.uri", "required_columns": {"value": ["id"]}}
    assert standing.changes() == {
        "replace": ["BucketObject echo-launcher-source"],
        "update": ["Function echo-launcher"],
    }
    standing.up()
    assert standing.changes() == {}


def test_a_destroy_leaves_nothing_and_up_makes_it_again(standing: World) -> None:
    gone = standing.operate("destroy")
    assert not gone.status, gone.said
    kept = {thing.type for thing in standing.cloud.things.values()}
    assert kept == {"gcp:projects/service:Service", "gcp:projects/serviceIdentity:ServiceIdentity"}
    assert not any(standing.cloud.policies.values())
    standing.up()
    assert standing.changes() == {}


def test_a_destroy_stops_before_a_ledger_that_still_knows_of_events(standing: World) -> None:
    ledger = standing.outputs()["ledger"]
    standing.cloud.objects[ledger]["outcomes/echo/1"] = 1
    assert "containing objects" in standing.fail("destroy")
    assert ledger in standing.cloud.things

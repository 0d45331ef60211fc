"""The deployer's permissions, as `make iam` lists them, are enough, and none of them is asked for by nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.iam.deployer.needs import Needs, needs_of
from ops.iam.review.inputs import of_preview
from rehearsal.program import ROOT, evaluate, read_stack
from tests.engine.conftest import MakeWorld
from tests.engine.worlds import World
from tests.plans import DEV, PROD

SOURCES = ROOT / "examples" / "Pulumi.sources.yaml"


def needs(file: Path) -> Needs:
    return needs_of(evaluate(*read_stack(str(file))))


@pytest.mark.parametrize("file", [PROD, SOURCES], ids=lambda path: path.name)
def test_a_deployer_with_the_listed_permissions_alone_makes_and_destroys_a_stack(
    make_world: MakeWorld, file: Path
) -> None:
    world, listed = make_world(file), needs(file)
    world.cloud.may = frozenset(listed.permissions) - listed.only_for_edits
    world.up()
    destroyed = world.operate("destroy")
    assert not destroyed.status, destroyed.said
    assert frozenset(listed.permissions) - world.cloud.asked == listed.only_for_edits


def test_a_deployer_with_the_listed_permissions_alone_edits_a_stack(standing: World) -> None:
    standing.cloud.may = frozenset(needs(DEV).permissions)
    standing.config["event-triggered-pipelines:ledger_days"] = 120
    standing.triggers[0]["function"] = {"memory": "1Gi"}
    standing.triggers[0]["source"]["soft_delete_days"] = 14
    standing.triggers[0]["delivery"] = {"retention_days": 3}
    standing.up()
    assert standing.changes() == {}


def test_one_permission_that_is_missing_stops_an_up_and_is_named(new: World) -> None:
    new.cloud.may = frozenset(needs(DEV).permissions) - {"pubsub.topics.attachSubscription"}
    assert "Permission 'pubsub.topics.attachSubscription' denied" in new.fail()


def test_a_job_that_may_not_be_resumed_is_named(new: World) -> None:
    """It is made by then, and the next `up` makes another in its place."""
    new.triggers[0]["source"] = {"kind": "schedule", "cron": "30 2 * * *"}
    new.triggers[0]["parameters"] = {"filename": "event.time"}
    new.cloud.may = frozenset(needs(SOURCES).permissions) - {"cloudscheduler.jobs.enable"}
    assert "Permission 'cloudscheduler.jobs.enable' denied" in new.fail()


def test_iam_diff_reads_the_engine_s_own_preview(standing: World) -> None:
    standing.triggers[0]["target"]["access"] = "project-viewer"
    done = standing.operate("preview", "--json", "--show-replacement-steps")
    comparison = of_preview(json.loads(done.stdout), "preview.json")
    assert {(c.effect, c.permission.role) for c in comparison.changes if c.effect != "unchanged"} == {
        ("broadened", "roles/viewer"),  # of the project
        ("narrowed", "roles/viewer"),  # of the installation's account
    }
    assert not comparison.violations


def test_iam_diff_of_a_first_preview_has_every_grant(new: World) -> None:
    done = new.operate("preview", "--json", "--show-replacement-steps")
    comparison = of_preview(json.loads(done.stdout), "preview.json")
    grants = [r for r in evaluate(*read_stack(str(DEV))).resources if r.type.endswith("iam:Grant")]
    assert len(comparison.changes) == len(grants)
    assert {change.effect for change in comparison.changes} == {"broadened"}

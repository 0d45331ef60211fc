"""The deployer's permissions, as `make iam` lists them, are enough, and none of them is asked for by nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.iam.catalogue.roles import is_role
from ops.iam.comparing.report import Comparison
from ops.iam.deployer.needs import ACT_AS, OWNER_IN_THE_END, Needs, needs_of
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


def test_a_deployer_that_is_no_owner_in_the_end_deploys_what_changes(standing: World) -> None:
    """Who acts as the accounts that it lists, and as no other, and writes no role and no grant on an account."""
    standing.cloud.may = frozenset(needs(DEV).permissions) - set(OWNER_IN_THE_END) | {ACT_AS}
    standing.triggers[0]["function"] = {"memory": "1Gi"}
    standing.triggers[0]["source"]["soft_delete_days"] = 14
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


def compared(world: World, *arguments: str) -> Comparison:
    """What `iam diff` makes of the engine's own preview."""
    done = world.operate("preview", "--json", "--show-replacement-steps", *arguments)
    return of_preview(json.loads(done.stdout), "preview.json")


def changed(comparison: Comparison) -> set[tuple[str, str]]:
    return {(c.effect, c.permission.role) for c in comparison.changes if c.effect != "unchanged"}


def test_iam_diff_reads_the_engine_s_own_preview(standing: World) -> None:
    standing.triggers[0]["target"]["access"] = "project-viewer"
    comparison = compared(standing)
    assert changed(comparison) == {
        ("broadened", "roles/viewer"),  # of the project
        ("narrowed", "roles/viewer"),  # of the installation's account
    }
    assert not comparison.violations


@pytest.mark.parametrize(
    ("key", "value", "broadened"),
    [
        ("target", {"host": "https://5678efab-dot-us-central1.pipelines.googleusercontent.com"}, {"access-token"}),
        ("target", {"impersonate": "kfp@acme-gke.iam.gserviceaccount.com"}, {"access-token", "impersonates"}),
        ("function", {"memory": "1Gi", "max_instances": 5}, set()),
        ("delivery", {"retention_days": 3}, set()),
        ("source", {"soft_delete_days": 14, "prefix": "in/"}, set()),
        ("parameters", {"filename": "object.name"}, set()),
    ],
)
def test_of_the_engine_s_own_preview_only_what_gives_access_is_an_alarm(
    standing: World, key: str, value: dict[str, Any], broadened: set[str]
) -> None:
    standing.triggers[0].setdefault(key, {}).update(value)
    comparison = compared(standing)
    assert broadened <= {role for effect, role in changed(comparison) if effect == "broadened"}
    assert comparison.broadened == bool(broadened)


def test_of_the_engine_s_own_preview_a_new_version_of_a_pipeline_is_no_alarm(standing: World) -> None:
    standing.triggers[0]["pipeline"] = "validate_csv"
    standing.triggers[0]["parameters"] = {"csv_uri": "object.uri", "required_columns": {"value": ["id"]}}
    assert not compared(standing).broadened


def test_with_show_sames_the_paths_through_what_stays_are_found(standing: World) -> None:
    """Without it a preview shows what changes, and nothing of what that leads to."""
    standing.triggers[0]["target"]["impersonate"] = "kfp@acme-gke.iam.gserviceaccount.com"
    comparison = compared(standing, "--show-sames")
    kfp = "serviceAccount:kfp@acme-gke.iam.gserviceaccount.com"
    assert {path.who for path in comparison.paths if path.whom == kfp} >= {"topic echo-events", "bucket echo-bucket"}
    assert any(change.effect == "unchanged" and change.permission.role == "runs-as" for change in comparison.changes)


def test_iam_diff_of_a_first_preview_has_every_grant(new: World) -> None:
    comparison = compared(new)
    grants = [r for r in evaluate(*read_stack(str(DEV))).resources if r.type.endswith("iam:Grant")]
    given = [change for change in comparison.changes if is_role(change.permission.role)]
    assert len(given) == len(grants)
    assert {change.effect for change in comparison.changes} == {"broadened"}

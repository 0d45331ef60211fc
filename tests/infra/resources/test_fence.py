"""Whom a fenced target lets into the ledger, and how far."""

from tests.infra.schema import problems
from tests.plans import plan

RUNNER = "pipeline-runner@acme-gke.iam.gserviceaccount.com"


def test_the_runner_may_create_and_read_the_notes_of_fences_and_nothing_else() -> None:
    fenced = plan(target__fence=True, target__runner=RUNNER)
    ledger = fenced.named("launch-ledger", ":Bucket").outputs["name"]
    members = [grant for grant in fenced.of_type("IAMMember") if grant.inputs["member"] == f"serviceAccount:{RUNNER}"]
    given = {
        (grant.inputs["role"], grant.inputs["bucket"], grant.inputs["condition"]["expression"]) for grant in members
    }
    notes = f'resource.name.startsWith("projects/_/buckets/{ledger}/objects/started/echo/")'
    assert given == {
        ("roles/storage.objectCreator", ledger, notes),
        ("roles/storage.objectViewer", ledger, notes),
    }
    assert not [problem for grant in members for problem in problems(grant)]


def test_each_permission_of_the_runner_has_its_reason() -> None:
    fenced = plan(target__fence=True, target__runner=RUNNER)
    reasons = [grant.inputs["reason"] for grant in fenced.of_type("iam:Grant") if grant.inputs["principal"] == RUNNER]
    assert sorted(reasons) == [
        "A fence that comes second reads whose note is there, and can change none",
        "The fence of a run notes which workflow works for its event",
    ]


def test_events_wait_until_the_fence_of_their_runs_can_be_passed() -> None:
    fenced = plan(target__fence=True, target__runner=RUNNER)
    notification = fenced.of_type(":Notification")[0]
    assert {urn for urn in notification.dependencies if RUNNER in urn}


def test_a_stack_without_a_fence_lets_no_runner_in() -> None:
    assert not [grant for grant in plan().of_type("iam:Grant") if grant.inputs["principal"] == RUNNER]


def test_a_fence_is_part_of_what_is_deployed() -> None:
    fenced, bare = plan(target__fence=True, target__runner=RUNNER), plan()
    assert fenced.exports["echo-package-digest"] != bare.exports["echo-package-digest"]

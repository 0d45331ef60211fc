"""Who can become whom is found through grants and through what runs, and a grant that opens a way is said to."""

import re

import pytest

from ops.iam.kept.manifest import from_plan
from ops.iam.paths.drawing import to_mermaid
from ops.iam.paths.paths import Path, new_paths, paths_of
from ops.iam.reading.permissions import UNKNOWN, Permission
from ops.iam.reading.ways import way
from rehearsal.program import evaluate, read_stack
from tests.plans import PROD

EVE, RUNNER, LAUNCHER = "user:eve", "serviceAccount:runner@x", "serviceAccount:launcher@x"
F = "function:f"
FUNCTION = [
    way("runs-as", F, "launcher@x"),
    way("runs-jobs-as", F, "runner@x"),
    way("builds-as", F, "builder@x"),
    way("reads-code-from", F, "sources-0123abc"),
    way("image-in", F, "projects/p/locations/l/repositories/images"),
    way("calls", "subscription:s", "https://f-0123abc-xyz.a.run.app"),
    way("delivers", "subscription:s", "projects/p/topics/t-0123abc"),
    way("publishes-to", "notification:n", "projects/p/topics/t-0123abc"),
    way("watches", "notification:n", "incoming"),
]


def on(kind: str, resource: str, role: str, member: str = EVE, condition: str = "") -> Permission:
    return Permission(role, member, kind, resource, condition)


def ends(paths: list[Path], who: str = EVE) -> set[tuple[str, bool]]:
    return {(path.whom.split(":")[1], path.becomes) for path in paths if path.who == who}


@pytest.mark.parametrize(
    ("grant", "reached"),
    [
        (on("serviceaccount", "projects/p/serviceAccounts/a@x", "roles/iam.serviceAccountUser"), {("a@x", True)}),
        (on("serviceaccount", "a@x", "roles/iam.serviceAccountTokenCreator"), {("a@x", True)}),
        (on("serviceaccount", "a@x", "roles/iam.workloadIdentityUser"), {("a@x", True)}),
        (on("serviceaccount", "a@x", "roles/iam.serviceAccountAdmin"), {("a@x", True)}),
        (on("serviceaccount", "a@x", "roles/viewer"), set()),
        (
            on("storage/bucket", "sources-0123abc", "roles/storage.objectUser"),
            {("launcher@x", True), ("runner@x", True), ("builder@x", True)},
        ),
        (on("storage/bucket", "sources-0123abc", "roles/storage.objectViewer"), set()),
        (
            on("artifactregistry/repository", "l/images", "roles/artifactregistry.writer"),
            {("launcher@x", True), ("runner@x", True)},  # what is pushed is not built
        ),
        (on("pubsub/topic", "t-0123abc", "roles/pubsub.publisher"), {("launcher@x", False), ("runner@x", False)}),
        (
            on("storage/bucket", "incoming", "roles/storage.objectCreator"),
            {("launcher@x", False), ("runner@x", False)},
        ),
        (on("cloudrunv2/service", "l/f-0123abc", "roles/run.invoker"), {("launcher@x", False), ("runner@x", False)}),
        (
            on("projects", "p", "roles/cloudfunctions.developer"),
            {
                ("launcher@x", True),
                ("runner@x", True),
                ("builder@x", True),
                ("launcher@x", False),
                ("runner@x", False),
            },
        ),
        (on("projects", "p", "roles/logging.logWriter"), set()),
    ],
)
def test_a_grant_leads_where_what_it_allows_leads(grant: Permission, reached: set[tuple[str, bool]]) -> None:
    assert ends(paths_of([*FUNCTION, grant])) == reached


def test_it_is_transitive() -> None:
    chain = [
        on("serviceaccount", "a@x", "roles/iam.serviceAccountTokenCreator"),
        on("serviceaccount", "b@x", "roles/iam.serviceAccountUser", "serviceAccount:a@x"),
        on("pubsub/topic", "t-0123abc", "roles/pubsub.publisher", "serviceAccount:b@x"),
    ]
    assert ends(paths_of([*FUNCTION, *chain])) == {
        ("a@x", True),
        ("b@x", True),
        ("launcher@x", False),
        ("runner@x", False),
    }


def test_who_only_starts_what_runs_does_not_use_what_its_account_was_granted() -> None:
    publisher = on("pubsub/topic", "t-0123abc", "roles/pubsub.publisher")
    launcher = on("serviceaccount", "admin@x", "roles/iam.serviceAccountUser", LAUNCHER)
    found = paths_of([*FUNCTION, publisher, launcher])
    assert "admin@x" not in {whom for whom, _ in ends(found)}
    assert ("admin@x", True) in ends(found, LAUNCHER)


def test_a_change_says_which_way_it_opens() -> None:
    before = [*FUNCTION]
    after = [*FUNCTION, on("pubsub/topic", "t-0123abc", "roles/pubsub.publisher")]
    said = [str(path) for path in new_paths(before, after)]
    assert (
        f"{EVE} can start runs as {RUNNER}: it may publish to topic t, which is delivered to function f, "
        f"which starts pipelines as {RUNNER}"
    ) in said
    assert new_paths(after, before) == []


def test_another_subscription_says_that_whoever_publishes_starts_runs() -> None:
    before = [found for found in FUNCTION if found.role != "delivers"]
    [topic, *_] = [str(path) for path in new_paths(before, FUNCTION) if path.who == "topic t"]
    assert topic.startswith(f"whoever may publish to topic t can start runs as {LAUNCHER}: this is delivered to")


def test_two_things_that_are_not_known_are_not_one() -> None:
    unknown = on("serviceaccount", UNKNOWN, "roles/iam.serviceAccountUser")
    held = on("serviceaccount", "a@x", "roles/iam.serviceAccountUser", f"serviceAccount:{UNKNOWN}")
    assert paths_of([unknown, held]) == []


def test_a_condition_is_said() -> None:
    grant = on("serviceaccount", "a@x", "roles/iam.serviceAccountUser", condition="request.time < 1")
    assert "may run things as, under a condition, serviceAccount:a@x" in str(paths_of([grant])[0])


def test_a_circle_ends() -> None:
    circle = [
        on("serviceaccount", "b@x", "roles/iam.serviceAccountUser", "serviceAccount:a@x"),
        on("serviceaccount", "a@x", "roles/iam.serviceAccountUser", "serviceAccount:b@x"),
    ]
    assert {path.ends for path in paths_of(circle)} == {
        ("serviceAccount:a@x", "serviceAccount:b@x", True),
        ("serviceAccount:b@x", "serviceAccount:a@x", True),
    }


def test_of_the_sample_the_runner_is_reached_by_those_who_should_and_by_the_build() -> None:
    manifest = from_plan(evaluate(*read_stack(str(PROD))), "acme-ml-prod")
    paths = paths_of([entry.permission for entry in manifest.grants])
    becoming = {path.who for path in paths if path.whom.startswith("serviceAccount:orders-runner@") and path.becomes}
    assert {who.split("@")[0] for who in becoming} == {
        "bucket launcher-sources",
        "function catalog-launcher",  # whoever changes what is built: the build account pushes to one repository
        "function orders-launcher",
        "repository prod-launchers",
        "serviceAccount:prod-build",
        "serviceAccount:prod-orders-launcher",
    }


def test_the_drawing_has_each_step_once_and_no_name_breaks_out_of_its_label() -> None:
    odd = on("serviceaccount", 'a"]; click n0 "javascript:x"@x', "roles/iam.serviceAccountUser", "user:<img src=x>`|")
    drawn = to_mermaid(paths_of([*FUNCTION, odd]))
    assert drawn.startswith("```mermaid\nflowchart LR\n")
    lines = drawn.splitlines()[2:-1]
    node = r'  n\d+\["[^"<>`|\[\]]*"\]'
    edge = r'  n\d+ (-->|-\.->)\|"[^"<>`|\[\]]*"\| n\d+'
    assert all(re.fullmatch(f"{node}|{edge}", line) for line in lines), drawn
    assert len(lines) == len(set(lines))

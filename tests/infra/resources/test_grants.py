"""Permissions: who may do what, no wider than it must be, and each with its reason."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rehearsal.program import PROJECT_NUMBER, ROOT, Plan, Resource, evaluate, read_stack
from tests.plans import STACK_FILES, TRIGGERS, dev_config, plan

HOST = "https://kfp.example.com"
AUDIENCE = "123-abc.apps.googleusercontent.com"
IAP = {
    "target__host": HOST,
    "target__access": "iap",
    "target__iap_backend_service": "kfp-backend",
    "target__audience": AUDIENCE,
}
OTHER = "kfp-caller@acme-gke.iam.gserviceaccount.com"
RUNNER = "runner@acme-ml-runs.iam.gserviceaccount.com"
VERTEX = {"kind": "vertex", "pipeline_root": "gs://acme-runs/out", "service_account": RUNNER}
COMPUTE_ACCOUNT = "projects/-/serviceAccounts/123456789012-compute@developer.gserviceaccount.com"
# Google Cloud offers nothing narrower for these two; the second has a condition.
PROJECT_WIDE = {"roles/logging.logWriter", "roles/storage.objectViewer"}


def iam(of: Plan) -> list[Resource]:
    """Every IAM resource, whatever its kind, but for roles: a role alone gives nobody anything."""
    kinds = {r.urn: r.type.rsplit(":", 1)[-1].lower() for r in of.resources}
    return [r for r in of.resources if r.custom and "iam" in kinds[r.urn] and not kinds[r.urn].endswith("role")]


def access(of: Plan) -> list[Resource]:
    """The grants by which the launcher gets into the endpoint."""
    member = f"serviceAccount:{of.exports['echo-launcher-identity']}"
    return [
        resource for resource in iam(of) if resource.inputs["member"] == member and "bucket" not in resource.inputs
    ]


@pytest.fixture(params=["viewer", "project-viewer", "service-account-user", "iap", "impersonate", "none", "vertex"])
def any_access(request: pytest.FixtureRequest) -> Plan:
    """The dev stack with one kind of access after the other."""
    changes: dict[str, dict[str, Any]] = {
        "iap": IAP,
        "impersonate": IAP | {"target__impersonate": OTHER},
        "vertex": {"target": VERTEX},
    }
    return plan(**changes.get(request.param, {"target__access": request.param}))


def test_every_grant_only_adds_a_member(any_access: Plan) -> None:
    """A Binding or a Policy would remove the members that other people added."""
    kinds = {resource.type.rsplit(":", 1)[-1].lower() for resource in iam(any_access)}
    assert all(kind.endswith("iammember") for kind in kinds), kinds


def test_every_grant_has_a_reason_and_is_made_in_one_place(any_access: Plan) -> None:
    grants = {r.urn: r for r in any_access.of_type("iam:Grant")}
    assert {resource.parent for resource in iam(any_access)} == set(grants)
    for resource in iam(any_access):
        grant = grants[resource.parent]
        assert len(grant.inputs["reason"]) > 20
        assert grant.inputs["role"] == resource.inputs["role"]


def test_a_grant_is_named_from_resource_role_and_principal(dev: Plan) -> None:
    for grant in dev.of_type("iam:Grant"):
        parts = grant.inputs["resource"], grant.inputs["role"].removeprefix("roles/"), grant.inputs["principal"]
        assert grant.name == "/".join(parts)


def test_nothing_is_granted_on_the_project_but_what_has_no_narrower_place(dev: Plan) -> None:
    wide = {r.inputs["role"]: r for r in dev.of_type("projects/iAMMember:IAMMember")}
    assert set(wide) == PROJECT_WIDE
    copies = f"gcf-v2-sources-{PROJECT_NUMBER}-us-central1"
    expression = wide["roles/storage.objectViewer"].inputs["condition"]["expression"]
    assert expression == f'resource.name.startsWith("projects/_/buckets/{copies}/")'


def test_the_push_identity_may_call_its_own_function_and_do_nothing_else(dev: Plan) -> None:
    (only,) = [r for r in iam(dev) if "dev-echo-push@" in r.inputs["member"]]
    assert only.inputs["role"] == "roles/run.invoker"
    assert only.inputs["name"] == dev.named("echo-launcher", ":Function").outputs["name"]


def test_nobody_is_let_in_unauthenticated(any_access: Plan) -> None:
    assert not [r for r in iam(any_access) if r.inputs["member"] in ("allUsers", "allAuthenticatedUsers")]


@pytest.mark.parametrize(
    ("kind", "role", "where"),
    [
        ("viewer", "roles/viewer", ("serviceAccountId", COMPUTE_ACCOUNT)),
        ("service-account-user", "roles/iam.serviceAccountUser", ("serviceAccountId", COMPUTE_ACCOUNT)),
        ("project-viewer", "roles/viewer", ("project", "acme-ml-dev")),
    ],
)
def test_access_to_a_hosted_endpoint(kind: str, role: str, where: tuple[str, str]) -> None:
    (grant,) = access(plan(target__access=kind))
    assert grant.inputs["role"] == role
    assert grant.inputs["member"] == "serviceAccount:acme-ml-dev@appspot.gserviceaccount.com"
    assert grant.inputs[where[0]] == where[1]


def test_access_through_identity_aware_proxy_is_granted_on_the_backend_service() -> None:
    (grant,) = access(plan(**IAP))
    assert grant.inputs["role"] == "roles/iap.httpsResourceAccessor"
    assert grant.inputs["webBackendService"] == "kfp-backend"


def test_an_impersonated_account_is_let_in_and_the_launcher_may_make_tokens_of_that_account_alone() -> None:
    changed = plan(**IAP, target__impersonate=OTHER)
    (become,) = access(changed)
    assert become.inputs["role"] == "roles/iam.serviceAccountTokenCreator"
    assert become.inputs["serviceAccountId"] == f"projects/-/serviceAccounts/{OTHER}"
    (let_in,) = [r for r in iam(changed) if r.inputs["member"] == f"serviceAccount:{OTHER}"]
    assert let_in.inputs["role"] == "roles/iap.httpsResourceAccessor"


def test_on_vertex_the_launcher_may_create_and_find_jobs_and_act_as_their_account_alone() -> None:
    changed = plan(target=VERTEX)
    create, act = sorted(access(changed), key=lambda grant: str(grant.inputs["role"]))
    (role,) = changed.of_type(":IAMCustomRole")
    assert create.inputs["role"] == f"projects/acme-ml-dev/roles/{role.inputs['roleId']}"
    assert create.inputs["project"] == role.inputs["project"] == "acme-ml-dev"
    verbs = ("create", "get")
    assert role.inputs["permissions"] == [f"aiplatform.pipelineJobs.{verb}" for verb in verbs]
    assert role.urn in create.dependencies
    assert act.inputs["role"] == "roles/iam.serviceAccountUser"
    assert act.inputs["serviceAccountId"] == f"projects/-/serviceAccounts/{RUNNER}"


def test_jobs_in_another_project_take_a_role_there() -> None:
    changed = plan(target={**VERTEX, "project": "acme-ml-runs"})
    (role,) = changed.of_type(":IAMCustomRole")
    wide = [grant for grant in access(changed) if "project" in grant.inputs]
    assert [grant.inputs["project"] for grant in wide] == [role.inputs["project"]] == ["acme-ml-runs"]
    assert not [service for service in changed.of_type(":Service") if service.name == "aiplatform"]


def test_two_triggers_on_vertex_share_the_role_and_keep_their_accounts() -> None:
    other = "other@acme-ml-runs.iam.gserviceaccount.com"
    both = evaluate_all({"target": VERTEX}, {"target": {**VERTEX, "service_account": other}, "name": "another"})
    assert len(both.of_type(":IAMCustomRole")) == 1
    acting = {r.inputs["serviceAccountId"] for r in iam(both) if r.inputs["role"] == "roles/iam.serviceAccountUser"}
    assert acting == {f"projects/-/serviceAccounts/{email}" for email in (RUNNER, other)}


def test_no_access_is_granted_where_none_is_wanted() -> None:
    assert access(plan(target__access="none")) == []


@pytest.mark.parametrize(
    "email",
    [
        "kfp-nodes@acme-gke.iam.gserviceaccount.com",
        "987654321-compute@developer.gserviceaccount.com",
        "acme-gke.example.com@appspot.gserviceaccount.com",
    ],
)
def test_the_installation_may_run_as_another_account_in_another_project(email: str) -> None:
    (grant,) = access(plan(target__installation_service_account=email))
    assert grant.inputs["serviceAccountId"] == f"projects/-/serviceAccounts/{email}"


@pytest.mark.parametrize(
    ("identity", "email"),
    [
        ("app-engine", "acme-ml-dev@appspot.gserviceaccount.com"),
        ("dedicated", "dev-echo-launcher@acme-ml-dev.iam.gserviceaccount.com"),
        ("runs@acme-ml-shared.iam.gserviceaccount.com", "runs@acme-ml-shared.iam.gserviceaccount.com"),
    ],
)
def test_the_function_runs_as_the_configured_identity_and_the_grants_are_for_it(identity: str, email: str) -> None:
    changed = plan(identity=identity)
    service = changed.named("echo-launcher", ":Function").inputs["serviceConfig"]
    assert service["serviceAccountEmail"] == email
    assert {grant.inputs["member"] for grant in access(changed)} == {f"serviceAccount:{email}"}
    assert changed.exports["echo-launcher-identity"] == email


def test_files_may_be_read_only_by_a_launcher_that_maps_their_content(dev: Plan) -> None:
    assert not [r for r in iam(dev) if r.inputs["role"] == "roles/storage.objectViewer" and "bucket" in r.inputs]
    reading = plan(parameters={"filename": "content.name"})
    (grant,) = [r for r in iam(reading) if r.inputs["role"] == "roles/storage.objectViewer" and "bucket" in r.inputs]
    assert grant.inputs["bucket"] == reading.exports["echo-bucket"]


def evaluate_all(*changes: Mapping[str, Any]) -> Plan:
    """The dev stack with one trigger for each of the changes to its own."""
    config = dev_config()
    (echo,) = json.loads(config[TRIGGERS])
    return evaluate("dev", {**config, TRIGGERS: json.dumps([{**echo, **change} for change in changes])})


def with_a_second_trigger(**changes: Any) -> Plan:
    """The dev stack with another trigger before its own."""
    return evaluate_all({"name": "another", **changes}, {})


def test_another_trigger_leaves_the_grants_of_the_first_alone(dev: Plan) -> None:
    both = with_a_second_trigger(identity="dedicated")
    before, after = {r.urn: r.inputs for r in iam(dev)}, {r.urn: r.inputs for r in iam(both)}
    assert before.items() <= after.items()
    assert {name for name in both.exports if name.startswith("another-")}
    members = {r.inputs["member"] for r in iam(both) if r.inputs["role"] == "roles/run.invoker"}
    assert len(members) == 2


def test_what_two_triggers_need_alike_is_granted_once_and_belongs_to_neither() -> None:
    """Two equal grants are one to Google Cloud: removing one trigger would take the other's access away."""
    both = with_a_second_trigger()
    granted = [json.dumps([resource.type, dict(resource.inputs)], sort_keys=True) for resource in iam(both)]
    assert len(granted) == len(set(granted))
    (shared,) = [grant for grant in both.of_type("iam:Grant") if grant.name == "compute-default/viewer/app-engine"]
    assert shared.parent.endswith("::foundation")


def account_ids(stack: str, trigger: str) -> set[str]:
    config = dev_config(identity="dedicated")
    [only] = json.loads(config[TRIGGERS])
    planned = evaluate(stack, {**config, TRIGGERS: json.dumps([{**only, "name": trigger}])})
    return {account.inputs["accountId"] for account in planned.of_type(":Account")}


@pytest.mark.parametrize("rest", ["x", "with-a-rather-long-name-of-30"])
def test_no_two_stacks_of_a_project_have_an_account_of_one_name(rest: str) -> None:
    assert not account_ids("dev", f"echo-{rest}"[:30].rstrip("-")) & account_ids("dev-echo", rest)


def test_the_accounts_of_a_stack_whose_name_can_be_no_other_s_keep_their_names() -> None:
    assert account_ids("dev", "new-orders") == {"dev-build", "dev-new-orders-push", "dev-new-orders-launcher"}


def test_an_account_s_name_is_never_too_long_and_says_whose_it_is() -> None:
    for found in account_ids("a-stack-with-a-name-of-30-char", "and-a-trigger-with-one-of-30-c"):
        assert len(found) <= 30
        assert found.startswith("a-stack-with-a-name-of")


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda path: path.name)
def test_of_each_role_the_page_says_what_it_holds_that_nothing_uses(file: Path) -> None:
    page = (ROOT / "docs" / "iam.md").read_text()
    explained = set(re.findall(r"^\| `(roles/[^`]+)` \|", page, re.MULTILINE))
    granted = {grant.inputs["role"] for grant in iam(evaluate(*read_stack(str(file))))}
    assert {role for role in granted if role.startswith("roles/")} <= explained

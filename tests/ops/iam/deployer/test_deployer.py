"""What the deployer needs is derived from the plan, is no more than a role holds, and stands in the files."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ops.errors import OperationError
from ops.iam.deployer.files import LONGEST_LIST, ON_PROJECT, SUFFIXES, deployer_files
from ops.iam.deployer.needs import (
    ACT_AS,
    ATTACH,
    NEEDS,
    OWNER_IN_THE_END,
    SERVICE_ACCOUNT_USER,
    accounts_relied_on,
    needs_of,
)
from rehearsal.program import Plan, evaluate, read_stack
from tests.plans import DEV, PROD, STACK_FILES, STACKS, plan

FOLDER = STACKS / "iam"
STRANGER = "kfp-nodes@their-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def dev() -> Plan:
    return plan()


@pytest.fixture(scope="module")
def held() -> dict[str, set[str]]:
    """What each predefined role holds."""
    recorded = yaml.safe_load((Path(__file__).parent / "predefined_roles.yaml").read_text())
    return {
        role: {f"{resource}.{verb}" for resource, verbs in families.items() for verb in verbs}
        for role, families in recorded.items()
    }


@pytest.mark.parametrize("path", [DEV, PROD], ids=lambda path: path.name)
def test_the_files_are_what_the_plan_needs(path: Path) -> None:
    for name, text in deployer_files(evaluate(*read_stack(str(path)))).items():
        assert (FOLDER / name).read_text() == text, f"{name} is stale: read `make golden; git diff`"


def test_there_are_no_files_of_stacks_that_are_gone() -> None:
    there = {path.name for suffix in SUFFIXES for path in FOLDER.glob(f"*{suffix}")}
    assert there == {f"{name}{suffix}" for name in ("dev", "prod") for suffix in SUFFIXES}


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_every_resource_of_every_stack_has_its_needs_told(path: Path) -> None:
    assert needs_of(evaluate(*read_stack(str(path)))).permissions


@pytest.mark.parametrize(
    ("access", "takes"),
    [("project-viewer", "resourcemanager.projects.setIamPolicy"), ("iap", "iap.webServices.setIamPolicy")],
)
def test_every_way_into_an_endpoint_has_its_needs_told(access: str, takes: str) -> None:
    behind_iap = {
        "target__host": "https://kfp.example",
        "target__iap_backend_service": "kfp",
        "target__audience": "1-a.apps.googleusercontent.com",
    }
    needs = needs_of(plan(target__access=access, **(behind_iap if access == "iap" else {})))
    assert takes in needs.permissions


def test_a_type_of_which_nobody_said_what_it_takes_is_an_error(dev: Plan) -> None:
    new = replace(dev.resources[-1], type="gcp:bigquery/dataset:Dataset", custom=True)
    with pytest.raises(OperationError, match=r"what deploying gcp:bigquery/dataset:Dataset takes: add it to NEEDS"):
        needs_of(replace(dev, resources=(*dev.resources, new)))


@pytest.mark.parametrize("name", NEEDS)
def test_the_role_of_a_resource_holds_all_that_the_resource_takes(name: str, held: dict[str, set[str]]) -> None:
    need = NEEDS[name]
    assert set(need.permissions) <= held[need.role]


def test_one_request_can_ask_for_all_permissions_that_there_are() -> None:
    assert len({permission for need in NEEDS.values() for permission in need.permissions} | {ACT_AS}) <= 100


def test_the_roles_of_a_stack_cover_its_permissions(dev: Plan, held: dict[str, set[str]]) -> None:
    needs = needs_of(dev)
    assert set(needs.permissions) <= set().union(*(held[role] for role in needs.roles))
    assert ACT_AS in held[SERVICE_ACCOUNT_USER]
    assert {permission for used in needs.roles.values() for permission in used} == set(needs.permissions)


def test_the_deployer_acts_as_the_accounts_that_something_runs_or_calls_as(dev: Plan) -> None:
    assert needs_of(dev).runs_as == (
        "acme-ml-dev@appspot.gserviceaccount.com",
        "dev-build@acme-ml-dev.iam.gserviceaccount.com",
        "dev-echo-push@acme-ml-dev.iam.gserviceaccount.com",
    )


def test_the_accounts_that_the_stack_relies_on_are_those_that_it_does_not_make(dev: Plan) -> None:
    assert accounts_relied_on(dev) == [
        "123456789012-compute@developer.gserviceaccount.com",
        "acme-ml-dev@appspot.gserviceaccount.com",
    ]
    assert accounts_relied_on(plan(identity="dedicated", target__access="project-viewer")) == []


def test_what_is_done_on_an_account_of_another_project_is_asked_for_there() -> None:
    stranger = plan(identity=STRANGER, target__installation_service_account=STRANGER)
    assert needs_of(stranger).elsewhere == {
        STRANGER: (ACT_AS, "iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.setIamPolicy")
    }
    page = deployer_files(stranger)["dev.deployer.md"]
    for role in ("iam.serviceAccountAdmin", "iam.serviceAccountUser"):
        command = f"gcloud iam service-accounts add-iam-policy-binding {STRANGER} --member=MEMBER --role=roles/{role}"
        assert page.count(command) == 1


def test_what_is_done_in_another_project_is_asked_for_there(dev: Plan) -> None:
    """A role of the stack's own at a target's project, and a subscription to a topic that is there already."""
    elsewhere = {"project": "their-project"}
    role = replace(dev.named("pubsub-agent"), type="gcp:projects/iAMCustomRole:IAMCustomRole", inputs=elsewhere)
    subscription = dev.named("echo-events", ":Subscription")
    to_theirs = {**subscription.inputs, "topic": "projects/their-project/topics/orders"}
    plan = replace(dev, resources=(*dev.resources, role, replace(subscription, inputs=to_theirs)))
    needs = needs_of(plan)
    assert needs.types == needs_of(dev).types
    assert needs.elsewhere == {
        "their-project": (
            *(f"iam.roles.{verb}" for verb in ("create", "delete", "get", "undelete", "update")),
            ATTACH,
        )
    }
    page = deployer_files(plan)["dev.deployer.md"]
    for theirs in ("iam.roleAdmin", "pubsub.admin"):
        assert f"gcloud projects add-iam-policy-binding their-project --member=MEMBER --role=roles/{theirs}" in page


def test_nothing_is_said_of_other_projects_where_the_stack_is_in_none(dev: Plan) -> None:
    assert needs_of(dev).elsewhere == {}
    assert "In other projects" not in deployer_files(dev)["dev.deployer.md"]


def test_the_custom_role_is_one_that_gcloud_takes(dev: Plan) -> None:
    role = yaml.safe_load(deployer_files(dev)["dev.deployer.yaml"])
    assert set(role) == {"title", "description", "stage", "includedPermissions"}
    assert len(role["title"]) <= 100
    assert len(role["description"]) <= 256
    assert role["includedPermissions"] == needs_of(dev).permissions
    assert (
        "gcloud iam roles create pipeline_deployer_a_b "
        in deployer_files(replace(dev, stack="a-b"))["a-b.deployer.md"]
    )


def limits_of(of: Plan) -> list[str]:
    """The conditions that the page shows: on the project, and on what is in it."""
    shown = deployer_files(of)["dev.deployer.md"].split("```yaml\n")[1:]
    return [str(yaml.safe_load(part.split("```")[0])["expression"]) for part in shown]


def test_each_limit_on_granting_lists_every_role_that_the_stack_grants_there() -> None:
    stack = replace(evaluate(*read_stack(str(PROD))), stack="dev")
    grants = [resource for resource in stack.resources if "member" in resource.inputs]
    on_project, on_resources = limits_of(stack)
    assert on_project.startswith("resource.type == 'cloudresourcemanager.googleapis.com/Project' && (")
    assert on_resources.startswith("resource.type != 'cloudresourcemanager.googleapis.com/Project' && (")
    assert {grant.type == ON_PROJECT for grant in grants} == {True, False}
    for grant in grants:
        there = on_project if grant.type == ON_PROJECT else on_resources
        assert f"'{grant.inputs['role']}'" in there


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_no_role_that_is_granted_on_the_project_lets_be_another_account(path: Path) -> None:
    """TokenCreator is granted on single accounts; granted on the project it would be all of them."""
    on_project = limits_of(replace(evaluate(*read_stack(str(path))), stack="dev"))[0]
    for role in ("serviceAccountTokenCreator", "serviceAccountUser", "Admin", "roles/owner", "roles/editor"):
        assert role not in on_project


def test_what_makes_an_owner_is_named_and_left_out_of_the_limited_role(tmp_path: Path) -> None:
    files = deployer_files(replace(evaluate(*read_stack(str(PROD))), stack="prod"))
    page = files["prod.deployer.md"]
    command = next(line.strip() for line in page.splitlines() if line.strip().startswith("grep -vE"))
    (tmp_path / "iam").mkdir()
    (tmp_path / "iam" / "prod.deployer.yaml").write_text(files["prod.deployer.yaml"])
    subprocess.run(("sh", "-c", command), cwd=tmp_path, check=True)
    full = yaml.safe_load(files["prod.deployer.yaml"])
    limited = yaml.safe_load((tmp_path / "limited.yaml").read_text())
    assert set(full["includedPermissions"]) - set(limited["includedPermissions"]) == set(OWNER_IN_THE_END)
    for permission in OWNER_IN_THE_END:
        assert f"`{permission}`" in page.split("## How far this reaches")[1].split("1. Somebody")[0]


def test_no_list_of_the_limit_is_longer_than_a_condition_takes(dev: Plan) -> None:
    grants = [resource for resource in dev.resources if "member" in resource.inputs]
    more = [replace(grant, inputs={**grant.inputs, "role": f"roles/{grant.name}"}) for grant in grants]
    limits = limits_of(replace(dev, resources=(*dev.resources, *more)))
    lists = [found for limit in limits for found in limit.split(".hasOnly( [")[1:]]
    assert len(lists) > len(limits)
    assert all(len(found.split("]")[0].split(",")) <= LONGEST_LIST for found in lists)

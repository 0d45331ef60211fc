"""What stands in the project is compared with what was reviewed: nothing that differs passes, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import Credentials
from typer.testing import CliRunner

from ops.cli import app
from ops.doctor.web import GOOGLE, Web
from ops.drift import drift, standing
from ops.drift.drift import find_drift
from ops.errors import OperationError
from ops.findings import Finding
from ops.iam.catalogue.roles import pinned
from ops.iam.kept.manifest import from_plan
from rehearsal.google.metadata import Tokens
from rehearsal.google.project_apis import GoogleProject
from rehearsal.loopback import Loopback
from rehearsal.program import PROJECT_NUMBER, Plan, evaluate, read_stack
from tests.plans import DEV, PROD

STRANGER = "user:mallory@example.org"


def path_of(kind: str, inputs: dict[str, Any], project: str) -> str:
    """Where Google keeps the policy that a grant of a plan is on."""
    match kind:
        case "BucketIAMMember":
            return f"/storage/v1/b/{inputs['bucket']}"
        case "TopicIAMMember":
            return f"/v1/projects/{project}/topics/{inputs['topic'].rpartition('/')[2]}"
        case "SubscriptionIAMMember":
            return f"/v1/projects/{project}/subscriptions/{inputs['subscription'].rpartition('/')[2]}"
        case "IAMMember" if "serviceAccountId" in inputs:
            return f"/v1/projects/-/serviceAccounts/{inputs['serviceAccountId'].rpartition('/')[2]}"
        case "IAMMember":
            return f"/v3/projects/{inputs['project']}"
        case "ServiceIamMember":
            return (
                f"/v2/projects/{project}/locations/{inputs['location']}/services/{inputs['name'].rpartition('/')[2]}"
            )
        case "RepositoryIamMember":
            repository = inputs["repository"].rpartition("/")[2]
            return f"/v1/projects/{project}/locations/{inputs['location']}/repositories/{repository}"
        case "WebBackendServiceIamMember":
            return f"/v1/projects/{PROJECT_NUMBER}/iap_web/compute/services/{inputs['webBackendService']}"
    raise LookupError(kind)


@dataclass
class Deployed:
    """A stack that stands as it was reviewed, until something is changed."""

    plan: Plan
    project: GoogleProject
    web: Web
    root: Path
    stack: str

    def find(self) -> list[Finding]:
        return find_drift(self.stack, self.root, self.web)

    def problems(self) -> list[str]:
        return [found.what for found in self.find() if found.status == "problem"]

    def policy(self, part: str) -> list[dict[str, Any]]:
        """The bindings of the one policy whose path holds a text."""
        [path] = [path for path in self.project.bindings if part in path]
        return self.project.bindings[path]


class Person(Credentials):
    """Somebody who may look."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self.token = tokens.issue("somebody@example.com", 3600)

    def refresh(self, request: Any) -> None:
        """It is fresh."""


@pytest.fixture(params=["dev", "prod"])
def deployed(
    request: pytest.FixtureRequest, loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployed:
    name, config = read_stack(str({"dev": DEV, "prod": PROD}[request.param]))
    plan, project = evaluate(name, config), config["gcp:project"]
    tokens = Tokens()
    google = GoogleProject(project, PROJECT_NUMBER, tokens)
    for resource in plan.resources:
        kind = resource.type.rsplit(":", 1)[-1]
        if kind.lower().endswith("iammember") and resource.custom:
            path = path_of(kind, dict(resource.inputs), project)
            role, member = resource.inputs["role"], resource.inputs["member"]
            binding = {"role": role, "members": [member], "condition": resource.inputs.get("condition")}
            google.bindings.setdefault(path, []).append(binding)
    for role, known in pinned().roles.items():
        if known.known == "complete":
            google.roles[role] = sorted(known.permissions)
    for custom in plan.of_type(":IAMCustomRole"):
        google.roles[f"projects/{project}/roles/{custom.inputs['roleId']}"] = list(custom.inputs["permissions"])
    state = [
        {"custom": True, "type": found.type, "urn": found.urn, "outputs": dict(found.outputs)}
        for found in plan.resources
        if found.custom
    ]
    monkeypatch.setattr(standing, "ask_pulumi", lambda *_: {"deployment": {"resources": state}})
    (tmp_path / "iam").mkdir()
    (tmp_path / "iam" / f"{name}.json").write_text(from_plan(plan, project).to_json())
    url = loopback.serve(google.app)
    web = Web(Person(tokens), reach=dict.fromkeys(GOOGLE, url).__getitem__)
    return Deployed(plan, google, web, tmp_path, name)


def test_what_stands_as_it_was_reviewed_has_not_drifted_and_everything_is_looked_at(deployed: Deployed) -> None:
    found = deployed.find()
    assert [one.what for one in found if one.status != "ok"] == []
    asked = {request.url.path.removesuffix(":getIamPolicy").removesuffix("/iam") for request in deployed.project.seen}
    assert deployed.project.bindings.keys() <= asked
    assert any("/serviceAccounts/" in path and "-push@" in path for path in asked)
    assert any("launcher-sources" in path for path in asked)  # of which nobody is granted anything


def test_only_questions_are_asked(deployed: Deployed) -> None:
    deployed.find()
    for request in deployed.project.seen:
        assert request.method == "GET" or request.url.path.endswith(":getIamPolicy")


@pytest.mark.parametrize(
    "part", ["/b/launch-ledger", "/topics/", "/subscriptions/", "-push@", "/services/", "/repositories/"]
)
def test_a_stranger_on_what_the_stack_made_is_found_on_each_kind_of_resource(deployed: Deployed, part: str) -> None:
    path = sorted(path for path in deployed.project.bindings if part in path and "iap_web" not in path)[0]
    deployed.project.bindings[path].append({"role": "roles/owner", "members": [STRANGER]})
    [what] = deployed.problems()
    assert f"roles/owner of {STRANGER} is in no manifest" in what
    assert path.rpartition("/")[2] in what


def test_a_stranger_on_what_nobody_is_granted_is_found(deployed: Deployed) -> None:
    [sources] = [found for found in deployed.plan.of_type(":Bucket") if "sources" in found.name]
    deployed.project.bindings[f"/storage/v1/b/{sources.outputs['name']}"] = [
        {"role": "roles/storage.objectAdmin", "members": [STRANGER]}
    ]
    assert [STRANGER in what for what in deployed.problems()] == [True]


def test_each_grant_that_went_is_found(deployed: Deployed) -> None:
    for path, bindings in list(deployed.project.bindings.items()):
        for binding in list(bindings):
            bindings.remove(binding)
            gone = [what for what in deployed.problems() if what.endswith("is gone")]
            assert [binding["role"] in what and binding["members"][0] in what for what in gone] == [True], path
            bindings.append(binding)


def test_another_condition_is_drift_both_ways(deployed: Deployed) -> None:
    binding = next(one for one in deployed.policy("/b/launch-ledger") if one["condition"])
    binding["condition"] = None
    said = deployed.problems()
    assert [what.endswith("is gone") for what in said] == [True, False]
    assert said[1].endswith("is in no manifest")


def test_a_stack_s_own_account_may_get_nothing_more_on_the_project(deployed: Deployed) -> None:
    account = next(found.outputs["email"] for found in deployed.plan.of_type(":Account"))
    deployed.policy("/v3/projects/").append({"role": "roles/editor", "members": [f"serviceAccount:{account}"]})
    assert [f"roles/editor of serviceAccount:{account}" in what for what in deployed.problems()] == [True]


def test_what_others_hold_on_the_project_is_their_business(deployed: Deployed) -> None:
    deployed.policy("/v3/projects/").append({"role": "roles/owner", "members": [STRANGER]})
    assert deployed.problems() == []


@pytest.mark.parametrize(
    ("member", "passes"),
    [
        ("projectOwner:acme-ml-dev", True),
        (f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-logging.iam.gserviceaccount.com", True),
        ("serviceAccount:service-999@gcp-sa-logging.iam.gserviceaccount.com", False),
        ("allUsers", False),
        ("deleted:serviceAccount:x@p.iam.gserviceaccount.com?uid=1", False),
    ],
)
def test_who_is_left_out_on_what_the_stack_made(deployed: Deployed, member: str, passes: bool) -> None:
    deployed.policy("/b/launch-ledger").append({"role": "roles/storage.admin", "members": [member]})
    assert (deployed.problems() == []) is passes


def test_a_role_that_has_grown_is_found_with_the_role_to_use_instead(deployed: Deployed) -> None:
    role = "roles/run.invoker"
    reviewed = sorted(pinned().roles[role].permissions)
    deployed.project.roles[role] = [*reviewed, "run.services.update"]
    [found] = [one for one in deployed.find() if one.status == "problem"]
    assert found.what == f"{role} holds run.services.update, and did not when it was reviewed"
    assert found.fix == (
        f"gcloud iam roles create run_invoker_reviewed --project={deployed.project.project} "
        f"--permissions={','.join(reviewed)}"
    )


def test_a_custom_role_that_was_changed_is_found(deployed: Deployed) -> None:
    custom = next((role for role in deployed.project.roles if role.startswith("projects/")), None)
    if custom is None:
        return  # the dev stack has none
    held = deployed.project.roles[custom]
    deployed.project.roles[custom] = [*held[1:], "resourcemanager.projects.setIamPolicy"]
    said = deployed.problems()
    assert f"{custom} holds resourcemanager.projects.setIamPolicy, and did not when it was reviewed" in said
    assert f"{custom} no longer holds {held[0]}" in said


@pytest.mark.parametrize(
    ("denied", "said"),
    [
        ("storage.buckets.getIamPolicy", "you lack storage.buckets.getIamPolicy"),
        ("resourcemanager.projects.getIamPolicy", "you lack resourcemanager.projects.getIamPolicy"),
        ("iam.roles.get", "you lack iam.roles.get"),
    ],
)
def test_what_cannot_be_read_is_not_as_reviewed_and_says_what_it_takes(
    deployed: Deployed, denied: str, said: str
) -> None:
    deployed.project.denied.add(denied)
    unread = [one for one in deployed.find() if one.status == "could not check"]
    assert unread
    assert all(said in one.what and "roles/iam.securityReviewer" in one.fix for one in unread)


Exit = Callable[[], int]


@pytest.fixture
def status(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Exit:
    monkeypatch.setattr(drift, "Web", lambda _: deployed.web)
    monkeypatch.setattr(drift, "_credentials", lambda _: None)
    monkeypatch.setattr("infra.configuration.stack_file.ROOT", deployed.root)
    stack = str({"dev": DEV, "prod": PROD}[deployed.stack])
    return lambda: CliRunner().invoke(app, ["iam", "drift", "--stack", stack, "--json"]).exit_code


def test_the_exit_status_is_for_jobs(deployed: Deployed, status: Exit) -> None:
    assert status() == 0
    deployed.project.denied.add("storage.buckets.getIamPolicy")
    assert status() == 1
    deployed.policy("/v3/projects/").clear()
    assert status() == 3


def test_a_project_that_cannot_be_looked_at_is_no_drift_and_does_not_pass(deployed: Deployed, status: Exit) -> None:
    deployed.project.forbidden_apis.add("cloudresourcemanager")
    assert [found.status for found in deployed.find()] == ["could not check"]
    assert status() == 1


def test_a_project_that_is_being_deleted_is_said(deployed: Deployed) -> None:
    deployed.project.state = "DELETE_REQUESTED"
    assert [what for what in deployed.problems() if "is being deleted" in what]


def test_what_there_is_nothing_to_compare_with_is_said(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    path = deployed.root / "iam" / f"{deployed.stack}.json"
    path.write_text("{")
    with pytest.raises(OperationError, match="is no manifest; write it anew: make iam"):
        deployed.find()
    path.unlink()
    with pytest.raises(OperationError, match=r"has no iam/\w+\.json to compare with; write it: make iam"):
        deployed.find()
    path.write_text(json.dumps({"stack": deployed.stack, "project": "p", "grants": []}))
    monkeypatch.setattr(standing, "ask_pulumi", lambda *_: {"deployment": {}})
    with pytest.raises(OperationError, match="has made nothing that could have drifted"):
        deployed.find()

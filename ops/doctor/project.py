"""The Google Cloud project: that it is there and paid for, its APIs, what you may do in it, the accounts it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.configuration.rules import APP_ENGINE_ACCOUNT, COMPUTE_ENGINE_ACCOUNT
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.findings import Finding, ok, problem, unchecked
from ops.iam.deployer.needs import Needs, role_with

# `pulumi up` enables the others through these two (docs/deploy.md).
FIRST_SERVICES = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")
RESOURCE_MANAGER = ("cloudresourcemanager", "/v3/projects")


def check_project(apis: GoogleApis) -> tuple[str, Finding]:
    """Whether the project is there and active; returns its number too, empty when that is not known."""
    check, project = "project", apis.project
    try:
        found = apis.get("cloudresourcemanager", f"/v3/projects/{project}")
    except RefusedError as refused:
        if refused.disabled:
            return "", problem(check, str(refused), refused.fix)
        if refused.status in (403, 404):
            what = f"there is no project {project}, or you may not see it"
            fix = f"gcloud projects list; put the right id into gcp:project, or: gcloud projects create {project}"
            return "", problem(check, what, fix)
        return "", refused.as_finding(check)
    number = str(found.get("name", "")).removeprefix("projects/")
    if found.get("state") != "ACTIVE":
        what = f"project {project} is being deleted ({found.get('state')})"
        return number, problem(check, what, f"gcloud projects undelete {project}")
    return number, ok(check, f"{project} is there and active; its number is {number}")


def check_billing(apis: GoogleApis) -> list[Finding]:
    """Whether the project is paid for: without that no API is enabled."""
    check = "billing"
    try:
        found = apis.get("cloudbilling", f"/v1/projects/{apis.project}/billingInfo")
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if not found.get("billingEnabled"):
        fix = f"gcloud billing projects link {apis.project} --billing-account=ID (from: gcloud billing accounts list)"
        return [problem(check, f"project {apis.project} has no billing account", fix)]
    return [ok(check, "a billing account is linked")]


def check_services(apis: GoogleApis, wanted: Iterable[str]) -> list[Finding]:
    """Whether the two APIs are enabled through which `pulumi up` enables the others."""
    check, parent = "APIs", f"projects/{apis.project}"
    names = sorted({*wanted, *FIRST_SERVICES})
    try:
        given = [f"{parent}/services/{name}" for name in names]
        answer = apis.get("serviceusage", f"/v1/{parent}/services:batchGet", names=given)
    except RefusedError as refused:
        return [problem(check, str(refused), refused.fix) if refused.disabled else refused.as_finding(check)]
    states = {item["name"].rsplit("/", 1)[-1]: item.get("state") for item in answer.get("services", [])}
    if missing := [name for name in FIRST_SERVICES if states.get(name) != "ENABLED"]:
        what = f"{' and '.join(missing)}, through which `pulumi up` enables the others, are not enabled"
        return [problem(check, what, f"gcloud services enable {' '.join(missing)} --project={apis.project}")]
    off = [name for name in names if states.get(name) != "ENABLED"]
    rest = f"; `pulumi up` enables {', '.join(off)}" if off else ""
    return [ok(check, f"{len(names) - len(off)} of {len(names)} are enabled{rest}")]


def check_permissions(apis: GoogleApis, needs: Needs, role_file: str) -> list[Finding]:
    """Whether you hold on the project what `iam/<stack>.deployer.yaml` lists."""
    check = "permissions"
    try:
        missing = _missing(apis, apis.project, needs.permissions)
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if not missing:
        return [ok(check, f"you hold all {len(needs.permissions)} that `pulumi up` needs on the project")]
    fix = f"{_grants(apis, apis.project, missing)}\n(or the custom role that `make iam` writes to {role_file})"
    what = f"on the project you lack {len(missing)} of {len(needs.permissions)}: {', '.join(missing)}"
    return [problem(check, what, fix)]


def check_elsewhere(apis: GoogleApis, place: str, wanted: Sequence[str]) -> list[Finding]:
    """Whether you hold on another project, or an account of one, what the stack takes there."""
    check = f"permissions on {place}"
    try:
        missing = _missing(apis, place, wanted)
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if missing:
        return [problem(check, f"you lack {', '.join(missing)} on it", _grants(apis, place, missing))]
    return [ok(check, "you may do on it what the stack needs")]


def check_account(apis: GoogleApis, account: str) -> list[Finding]:
    """Whether an account that the stack relies on, and does not make, exists."""
    check = f"account {account}"
    try:
        found = apis.get("iam", f"/v1/projects/-/serviceAccounts/{account}")
    except RefusedError as refused:
        if refused.status == 404:
            return [problem(check, "it does not exist", _how_to_make(account, apis.project))]
        if refused.status == 403:
            fix = f"gcloud iam service-accounts describe {account}"
            return [unchecked(check, "it does not exist, or you may not see it", fix)]
        return [refused.as_finding(check)]
    if found.get("disabled"):
        return [problem(check, "it is disabled", f"gcloud iam service-accounts enable {account}")]
    return [ok(check, "it exists")]


def _how_to_make(account: str, project: str) -> str:
    if account.endswith(APP_ENGINE_ACCOUNT):
        return (
            f"gcloud services enable cloudfunctions.googleapis.com --project={project}, and if that does not make "
            f"it: gcloud app create --project={project}; or set identity: dedicated, which needs no such account"
        )
    if account.endswith(COMPUTE_ENGINE_ACCOUNT):
        return (
            f"gcloud services enable compute.googleapis.com --project={project}; or set "
            "installation_service_account to the account that the Pipelines installation runs as"
        )
    return (
        "look for a typing error in the stack file, or: gcloud iam service-accounts create NAME --project=ITS_PROJECT"
    )


def _missing(apis: GoogleApis, place: str, wanted: Sequence[str]) -> list[str]:
    service, parent = ("iam", "/v1/projects/-/serviceAccounts") if "@" in place else RESOURCE_MANAGER
    answer = apis.post(service, f"{parent}/{place}:testIamPermissions", {"permissions": [*wanted]})
    return [permission for permission in wanted if permission not in answer.get("permissions", [])]


def _grants(apis: GoogleApis, place: str, missing: Sequence[str]) -> str:
    return "\n".join(apis.grant(role, place) for role in sorted({role_with(permission) for permission in missing}))

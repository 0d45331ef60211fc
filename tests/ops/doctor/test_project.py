"""What can be wrong with a project, one at a time: what is said of it, and the command that mends it."""

import pytest

from ops.doctor.google_apis import GoogleApis
from ops.doctor.project import check_elsewhere
from ops.doctor.web import Web
from ops.iam.deployer.needs import ACT_AS
from tests.ops.doctor.conftest import APP_ENGINE, COMPUTE, HOST, NUMBER, PROJECT, Change, Clinic

ME = '--member="user:$(gcloud config get-value account)"'
GRANT = f"gcloud projects add-iam-policy-binding {PROJECT} {ME} --role=roles/"


def set_to(**values: object) -> Change:
    """Changes attributes of the project."""
    return lambda clinic: vars(clinic.project).update(values)


def policy(constraint: str, **rule: object) -> Change:
    return set_to(policies={constraint: [rule]})


def values(**lists: list[str]) -> dict[str, list[str]]:
    return lists


def test_all_is_well_in_a_healthy_project(clinic: Clinic) -> None:
    findings = clinic.look()
    advice = findings.pop(f"fence at {HOST}")
    assert advice.status == "advice"
    assert {finding.status for finding in findings.values()} == {"ok"}, findings
    assert not any(finding.fix for finding in findings.values())
    assert findings["project"].what == f"{PROJECT} is there and active; its number is {NUMBER}"
    assert findings["permissions"].what == "you hold all 49 that `pulumi up` needs on the project"
    assert {"Pulumi CLI", "credentials", "billing", "APIs", f"account {COMPUTE}", "policy gcp.resourceLocations"} <= {
        *findings
    }


PROBLEMS = {
    "a project of somebody else's": (
        lambda clinic: clinic.edit(f"gcp:project: {PROJECT}", "gcp:project: their-project"),
        ("project", "there is no project their-project, or you may not see it", "gcloud projects list"),
    ),
    "a project that is being deleted": (
        set_to(state="DELETE_REQUESTED"),
        ("project", "is being deleted (DELETE_REQUESTED)", f"gcloud projects undelete {PROJECT}"),
    ),
    "an API that looks projects up is off": (
        set_to(disabled_apis={"cloudresourcemanager"}),
        (
            "project",
            "cloudresourcemanager.googleapis.com is not enabled",
            f"gcloud services enable cloudresourcemanager.googleapis.com --project={NUMBER}",
        ),
    ),
    "the API that enables the others is off": (
        set_to(disabled_apis={"serviceusage"}),
        (
            "APIs",
            "serviceusage.googleapis.com is not enabled",
            f"gcloud services enable serviceusage.googleapis.com --project={NUMBER}",
        ),
    ),
    "an API that enabling takes is off": (
        set_to(services={"cloudresourcemanager.googleapis.com": "DISABLED"}),
        (
            "APIs",
            "cloudresourcemanager.googleapis.com, through which `pulumi up` enables the others, are not enabled",
            f"gcloud services enable cloudresourcemanager.googleapis.com --project={PROJECT}",
        ),
    ),
    "no billing account": (
        set_to(billed=False),
        ("billing", f"project {PROJECT} has no billing account", f"gcloud billing projects link {PROJECT}"),
    ),
    "a permission that is missing": (
        set_to(denied={"pubsub.topics.create", "pubsub.topics.get", "run.services.setIamPolicy"}),
        (
            "permissions",
            "on the project you lack 3 of 49: pubsub.topics.create, pubsub.topics.get, run.services.setIamPolicy",
            f"{GRANT}pubsub.admin\n{GRANT}run.admin\n(or the custom role that `make iam` writes to iam/mine",
        ),
    ),
    "no App Engine account": (
        set_to(accounts={COMPUTE: {}}),
        (
            f"account {APP_ENGINE}",
            "it does not exist",
            f"gcloud app create --project={PROJECT}; or set identity: dedicated, which needs no such account",
        ),
    ),
    "no account that the installation runs as": (
        set_to(accounts={APP_ENGINE: {}}),
        (
            f"account {COMPUTE}",
            "it does not exist",
            f"gcloud services enable compute.googleapis.com --project={PROJECT}",
        ),
    ),
    "an account that is disabled": (
        set_to(accounts={APP_ENGINE: {"disabled": True}, COMPUTE: {}}),
        (f"account {APP_ENGINE}", "it is disabled", f"gcloud iam service-accounts enable {APP_ENGINE}"),
    ),
    "a region that is denied": (
        policy("gcp.resourceLocations", values=values(deniedValues=["in:us-locations"])),
        (
            "policy gcp.resourceLocations",
            "it refuses what is in us-central1; denied: in:us-locations",
            f"to an allowed one; gcloud org-policies describe gcp.resourceLocations --effective --project={PROJECT}",
        ),
    ),
    "a list of regions without ours": (
        policy("gcp.resourceLocations", values=values(allowedValues=["europe-west4", "eu"])),
        (
            "policy gcp.resourceLocations",
            "it refuses what is in us-central1; allowed: europe-west4, eu",
            "gcp:region",
        ),
    ),
    "a service that may not be used": (
        policy("gcp.restrictServiceUsage", values=values(deniedValues=["run.googleapis.com"])),
        ("policy gcp.restrictServiceUsage", "it refuses the use of run.googleapis.com", "ask an administrator"),
    ),
    "keys that must be the customer's": (
        policy("gcp.restrictNonCmekServices", values=values(deniedValues=["is:storage.googleapis.com"])),
        (
            "policy gcp.restrictNonCmekServices",
            "it refuses whatever is not encrypted with your key in storage.googleapis.com",
            "ask an administrator",
        ),
    ),
    "functions that must be reachable from outside": (
        policy("cloudfunctions.allowedIngressSettings", values=values(allowedValues=["ALLOW_INTERNAL_AND_GCLB"])),
        (
            "policy cloudfunctions.allowedIngressSettings",
            "it refuses functions with the ingress setting ALLOW_INTERNAL_ONLY; allowed: ALLOW_INTERNAL_AND_GCLB",
            f"gcloud org-policies describe cloudfunctions.allowedIngressSettings --effective --project={PROJECT}",
        ),
    ),
    "services that must be reachable from outside": (
        policy("run.allowedIngress", values=values(allowedValues=["all"])),
        ("policy run.allowedIngress", "with ingress internal; allowed: all", "gcloud org-policies describe"),
    ),
    "no second generation": (
        policy("cloudfunctions.restrictAllowedGenerations", denyAll=True),
        (
            "policy cloudfunctions.restrictAllowedGenerations",
            "it refuses functions of generation 2ndGen; nothing is allowed",
            "gcloud org-policies describe",
        ),
    ),
    "no new service accounts": (
        policy("iam.disableServiceAccountCreation", enforce=True),
        (
            "policy iam.disableServiceAccountCreation",
            "it refuses the service accounts that the stack makes",
            "ask an administrator",
        ),
    ),
    "functions without a connector": (
        policy("cloudfunctions.requireVPCConnector", enforce=True),
        (
            "policy cloudfunctions.requireVPCConnector",
            "it refuses the launchers, which have no VPC connector",
            "ask an administrator",
        ),
    ),
}


@pytest.mark.parametrize(("change", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_is_named_with_what_mends_it(
    clinic: Clinic, change: Change, expected: tuple[str, str, str]
) -> None:
    change(clinic)
    check, what, fix = expected
    finding = clinic.look()[check]
    assert finding.status == "problem"
    assert what in finding.what
    assert fix in finding.fix


UNSEEN = {
    "an API that shows billing is off": (
        set_to(disabled_apis={"cloudbilling"}),
        (
            "billing",
            "cloudbilling.googleapis.com is not enabled",
            f"gcloud services enable cloudbilling.googleapis.com --project={NUMBER}",
        ),
    ),
    "policies that the person may not see": (
        set_to(forbidden_apis={"orgpolicy"}),
        (
            "policy run.allowedIngress",
            "orgpolicy.googleapis.com forbids it: The caller does not have permission",
            f"{GRANT}orgpolicy.policyViewer",
        ),
    ),
    "accounts that the person may not see": (
        set_to(forbidden_apis={"iam"}),
        (
            f"account {APP_ENGINE}",
            "it does not exist, or you may not see it",
            f"gcloud iam service-accounts describe {APP_ENGINE}",
        ),
    ),
    "credentials without a quota project": (
        set_to(wants_quota_project=True),
        (
            "project",
            "cloudresourcemanager.googleapis.com wants a quota project in your credentials",
            f"gcloud auth application-default set-quota-project {PROJECT}",
        ),
    ),
    "a group of regions that Google alone knows": (
        policy("gcp.resourceLocations", values=values(allowedValues=["in:canada-locations"])),
        (
            "policy gcp.resourceLocations",
            "whether us-central1 is among what it allows is not to be seen from here; allowed: in:canada-locations",
            f"gcloud org-policies describe gcp.resourceLocations --effective --project={PROJECT}",
        ),
    ),
}


@pytest.mark.parametrize(("change", "expected"), UNSEEN.values(), ids=UNSEEN)
def test_what_cannot_be_seen_is_no_problem_and_says_how_to_see_it(
    clinic: Clinic, change: Change, expected: tuple[str, str, str]
) -> None:
    change(clinic)
    check, what, fix = expected
    finding = clinic.look()[check]
    assert finding.status == "could not check"
    assert what in finding.what
    assert finding.fix == fix


@pytest.mark.parametrize(
    "rule",
    [
        {"values": {"allowedValues": ["in:us-locations"]}},
        {"values": {"allowedValues": ["in:us-central1-locations", "in:eu-locations"]}},
        {"values": {"allowedValues": ["US-CENTRAL1"]}},
        {"values": {"deniedValues": ["europe-west4"]}},
        {"allowAll": True},
    ],
)
def test_regions_that_are_allowed(clinic: Clinic, rule: dict[str, object]) -> None:
    clinic.project.policies = {"gcp.resourceLocations": [rule]}
    finding = clinic.look()["policy gcp.resourceLocations"]
    assert (finding.status, finding.what) == ("ok", "lets us-central1 through")


def test_services_that_are_off_are_enabled_by_the_deployment(clinic: Clinic) -> None:
    clinic.project.services = {"run.googleapis.com": "DISABLED", "pubsub.googleapis.com": "DISABLED"}
    finding = clinic.look()["APIs"]
    assert finding.status == "ok"
    assert finding.what == ("8 of 10 are enabled; `pulumi up` enables pubsub.googleapis.com, run.googleapis.com")


@pytest.mark.parametrize(
    ("enforced", "said"), [(True, "holds only what the stack grants"), (False, "may hold Editor")]
)
def test_what_default_accounts_hold_beside(clinic: Clinic, enforced: bool, said: str) -> None:
    clinic.project.policies = {"iam.automaticIamGrantsForDefaultServiceAccounts": [{"enforce": enforced}]}
    finding = clinic.look()["policy iam.automaticIamGrantsForDefaultServiceAccounts"]
    assert finding.status == "ok"
    assert said in finding.what


def test_a_dedicated_identity_needs_no_app_engine_account(clinic: Clinic) -> None:
    clinic.edit("identity: app-engine", "identity: dedicated")
    clinic.project.accounts = {COMPUTE: {}}
    findings = clinic.look()
    assert f"account {APP_ENGINE}" not in findings
    assert {finding.status for finding in findings.values()} == {"ok", "advice"}
    assert (
        "no launcher runs as a default account"
        in findings["policy iam.automaticIamGrantsForDefaultServiceAccounts"].what
    )


STRANGER = "kfp-nodes@their-project.iam.gserviceaccount.com"


def test_what_the_stack_does_on_an_account_of_another_project_is_asked_of_that_account(clinic: Clinic) -> None:
    clinic.edit("access: viewer", f"access: viewer\n        installation_service_account: {STRANGER}")
    clinic.project.accounts = {APP_ENGINE: {}, STRANGER: {}}
    clinic.project.denied = {"iam.serviceAccounts.setIamPolicy"}
    findings = clinic.look()
    finding = findings[f"permissions on {STRANGER}"]
    assert (finding.status, finding.what) == ("problem", "you lack iam.serviceAccounts.setIamPolicy on it")
    assert finding.fix == (
        f"gcloud iam service-accounts add-iam-policy-binding {STRANGER} {ME} --role=roles/iam.serviceAccountAdmin"
    )
    assert findings[f"account {STRANGER}"].status == "ok"


def test_permissions_in_another_project_are_asked_of_that_project(clinic: Clinic) -> None:
    clinic.person.refresh(None)
    clinic.project.denied = {"pubsub.topics.attachSubscription"}
    apis = GoogleApis(Web(clinic.person, reach=clinic.reach.__getitem__), PROJECT)
    wanted = ["iam.roles.create", "pubsub.topics.attachSubscription"]
    (finding,) = check_elsewhere(apis, "their-project", wanted)
    assert finding.what == "you lack pubsub.topics.attachSubscription on it"
    assert finding.fix == f"{GRANT}pubsub.admin".replace(PROJECT, "their-project")
    assert [request.url.path for request in clinic.project.seen] == ["/v3/projects/their-project:testIamPermissions"]


def test_a_launcher_of_another_project_may_be_refused_as_a_member(clinic: Clinic) -> None:
    clinic.edit("identity: app-engine", f"identity: {STRANGER}")
    clinic.project.accounts = {STRANGER: {}, COMPUTE: {}}
    clinic.project.denied = {ACT_AS}
    domains = "iam.allowedPolicyMemberDomains"
    findings = clinic.look()
    assert findings[f"policy {domains}"].what == "lets every account through"
    assert findings[f"permissions on {STRANGER}"].fix.endswith("--role=roles/iam.serviceAccountUser")

    clinic.project.policies = {domains: [{"values": {"allowedValues": ["C0abcdefg"]}}]}
    finding = clinic.look()[f"policy {domains}"]
    assert finding.status == "could not check"
    assert f"{STRANGER} may be of another; allowed: C0abcdefg" in finding.what
    assert finding.fix == f"gcloud org-policies describe {domains} --effective --project={PROJECT}"

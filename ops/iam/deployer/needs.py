"""What the identity that runs `pulumi up` must be able to do, derived from the resources in a stack's plan.

Per type of resource: what the provider calls to create, read, update and delete it. The permissions of an API's
methods are from the API's own pages (storage/docs/access-control/iam-json, pubsub/docs/access-control,
functions/docs/reference/iam/permissions, artifact-registry/docs/access-control, iam/docs/permissions-reference);
that a role holds them is checked against the definitions that tests/ops/iam/deployer/predefined_roles.yaml records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.configuration.rules import APP_ENGINE_ACCOUNT, COMPUTE_ENGINE_ACCOUNT
from ops.errors import OperationError
from rehearsal.program import PROJECT_NUMBER, Plan, Resource

ACT_AS = "iam.serviceAccounts.actAs"
SERVICE_ACCOUNT_USER = "roles/iam.serviceAccountUser"
# Whoever holds one of these on a whole project can be any account in there, or write a role that it may grant.
OWNER_IN_THE_END = (
    ACT_AS,
    "iam.serviceAccounts.setIamPolicy",
    "iam.roles.create",
    "iam.roles.undelete",
    "iam.roles.update",
)
ATTACH = "pubsub.topics.attachSubscription"


@dataclass(frozen=True)
class Need:
    """What a type of resource takes, and the smallest predefined role that gives it."""

    role: str
    permissions: tuple[str, ...]


def _need(role: str, resource: str, verbs: str) -> Need:
    return Need(f"roles/{role}", tuple(f"{resource}.{verb}" for verb in verbs.split()))


POLICY = "getIamPolicy setIamPolicy"
NEEDS: Mapping[str, Need] = {
    "gcp:artifactregistry/repository:Repository": _need(
        "artifactregistry.admin", "artifactregistry.repositories", "create get update delete"
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _need(
        "artifactregistry.admin", "artifactregistry.repositories", POLICY
    ),
    "gcp:cloudfunctionsv2/function:Function": _need(
        "cloudfunctions.developer",
        "cloudfunctions",
        "functions.create functions.get functions.update functions.delete operations.get",
    ),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": _need("run.admin", "run.services", POLICY),
    # A job is resumed as soon as it is made.
    "gcp:cloudscheduler/job:Job": _need(
        "cloudscheduler.admin", "cloudscheduler.jobs", "create enable get update delete"
    ),
    "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember": _need("iap.admin", "iap.webServices", POLICY),
    "gcp:logging/projectSink:ProjectSink": _need("logging.configWriter", "logging.sinks", "create get update delete"),
    # A deleted role keeps its name for a while; the provider takes it back in the place of making another.
    "gcp:projects/iAMCustomRole:IAMCustomRole": _need(
        "iam.roleAdmin", "iam.roles", "create get update delete undelete"
    ),
    "gcp:projects/iAMMember:IAMMember": _need("resourcemanager.projectIamAdmin", "resourcemanager.projects", POLICY),
    "gcp:projects/service:Service": _need(
        "serviceusage.serviceUsageAdmin", "serviceusage", "services.enable services.list operations.get"
    ),
    # Making a service agent exist takes no permission (iam/docs/create-service-agents); the project is looked up.
    "gcp:projects/serviceIdentity:ServiceIdentity": _need(
        "resourcemanager.projectIamAdmin", "resourcemanager.projects", "get"
    ),
    "gcp:pubsub/subscription:Subscription": _need(
        "pubsub.admin",
        "pubsub",
        "subscriptions.create subscriptions.get subscriptions.update subscriptions.delete topics.attachSubscription",
    ),
    "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember": _need("pubsub.admin", "pubsub.subscriptions", POLICY),
    "gcp:pubsub/topic:Topic": _need("pubsub.admin", "pubsub.topics", "create get update delete"),
    "gcp:pubsub/topicIAMMember:TopicIAMMember": _need("pubsub.admin", "pubsub.topics", POLICY),
    "gcp:serviceaccount/account:Account": _need(
        "iam.serviceAccountAdmin", "iam.serviceAccounts", "create get update delete"
    ),
    "gcp:serviceaccount/iAMMember:IAMMember": _need("iam.serviceAccountAdmin", "iam.serviceAccounts", POLICY),
    # The provider lists a bucket's objects before it deletes the bucket, and stops if there are any.
    "gcp:storage/bucket:Bucket": _need(
        "storage.admin", "storage", "buckets.create buckets.get buckets.update buckets.delete objects.list"
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _need("storage.admin", "storage.buckets", POLICY),
    "gcp:storage/bucketObject:BucketObject": _need("storage.admin", "storage.objects", "create get delete"),
    "gcp:storage/notification:Notification": _need("storage.admin", "storage.buckets", "get update"),
}


# What the provider asks for too, and goes on without: it logs the refusal.
ONLY_LOGGED = ("compute.projects.get", "storage.anywhereCaches.list")
EDITS = ("update", "undelete")


@dataclass(frozen=True)
class Needs:
    """What a stack takes: ``types`` on its project; ``elsewhere`` on other projects, and on accounts of others."""

    project: str
    types: Mapping[str, Need]
    runs_as: tuple[str, ...]
    elsewhere: Mapping[str, tuple[str, ...]]

    @property
    def permissions(self) -> list[str]:
        """All that is needed on the project, each once."""
        return sorted({permission for need in self.types.values() for permission in need.permissions} | {ACT_AS})

    @property
    def only_for_edits(self) -> frozenset[str]:
        """Those that nothing asks for but a change of what stands: no first deployment, and no destroy."""
        kept: set[str] = set()
        for need in self.types.values():
            made = [p.removesuffix("create") for p in need.permissions if p.endswith("create")]
            edits = {f"{thing}{edit}" for thing in made for edit in EDITS}
            kept.update(set(need.permissions) - edits)
        return frozenset(self.permissions) - kept - {ACT_AS}

    @property
    def roles(self) -> Mapping[str, list[str]]:
        """The predefined roles that give it, each with the permissions that are needed of it."""
        of_role: dict[str, set[str]] = {SERVICE_ACCOUNT_USER: {ACT_AS}}
        for need in self.types.values():
            of_role.setdefault(need.role, set()).update(need.permissions)
        return {role: sorted(permissions) for role, permissions in sorted(of_role.items())}


def needs_of(plan: Plan) -> Needs:
    """Derives what deploying a plan takes.

    Raises:
        OperationError: the plan has a resource of a type that is not in the table above.
    """
    resources = [resource for resource in plan.resources if resource.in_cloud]
    if unknown := sorted({resource.type for resource in resources} - NEEDS.keys()):
        raise OperationError(
            f"nobody has said what deploying {', '.join(unknown)} takes: add it to NEEDS in "
            "ops/iam/deployer/needs.py, and what its role holds to tests/ops/iam/deployer/predefined_roles.yaml"
        )
    runs_as = sorted({account for resource in resources for account in _runs_as(resource)})
    types, elsewhere = {}, {account: {ACT_AS} for account in runs_as if not is_own(account, plan)}
    for resource in resources:
        if place := _elsewhere(resource, plan):
            elsewhere.setdefault(place, set()).update(NEEDS[resource.type].permissions)
        else:
            types[resource.type] = NEEDS[resource.type]
        if topic_project := _project_of_topic(resource, plan):
            elsewhere.setdefault(topic_project, set()).add(ATTACH)
    return Needs(
        project_of(plan),
        dict(sorted(types.items())),
        tuple(runs_as),
        {place: tuple(sorted(permissions)) for place, permissions in sorted(elsewhere.items())},
    )


def project_of(plan: Plan) -> str:
    """The Google Cloud project that a plan is for."""
    return str(plan.of_type("projects/service:Service")[0].inputs["project"])


def accounts_relied_on(plan: Plan) -> list[str]:
    """The service accounts that must be there before: run as, or granted on, but not made by the stack."""
    resources = [resource for resource in plan.resources if resource.in_cloud]
    used = {account for resource in resources for account in (*_runs_as(resource), granted_on(resource)) if account}
    made = {account.outputs["email"] for account in plan.of_type("serviceaccount/account:Account")}
    return sorted(used - made)


def granted_on(resource: Resource) -> str:
    """The service account that a grant is on; empty for any other resource."""
    if resource.type != "gcp:serviceaccount/iAMMember:IAMMember":
        return ""
    return str(resource.inputs["serviceAccountId"]).rsplit("/", 1)[-1]


def is_own(account: str, plan: Plan) -> bool:
    """Whether an address tells that the account is the project's. One with a number in it tells nothing."""
    project = project_of(plan)
    defaults = (f"{project}{APP_ENGINE_ACCOUNT}", f"{PROJECT_NUMBER}{COMPUTE_ENGINE_ACCOUNT}")
    return account in defaults or account.endswith(f"@{project}.iam.gserviceaccount.com")


def _elsewhere(resource: Resource, plan: Plan) -> str:
    """The account or the project that a resource is on, where that is not the stack's own project."""
    if account := granted_on(resource):
        return "" if is_own(account, plan) else account
    project = str(resource.inputs.get("project", project_of(plan)))
    return "" if project == project_of(plan) else project


def _project_of_topic(resource: Resource, plan: Plan) -> str:
    """The project of the topic that a subscription is to, where that is another one."""
    if resource.type != "gcp:pubsub/subscription:Subscription":
        return ""
    project = str(resource.inputs["topic"]).split("/")[1]
    return "" if project == project_of(plan) else project


def _runs_as(resource: Resource) -> Iterator[str]:
    """The accounts that a resource runs or calls as, on which Google Cloud asks the deployer for actAs."""
    inputs: Mapping[str, Any] = resource.inputs
    match resource.type:
        case "gcp:cloudfunctionsv2/function:Function":
            yield inputs["buildConfig"]["serviceAccount"].rsplit("/", 1)[-1]
            yield inputs["serviceConfig"]["serviceAccountEmail"]
        case "gcp:pubsub/subscription:Subscription" if "pushConfig" in inputs:
            yield inputs["pushConfig"]["oidcToken"]["serviceAccountEmail"]


def role_with(permission: str) -> str:
    """The smallest predefined role that gives a permission."""
    if permission == ACT_AS:
        return SERVICE_ACCOUNT_USER
    return next(need.role for need in NEEDS.values() if permission in need.permissions)


def grant_command(place: str, member: str, role: str) -> str:
    """The command that gives a role on a project or, if ``place`` is an address, on a service account."""
    command = "gcloud iam service-accounts" if "@" in place else "gcloud projects"
    return f"{command} add-iam-policy-binding {place} --member={member} --role={role}"

"""What broadens access, of every kind there is, with what is said of it; and what does not."""

from __future__ import annotations

from typing import Any

from tests.ops.iam.planted import Plant, changed, edit, gone, new, trigger
from tests.ops.iam.previews import BUCKET_MEMBER, PROJECT_MEMBER

ADMIN = "terraform-admin@acme-ml-prod.iam.gserviceaccount.com"
ON_ADMIN = f"projects/acme-ml-prod/serviceAccounts/{ADMIN}"
ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
FUNCTION = "Function::orders-launcher"
EVENTS = "Subscription::orders-events"
ACT_AS = {"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:a@acme-ml-prod.iam.gserviceaccount.com"}
READ = {"role": "roles/storage.objectViewer", "member": "user:ada@acme.example"}
JOB = "gcp:cloudscheduler/job:Job"
TICK: dict[str, Any] = {
    "schedule": "0 * * * *",
    "httpTarget": {"uri": "https://acme.example/", "oidcToken": {"serviceAccountEmail": "a@x"}},
}
AUTH: dict[str, Any] = {
    "schedule": "0 * * * *",
    "httpTarget": {"uri": "https://acme.example/", "oauthToken": {"serviceAccountEmail": "a@x"}},
}
SINK = "gcp:logging/projectSink:ProjectSink"
LOGS = {"destination": "storage.googleapis.com/acme-logs", "filter": "severity>=ERROR"}
RUN_JOB = "gcp:cloudrunv2/job:Job"
SERVICE = "gcp:cloudrunv2/service:Service"
OWN = {"template": {"serviceAccount": "a@x"}, "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}
BUCKET = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": True}
DATASET: dict[str, Any] = {"datasetId": "orders", "accesses": [{"role": "OWNER", "specialGroup": "projectOwners"}]}
POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
ORG_POLICY = "gcp:orgpolicy/policy:Policy"
CUSTOM_ROLE = "IAMCustomRole::acme-ml-prod/pipelineLauncher_prod"


def moved(kind: str, key: str, before: str, after: str, **grant: str) -> Plant:
    return changed(kind, {**grant, key: before}, {**grant, key: after})


def job(account: str) -> dict[str, Any]:
    return {"template": {"template": {"serviceAccount": account, "containers": [{"image": "x"}]}}}


# What it is, the step, and what is said of it.
BROADENINGS: dict[str, tuple[Plant, str]] = {
    # 3: the same role and member on another resource
    "actAs moved to an admin": (
        moved(ACCOUNT_MEMBER, "serviceAccountId", "projects/p/serviceAccounts/runner@x", ON_ADMIN, **ACT_AS),
        "moved from projects/p/serviceAccounts/runner@x; broadened by exactly these 5 permissions",
    ),
    "reader moved to another bucket": (moved(BUCKET_MEMBER, "bucket", "a", "payroll", **READ), "moved from a"),
    "publisher moved to another topic": (
        moved(TOPIC_MEMBER, "topic", "a", "b", role="roles/pubsub.publisher", member="user:a@b.c"),
        "moved from a; broadened by exactly this permission: pubsub.topics.publish",
    ),
    "role moved to another project": (
        moved(PROJECT_MEMBER, "project", "acme-ml-dev", "acme-ml-prod", **READ),
        "moved from acme-ml-dev",
    ),
    "secret reader moved to another secret": (
        moved(
            "gcp:secretmanager/secretIamMember:SecretIamMember",
            "secretId",
            "a",
            "b",
            role="roles/secretmanager.secretAccessor",
            member="user:a@b.c",
        ),
        "moved from a; broadened by at least",
    ),
    # 1: roles, by what they hold
    "wider role": (
        changed(BUCKET_MEMBER, {**READ, "bucket": "a"}, {**READ, "bucket": "a", "role": "roles/storage.objectUser"}),
        "role replaces roles/storage.objectViewer; broadened by exactly these 18 permissions: orgpolicy.policy.get",
    ),
    "role that nobody has listed": (
        new(BUCKET_MEMBER, bucket="a", role="roles/storage.somethingNew", member="user:a@b.c"),
        "the catalogue does not know roles/storage.somethingNew",
    ),
    "role of which not all is known in the place of a basic one": (
        changed(
            PROJECT_MEMBER,
            {**READ, "project": "p", "role": "roles/owner"},
            {**READ, "project": "p", "role": "roles/logging.admin"},
        ),
        "of the rest of this role the catalogue has no list",
    ),
    "permission more in a custom role": (
        edit(
            CUSTOM_ROLE,
            permissions=["aiplatform.pipelineJobs.create", "aiplatform.pipelineJobs.get", "iam.roles.update"],
        ),
        "`iam.roles.update`",
    ),
    # 2: whom things run as
    "function runs as another": (
        edit(FUNCTION, serviceConfig__serviceAccountEmail=ADMIN),
        "what runs there may do all",
    ),
    "function runs as a default account": (
        edit(FUNCTION, serviceConfig__serviceAccountEmail=None),
        "(a default account)",
    ),
    "function is built as another": (
        edit(FUNCTION, buildConfig__serviceAccount=ON_ADMIN),
        "what is built there may do",
    ),
    "job runs as another": (changed(RUN_JOB, job("a@x"), job(ADMIN)), "`runs-as` | `account terraform-admin"),
    "service runs as another": (
        changed(SERVICE, OWN, {**OWN, "template": {"serviceAccount": ADMIN}}),
        "`runs-as` | `account terraform-admin",
    ),
    "machine runs as another": (
        changed(
            "gcp:compute/instance:Instance",
            {"serviceAccount": {"email": "a@x", "scopes": ["cloud-platform"]}},
            {"serviceAccount": {"email": ADMIN, "scopes": ["cloud-platform"]}},
        ),
        "`runs-as`",
    ),
    "machine has a wider scope": (
        changed(
            "gcp:compute/instance:Instance",
            {"serviceAccount": {"email": "a@x", "scopes": ["storage-ro"]}},
            {"serviceAccount": {"email": "a@x", "scopes": ["cloud-platform"]}},
        ),
        "the account's token is good for this much",
    ),
    "build runs as another": (
        changed("gcp:cloudbuild/trigger:Trigger", {"serviceAccount": "a@x"}, {"serviceAccount": ON_ADMIN}),
        "`runs-as`",
    ),
    "workflow runs as another": (
        changed("gcp:workflows/workflow:Workflow", {"serviceAccount": "a@x"}, {"serviceAccount": ADMIN}),
        "`runs-as`",
    ),
    "notebook runs as another": (
        changed(
            "gcp:workbench/instance:Instance",
            {"gceSetup": {"serviceAccounts": [{"email": "a@x"}], "disablePublicIp": True}},
            {"gceSetup": {"serviceAccounts": [{"email": ADMIN}], "disablePublicIp": True}},
        ),
        "`runs-as`",
    ),
    "pipelines run as another": (trigger(target__service_account=ADMIN), "the steps of its pipelines may do all"),
    "launcher impersonates": (trigger(target__impersonate=ADMIN), "it makes tokens of this account"),
    # 2: whom they call as
    "push is signed as another": (
        edit(EVENTS, pushConfig__oidcToken__serviceAccountEmail=ADMIN),
        "it calls with a token of this account",
    ),
    "scheduler calls as another by OIDC": (
        changed(
            JOB, TICK, {**TICK, "httpTarget": {**TICK["httpTarget"], "oidcToken": {"serviceAccountEmail": ADMIN}}}
        ),
        "it calls with a token of this account",
    ),
    "scheduler calls as another by OAuth": (
        changed(
            JOB, AUTH, {**AUTH, "httpTarget": {**AUTH["httpTarget"], "oauthToken": {"serviceAccountEmail": ADMIN}}}
        ),
        "it calls with a token of this account",
    ),
    # 2: where tokens and data go
    "target is another host": (
        trigger(target__host="https://evil.example"),
        "whoever answers there may do what the account may",
    ),
    "target's API is another host": (
        trigger(target__api_endpoint="https://aiplatform.googleapis.com.evil.example"),
        "whoever answers there may do what the account may",
    ),
    "another look into a cluster": (
        trigger(target__workflows={"endpoint": "https://evil.example", "namespace": "k"}),
        "`access-token` | `endpoint https://evil.example`",
    ),
    "metadata server elsewhere": (
        edit(FUNCTION, serviceConfig__environmentVariables__GCE_METADATA_HOST="evil.example"),
        "GCE_METADATA_HOST = evil.example",
    ),
    "storage elsewhere": (
        edit(FUNCTION, serviceConfig__environmentVariables__STORAGE_EMULATOR_HOST="https://evil.example"),
        "STORAGE_EMULATOR_HOST = https://evil.example",
    ),
    "all through a proxy": (
        edit(FUNCTION, serviceConfig__environmentVariables__https_proxy="http://evil.example"),
        "https_proxy = http://evil.example",
    ),
    "another certificate authority": (
        edit(FUNCTION, serviceConfig__environmentVariables__REQUESTS_CA_BUNDLE="/tmp/ca.pem"),
        "REQUESTS_CA_BUNDLE = /tmp/ca.pem",
    ),
    "a build through a proxy": (
        edit(FUNCTION, buildConfig__environmentVariables__PIP_INDEX_URL="https://evil.example"),
        "PIP_INDEX_URL = https://evil.example",
    ),
    "sink leaves the project": (
        changed(SINK, LOGS, {**LOGS, "destination": "storage.googleapis.com/evil"}),
        "moved from storage.googleapis.com/acme-logs",
    ),
    "sink passes on more": (changed(SINK, LOGS, {**LOGS, "filter": ""}), "which entries it passes on"),
    "events are pushed elsewhere": (edit(EVENTS, pushConfig__pushEndpoint="https://evil.example"), "evil.example"),
    "a second subscription pushes elsewhere": (
        new("gcp:pubsub/subscription:Subscription", topic="t", pushConfig={"pushEndpoint": "https://evil.example"}),
        "its calls, with what is in them and the token that they carry, go there",
    ),
    "dead letters leave the project": (
        edit(EVENTS, deadLetterPolicy__deadLetterTopic="projects/evil/topics/t"),
        "what it sends is read by whoever reads this topic",
    ),
    "new files are announced elsewhere": (
        edit("Notification::orders-new-objects", topic="projects/evil/topics/t"),
        "what it sends is read by whoever reads this topic",
    ),
    "alerts are told elsewhere": (
        changed(
            "gcp:monitoring/notificationChannel:NotificationChannel",
            {"type": "email", "labels": {"email_address": "ops@acme.example"}},
            {"type": "email", "labels": {"email_address": "eve@evil.example"}},
        ),
        "what it tells is told there",
    ),
    "jobs in another project": (trigger(target__project="evil"), "what it makes is made in this project"),
    "outputs go to another bucket": (trigger(target__pipeline_root="gs://evil/"), "gs://evil/"),
    "a bucket in another project": (
        edit("Bucket::orders-bucket", "replace", project="evil"),
        "whoever administers that project administers this",
    ),
    "code from another bucket": (
        edit(FUNCTION, buildConfig__source__storageSource__bucket="evil"),
        "whoever writes there writes the code that runs",
    ),
    "events of another topic": (
        edit(EVENTS, topic="projects/evil/topics/t"),
        "whoever may publish there is who calls",
    ),
    # 2: access lists that stand in the resource
    "reader in a dataset's own list": (
        changed(
            "gcp:bigquery/dataset:Dataset",
            DATASET,
            {**DATASET, "accesses": [*DATASET["accesses"], {"role": "READER", "userByEmail": "eve@evil.example"}]},
        ),
        "`userByEmail:eve@evil.example` | `READER`",
    ),
    "a dataset of everybody": (
        new(
            "gcp:bigquery/dataset:Dataset",
            datasetId="d",
            accesses=[{"role": "READER", "specialGroup": "allAuthenticatedUsers"}],
        ),
        "specialGroup:allAuthenticatedUsers",
    ),
    # 2: guards that go
    "organisation policy removed": (
        gone(ORG_POLICY, name="projects/p/policies/iam.disableServiceAccountKeyCreation"),
        "an organisation policy",
    ),
    "organisation policy not enforced": (
        changed(ORG_POLICY, {"spec": {"rules": [{"enforce": "TRUE"}]}}, {"spec": {"rules": [{"enforce": "FALSE"}]}}),
        "an organisation policy",
    ),
    "perimeter removed": (gone("gcp:accesscontextmanager/servicePerimeter:ServicePerimeter"), "a perimeter"),
    "audit configuration removed": (
        gone("gcp:projects/iAMAuditConfig:IAMAuditConfig", service="allServices"),
        "which accesses are recorded",
    ),
    "deny policy removed": (gone("gcp:iam/denyPolicy:DenyPolicy", parent="p"), "gives or withholds access"),
    "a tag that conditions read": (
        new("gcp:tags/tagBinding:TagBinding", tagValue="tagValues/1"),
        "a tag, which conditions",
    ),
    "public access prevention off": (
        edit("Bucket::orders-bucket", publicAccessPrevention="inherited"),
        "publicAccessPrevention is inherited",
    ),
    "uniform access off": (
        edit("Bucket::orders-bucket", uniformBucketLevelAccess=False),
        "uniformBucketLevelAccess is",
    ),
    "a filter of addresses removed": (
        changed("gcp:storage/bucket:Bucket", {**BUCKET, "ipFilter": {"mode": "Enabled"}}, BUCKET),
        "gone without having been read",
    ),
    "anybody may call, without IAM": (
        changed(SERVICE, OWN, {**OWN, "invokerIamDisabled": True}),
        "guard invokerIamDisabled is true",
    ),
    "callable from outside": (
        edit(FUNCTION, serviceConfig__ingressSettings="ALLOW_ALL"),
        "guard serviceConfig.ingressSettings",
    ),
    # 2: other identity providers
    "a pool of another identity provider": (
        new(POOL, workloadIdentityPoolId="github"),
        "who of another identity provider",
    ),
    "a provider's condition removed": (
        changed(PROVIDER, {"attributeCondition": "assertion.repository_id=='1'"}, {}),
        "who of another identity provider may come in",
    ),
    # 2: what is not on the list
    "a type that nobody has read": (new("gcp:gkehub/feature:Feature", name="x"), "a type that is not read here"),
    "an input that nobody has read": (
        edit(FUNCTION, serviceConfig__vpcConnector="c"),
        "setting serviceConfig.vpcConnector",
    ),
    "a secret in the environment": (
        edit(FUNCTION, serviceConfig__secretEnvironmentVariables=[{"key": "K", "secret": "payroll"}]),
        "what this does to access is not read here",
    ),
    "rights inside a cluster": (
        new("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", roleRef={"name": "cluster-admin"}),
        "another provider, of which nothing is read here",
    ),
    "a shell command": (
        new("command:local:Command", create="gcloud projects add-iam-policy-binding"),
        "another provider",
    ),
    "a native provider's grant": (
        new("google-native:cloudresourcemanager/v1:ProjectIamPolicy", bindings=[]),
        "another provider",
    ),
    "a dynamic resource": (new("pulumi-python:dynamic:Resource", x=1), "another provider"),
    "a provider that impersonates": (new("pulumi:providers:gcp", impersonateServiceAccount=ADMIN), "`impersonates`"),
    "a provider with another address": (
        new("pulumi:providers:gcp", iamCustomEndpoint="https://evil.example/"),
        "iamCustomEndpoint = https://evil.example/",
    ),
    # 4: paths
    "who publishes starts pipelines": (
        new(
            TOPIC_MEMBER, topic="orders-events-5358479", role="roles/pubsub.publisher", member="user:eve@evil.example"
        ),
        "NEW PATH: user:eve@evil.example can start runs as serviceAccount:orders-runner@acme-ml-prod",
    ),
    "who writes the sources is the launcher": (
        new(
            BUCKET_MEMBER,
            bucket="launcher-sources-4f9799e",
            role="roles/storage.objectUser",
            member="user:eve@evil.example",
        ),
        "NEW PATH: user:eve@evil.example can become serviceAccount:prod-orders-launcher@",
    ),
    "who pushes images is the launcher": (
        new(
            "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
            location="europe-west4",
            repository="prod-launchers",
            role="roles/artifactregistry.writer",
            member="user:eve@evil.example",
        ),
        "NEW PATH: user:eve@evil.example can become serviceAccount:prod-orders-launcher@",
    ),
    "who updates functions is every launcher": (
        new(
            PROJECT_MEMBER,
            project="acme-ml-prod",
            role="roles/cloudfunctions.developer",
            member="user:eve@evil.example",
        ),
        "NEW PATH: user:eve@evil.example can become serviceAccount:prod-catalog-launcher@",
    ),
    "who makes tokens of the push account starts pipelines": (
        new(
            ACCOUNT_MEMBER,
            serviceAccountId="projects/acme-ml-prod/serviceAccounts/prod-orders-push@acme-ml-prod.iam.gserviceaccount.com",
            role="roles/iam.serviceAccountTokenCreator",
            member="user:eve@evil.example",
        ),
        "NEW PATH: user:eve@evil.example can start runs as serviceAccount:orders-runner@",
    ),
    "who writes into the bucket starts pipelines": (
        new(
            BUCKET_MEMBER,
            bucket="orders-bucket-6005ced",
            role="roles/storage.objectCreator",
            member="user:eve@evil.example",
        ),
        "NEW PATH: user:eve@evil.example can start runs as serviceAccount:orders-runner@",
    ),
}
ADMINISTERS = {**READ, "bucket": "a", "role": "roles/storage.objectAdmin"}
HARMLESS: dict[str, list[Plant]] = {
    "nothing": [],
    "labels": [edit(FUNCTION, labels={"team": "orders"}), edit("Bucket::orders-bucket", labels={"team": "orders"})],
    "memory": [edit(FUNCTION, serviceConfig__availableMemory="1Gi", serviceConfig__availableCpu="2")],
    "a new pipeline version": [
        edit(
            FUNCTION,
            buildConfig__source__storageSource__object="orders/launcher-0123456789ab.zip",
            buildConfig__source__storageSource__generation="04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        ),
        edit("BucketObject::orders-launcher-source", "replace", name="orders/launcher-0123456789ab.zip"),
    ],
    "a renamed parameter": [trigger(parameters={"csv": "content.data"})],
    "another condition of an event": [trigger(when="content.status == 'done'")],
    "a narrower role": [changed(BUCKET_MEMBER, ADMINISTERS, {**ADMINISTERS, "role": "roles/storage.objectViewer"})],
    "a narrower basic role": [
        changed(
            PROJECT_MEMBER,
            {**READ, "project": "p", "role": "roles/owner"},
            {**READ, "project": "p", "role": "roles/editor"},
        )
    ],
    "a permission less in a custom role": [edit(CUSTOM_ROLE, permissions=["aiplatform.pipelineJobs.get"])],
    "a condition on a grant": [
        changed(BUCKET_MEMBER, ADMINISTERS, {**ADMINISTERS, "condition": {"expression": "x"}})
    ],
    "a grant that goes": [gone(BUCKET_MEMBER, **ADMINISTERS)],
    "a longer retention": [
        edit(EVENTS, messageRetentionDuration="86400s"),
        edit("Bucket::orders-bucket", softDeletePolicy__retentionDurationSeconds=0, lifecycleRules=[]),
    ],
    "an alert more": [new("gcp:monitoring/alertPolicy:AlertPolicy", displayName="Late")],
    "a bucket that goes": [gone("gcp:storage/bucket:Bucket", name="old", **BUCKET, ipFilter={"mode": "Enabled"})],
    "an account that nothing runs as": [new("gcp:serviceaccount/account:Account", accountId="spare")],
    "a guard that comes": [changed(SERVICE, {**OWN, "invokerIamDisabled": True}, OWN)],
}

"""Each rule, with what it stops and what it lets pass."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.declarations import declared_access, explaining_access, is_production
from policy.grantable import OWNING, PERMISSIONS, ROLES, UNDER_A_CONDITION, objection_to_permission
from policy.resources import UNKNOWN
from policy.rules import IMPERSONATING_PERMISSION, RULES, violations
from tests.policy.provider import resource_inputs

Resource = tuple[str, Mapping[str, Any]]

PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
PROJECT_BINDING = "gcp:projects/iAMBinding:IAMBinding"
PROJECT_POLICY = "gcp:projects/iAMPolicy:IAMPolicy"
FOLDER_MEMBER = "gcp:folder/iAMMember:IAMMember"
ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
RUN_MEMBER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
DATASET_ACCESS = "gcp:bigquery/datasetAccess:DatasetAccess"
BUCKET_ACL = "gcp:storage/bucketACL:BucketACL"
CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
BUCKET = "gcp:storage/bucket:Bucket"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"
OLD_FUNCTION = "gcp:cloudfunctions/function:Function"
SERVICE = "gcp:cloudrunv2/service:Service"
OLD_SERVICE = "gcp:cloudrun/service:Service"
JOB = "gcp:cloudrunv2/job:Job"

EMAIL = "runs@acme.iam.gserviceaccount.com"
ACCOUNT = f"serviceAccount:{EMAIL}"
NEVER = {"expirationPolicy": {"ttl": ""}}
INGRESS = "run.googleapis.com/ingress"


def member(token: str, role: Any, who: Any = ACCOUNT) -> Resource:
    return token, {"role": role, "member": who}


def policy(role: str, who: str = ACCOUNT) -> Resource:
    return PROJECT_POLICY, {"policyData": f'{{"bindings": [{{"role": "{role}", "members": ["{who}"]}}]}}'}


def function(email: Any = EMAIL, ingress: Any = "ALLOW_INTERNAL_ONLY") -> Resource:
    return FUNCTION, {"serviceConfig": {"serviceAccountEmail": email, "ingressSettings": ingress}}


def service(**inputs: Any) -> Resource:
    return SERVICE, {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY", "template": {"serviceAccount": EMAIL}, **inputs}


def bucket(uniform: Any = True, public: Any = "enforced") -> Resource:
    return BUCKET, {"location": "US", "uniformBucketLevelAccess": uniform, "publicAccessPrevention": public}


def subscription(**inputs: Any) -> Resource:
    return SUBSCRIPTION, {"topic": "events", **NEVER, **inputs}


PUSH = {"pushConfig": {"pushEndpoint": UNKNOWN}}

STOPPED: dict[str, list[Resource]] = {
    "no-basic-role": [
        *(
            member(PROJECT_MEMBER, f"roles/{name}")
            for name in ("owner", "editor", "viewer", "admin", "writer", "reader")
        ),
        member(ACCOUNT_MEMBER, "roles/viewer"),
        member(BUCKET_MEMBER, "roles/editor"),
        (PROJECT_BINDING, {"role": "roles/owner", "members": [ACCOUNT]}),
        policy("roles/owner"),
        (PROJECT_POLICY, {"policyData": UNKNOWN}),
        member(PROJECT_MEMBER, UNKNOWN),
        member(FOLDER_MEMBER, "[secret]"),
    ],
    "no-public-member": [
        member(RUN_MEMBER, "roles/run.invoker", "allUsers"),
        member(
            "gcp:cloudfunctionsv2/functionIamMember:FunctionIamMember", "roles/cloudfunctions.invoker", "allUsers"
        ),
        member(BUCKET_MEMBER, "roles/storage.objectViewer", "allAuthenticatedUsers"),
        ("gcp:storage/bucketIAMBinding:BucketIAMBinding", {"role": UNKNOWN, "members": [UNKNOWN, "allUsers"]}),
        policy("roles/storage.objectViewer", "allUsers"),
        ("gcp:storage/bucketAccessControl:BucketAccessControl", {"role": "READER", "entity": "allUsers"}),
        (BUCKET_ACL, {"roleEntities": ["OWNER:user-a", "READER:allAuthenticatedUsers"]}),
        (BUCKET_ACL, {"predefinedAcl": "publicRead"}),
        (BUCKET_ACL, {"defaultAcl": "authenticatedRead"}),
        (DATASET_ACCESS, {"role": "READER", "specialGroup": "allAuthenticatedUsers"}),
        ("gcp:bigquery/dataset:Dataset", {"accesses": [{"role": "READER", "iamMember": "allUsers"}]}),
        ("gcp:bigquery/rowAccessPolicy:RowAccessPolicy", {"grantees": ["allAuthenticatedUsers"]}),
    ],
    "no-authoritative-grant": [
        (PROJECT_BINDING, {"role": "roles/logging.logWriter", "members": [ACCOUNT]}),
        ("gcp:storage/bucketIAMPolicy:BucketIAMPolicy", {"policyData": "{}"}),
        ("gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding", {"role": "roles/run.invoker", "members": [ACCOUNT]}),
        (BUCKET_ACL, {"predefinedAcl": "private"}),
        ("gcp:storage/defaultObjectACL:DefaultObjectACL", {"roleEntities": []}),
        ("gcp:projects/iamMemberRemove:IamMemberRemove", {"role": "roles/editor", "member": ACCOUNT}),
    ],
    "no-project-wide-impersonation": [
        *(
            member(PROJECT_MEMBER, f"roles/iam.{name}")
            for name in (
                "serviceAccountUser",
                "serviceAccountTokenCreator",
                "serviceAccountOpenIdTokenCreator",
                "workloadIdentityUser",
                "serviceAccountAdmin",
                "serviceAccountKeyAdmin",
                "securityAdmin",
            )
        ),
        member(FOLDER_MEMBER, "roles/resourcemanager.folderIamAdmin"),
        member(PROJECT_MEMBER, "roles/resourcemanager.projectIamAdmin"),
        policy("roles/iam.serviceAccountUser"),
        (CUSTOM_ROLE, {"permissions": ["aiplatform.pipelineJobs.create", "iam.serviceAccounts.actAs"]}),
        (CUSTOM_ROLE, {"permissions": ["iam.serviceAccounts.getAccessToken"]}),
        (CUSTOM_ROLE, {"permissions": ["resourcemanager.projects.setIamPolicy"]}),
    ],
    "no-project-wide-storage-admin": [
        member(PROJECT_MEMBER, "roles/storage.admin"),
        member(PROJECT_MEMBER, "roles/storage.objectAdmin"),
        member("gcp:organizations/iAMMember:IAMMember", "roles/storage.hmacKeyAdmin"),
    ],
    "no-unlisted-role-on-project": [
        *(
            member(PROJECT_MEMBER, f"roles/{name}")
            for name in (
                "compute.admin",
                "cloudbuild.builds.editor",
                "cloudfunctions.serviceAgent",
                "orgpolicy.policyAdmin",
                "resourcemanager.projectMover",
                "a-role.thatGoogle.makesTomorrow",
            )
        ),
        member(PROJECT_MEMBER, "projects/acme/roles/somebodyElseS"),
        member(PROJECT_MEMBER, "roles/storage.objectViewer"),
        member(FOLDER_MEMBER, "roles/run.admin"),
        policy("roles/dataflow.serviceAgent"),
        *(
            (CUSTOM_ROLE, {"permissions": ["aiplatform.pipelineJobs.get", permission]})
            for permission in (
                "iam.roles.update",
                "storage.hmacKeys.create",
                "cloudfunctions.functions.update",
                "cloudbuild.builds.create",
                "compute.instances.setMetadata",
                "orgpolicy.policies.delete",
                "resourcemanager.projects.move",
                "a.permission.thatGoogleMakesTomorrow",
            )
        ),
        ("gcp:organizations/iAMCustomRole:IAMCustomRole", {"permissions": ["run.services.update"]}),
    ],
    "no-service-account-key": [
        ("gcp:serviceaccount/key:Key", {"serviceAccountId": EMAIL}),
        ("gcp:storage/hmacKey:HmacKey", {"serviceAccountEmail": EMAIL}),
    ],
    "own-account-in-production": [
        function("acme-ml@appspot.gserviceaccount.com"),
        function("123456789012-compute@developer.gserviceaccount.com"),
        function(None),
        service(template={"containers": []}),
        (JOB, {"template": {"template": {"serviceAccount": ""}}}),
        (OLD_FUNCTION, {"ingressSettings": "ALLOW_INTERNAL_ONLY"}),
    ],
    "private-bucket": [
        bucket(uniform=False),
        bucket(uniform=None),
        bucket(uniform=UNKNOWN),
        bucket(public="inherited"),
        bucket(public=None),
        bucket(public=UNKNOWN),
    ],
    "dead-letter": [
        subscription(**PUSH),
        subscription(pushConfig=UNKNOWN),
        subscription(**PUSH, deadLetterPolicy=UNKNOWN),
        subscription(**PUSH, deadLetterPolicy={"maxDeliveryAttempts": 5}),
    ],
    "kept-subscription": [
        subscription(expirationPolicy=None),
        subscription(expirationPolicy={"ttl": "2678400s"}),
        subscription(expirationPolicy={"ttl": UNKNOWN}),
        subscription(expirationPolicy=UNKNOWN),
    ],
    "private-function": [
        function(ingress="ALLOW_ALL"),
        function(ingress="ALLOW_INTERNAL_AND_GCLB"),
        function(ingress=None),
        function(ingress=UNKNOWN),
        (FUNCTION, {"serviceConfig": UNKNOWN}),
        (OLD_FUNCTION, {"ingressSettings": "ALLOW_ALL", "serviceAccountEmail": EMAIL}),
        service(ingress="INGRESS_TRAFFIC_ALL"),
        service(invokerIamDisabled=True),
        service(invokerIamDisabled=UNKNOWN),
        (OLD_SERVICE, {"metadata": {"annotations": {INGRESS: "all"}}}),
    ],
}

PASSING: dict[str, list[Resource]] = {
    "no-basic-role": [
        member(PROJECT_MEMBER, "roles/logging.logWriter"),
        member(PROJECT_MEMBER, "projects/acme/roles/pipelineStarter"),
        member(BUCKET_MEMBER, UNKNOWN),
    ],
    "no-public-member": [
        member(RUN_MEMBER, "roles/run.invoker"),
        member(RUN_MEMBER, "roles/run.invoker", UNKNOWN),
        (BUCKET, {**dict(bucket()[1]), "labels": {"readers": "not-allusers"}}),
        ("aws:s3/bucket:Bucket", {"acl": "allUsers"}),
    ],
    "no-authoritative-grant": [
        member(BUCKET_MEMBER, "roles/storage.objectUser"),
        (DATASET_ACCESS, {"role": "READER", "userByEmail": EMAIL}),
    ],
    "no-project-wide-impersonation": [
        member(ACCOUNT_MEMBER, "roles/iam.serviceAccountUser"),
        member(ACCOUNT_MEMBER, "roles/iam.serviceAccountTokenCreator"),
        member(PROJECT_MEMBER, "roles/iam.roleViewer"),
        (CUSTOM_ROLE, {"permissions": ["aiplatform.pipelineJobs.create", "iam.serviceAccounts.get"]}),
    ],
    "no-project-wide-storage-admin": [
        member(PROJECT_MEMBER, "roles/storage.objectViewer"),
        member(BUCKET_MEMBER, "roles/storage.admin"),
    ],
    "no-unlisted-role-on-project": [
        *(member(PROJECT_MEMBER, role) for role in ROLES),
        member(PROJECT_MEMBER, "projects/acme/roles/pipelineLauncher_prod"),
        (PROJECT_MEMBER, {"role": "roles/storage.objectViewer", "member": ACCOUNT, "condition": {"title": "one"}}),
        member(BUCKET_MEMBER, "roles/storage.admin"),
        member(PROJECT_MEMBER, UNKNOWN),
        (CUSTOM_ROLE, {"permissions": [*PERMISSIONS]}),
        (CUSTOM_ROLE, {"permissions": UNKNOWN}),
    ],
    "no-service-account-key": [("gcp:serviceaccount/account:Account", {"accountId": "runs"})],
    "own-account-in-production": [
        function(),
        function(UNKNOWN),
        service(),
        (JOB, {"template": {"template": {"serviceAccount": EMAIL}}}),
    ],
    "private-bucket": [bucket()],
    "dead-letter": [
        subscription(**PUSH, deadLetterPolicy={"deadLetterTopic": "dead-letters"}),
        subscription(**PUSH, deadLetterPolicy={"deadLetterTopic": UNKNOWN}),
        subscription(),
    ],
    "kept-subscription": [subscription()],
    "private-function": [
        function(),
        service(),
        service(invokerIamDisabled=False),
        (OLD_SERVICE, {"metadata": {"annotations": {INGRESS: "internal"}}, "template": {"spec": {}}}),
    ],
}


def broken(resource: Resource, *, production: bool = True, declared: tuple[str, ...] = ()) -> set[str]:
    return {found.rule for found in violations(*resource, production=production, declared=declared)}


def cases(of: dict[str, list[Resource]]) -> list[Any]:
    return [
        pytest.param(rule, resource, id=f"{rule}-{number}")
        for rule, resources in of.items()
        for number, resource in enumerate(resources)
    ]


def test_every_rule_has_what_it_stops_and_what_it_lets_pass() -> None:
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert list(STOPPED) == list(PASSING) == names


@pytest.mark.parametrize(("rule", "resource"), cases(STOPPED))
def test_a_rule_stops(rule: str, resource: Resource) -> None:
    (found,) = [found for found in violations(*resource, production=True) if found.rule == rule]
    assert "; " in found.message  # what is wrong; the fix


@pytest.mark.parametrize(("rule", "resource"), cases(PASSING))
def test_a_rule_lets_pass(rule: str, resource: Resource) -> None:
    assert rule not in broken(resource)


def test_what_may_be_held_has_a_reason_and_is_no_way_to_be_owner() -> None:
    assert all([*ROLES.values(), *UNDER_A_CONDITION.values(), *PERMISSIONS.values()])
    dangerous = re.compile(f"{'|'.join(OWNING)}|{IMPERSONATING_PERMISSION.pattern}")
    assert not [permission for permission in PERMISSIONS if dangerous.fullmatch(permission)]


def test_of_a_permission_that_is_as_much_as_owner_it_is_said_why() -> None:
    assert "its holder writes any permission into a role" in str(objection_to_permission("iam.roles.update"))
    assert "is not listed" in str(objection_to_permission("pubsub.topics.list"))


def test_the_types_of_these_cases_are_the_provider_s() -> None:
    """Else a rule could be tried out on a misspelt type, and never meet a real one."""
    tokens = {token for of in (STOPPED, PASSING) for resources in of.values() for token, _ in resources}
    assert {token for token in tokens if token.startswith("gcp:")} <= set(resource_inputs())


def test_a_default_account_is_stopped_in_production_only() -> None:
    shared = function("acme-ml@appspot.gserviceaccount.com")
    assert broken(shared) == {"own-account-in-production"}
    assert broken(shared, production=False) == set()


@pytest.mark.parametrize(("token", "access"), [(ACCOUNT_MEMBER, "viewer"), (PROJECT_MEMBER, "project-viewer")])
def test_viewer_passes_only_where_a_trigger_declares_it_for_that_place(token: str, access: str) -> None:
    viewer = member(token, "roles/viewer")
    assert broken(viewer, declared=(access,)) == set()
    others = tuple({"viewer", "project-viewer", "service-account-user", "iap", "none"} - {access})
    assert broken(viewer, declared=others) == {"no-basic-role"}


@pytest.mark.parametrize(
    "resource",
    [
        member(PROJECT_MEMBER, "roles/editor"),
        member(PROJECT_MEMBER, "roles/viewer", "user:ann@example.com"),
        member(PROJECT_MEMBER, "roles/viewer", "allUsers"),
        member(FOLDER_MEMBER, "roles/viewer"),
        member(BUCKET_MEMBER, "roles/viewer"),
        (PROJECT_BINDING, {"role": "roles/viewer", "members": [ACCOUNT]}),
    ],
)
def test_no_declaration_opens_more_than_viewer_for_an_account_in_those_places(resource: Resource) -> None:
    assert explaining_access(*resource) is None
    assert "no-basic-role" in broken(resource, declared=("viewer", "project-viewer"))


def test_a_stack_declares_by_its_configuration() -> None:
    triggers = '[{"target": {"access": "viewer"}}, {"target": {"kind": "vertex"}}]'
    assert declared_access({"event-triggered-pipelines:triggers": triggers}) == {"viewer"}
    assert is_production({"event-triggered-pipelines:production": "true"})
    assert not is_production({"event-triggered-pipelines:production": "false"})
    assert not is_production({})


@pytest.mark.parametrize("text", ["", "{", "[1]", "[{}]", "3", '[{"target": 1}]', "null"])
def test_a_configuration_that_cannot_be_read_declares_nothing(text: str) -> None:
    assert declared_access({"event-triggered-pipelines:triggers": text}) == frozenset()


WORDS = ("role", "member", "members", "bindings", "policyData", "permissions", "predefinedAcl")
PLACES = ("serviceConfig", "template", "metadata", "pushConfig", "deadLetterPolicy", "expirationPolicy")
TEXTS = (UNKNOWN, "", "{}", "[]", '{"bindings": [1]}')
anything = st.recursive(
    st.sampled_from((None, True, 1.5, *TEXTS)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS + PLACES), inner, max_size=2),
    max_leaves=4,
)


@given(
    token=st.sampled_from(sorted({token for resources in STOPPED.values() for token, _ in resources})),
    properties=st.dictionaries(st.sampled_from(WORDS + PLACES), anything, max_size=4),
    production=st.booleans(),
)
def test_no_shape_of_inputs_makes_a_rule_raise(token: str, properties: dict[str, Any], production: bool) -> None:
    violations(token, properties, production=production)

"""Asks Google for policies and roles, and for nothing else. Each in version 3: an older one leaves conditions out.

Sources: the reference of each API's getIamPolicy, and iam/docs/policies#specifying-version-get.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ops.doctor.google_apis import GoogleApis
from ops.drift.standing import Grant, Scope

VERSION = 3
OPTION = {"options.requestedPolicyVersion": VERSION}
# What asking takes, by the kind of resource; roles/iam.securityReviewer holds them all.
PERMISSIONS = {
    "projects": "resourcemanager.projects.getIamPolicy",
    "storage/bucket": "storage.buckets.getIamPolicy",
    "pubsub/topic": "pubsub.topics.getIamPolicy",
    "pubsub/subscription": "pubsub.subscriptions.getIamPolicy",
    "serviceaccount": "iam.serviceAccounts.getIamPolicy",
    "cloudrunv2/service": "run.services.getIamPolicy",
    "artifactregistry/repository": "artifactregistry.repositories.getIamPolicy",
    "iap/webBackendService": "iap.webServices.getIamPolicy",
    "role": "iam.roles.get",
}
REVIEWER = "roles/iam.securityReviewer"


def grants_on(apis: GoogleApis, scope: Scope, number: str) -> list[Grant]:
    """What stands on a resource, member by member.

    Raises:
        RefusedError: Google does not say. ``fix`` is the role that lets one ask.
        LookupError: policies on that kind of resource are not read here.
    """
    policy = _policy(apis, scope, number)
    return list(_grants(scope, policy))


def permissions_of(apis: GoogleApis, role: str) -> frozenset[str]:
    """What a role holds now.

    Raises:
        RefusedError: Google does not say.
    """
    return frozenset(apis.get("iam", f"/v1/{role}").get("includedPermissions") or ())


def _policy(apis: GoogleApis, scope: Scope, number: str) -> Mapping[str, Any]:
    project, name = apis.project, scope.name
    place, _, last = name.partition("/")
    match scope.kind:
        case "projects":
            body = {"options": {"requestedPolicyVersion": VERSION}}
            return apis.post("cloudresourcemanager", f"/v3/projects/{name}:getIamPolicy", body)
        case "storage/bucket":
            return apis.get("storage", f"/storage/v1/b/{quote(name)}/iam", optionsRequestedPolicyVersion=VERSION)
        case "pubsub/topic" | "pubsub/subscription":
            path = f"/v1/projects/{project}/{scope.kind.removeprefix('pubsub/')}s/{name.rpartition('/')[2]}"
            return apis.get("pubsub", f"{path}:getIamPolicy", **OPTION)
        case "serviceaccount":
            path = f"/v1/projects/-/serviceAccounts/{name}:getIamPolicy?options.requestedPolicyVersion={VERSION}"
            return apis.post("iam", path, {})
        case "cloudrunv2/service":
            return apis.get("run", f"/v2/projects/{project}/locations/{place}/services/{last}:getIamPolicy", **OPTION)
        case "artifactregistry/repository":
            path = f"/v1/projects/{project}/locations/{place}/repositories/{last}:getIamPolicy"
            return apis.get("artifactregistry", path, **OPTION)
        case "iap/webBackendService":
            path = f"/v1/projects/{number}/iap_web/compute/services/{last}:getIamPolicy"
            return apis.post("iap", path, {"options": {"requestedPolicyVersion": VERSION}})
    raise LookupError(scope.kind)


def _grants(scope: Scope, policy: Mapping[str, Any]) -> Iterator[Grant]:
    for binding in policy.get("bindings") or ():
        condition = str((binding.get("condition") or {}).get("expression", ""))
        for member in binding.get("members") or ():
            yield Grant(scope, str(binding["role"]), str(member), condition)

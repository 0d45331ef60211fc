"""Where runs are started: what the launcher must know of its target, and what lets it in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pulumi

from infra.check import loop
from infra.configuration.settings import StackSettings
from infra.configuration.target_settings import EndpointAccess, KfpTarget, Target, VertexTarget
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant, Principal, Scope
from infra.resources.records import let_fence

INSTALLATION = "kubeflow"  # the namespace of an installation for one user, and of its workflows
REASONS: dict[EndpointAccess, str] = {
    "viewer": "The hosted endpoint lets in whoever may view the service account of the Pipelines installation",
    "project-viewer": "The hosted endpoint lets in viewers of the project; the launcher can also read all else in it",
    "service-account-user": "The hosted endpoint lets in whoever may act as the Pipelines installation's account",
    "iap": "Identity-Aware Proxy lets the launcher through to the endpoint's backend service",
}
# The DNS-based endpoint asks IAM for this one. What may be listed behind it, the cluster's own RBAC says: the IAM
# permission for that, container.thirdPartyObjects.list, is for every custom object of every cluster of a project.
CONNECT = ("container.clusters.connect",)
JOB_PERMISSIONS = tuple(f"aiplatform.pipelineJobs.{verb}" for verb in ("create", "get"))


def target_settings(
    target: Target, root_of_package: str | None, stack: StackSettings, trigger_bucket: pulumi.Input[str] | None
) -> dict[str, Any]:
    """What the launcher must know. A package may say itself where output goes, unless the target does.

    Output that lands in the trigger bucket would start runs for ever. It is refused as soon as the bucket's name is
    known, which for a bucket that is still to be made is never too late: nobody can have written its name down.
    """
    known = _kfp_settings(target) if isinstance(target, KfpTarget) else _vertex_settings(target, stack)
    if root := target.pipeline_root or root_of_package:
        known["pipeline_root"] = pulumi.Output.from_input(trigger_bucket).apply(lambda bucket: _outside(bucket, root))
    return known


def grant_access(target: Target, launcher: Principal, foundation: Foundation) -> list[Grant]:
    """Lets the launcher in at the target; an empty list where access is arranged elsewhere."""
    if isinstance(target, VertexTarget):
        return _grant_jobs(target, launcher, foundation)
    look = _grant_look(target, launcher, foundation)
    if not target.impersonate:
        return [*_grant_endpoint(target, launcher, foundation), *look]
    other = grants.account(target.impersonate, target.impersonate)
    become = foundation.grant(
        "roles/iam.serviceAccountTokenCreator",
        on=_on_account(target.impersonate),
        to=launcher,
        reason="The launcher shows itself to the endpoint as this account, and as no other",
    )
    return [become, *_grant_endpoint(target, other, foundation), *look]


def grant_fence(trigger: str, target: Target, foundation: Foundation, parent: pulumi.Resource) -> list[Grant]:
    """Lets the fence of the target's runs use the ledger; an empty list where they have none."""
    if not isinstance(target, KfpTarget) or target.runner is None:
        return []
    return let_fence(trigger, grants.account(target.runner, target.runner), foundation, parent)


def _kfp_settings(target: KfpTarget) -> dict[str, Any]:
    known: dict[str, Any] = {"kind": "kfp", "host": target.host, "experiment": target.experiment}
    known["credentials"] = target.credentials
    if target.workflows:
        namespace = target.workflows.namespace or target.namespace or INSTALLATION
        known["workflows"] = {"endpoint": target.workflows.endpoint, "namespace": namespace}
    return known | _given(
        target, "audience", "impersonate", "namespace", "service_account", "database", "runs_retention_days"
    )


def _vertex_settings(target: VertexTarget, stack: StackSettings) -> dict[str, Any]:
    location = target.location or stack.region
    return {
        "kind": "vertex",
        "api_endpoint": target.api_endpoint or f"https://{location}-aiplatform.googleapis.com",
        "project": target.project or stack.project,
        "location": location,
        "labels": {"stack": stack.stack, **target.labels},
    } | _given(target, "service_account", "network", "cmek_key")


def _given(target: Target, *keys: str) -> dict[str, Any]:
    return {key: getattr(target, key) for key in keys if getattr(target, key) is not None}


def _outside(bucket: str | None, root: str) -> str:
    if problem := loop(bucket, root):
        raise pulumi.RunError(f"target.pipeline_root: {problem}")
    return root


def _grant_jobs(target: VertexTarget, launcher: Principal, foundation: Foundation) -> list[Grant]:
    """The predefined role that may create jobs, aiplatform.user, may also use most else of Vertex AI."""
    project = target.project or foundation.settings.project
    create = _grant_own_role(
        "pipelineLauncher",
        project,
        launcher,
        foundation,
        title="Creates pipeline jobs, and looks them up",
        permissions=JOB_PERMISSIONS,
        reason="The launcher creates pipeline jobs and looks whether they are there; they have no narrower resource",
    )
    act = foundation.grant(
        "roles/iam.serviceAccountUser",
        on=_on_account(target.service_account),
        to=launcher,
        reason="The launcher creates jobs that run as this account, and as no other",
    )
    return [create, act]


def _grant_look(target: KfpTarget, launcher: Principal, foundation: Foundation) -> list[Grant]:
    """Lets the launcher reach the cluster that it looks into; an empty list where it looks into none."""
    if not target.workflows:
        return []
    return [
        _grant_own_role(
            "pipelineLooker",
            target.workflows.project or foundation.settings.project,
            launcher,
            foundation,
            title="Reaches the control planes of clusters",
            permissions=CONNECT,
            reason="The launcher reaches the Kubernetes API of the Pipelines installation's cluster, to look for a "
            "workflow before a second POST; a Role there says what it may list; clusters have no narrower resource",
        )
    ]


def _grant_own_role(
    name: str,
    project: str,
    to: Principal,
    foundation: Foundation,
    *,
    title: str,
    permissions: Sequence[str],
    reason: str,
) -> Grant:
    """A grant on a project of a role of the stack's own."""
    own = foundation.settings.project
    role_id = f"{name}_{foundation.settings.stack.replace('-', '_')}"
    if project != own:  # where another project may have a stack of that name
        role_id += f"_{hashlib.sha256(own.encode()).hexdigest()[:8]}"
    return foundation.grant(
        f"projects/{project}/roles/{role_id}",
        on=grants.on_project(project, "project" if project == own else project),
        to=to,
        reason=reason,
        after=[foundation.role(role_id, project, title, permissions)],
    )


def _grant_endpoint(target: KfpTarget, who: Principal, foundation: Foundation) -> list[Grant]:
    match target.access:
        case "none":
            return []
        case "project-viewer":
            role, on = "roles/viewer", grants.on_project(foundation.settings.project)
        case "iap":
            service = target.iap_backend_service or ""
            role, on = (
                "roles/iap.httpsResourceAccessor",
                grants.on_backend_service(foundation.settings.project, service),
            )
        case "viewer":
            role, on = "roles/viewer", _installation(target, foundation)
        case "service-account-user":
            role, on = "roles/iam.serviceAccountUser", _installation(target, foundation)
    return [foundation.grant(role, on=on, to=who, reason=REASONS[target.access])]


def _installation(target: KfpTarget, foundation: Foundation) -> Scope:
    """The service account of the Pipelines installation; by default the Compute Engine default account."""
    given = target.installation_service_account
    return _on_account(given) if given else _on_account("compute-default", foundation.compute_account())


def _on_account(name: str, email: pulumi.Input[str] | None = None) -> Scope:
    """A service account. Its project is left open ("-"), as IAM allows: an address alone does not always tell it."""
    return grants.on_service_account(name, pulumi.Output.concat("projects/-/serviceAccounts/", email or name))

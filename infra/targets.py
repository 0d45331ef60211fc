"""Where runs are started: what the launcher must know of its target, and what lets it in."""

from __future__ import annotations

import re

import pulumi
import pulumi_gcp as gcp

from infra import grants
from infra.foundation import Foundation
from infra.grants import Grant, Principal, Scope
from infra.rules import is_hosted
from infra.settings import EndpointAccess, KfpTarget

# The project in an account's address; "-" stands for "the one it belongs to" in IAM's resource names.
ACCOUNT_PROJECT = re.compile(r"\d+(?=-compute@developer\.)|[a-z0-9-]+(?=@appspot\.)|(?<=@)[a-z0-9-]+(?=\.iam\.)")
REASONS: dict[EndpointAccess, str] = {
    "viewer": "The hosted endpoint lets in whoever may view the service account of the Pipelines installation",
    "project-viewer": "The hosted endpoint lets in viewers of the project; the launcher can also read all else in it",
    "service-account-user": "The hosted endpoint lets in whoever may act as the Pipelines installation's account",
    "iap": "Identity-Aware Proxy lets the launcher through to the endpoint's backend service",
}


def target_settings(target: KfpTarget) -> dict[str, str]:
    """What the launcher must know. It sends its access token to hosted endpoints, and to no other host."""
    credentials = "access-token" if is_hosted(target.host) else "none"
    return {"kind": "kfp", "host": target.host, "experiment": target.experiment, "credentials": credentials}


def grant_access(
    trigger: str, target: KfpTarget, launcher: Principal, foundation: Foundation, parent: pulumi.Resource
) -> list[Grant]:
    """Lets the launcher in at the endpoint; an empty list for ``access: none``."""
    project = foundation.settings.project
    match target.access:
        case "none":
            return []
        case "project-viewer":
            role, on = "roles/viewer", grants.on_project(project)
        case "iap":
            service = target.iap_backend_service or ""
            role, on = (
                "roles/iap.httpsResourceAccessor",
                grants.on_backend_service(f"{trigger}-endpoint", project, service),
            )
        case "viewer":
            role, on = "roles/viewer", _installation(trigger, target, foundation)
        case "service-account-user":
            role, on = "roles/iam.serviceAccountUser", _installation(trigger, target, foundation)
    return [Grant(role, on=on, to=launcher, reason=REASONS[target.access], parent=parent)]


def _installation(trigger: str, target: KfpTarget, foundation: Foundation) -> Scope:
    """The service account of the Pipelines installation; by default the Compute Engine default account."""
    name = f"{trigger}-installation"
    email = target.installation_service_account
    if email:
        project = ACCOUNT_PROJECT.search(email)
        return grants.on_service_account(name, f"projects/{project[0] if project else '-'}/serviceAccounts/{email}")
    found = gcp.organizations.get_project_output(
        project_id=foundation.settings.project, opts=pulumi.InvokeOutputOptions(depends_on=foundation.services)
    )
    email_of = pulumi.Output.concat(found.number, "-compute@developer.gserviceaccount.com")
    return grants.on_service_account(
        name, pulumi.Output.concat("projects/", foundation.settings.project, "/serviceAccounts/", email_of)
    )

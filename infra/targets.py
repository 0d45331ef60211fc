"""Where runs are started: what the launcher must know of its target, and what lets it in."""

from __future__ import annotations

import pulumi

from infra import grants
from infra.foundation import Foundation
from infra.grants import Grant, Principal, Scope
from infra.rules import is_hosted
from infra.target_settings import EndpointAccess, KfpTarget

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


def grant_access(target: KfpTarget, launcher: Principal, foundation: Foundation) -> list[Grant]:
    """Lets the launcher in at the endpoint; an empty list for ``access: none``."""
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
    return [foundation.grant(role, on=on, to=launcher, reason=REASONS[target.access])]


def _installation(target: KfpTarget, foundation: Foundation) -> Scope:
    """The service account of the Pipelines installation; by default the Compute Engine default account.

    Its project is left open ("-"), as IAM allows: an address alone does not always tell it.
    """
    given = target.installation_service_account
    email = given or foundation.compute_account()
    return grants.on_service_account(
        given or "compute-default", pulumi.Output.concat("projects/-/serviceAccounts/", email)
    )

"""What a principal may hold on a whole project, each with its reason. All else is stopped, by whatever name it comes.

A list of what is dangerous is never complete: service agents' roles, builds, machines, organisation policies. So this
one is of what is not, and whoever reviews permissions owns it: to allow more, add a line here that says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ROLES: Mapping[str, str] = {
    "roles/browser": "sees that projects and folders are there, and nothing in them",
    "roles/bigquery.jobUser": "runs queries, on what else it may read",
    "roles/cloudtrace.agent": "writes traces, which have no resource of their own",
    "roles/logging.logWriter": "writes log entries, which have no resource of their own",
    "roles/logging.viewer": "reads logs, but for those of who read which data",
    "roles/monitoring.metricWriter": "writes measurements, which have no resource of their own",
    "roles/serviceusage.serviceUsageConsumer": "has its requests counted on the project",
}
UNDER_A_CONDITION: Mapping[str, str] = {
    "roles/storage.objectViewer": "reads the copies of the sources; their bucket is not there before the first build",
}
CUSTOM_ROLES: Mapping[str, str] = {
    r"projects/[^/]+/roles/pipelineLauncher_\w+": "made by the stack, of the permissions below",
    r"projects/[^/]+/roles/pipelineLooker_\w+": "made by the stack, of the permissions below",
}
PERMISSIONS: Mapping[str, str] = {
    "aiplatform.pipelineJobs.create": "jobs have no narrower resource; they run as an account that it needs actAs on",
    "aiplatform.pipelineJobs.get": "jobs have no narrower resource",
    "container.clusters.connect": "reaches a cluster, in which the cluster's own rules say what it may",
    "container.clusters.get": "asks where a cluster is",
}
# Why some of the rest is as much as Owner: by what it may do. What is an account is no-project-wide-impersonation's.
OWNING: Mapping[str, str] = {
    r"storage\.hmacKeys\.create": "makes a key of any account",
    r"iam\.roles\.(create|update|undelete)": "writes any permission into a role that is held already",
    r"(cloudfunctions\.functions|run\.(services|jobs|workerpools)|workflows\.workflows)\.(create|update)": (
        "runs code of its own as the account of what it changes, with actAs on that"
    ),
    r"(cloudbuild\.builds|deploymentmanager\.deployments)\.(create|update)": "runs code as the service that builds",
    r"compute\.(instances\.(create|set(Metadata|ServiceAccount))|projects\.setCommonInstanceMetadata)": (
        "enters machines, and is the accounts that they run as"
    ),
    r"orgpolicy\..*\.(create|delete|update|set)": "takes away what keeps the project from worse",
    r"resourcemanager\.\w+\.(create|delete|update|move)\w*": "moves or removes what rights are inherited from",
    r"iam\.workloadIdentityPool(s|Providers)\.(create|update)": "lets strangers in as accounts",
}


def objection_to_role(role: str, *, conditional: bool) -> str | None:
    """Why a role may not be held on a whole project; None of one that may."""
    if role in ROLES or any(re.fullmatch(pattern, role) for pattern in CUSTOM_ROLES):
        return None
    if role in UNDER_A_CONDITION:
        lacks = f"role {role} on a whole project has no condition; add one that names what it is for"
        return None if conditional else lacks
    return (
        f"role {role} on a whole project is not one that may be held there; grant it on one resource, or give the "
        "reason for it in policy/grantable.py"
    )


def objection_to_permission(permission: str) -> str | None:
    """Why a custom role may not have a permission; None of one that it may."""
    if permission in PERMISSIONS:
        return None
    why = next((why for pattern, why in OWNING.items() if re.fullmatch(pattern, permission)), "")
    what = f"is as much as Owner: its holder {why}" if why else "is not listed"
    return f"{permission} in a custom role {what}; leave it out, or give the reason for it in policy/grantable.py"

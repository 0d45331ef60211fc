"""What to do about what has drifted."""

from __future__ import annotations

from collections.abc import Iterable

from ops.drift.standing import Grant

AGAIN = "make preview refreshes and shows it, make up grants it again; the audit logs say who took it away"


def take_away(project: str, grant: Grant) -> str:
    """The command that takes a grant away."""
    name, of_project = grant.scope.name, f"--project={project}"
    place, _, last = name.partition("/")
    commands = {
        "projects": f"projects remove-iam-policy-binding {name}",
        "storage/bucket": f"storage buckets remove-iam-policy-binding gs://{name}",
        "pubsub/topic": f"pubsub topics remove-iam-policy-binding {name} {of_project}",
        "pubsub/subscription": f"pubsub subscriptions remove-iam-policy-binding {name} {of_project}",
        "serviceaccount": f"iam service-accounts remove-iam-policy-binding {name}",
        "cloudrunv2/service": f"run services remove-iam-policy-binding {last} --region={place} {of_project}",
        "artifactregistry/repository": f"artifacts repositories remove-iam-policy-binding {last} --location={place} "
        f"{of_project}",
        "iap/webBackendService": "iap web remove-iam-policy-binding --resource-type=backend-services "
        f"--service={last} {of_project}",
    }
    conditional = " --all" if grant.condition else ""
    return f"gcloud {commands[grant.scope.kind]} --member='{grant.member}' --role={grant.role}{conditional}"


def instead(project: str, role: str, reviewed: Iterable[str]) -> str:
    """The role to use in the place of one that has grown: of what was reviewed, and nothing else."""
    name = role.rpartition("/")[2].replace(".", "_").replace("-", "_")
    held = ",".join(sorted(reviewed))
    if role.startswith("projects/"):
        return f"gcloud iam roles update {role.rpartition('/')[2]} --project={project} --permissions={held}"
    return f"gcloud iam roles create {name}_reviewed --project={project} --permissions={held}"


def less(role: str, *, custom: bool) -> str:
    """What to do about a role that has shrunk."""
    return AGAIN if custom else f"pipeline-trigger iam catalogue update {role}"

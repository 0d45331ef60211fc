"""The one place that gives permissions. Every grant says who, what, on what, and why.

Only ``IAMMember``-style resources: a Binding or a Policy is authoritative and removes members that other people
added (pulumi/pulumi#13799 lost a production project's that way). Each is named from resource, role and principal,
so that adding one never renames another, and a change reads as one grant removed and one added.

A grant is a component, so that its reason stands in the plan, in `pulumi preview --diff` and in the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.resources.told import once_told, told


@dataclass(frozen=True)
class Principal:
    """Who: a name for people, and the IAM member (``serviceAccount:...``)."""

    name: str
    member: pulumi.Input[str]


@dataclass(frozen=True)
class Scope:
    """On what: a name for people, the resource that grants on such a thing, and that resource's arguments."""

    name: str
    resource: type[pulumi.CustomResource]
    args: Mapping[str, Any] = field(hash=False)


def account(name: str, email: pulumi.Input[str]) -> Principal:
    """A service account as a principal."""
    return Principal(name, pulumi.Output.concat("serviceAccount:", told(f"the address of account {name}", email)))


def on_project(project: str, name: str = "project") -> Scope:
    """A whole project: only where Google Cloud offers nothing narrower. Another than the stack's has a name."""
    return Scope(name, gcp.projects.IAMMember, {"project": project})


def on_bucket(name: str, bucket: pulumi.Input[str]) -> Scope:
    """One bucket, by its name."""
    return Scope(name, gcp.storage.BucketIAMMember, {"bucket": bucket})


def on_topic(name: str, topic: gcp.pubsub.Topic) -> Scope:
    """One Pub/Sub topic."""
    return Scope(name, gcp.pubsub.TopicIAMMember, {"project": topic.project, "topic": topic.name})


def on_subscription(name: str, subscription: gcp.pubsub.Subscription) -> Scope:
    """One Pub/Sub subscription."""
    args = {"project": subscription.project, "subscription": subscription.name}
    return Scope(name, gcp.pubsub.SubscriptionIAMMember, args)


def on_repository(name: str, repository: gcp.artifactregistry.Repository) -> Scope:
    """One Artifact Registry repository."""
    args = {"project": repository.project, "repository": repository.name, "location": repository.location}
    return Scope(name, gcp.artifactregistry.RepositoryIamMember, args)


def on_function(name: str, function: gcp.cloudfunctionsv2.Function, endpoint: pulumi.Output[str]) -> Scope:
    """The Cloud Run service under a gen2 function: it is the service that checks who may call (pulumi#4946).

    A function that does not run has none.
    """
    service = once_told(endpoint, function.name)
    args = {"project": function.project, "name": service, "location": function.location}
    return Scope(name, gcp.cloudrunv2.ServiceIamMember, args)


def on_service_account(name: str, account_id: pulumi.Input[str]) -> Scope:
    """One service account, as the thing that is accessed; ``projects/P/serviceAccounts/EMAIL``."""
    return Scope(name, gcp.serviceaccount.IAMMember, {"service_account_id": account_id})


def on_backend_service(project: str, backend_service: str) -> Scope:
    """One backend service behind Identity-Aware Proxy."""
    args = {"project": project, "web_backend_service": backend_service}
    return Scope(backend_service, gcp.iap.WebBackendServiceIamMember, args)


def grant_name(role: str, on: Scope, to: Principal) -> str:
    """What a grant is called, and the resource that gives it."""
    return f"{on.name}/{role.rpartition('roles/')[2]}/{to.name}"


class Grant(pulumi.ComponentResource):
    """One permission: ``to`` may do what ``role`` allows, on ``on``, because of ``reason``.

    ``condition`` narrows it: ``title`` and a CEL ``expression``. ``after`` is what must stand first where neither
    principal nor scope is a resource that says so, and ``hooks`` are called when it is given.
    """

    def __init__(
        self,
        role: str,
        *,
        on: Scope,
        to: Principal,
        reason: str,
        parent: pulumi.Resource,
        condition: Mapping[str, pulumi.Input[str]] | None = None,
        after: Sequence[pulumi.Resource] = (),
        hooks: pulumi.ResourceHookBinding | None = None,
    ) -> None:
        name = grant_name(role, on, to)
        facts = {"principal": to.name, "role": role, "resource": on.name, "reason": reason}
        super().__init__(
            "event-triggered-pipelines:iam:Grant",
            name,
            facts | ({"condition": condition["expression"]} if condition else {}),
            pulumi.ResourceOptions(parent=parent),
        )
        args = {**on.args, "role": role, "member": to.member} | ({"condition": dict(condition)} if condition else {})
        # Who comes after an account that is replaced is let in before the old one is locked out.
        opts = pulumi.ResourceOptions(parent=self, depends_on=after, delete_before_replace=False, hooks=hooks)
        on.resource(name, opts=opts, **args)
        self.register_outputs({})

"""What a stack takes for given: it must be there before the stack is made, and is not made by it."""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.engine.cloud import Given
from rehearsal.program import Plan


def given_by(plan: Plan) -> Given:
    """The accounts, buckets, topics and backend services that a plan names and does not make."""
    made = {topic.id for topic in plan.of_type(":Topic")}
    topics = {subscription.inputs["topic"] for subscription in plan.of_type(":Subscription")}
    buckets = {bucket.outputs["name"] for bucket in plan.of_type(":Bucket")}
    named = {item.inputs["bucket"] for kind in (":Notification", ":BucketIAMMember") for item in plan.of_type(kind)}
    services = {member.inputs["webBackendService"] for member in plan.of_type(":WebBackendServiceIamMember")}
    own = {str(item.outputs["email"]) for kind in (":Account", ":ServiceIdentity") for item in plan.of_type(kind)}
    return Given(set(_accounts(plan)) - own, named - buckets, topics - made, services)


def _accounts(plan: Plan) -> Iterator[str]:
    for resource in plan.resources:
        kind, _, email = str(resource.inputs.get("member", "")).partition(":")
        if kind == "serviceAccount" and not email.startswith("service-"):  # else Google Cloud's own
            yield email
        if resource.type.endswith("serviceaccount/iAMMember:IAMMember"):
            yield str(resource.inputs["serviceAccountId"]).rsplit("/", 1)[-1]
    for function in plan.of_type(":Function"):
        yield function.inputs["serviceConfig"]["serviceAccountEmail"]

"""Pub/Sub: topics and subscriptions."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloud import Cloud, CloudError
from rehearsal.engine.kinds.kind import LABELS, Kind, properties
from rehearsal.engine.values import Values


class Topic(Kind):
    """A topic."""

    type = "gcp:pubsub/topic:Topic"
    required = properties("name")
    optional = properties(
        "deletionPolicy ingestionDataSourceSettings kmsKeyName labels messageRetentionDuration messageStoragePolicy "
        "messageTransforms project schemaSettings tags"
    )
    replaces = properties("name project tags")
    autoname = "name"
    computed = LABELS
    service = "pubsub"
    prefix = "pubsub.topics"
    path = "projects/{project}/topics/{name}"


class Subscription(Kind):
    """A subscription: with an endpoint, Pub/Sub pushes; with an empty one, it waits to be asked."""

    type = "gcp:pubsub/subscription:Subscription"
    required = properties("name topic")
    optional = properties(
        "ackDeadlineSeconds bigqueryConfig cloudStorageConfig deadLetterPolicy deletionPolicy "
        "enableExactlyOnceDelivery enableMessageOrdering expirationPolicy filter labels messageRetentionDuration "
        "messageTransforms project pushConfig retainAckedMessages retryPolicy tags"
    )
    replaces = properties("name topic project filter enableMessageOrdering tags")
    autoname = "name"
    computed = LABELS
    service = "pubsub"
    prefix = "pubsub.subscriptions"
    path = "projects/{project}/subscriptions/{name}"

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Its topics and the account that it calls as must be there; the deployer must be able to use both."""
        own = inputs["topic"].startswith(f"projects/{cloud.project}/")
        cloud.need(inputs["project"], *(["pubsub.topics.attachSubscription"] if own else []))
        dead_letters = inputs.get("deadLetterPolicy", {}).get("deadLetterTopic")
        for topic in filter(None, (inputs["topic"], dead_letters)):
            if not cloud.there_is(topic):
                name = topic.rsplit("/", 1)[-1]
                raise CloudError(f"googleapi: Error 404: Resource not found (resource={name})., notFound")
        push = inputs.get("pushConfig", {})
        endpoint = push.get("pushEndpoint", "")
        if endpoint and not endpoint.startswith("https://"):
            raise CloudError(
                f'googleapi: Error 400: Invalid push endpoint given (endpoint={endpoint}). Refer to "Push" docs., '
                "badRequest"
            )
        if "oidcToken" in push:
            cloud.need_account(push["oidcToken"]["serviceAccountEmail"])
            cloud.need(inputs["project"], "iam.serviceAccounts.actAs")

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Nothing but labels, which nobody reads."""
        return {}

"""The path of an event from a topic to the launcher, and what becomes of it when the launcher cannot handle it."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from infra.configuration.function_settings import DeliverySettings
from infra.configuration.source_settings import GcsSource, PubSubSource
from infra.configuration.source_settings import Source as SourceSettings
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.grants import Grant
from infra.resources.launcher import Launcher

ACK_DEADLINE_SECONDS = 600  # the longest: it is also how long Pub/Sub waits for the launcher's answer
BACKOFF_SECONDS = (10, 600)  # from the first wait, which doubles, to the longest
NEVER = gcp.pubsub.SubscriptionExpirationPolicyArgs(ttl="")  # else 31 idle days delete the subscription
LONGEST_RETENTION_DAYS = 31
MAY_BE_THERE = (GcsSource, PubSubSource)  # whose topic may have been there before


class Delivery(pulumi.ComponentResource):
    """Topic, push subscription with an OIDC token, dead-letter topic and the subscription that keeps it.

    A topic that was there before is subscribed to; then none is made. Pub/Sub cannot change a subscription's filter,
    so another filter is another subscription, and what the old one had still to deliver goes with it: a topic of
    ours keeps its messages where there is a filter, so that the new subscription can be sought back to them.

    The path is ours and not the function's managed trigger, which drops an event after 24 hours and cannot
    dead-letter. Attempts are 100 by default since 5, Pub/Sub's own default, are used up in three minutes.
    """

    def __init__(
        self,
        name: str,
        settings: DeliverySettings,
        source: SourceSettings,
        launcher: Launcher,
        access: Sequence[pulumi.Resource],
        foundation: Foundation,
        labels: dict[str, str],
        parent: pulumi.Resource,
    ) -> None:
        super().__init__(
            "event-triggered-pipelines:index:Delivery",
            f"{name}-delivery",
            None,
            pulumi.ResourceOptions(parent=parent),
        )
        self._project = foundation.settings.project
        self._after_services = pulumi.ResourceOptions(parent=self, depends_on=foundation.services)
        existing, only = (source.topic, source.filter) if isinstance(source, MAY_BE_THERE) else (None, None)
        retention = _days(settings.retention_days)
        self.topic = None if existing else self._topic(f"{name}-events", labels, kept_for=retention if only else None)
        dead_letters = self._topic(f"{name}-dead-letters", labels)
        self.dead_letters = gcp.pubsub.Subscription(
            f"{name}-dead-letters",
            project=self._project,
            topic=dead_letters.id,
            message_retention_duration=_days(LONGEST_RETENTION_DAYS),
            ack_deadline_seconds=ACK_DEADLINE_SECONDS,
            expiration_policy=NEVER,
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self),
        )
        push = foundation.account(f"{name}-push", f"Calls the launcher of trigger {name}; may do nothing else", self)
        before_push = [
            *access,  # a topic that was there before delivers as soon as it is subscribed to
            self.dead_letters,
            Grant(
                "roles/pubsub.publisher",
                on=grants.on_topic(f"{name}-dead-letters", dead_letters),
                to=foundation.pubsub_agent,
                reason="Pub/Sub moves events that were tried too often to the dead-letter topic",
                parent=self,
            ),
            Grant(
                "roles/iam.serviceAccountTokenCreator",
                on=grants.on_service_account(f"{name}-push", push.name),
                to=foundation.pubsub_agent,
                reason="Pub/Sub signs its calls as the push identity; without this, projects whose Pub/Sub agent "
                "dates from before 2021-04-08 deliver nothing, silently",
                parent=self,
            ),
            Grant(
                "roles/run.invoker",
                on=grants.on_function(f"{name}-launcher", launcher.function, launcher.endpoint),
                to=grants.account(f"{name}-push", push.email),
                reason="Only Pub/Sub, as the push identity, may call the launcher",
                parent=self,
            ),
        ]
        self.subscription = gcp.pubsub.Subscription(
            f"{name}-events",
            project=self._project,
            topic=self.topic.id if self.topic else existing,
            filter=only,
            push_config=gcp.pubsub.SubscriptionPushConfigArgs(
                push_endpoint=launcher.endpoint,
                # Cloud Run refuses a token for another audience, and Pub/Sub's default is the whole URL.
                oidc_token=gcp.pubsub.SubscriptionPushConfigOidcTokenArgs(
                    service_account_email=push.email, audience=launcher.endpoint
                ),
            ),
            ack_deadline_seconds=ACK_DEADLINE_SECONDS,
            message_retention_duration=retention,
            expiration_policy=NEVER,
            retry_policy=gcp.pubsub.SubscriptionRetryPolicyArgs(
                minimum_backoff=f"{BACKOFF_SECONDS[0]}s", maximum_backoff=f"{BACKOFF_SECONDS[1]}s"
            ),
            dead_letter_policy=gcp.pubsub.SubscriptionDeadLetterPolicyArgs(
                dead_letter_topic=dead_letters.id, max_delivery_attempts=settings.attempts
            ),
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self, depends_on=before_push),
        )
        Grant(
            "roles/pubsub.subscriber",
            on=grants.on_subscription(f"{name}-events", self.subscription),
            to=foundation.pubsub_agent,
            reason="Pub/Sub takes dead-lettered events off the subscription",
            parent=self,
        )
        self.topic_name: pulumi.Input[str] = self.topic.name if self.topic else str(existing)
        self.register_outputs({})

    def _topic(self, name: str, labels: dict[str, str], kept_for: str | None = None) -> gcp.pubsub.Topic:
        return gcp.pubsub.Topic(
            name, project=self._project, message_retention_duration=kept_for, labels=labels, opts=self._after_services
        )


def _days(days: int) -> str:
    return f"{days * 86_400}s"

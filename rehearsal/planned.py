"""What the stand-ins need to know of a plan, read from the inputs of its resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from rehearsal.google.objects import EVENT_TYPES
from rehearsal.google.pubsub import Subscription
from rehearsal.program import Plan, Resource


def announced_by_others(sources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The notifications, by their inputs, that the owners of buckets have made for sources on a topic of theirs."""
    announced = {(source["bucket"], source["topic"]) for source in sources if {"bucket", "topic"} <= source.keys()}
    return [
        {"bucket": bucket, "topic": topic, "eventTypes": EVENT_TYPES, "payloadFormat": "JSON_API_V1"}
        for bucket, topic in sorted(announced)
    ]


def may_read(plan: Plan, bucket: str | None) -> bool:
    """Whether a plan lets the launcher read the files in a trigger bucket."""
    granted = plan.of_type(":BucketIAMMember")
    return any(g.inputs["bucket"] == bucket and g.inputs["role"] == "roles/storage.objectViewer" for g in granted)


def subscription_of(planned: Resource, push_endpoint: str | None = None) -> Subscription:
    """The stand-in of a planned subscription, which pushes to where the function is."""
    inputs = planned.inputs
    retry, dead_letter = inputs.get("retryPolicy", {}), inputs.get("deadLetterPolicy", {})
    seconds: Callable[[str], float] = partial(_seconds, retry)
    return Subscription(
        name=planned.id,
        topic=inputs["topic"],
        push_endpoint=push_endpoint,
        ack_deadline=inputs["ackDeadlineSeconds"],
        minimum_backoff=seconds("minimumBackoff"),
        maximum_backoff=seconds("maximumBackoff"),
        dead_letter_topic=dead_letter.get("deadLetterTopic"),
        max_delivery_attempts=dead_letter.get("maxDeliveryAttempts", 5),
        filter=inputs.get("filter", ""),
    )


def _seconds(policy: Mapping[str, str], key: str) -> float:
    """``"10s"`` as 10.0; Pub/Sub's own defaults where the policy is silent."""
    return float(policy.get(key, {"minimumBackoff": "10s", "maximumBackoff": "600s"}[key]).removesuffix("s"))

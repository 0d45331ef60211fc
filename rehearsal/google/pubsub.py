"""Stand-in for Pub/Sub: topics, push subscriptions with backoff and dead-lettering, and pull subscriptions.

At-least-once, as the real one: a push that is not answered with 2xx within the ack deadline comes again, and
:meth:`PubSub.redeliver` delivers what was already acknowledged once more. All times are multiplied by
``time_scale``, so that a backoff of 10 to 600 s can be watched.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from infra.configuration.attribute_filter import read_filter

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})


@dataclass(frozen=True)
class Message:
    """One message; ``data`` is at most 10 MB at the real service."""

    id: str
    data: bytes
    attributes: Mapping[str, str]
    publish_time: str


@dataclass(frozen=True)
class Subscription:
    """A subscription, with Pub/Sub's own names; times in seconds. Without ``push_endpoint`` it keeps messages."""

    name: str
    topic: str
    push_endpoint: str | None = None
    ack_deadline: float = 10
    minimum_backoff: float = 10
    maximum_backoff: float = 600
    dead_letter_topic: str | None = None
    max_delivery_attempts: int = 5
    filter: str = ""
    kept: list[Message] = field(default_factory=list)


@dataclass(frozen=True)
class Attempt:
    """One push and its answer; ``status`` is None when none came in time."""

    subscription: str
    message: Message
    number: int
    status: int | None


class PubSub:
    """Use it on the stand-ins' loop. ``on_attempt`` hears of every push. When it ``hurries``, no attempt waits."""

    def __init__(self, time_scale: float, on_attempt: Callable[[Attempt], None]) -> None:
        self._scale = time_scale
        self.hurries = False
        self._on_attempt = on_attempt
        self._topics: dict[str, list[Subscription]] = {}
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None))

    def create_topic(self, name: str) -> None:
        """Makes a topic, ``projects/P/topics/T``. Without a subscription it loses what is published to it."""
        self._topics[name] = []

    def subscribe(self, subscription: Subscription) -> None:
        """Adds a subscription; it gets what is published from now on."""
        self._topics[subscription.topic].append(subscription)

    def has_topic(self, name: str) -> bool:
        """Whether there is a topic of that name."""
        return name in self._topics

    def subscription(self, name: str) -> Subscription | None:
        """The subscription of that name."""
        subscriptions = (subscription for found in self._topics.values() for subscription in found)
        return next((subscription for subscription in subscriptions if subscription.name == name), None)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publishes a message and returns its id."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = Message(f"{next(self._ids):016d}", data, dict(attributes), now)
        for subscription in self._topics[topic]:
            if read_filter(subscription.filter).matches(attributes):
                self._accept(subscription, message)
        return message.id

    def redeliver(self, subscription: Subscription, message: Message) -> None:
        """Delivers a message again that may have been acknowledged: the real service does, rarely."""
        self._accept(subscription, message)

    async def close(self) -> None:
        """Stops delivering."""
        for task in self._tasks:
            task.cancel()
        await self._client.aclose()

    def _accept(self, subscription: Subscription, message: Message) -> None:
        if subscription.push_endpoint is None:
            subscription.kept.append(message)
            return
        task = asyncio.get_running_loop().create_task(self._deliver(subscription, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, subscription: Subscription, message: Message) -> None:
        """Pushes until acknowledged or out of attempts. The wait doubles from one attempt to the next."""
        backoff = subscription.minimum_backoff
        for number in itertools.count(1):
            status = await self._push(subscription, message, number)
            self._on_attempt(Attempt(subscription.name, message, number, status))
            if status in ACKNOWLEDGED:
                return
            if subscription.dead_letter_topic and number >= subscription.max_delivery_attempts:
                self._dead_letter(subscription, message, number)
                return
            await asyncio.sleep(0 if self.hurries else backoff * self._scale)
            backoff = min(2 * backoff, subscription.maximum_backoff)

    async def _push(self, subscription: Subscription, message: Message, number: int) -> int | None:
        body: dict[str, Any] = {
            "message": {
                "data": base64.b64encode(message.data).decode(),
                "attributes": message.attributes,
                "messageId": message.id,
                "message_id": message.id,
                "publishTime": message.publish_time,
                "publish_time": message.publish_time,
            },
            "subscription": subscription.name,
        }
        if subscription.dead_letter_topic:
            body["deliveryAttempt"] = number
        try:
            deadline = subscription.ack_deadline * self._scale
            response = await self._client.post(str(subscription.push_endpoint), json=body, timeout=deadline)
        except httpx.HTTPError:
            return None
        return response.status_code

    def _dead_letter(self, subscription: Subscription, message: Message, attempts: int) -> None:
        source = {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
            "CloudPubSubDeadLetterSourceSubscription": subscription.name.rsplit("/", 1)[-1],
            "CloudPubSubDeadLetterSourceSubscriptionProject": subscription.name.split("/")[1],
            "CloudPubSubDeadLetterSourceTopicPublishTime": message.publish_time,
        }
        self.publish(str(subscription.dead_letter_topic), message.data, {**message.attributes, **source})

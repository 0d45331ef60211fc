"""The Pub/Sub stand-in delivers as the real one does: at least once, patiently, and to a dead letter in the end."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rehearsal.google.pubsub import Attempt, PubSub, Subscription
from rehearsal.loopback import Loopback

EVENTS, DEAD = "projects/p/topics/events", "projects/p/topics/dead"


@dataclass
class Receiver:
    """Answers pushes with the statuses it is given, the last one for ever."""

    statuses: list[int]
    pushes: list[dict[str, Any]] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        self.pushes.append(await request.json())
        return Response(status_code=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@dataclass
class Bench:
    """A topic with a push subscription, and a dead-letter topic that is kept."""

    loopback: Loopback
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()
        self.pubsub = self.loopback.call(PubSub, 0.0001, self._attempt)
        self.kept = Subscription("projects/p/subscriptions/dead", DEAD)
        for topic in (EVENTS, DEAD):
            self.pubsub.create_topic(topic)
        self.pubsub.subscribe(self.kept)

    def _attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self.changed.set()

    def push_to(self, receiver: Receiver, **settings: Any) -> Subscription:
        url = self.loopback.serve(Starlette(routes=[Route("/", receiver.receive, methods=["POST"])]))
        subscription = Subscription(
            "projects/p/subscriptions/events", EVENTS, push_endpoint=url, ack_deadline=1e6, **settings
        )
        self.pubsub.subscribe(subscription)
        return subscription

    def publish(self, data: bytes = b"data", **attributes: str) -> str:
        return self.loopback.call(self.pubsub.publish, EVENTS, data, attributes)

    def until(self, count: int) -> list[Attempt]:
        async def wait() -> None:
            while len(self.attempts) < count:
                self.changed.clear()
                await self.changed.wait()

        self.loopback.run(asyncio.wait_for(wait(), 10))
        return self.attempts


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Loopback() as loopback:
        bench = Bench(loopback)
        yield bench
        loopback.run(bench.pubsub.close())


def test_a_push_carries_the_message_as_pubsub_wraps_it(bench: Bench) -> None:
    receiver = Receiver([200])
    bench.push_to(receiver, dead_letter_topic=DEAD)
    message_id = bench.publish(b"\x00data", eventType="OBJECT_FINALIZE")
    bench.until(1)
    (push,) = receiver.pushes
    assert push["subscription"] == "projects/p/subscriptions/events"
    assert push["deliveryAttempt"] == 1
    assert base64.b64decode(push["message"]["data"]) == b"\x00data"
    assert push["message"]["messageId"] == push["message"]["message_id"] == message_id
    assert push["message"]["attributes"] == {"eventType": "OBJECT_FINALIZE"}


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_whatever_is_not_2xx_is_delivered_again_until_it_is(bench: Bench, status: int) -> None:
    bench.push_to(Receiver([status, status, 204]))
    bench.publish()
    assert [attempt.status for attempt in bench.until(3)] == [status, status, 204]
    assert {attempt.message.id for attempt in bench.attempts} == {"0000000000000001"}


def test_nobody_listening_is_delivered_again_too(bench: Bench) -> None:
    bench.pubsub.subscribe(Subscription("projects/p/subscriptions/s", EVENTS, push_endpoint="http://127.0.0.1:9"))
    bench.publish()
    assert [attempt.status for attempt in bench.until(2)[:2]] == [None, None]


def test_an_event_that_is_tried_too_often_is_kept_as_a_dead_letter(bench: Bench) -> None:
    bench.push_to(Receiver([503]), dead_letter_topic=DEAD, max_delivery_attempts=5)
    bench.publish(b"precious", mine="yes")
    assert [attempt.number for attempt in bench.until(5)] == [1, 2, 3, 4, 5]
    (dead,) = bench.kept.kept
    assert dead.data == b"precious"
    assert dead.attributes["mine"] == "yes"
    assert dead.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert dead.attributes["CloudPubSubDeadLetterSourceSubscription"] == "events"
    assert dead.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] == "p"


def test_an_acknowledged_message_may_come_again(bench: Bench) -> None:
    subscription = bench.push_to(Receiver([200]))
    bench.publish()
    message = bench.until(1)[0].message
    bench.loopback.call(bench.pubsub.redeliver, subscription, message)
    assert [attempt.message.id for attempt in bench.until(2)] == [message.id] * 2


def test_messages_have_ids_of_their_own(bench: Bench) -> None:
    bench.push_to(Receiver([200]))
    assert bench.publish() != bench.publish()


def test_a_topic_without_a_subscription_loses_what_is_published(bench: Bench) -> None:
    bench.publish()
    bench.push_to(Receiver([200]))
    bench.publish(b"later")
    assert [attempt.message.data for attempt in bench.until(1)] == [b"later"]


def test_a_subscription_gets_only_what_its_filter_lets_through(bench: Bench) -> None:
    chosen = Subscription("projects/p/subscriptions/orders", EVENTS, filter='attributes.type = "order"')
    everything = Subscription("projects/p/subscriptions/all", EVENTS)
    for subscription in (chosen, everything):
        bench.loopback.call(bench.pubsub.subscribe, subscription)
    wanted, other = bench.publish(type="order"), bench.publish(type="refund")
    assert [message.id for message in chosen.kept] == [wanted]
    assert [message.id for message in everything.kept] == [wanted, other]

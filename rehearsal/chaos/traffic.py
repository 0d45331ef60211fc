"""Events as at-least-once delivery brings them: singly, in pairs at once, and again after they were acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.chaos.faults import chances
from rehearsal.google.objects import EVENT_TYPES, Notification, Object
from rehearsal.google.pubsub import ACKNOWLEDGED, Attempt, Message, PubSub, Subscription

FINALIZE = EVENT_TYPES[0]
FIRST_GENERATION = 1_700_000_000_000_000  # the same in every run: an event's key hangs on it, and on the key the plan
# An event is fresh however long the run takes, so that its first attempt asks for nothing; and a few are old.
FRESH = "2126-11-22T10:00:00.000Z"
AMONG, OLD = 20, 3
WANTED = "content.status == 'complete'"
COMPLETE = (b'{"status": "complete", "rows": 12}', "launched")
MANIFESTS = {7: (b'{"status": "complete", "ro', "rejected"), 13: (b'{"status": "partial", "rows": 3}', "skipped")}
TWIN_RATE = 0.15
CROWD_RATE = 0.02
CROWD = 8
AGAIN_RATE = 0.2


@dataclass(frozen=True)
class Event:
    """A file that landed, and the notification of it. ``uri`` is in no other event.

    ``file`` is a manifest, which a trigger may read, and ``outcome`` what it comes to then: a damaged one is
    ``rejected``, one that says so is ``skipped``.
    """

    uri: str
    subject: str
    data: bytes
    attributes: dict[str, str]
    file: Object
    outcome: str


def events(count: int, bucket: str, prefix: str, topic: str) -> list[Event]:
    """Events of ``count`` files in a bucket; the objects themselves are not made."""
    notification = Notification("1", topic, prefix, [FINALIZE], "JSON_API_V1")
    found = []
    for number in range(count):
        generation = FIRST_GENERATION + number
        body, outcome = MANIFESTS.get(number % AMONG, COMPLETE)
        about = {"contentType": "application/json"} | ({} if number % AMONG == OLD else {"timeCreated": FRESH})
        landed = Object(bucket, f"{prefix}event-{number:05}.txt", generation, generation, body, about)
        uri = f"gs://{bucket}/{landed.name}"
        message = notification.message(FINALIZE, landed, generation)
        found.append(Event(uri, f"{uri}#{generation}", *message, landed, outcome))
    return found


class Traffic:
    """Publishes events, ``at_once`` at a time, and hears of their deliveries. Use it on the stand-ins' loop.

    What Pub/Sub gives up after ``attempts`` is under way no more: it is a dead letter.
    """

    def __init__(self, seed: int, at_once: int, attempts: int) -> None:
        self.deliveries = 0
        self.messages = 0
        self.dead_letters = 0
        self.seed = seed
        self._at_once = at_once
        self.attempts = attempts
        self._under_way = 0
        self._acknowledged = asyncio.Event()
        self._again: dict[tuple[str, str], Callable[[Message], object]] = {}

    def heard(self, attempt: Attempt) -> None:
        """Counts a delivery. What is to come again does so when it has been acknowledged for the first time."""
        self.deliveries += 1
        if attempt.status not in ACKNOWLEDGED and attempt.number >= self.attempts:
            self.dead_letters += 1
            self._end()
        if attempt.status in ACKNOWLEDGED:
            self._end()
            again = self._again.pop(_object(attempt.message.attributes), None)
            if again:
                self._note()
                again(attempt.message)

    async def publish(self, pubsub: PubSub, crowd: Iterable[tuple[Subscription, Event]]) -> None:
        """Publishes all events, each as often as the seed says, and not too many at a time."""
        for subscription, event in crowd:
            await self._until(self._at_once)
            self._plan_again(pubsub, subscription, event)
            for _ in range(self._copies(event)):
                self._note()
                pubsub.publish(subscription.topic, event.data, event.attributes)

    async def drain(self) -> None:
        """Waits until everything is acknowledged."""
        await self._until(0)

    def _copies(self, event: Event) -> int:
        chance, _ = chances(self.seed, "copies", event.uri)
        if chance < CROWD_RATE:
            return CROWD
        return 2 if chance < CROWD_RATE + TWIN_RATE else 1

    def _plan_again(self, pubsub: PubSub, subscription: Subscription, event: Event) -> None:
        """Cloud Storage may send a second message for an event; Pub/Sub may deliver one message twice."""
        chance, choice = chances(self.seed, "again", event.uri)
        if chance < AGAIN_RATE:
            self._again[_object(event.attributes)] = (
                (lambda message: pubsub.redeliver(subscription, message))
                if choice < 1 / 2
                else (lambda message: pubsub.publish(subscription.topic, message.data, message.attributes))
            )

    def _note(self) -> None:
        self.messages += 1
        self._under_way += 1

    def _end(self) -> None:
        self._under_way -= 1
        self._acknowledged.set()

    async def _until(self, under_way: int) -> None:
        while self._under_way > under_way:
            self._acknowledged.clear()
            await self._acknowledged.wait()


def _object(attributes: Mapping[str, str]) -> tuple[str, str]:
    """Which object a message is about: two triggers' buckets may have files of one name."""
    return attributes["bucketId"], attributes["objectId"]

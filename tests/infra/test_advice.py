"""What works as it is written and is seldom meant is said at each preview, and refused by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.program import evaluate
from tests.plans import dev_config

TOPIC = "projects/acme-shop/topics/new-objects"
FILTER = 'attributes.eventType = "OBJECT_FINALIZE"'


def advice(source: dict[str, Any], **changes: Any) -> list[str]:
    changes = {"parameters": {"filename": "message.id"}} | changes
    return list(evaluate("dev", dev_config(source=source, **changes), preview=True).advice)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ({}, {"parameters": {"filename": "join('/', ['gs:/', content.bucket, content.name])"}}),
        ({}, {"parameters": {"filename": "message.attributes.objectId"}}),
        ({}, {"when": "message.attributes.eventType == 'OBJECT_FINALIZE'"}),
        ({"filter": FILTER}, {}),
        ({"filter": 'hasPrefix(attributes.objectId, "in/") AND attributes:bucketId'}, {}),
    ],
    ids=str,
)
def test_messages_that_announce_objects_are_advised_to_be_objects(source: dict[str, Any], changes: Any) -> None:
    [found] = advice({"kind": "pubsub", "topic": TOPIC, **source}, **changes)
    assert found.startswith("event-triggered-pipelines:triggers[0].source: takes the announcements of objects")
    assert f"topic: {TOPIC}" in found


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "pubsub", "topic": TOPIC, "filter": 'attributes.type = "order"'},
        {"kind": "pubsub"},
        {"kind": "gcs", "bucket": "acme-there", "topic": TOPIC, "filter": FILTER},
        {"kind": "schedule", "cron": "0 6 * * 1-5"},
    ],
    ids=str,
)
def test_nothing_is_said_of_what_is_meant(source: dict[str, Any]) -> None:
    assert advice(source) == []


def test_a_schedule_that_is_seldom_meant_is_advised_on_with_its_place() -> None:
    [found] = advice({"kind": "schedule", "cron": "*/45 * * * *"})
    assert found.startswith("event-triggered-pipelines:triggers[0].source.cron: '*/45 * * * *': */45 as minute")

"""A message that is published again is to the launcher the event that it was."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from ops.launches.deployment import DeployedTrigger
from ops.launches.events import as_first_published, event_of
from tests.launcher.deliveries import OBJECT, notification


def trigger(name: str = "echo", **source: str) -> DeployedTrigger:
    return DeployedTrigger(
        name, f"acme-ml-dev/dev/{name}", source, "projects/p/topics/t", "projects/p/subscriptions/d"
    )


def arriving(published: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """A published message as a subscriber gets it."""
    return {**published, "messageId": message_id, "publishTime": "2026-11-22T10:00:00Z"}


def message(message_id: str, **attributes: str) -> dict[str, Any]:
    return arriving({"data": base64.b64encode(b"go").decode(), "attributes": attributes}, message_id)


@pytest.mark.parametrize("kind", ["pubsub", "schedule"])
def test_a_replayed_message_keeps_the_key_that_its_id_gave_it(kind: str) -> None:
    source = trigger(kind=kind)
    first = event_of(source, message("1"))
    again = arriving(as_first_published(source, message("1")), "2")
    twice = arriving(as_first_published(source, again), "3")
    found = [event.key if event else None for event in (first, event_of(source, again), event_of(source, twice))]
    assert len(set(found)) == 1
    assert found[0]


@pytest.mark.parametrize("kind", ["pubsub", "schedule"])
def test_a_replayed_message_keeps_its_time(kind: str) -> None:
    """A pipeline may take the day from it that it works on."""
    source = trigger(kind=kind)
    first = message("1")
    again = {**arriving(as_first_published(source, first), "2"), "publishTime": "2026-11-25T10:00:00Z"}
    found = event_of(source, again)
    assert found
    assert found.document["event"]["time"].startswith("2026-11-22T10:00:00")


def test_a_message_that_is_replayed_for_one_trigger_is_never_replayed_for_another() -> None:
    again = arriving(as_first_published(trigger(kind="pubsub"), message("1")), "2")
    other = trigger("other", kind="pubsub")
    assert event_of(other, arriving(as_first_published(other, again), "3")) is None


def test_a_replayed_message_is_no_event_to_another_trigger_on_the_topic() -> None:
    again = arriving(as_first_published(trigger(kind="pubsub"), message("1")), "2")
    assert event_of(trigger("other", kind="pubsub"), again) is None


def test_what_pubsub_added_to_a_dead_letter_is_not_published_again() -> None:
    letter = message("9", mine="yes", CloudPubSubDeadLetterSourceDeliveryCount="100")
    again = as_first_published(trigger(kind="gcs", bucket="acme-incoming", prefix=""), letter)
    assert again == {"data": letter["data"], "attributes": {"mine": "yes"}}


def test_a_file_that_the_glob_does_not_match_is_never_missing() -> None:
    told = notification(OBJECT)["message"]
    assert event_of(trigger(kind="gcs", bucket="acme-incoming", prefix="incoming/", glob="**/_SUCCESS"), told) is None
    assert event_of(trigger(kind="gcs", bucket="acme-incoming", prefix="incoming/", glob="**/*.csv"), told)


def test_an_object_s_announcement_on_a_topic_of_others_is_published_again_for_its_trigger_alone() -> None:
    there = {"kind": "gcs", "bucket": "acme-incoming", "prefix": "incoming/", "topic": "projects/p/topics/t"}
    first = notification(OBJECT)["message"]
    again = arriving(as_first_published(trigger(**there), first), "2")
    found = [event_of(trigger(**there), told) for told in (first, again)]
    assert found[0]
    assert len({event.key for event in found if event}) == 1
    assert event_of(trigger("other", **there), again) is None
    assert (
        as_first_published(trigger(kind="gcs", bucket="acme-incoming", prefix=""), first)["attributes"]
        == (first["attributes"])
    )

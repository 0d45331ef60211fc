"""Each kind of source says what an event is, what makes it the same one, and what is none of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.event import STORAGE_EVENT, Event, read_event
from function_src.launcher.mapping.content import VIEWS, add_views
from function_src.launcher.mapping.glob import Glob
from function_src.launcher.sources import (
    FIRST_ID,
    FOR_TRIGGER,
    BadDeliveryError,
    GcsSource,
    LogSource,
    PubSubSource,
    ScheduleSource,
    Source,
)
from infra.mapping.documents import DOCUMENTS
from tests.launcher.deliveries import FRESH, OBJECT, TRIGGER_ID, as_json, message, push

LIMIT = 1 << 20

ENTRY: dict[str, Any] = {
    "logName": "projects/acme-ml-dev/logs/cloudaudit.googleapis.com%2Fdata_access",
    "timestamp": "2026-11-22T10:00:00.123456Z",
    "insertId": "1a2b3c4d",
    "protoPayload": {"methodName": "google.cloud.bigquery.v2.JobService.InsertJob"},
}
MESSAGES: list[Source] = [
    PubSubSource(TRIGGER_ID),
    PubSubSource(TRIGGER_ID, "projects/acme/topics/orders"),
    ScheduleSource(),
]


def read(source: Source, data: bytes = b"", message_id: str = "1", **attributes: str) -> Event:
    return read_event(TRIGGER_ID, source, {}, as_json(message(data, message_id, **attributes)))


@pytest.mark.parametrize("source", MESSAGES, ids=str)
def test_a_redelivery_of_a_message_is_the_same_event_and_another_message_is_another(source: Source) -> None:
    first, again, other = read(source, b"go"), read(source, b"go"), read(source, b"go", "2")
    assert first.key == again.key
    assert first.key != other.key


def test_a_publisher_s_launch_key_makes_two_messages_one_event() -> None:
    first, second = (read(MESSAGES[0], data, data.decode(), launch_key="order-7") for data in (b"1", b"2"))
    assert first.key == second.key
    assert first.subject == "pubsub:launch_key=order-7"
    assert read(MESSAGES[0], launch_key="order-8").key != first.key


@pytest.mark.parametrize("source", MESSAGES, ids=str)
def test_a_message_that_is_published_again_is_the_event_that_it_was(source: Source) -> None:
    again = {FIRST_ID: "1", FOR_TRIGGER: TRIGGER_ID}
    first, second = read(source, b"go", "1"), read(source, b"go", "2", **again)
    assert (second.key, second.subject) == (first.key, first.subject)
    assert source.check(second.document) is None


def test_a_message_that_is_published_again_for_one_trigger_is_passed_over_by_the_others_on_the_topic() -> None:
    other = PubSubSource("acme-ml-dev/dev/other")
    again = read(other, b"go", "2", **{FIRST_ID: "1", FOR_TRIGGER: TRIGGER_ID})
    assert other.check(again.document) == f"it was published again for {TRIGGER_ID!r}"


def test_an_empty_launch_key_is_none() -> None:
    assert read(MESSAGES[0], message_id="1", launch_key="").key != read(MESSAGES[0], message_id="2").key


def test_a_message_id_and_a_launch_key_that_spells_it_are_two_events() -> None:
    assert read(MESSAGES[0], message_id="7").key != read(MESSAGES[0], launch_key="7").key


def test_a_message_id_means_nothing_on_another_topic() -> None:
    here, there = (PubSubSource(TRIGGER_ID, f"projects/acme/topics/{name}") for name in ("here", "there"))
    assert read(here).key != read(there).key
    assert read(here, launch_key="k").key == read(there, launch_key="k").key, "the publisher's key moves along"


@pytest.mark.parametrize("part", ["logName", "timestamp", "insertId"])
def test_a_log_entry_is_another_one_by_log_timestamp_or_insert_id(part: str) -> None:
    first = read(LogSource(), as_json(ENTRY))
    assert read(LogSource(), as_json({**ENTRY, part: "other"}), "1").key != first.key
    assert read(LogSource(), as_json({**ENTRY, "severity": "INFO"}), "2").key == first.key


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello?",
        b"[]",
        *(as_json({key: value for key, value in ENTRY.items() if key != part}) for part in list(ENTRY)[:3]),
        as_json({**ENTRY, "insertId": 7}),
        as_json({**ENTRY, "timestamp": ""}),
    ],
)
def test_what_is_no_log_entry_is_refused(data: bytes) -> None:
    with pytest.raises(BadDeliveryError, match=r"is not JSON|is no log entry: logName, timestamp or insertId"):
        read(LogSource(), data)


@pytest.mark.parametrize("source", MESSAGES, ids=str)
def test_a_message_without_an_id_is_refused(source: Source) -> None:
    with pytest.raises(BadDeliveryError, match="has no id"):
        read(source, message_id="")


@pytest.mark.parametrize("source", [*MESSAGES, LogSource()], ids=str)
def test_an_object_s_own_event_is_for_a_bucket_s_trigger_alone(source: Source) -> None:
    with pytest.raises(BadDeliveryError, match="is a CloudEvent of type"):
        read_event(TRIGGER_ID, source, {"ce-type": STORAGE_EVENT}, as_json(OBJECT))


@pytest.mark.parametrize(
    ("data", "content", "lines"),
    [
        (b'{"rows": 3}', {"rows": 3}, ['{"rows": 3}']),
        (b"one\r\ntwo", "one\r\ntwo", ["one", "two"]),
        (b"", "", []),
        (b"NaN", "NaN", ["NaN"]),
        ("\ufeff[1]".encode(), [1], ["[1]"]),
    ],
)
def test_the_content_of_a_message_is_its_data(data: bytes, content: Any, lines: list[str]) -> None:
    assert read(MESSAGES[0], data).content(LIMIT) == {"content": content, "lines": lines}


def test_the_content_of_a_message_that_is_not_text_is_refused() -> None:
    event = read(MESSAGES[0], b"\xff\xfa")
    with pytest.raises(BadDeliveryError, match="not UTF-8 text"):
        event.content(LIMIT)


@pytest.mark.parametrize(
    ("source", "data"),
    [(MESSAGES[0], b"{}"), (LogSource(), as_json(ENTRY)), (ScheduleSource(), b"")],
    ids=["pubsub", "log", "schedule"],
)
def test_the_document_is_the_one_that_a_preview_checks_against(source: Source, data: bytes) -> None:
    event = read(source, data)
    document = add_views({**event.document, **event.content(LIMIT)}, VIEWS.keys())
    assert document.keys() == DOCUMENTS[source.kind].keys()
    assert document["event"].keys() == DOCUMENTS[source.kind]["event"].keys()
    assert document["message"].keys() == DOCUMENTS[source.kind]["message"].keys()
    assert document["event"]["kind"] == source.kind


def test_an_event_of_a_log_happened_when_it_was_logged() -> None:
    assert read(LogSource(), as_json(ENTRY)).document["event"]["time"] == ENTRY["timestamp"]
    assert read(ScheduleSource()).document["event"]["time"] == FRESH


def test_only_what_the_glob_matches_is_taken_up() -> None:
    source = GcsSource("acme-incoming", "incoming/", Glob("**/*.json"))
    data, marker = (
        read_event(TRIGGER_ID, source, *push({**OBJECT, "name": f"incoming/{n}"})) for n in ("a", "a.json")
    )
    assert source.check(data.document) == "its name does not match **/*.json"
    assert source.check(marker.document) is None


def test_what_a_glob_captures_of_a_name_is_in_the_event() -> None:
    source = GcsSource("acme-incoming", "incoming/", Glob("incoming/{kind}s {n:int}.csv"))
    event = read_event(TRIGGER_ID, source, *push(OBJECT))
    assert (event.document["path"], source.check(event.document)) == ({"kind": "order", "n": 7}, None)
    other = read_event(TRIGGER_ID, source, *push({**OBJECT, "name": "incoming/orders x.csv"}))
    assert source.check(other.document) == "its name does not match incoming/{kind}s {n:int}.csv"
    assert event.key == read_event(TRIGGER_ID, GcsSource("acme-incoming", ""), *push(OBJECT)).key


def test_an_object_of_another_bucket_is_refused_whatever_the_glob() -> None:
    source = GcsSource("acme-other", "", Glob("nothing"))
    with pytest.raises(BadDeliveryError, match=r"is not in gs://acme-other/"):
        source.check(read_event(TRIGGER_ID, source, *push(OBJECT)).document)


@pytest.mark.parametrize("source", [*MESSAGES, LogSource()], ids=str)
@given(data=st.binary(), attributes=st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_any_message_at_all_is_an_event_or_refused(source: Source, data: bytes, attributes: dict[str, Any]) -> None:
    body = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "1"}
    try:
        event = read_event(TRIGGER_ID, source, {}, as_json({"message": body}))
    except BadDeliveryError:
        return
    assert len(event.key) == 32
    as_json(event.document)


def test_a_message_that_holds_more_than_the_limit_is_rejected() -> None:
    with pytest.raises(BadDeliveryError, match="holds more than content_limit, 3 bytes"):
        read(MESSAGES[0], b"1234").content(3)
    assert read(MESSAGES[0], b"123").content(3)["content"] == 123

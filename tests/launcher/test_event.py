"""What happened, and what makes it the same event, does not depend on how it is delivered."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.credentials import AccessTokens
from function_src.launcher.event import PUBSUB_EVENT, STORAGE_EVENT, Event, launch_key, read_event
from function_src.launcher.mapping.content import VIEWS, add_views
from function_src.launcher.sources import BadDeliveryError, GcsSource
from function_src.launcher.storage import Objects, storage_api
from infra.mapping.documents import ANY, COUNT, DOCUMENTS, MAP, TEXT
from rehearsal.google.storage import Storage
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, Identity
from tests.launcher.deliveries import (
    FRESH,
    OBJECT,
    TRIGGER_ID,
    WRAPPINGS,
    Delivery,
    as_json,
    message,
    push,
)

SOURCE = GcsSource("acme-incoming", "incoming/")
KEY = "29618ab4d3b51d9f7e2a030ed46c5e19"
Wrap = Callable[..., Delivery]
every_wrapping = pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__)


def read(delivery: Delivery, trigger_id: str = TRIGGER_ID) -> Event:
    return read_event(trigger_id, SOURCE, *delivery)


def key(delivery: Delivery, trigger_id: str = TRIGGER_ID) -> str:
    return str(read(delivery, trigger_id).document["event"]["key"])


@every_wrapping
def test_the_wrapping_changes_neither_object_nor_identity_nor_key(wrap: Wrap) -> None:
    event = read(wrap(OBJECT))
    assert event.object == {
        "uri": "gs://acme-incoming/incoming/orders 7.csv",
        "bucket": "acme-incoming",
        "name": "incoming/orders 7.csv",
        "folder": "incoming",
        "stem": "orders 7",
        "generation": "1712345678901234",
        "metageneration": None,
        "size": 12,
        "content_type": "text/csv",
        "storage_class": None,
        "md5_hash": None,
        "crc32c": None,
        "time_created": FRESH,
        "metadata": {"owner": "ann"},
    }
    assert event.identity == ("gcs", "acme-incoming", "incoming/orders 7.csv", "1712345678901234")
    assert event.subject == "gs://acme-incoming/incoming/orders 7.csv#1712345678901234"
    assert event.document["event"]["key"] == KEY


def test_the_launch_key_never_changes() -> None:
    """The literal is the promise: with another key, what was launched before would be launched again."""
    assert launch_key("acme-ml-dev/dev/echo", ("gcs", "bucket", "name", "1")) == "878f0ef21ac7eb9a3401829a105be50e"


@every_wrapping
def test_another_message_of_the_event_has_the_same_key_and_its_own_id(wrap: Wrap) -> None:
    first, second = read(wrap(OBJECT, "1")), read(wrap(OBJECT, "2"))
    assert first.identity == second.identity
    assert first.document["event"]["key"] == second.document["event"]["key"]
    assert [event.document["event"]["id"] for event in (first, second)] == ["1", "2"]


@every_wrapping
@pytest.mark.parametrize("number", [int, str])
def test_numbers_may_be_numbers_or_strings(wrap: Wrap, number: type) -> None:
    event = read(wrap({**OBJECT, "generation": number(1712345678901234), "size": number(12)}))
    assert (event.object["generation"], event.object["size"]) == ("1712345678901234", 12)
    assert event.document["event"]["key"] == KEY


@pytest.mark.parametrize("change", [{"bucket": "b"}, {"name": "n"}, {"generation": "1"}], ids=lambda c: next(iter(c)))
def test_another_object_or_generation_is_another_event(change: dict[str, str]) -> None:
    assert key(push({**OBJECT, **change})) != KEY


@pytest.mark.parametrize("change", [{"size": "1"}, {"metadata": {}}, {"contentType": "a/b"}, {"etag": "x"}])
def test_what_else_stands_in_the_notification_does_not_make_another_event(change: dict[str, Any]) -> None:
    assert key(push({**OBJECT, **change})) == KEY


@pytest.mark.parametrize("other", ["acme-ml-prod/dev/echo", "acme-ml-dev/prod/echo", "acme-ml-dev/dev/other"])
def test_two_triggers_never_share_a_key(other: str) -> None:
    assert key(push(OBJECT), other) != KEY


@pytest.mark.parametrize("separator", ["", " ", "/", "#", ",", '", "', "\n", "\0"], ids=repr)
def test_two_identities_never_share_a_key_however_they_are_put_together(separator: str) -> None:
    trigger, bucket, name, generation = "trigger", "bucket", "name", "1"
    keys = [
        launch_key(trigger, (bucket, name, generation)),
        launch_key(f"{trigger}{separator}{bucket}", (name, generation)),
        launch_key(trigger, (f"{bucket}{separator}{name}", generation)),
        launch_key(trigger, (bucket, f"{name}{separator}{generation}")),
    ]
    assert len(set(keys)) == len(keys)


@given(name=st.text(min_size=1), wrap=st.sampled_from(WRAPPINGS))
def test_any_object_name_arrives_as_it_was(name: str, wrap: Wrap) -> None:
    event = read(wrap({**OBJECT, "name": name}))
    assert (event.object["name"], event.object["uri"]) == (name, f"gs://acme-incoming/{name}")


def test_the_push_itself_can_be_mapped_too() -> None:
    document = read(push(OBJECT, "77")).document
    assert json.loads(document["message"]["data"]) == OBJECT
    assert document["message"]["attributes"]["eventType"] == "OBJECT_FINALIZE"
    assert document["message"]["publish_time"] == document["event"]["time"] == FRESH
    assert (document["message"]["id"], document["event"]["id"], document["event"]["kind"]) == ("77", "77", "gcs")


def test_pubsub_may_spell_its_fields_either_way() -> None:
    body = {"message": {"data": "e30=", "message_id": "7", "publish_time": "now", "ordering_key": "a"}}
    body["message"]["data"] = message(as_json(OBJECT))["message"]["data"]
    document = read(({}, as_json(body))).document
    fields = [document["message"][name] for name in ("id", "publish_time", "ordering_key")]
    assert fields == ["7", "now", "a"]


def test_a_notification_without_size_type_or_metadata_is_an_event_all_the_same() -> None:
    least = {key: OBJECT[key] for key in ("bucket", "name", "generation")}
    found = read(push(least)).object
    assert (found["size"], found["content_type"], found["time_created"], found["metadata"]) == (None, None, "", {})


NO_OBJECT = "the delivery names no Cloud Storage object"
LONG = "x" * 1000


def pushed(**fields: Any) -> Delivery:
    return {}, as_json({"message": fields})


def changed(**fields: Any) -> Delivery:
    return push({**OBJECT, **fields})


def without(name: str) -> Delivery:
    return push({key: value for key, value in OBJECT.items() if key != name})


def generation_problem(shown: str) -> str:
    return f"the object's generation is {shown}; expected a number"


@pytest.mark.parametrize(
    ("delivery", "problem"),
    [
        pytest.param(({}, b""), "the delivery is empty", id="empty"),
        pytest.param(({}, b"{"), "the delivery is not JSON", id="not JSON"),
        pytest.param(({}, b"\xff\xfe\xfd"), "the delivery is not JSON", id="not text"),
        pytest.param(({}, b"[" * 100_000), "the delivery is not JSON", id="deep nesting"),
        pytest.param(({}, b"1" * 5_000), "the delivery is not JSON", id="endless number"),
        pytest.param(({}, b"[]"), "the delivery has no Pub/Sub message", id="list"),
        pytest.param(({}, b'"text"'), "the delivery has no Pub/Sub message", id="string"),
        pytest.param(({}, b"7"), "the delivery has no Pub/Sub message", id="number"),
        pytest.param(({}, b"null"), "the delivery has no Pub/Sub message", id="null"),
        pytest.param(({}, b"{}"), "the delivery has no Pub/Sub message", id="no message"),
        pytest.param(({}, b'{"message": "text"}'), "the delivery has no Pub/Sub message", id="message is text"),
        pytest.param(pushed(data="%"), "the Pub/Sub message's data is not base64", id="not base64"),
        pytest.param(pushed(data="é"), "the Pub/Sub message's data is not base64", id="not ASCII"),
        pytest.param(pushed(data=7), "the Pub/Sub message has attributes or data of the wrong type", id="data 7"),
        pytest.param(
            pushed(data="e30=", attributes=["a"]),
            "the Pub/Sub message has attributes or data of the wrong type",
            id="attributes are a list",
        ),
        pytest.param(pushed(attributes={}), "the Pub/Sub message's data is not JSON", id="no data"),
        pytest.param(({}, as_json(message(b"hello"))), "the Pub/Sub message's data is not JSON", id="data not JSON"),
        pytest.param(
            ({}, as_json(message(b'{"a":' * 100_000))), "the Pub/Sub message's data is not JSON", id="deep data"
        ),
        pytest.param(({}, as_json(message(b"[]"))), NO_OBJECT, id="data is a list"),
        pytest.param(without("bucket"), f"{NO_OBJECT}: bucket or name is missing or too long", id="no bucket"),
        pytest.param(without("name"), f"{NO_OBJECT}: bucket or name is missing or too long", id="no name"),
        pytest.param(changed(name=""), f"{NO_OBJECT}: bucket or name is missing or too long", id="empty name"),
        pytest.param(changed(name="n" * 1025), f"{NO_OBJECT}: bucket or name is missing or too long", id="long name"),
        pytest.param(changed(name=7), f"{NO_OBJECT}: bucket or name is missing or too long", id="name is a number"),
        pytest.param(
            changed(name="\ud800"), f"{NO_OBJECT}: bucket or name is missing or too long", id="half a character"
        ),
        pytest.param(
            changed(bucket=["b"]), f"{NO_OBJECT}: bucket or name is missing or too long", id="bucket is a list"
        ),
        pytest.param(without("generation"), generation_problem("null"), id="no generation"),
        pytest.param(changed(generation=-1), generation_problem("-1"), id="negative generation"),
        pytest.param(changed(generation="-1"), generation_problem("'-1'"), id="negative generation in digits"),
        pytest.param(changed(generation=True), generation_problem("true"), id="generation true"),
        pytest.param(changed(generation=1.5), generation_problem("1.5"), id="generation 1.5"),
        pytest.param(changed(generation=10**20), generation_problem(str(10**20)), id="huge generation"),
        pytest.param(changed(generation=""), generation_problem("''"), id="empty generation"),
        pytest.param(changed(generation="١٢"), generation_problem("'١٢'"), id="digits of another script"),
        pytest.param(changed(generation=LONG), generation_problem("text of length 1000"), id="long generation"),
        pytest.param(
            ({}, as_json(message(as_json(OBJECT), eventType="OBJECT_DELETE"))),
            "the notification's eventType is 'OBJECT_DELETE'; only OBJECT_FINALIZE launches",
            id="deletion",
        ),
        pytest.param(
            ({}, as_json(message(as_json(OBJECT), eventType=LONG))),
            "the notification's eventType is text of length 1000; only OBJECT_FINALIZE launches",
            id="long eventType",
        ),
        pytest.param(
            ({"ce-type": "google.cloud.storage.object.v1.deleted"}, as_json(OBJECT)),
            f"the delivery is a CloudEvent of type 'google.cloud.storage.object.v1.deleted'; expected {PUBSUB_EVENT}",
            id="CloudEvent of another type",
        ),
        pytest.param(
            ({"content-type": "application/cloudevents+json"}, as_json({"type": LONG, "data": OBJECT})),
            f"the delivery is a CloudEvent of type text of length 1000; expected {PUBSUB_EVENT}",
            id="structured CloudEvent of another type",
        ),
        pytest.param(
            ({"content-type": "application/cloudevents+json"}, b"{}"),
            f"the delivery is a CloudEvent of type 'None'; expected {PUBSUB_EVENT}",
            id="structured CloudEvent of no type",
        ),
        pytest.param(({"ce-type": STORAGE_EVENT}, b"[]"), NO_OBJECT, id="CloudEvent with a list"),
        pytest.param(
            ({"ce-type": PUBSUB_EVENT}, b"[]"), "the delivery has no Pub/Sub message", id="CloudEvent, no message"
        ),
    ],
)
def test_what_is_no_event_is_refused_and_the_reason_said(delivery: Delivery, problem: str) -> None:
    with pytest.raises(BadDeliveryError) as refusal:
        read(delivery)
    assert str(refusal.value) == problem


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
object_like = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("bucket", "name", "generation", "size", "metadata"), json_values)
)
message_like: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={"data": json_values, "attributes": json_values | st.just({"eventType": []}), "messageId": json_values},
)
bodies = (
    st.binary()
    | json_values.map(as_json)
    | message_like.map(lambda fields: as_json({"message": fields}))
    | object_like.map(lambda resource: push(resource)[1])
    | object_like.map(as_json)
)
headers = st.dictionaries(
    st.sampled_from(["ce-type", "ce-id", "content-type"]),
    st.sampled_from([PUBSUB_EVENT, STORAGE_EVENT, "application/cloudevents+json"]) | st.text(),
)


@given(headers=headers, body=bodies)
def test_anything_at_all_is_an_event_or_refused(headers: Mapping[str, str], body: bytes) -> None:
    try:
        event = read_event(TRIGGER_ID, SOURCE, headers, body)
    except BadDeliveryError:
        return
    assert len(event.document["event"]["key"]) == 32
    json.dumps(event.document)


KINDS: Mapping[Any, type] = {TEXT: str, COUNT: int, MAP: dict, ANY: object, "a list": list}


def test_the_document_that_a_preview_checks_against_is_the_one_that_the_launcher_makes(
    serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(lambda *_: None)
    storage.create_bucket("acme-incoming")
    resource = storage.write("acme-incoming", "incoming/a.csv", b'"a"\n"b"\n', "text/csv")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(storage.app))
    found = read(push(resource))
    content = Objects(storage_api(AccessTokens(), TIMEOUT)).content(
        "acme-incoming", "incoming/a.csv", found.object["generation"], 100
    )

    document = add_views({**found.document, **content}, VIEWS.keys())
    assert document.keys() == DOCUMENTS["gcs"].keys()
    for name, described in DOCUMENTS["gcs"].items():
        if isinstance(described, Mapping):
            assert document[name].keys() == described.keys(), name
            assert [
                field for field, kind in described.items() if not isinstance(document[name][field], KINDS[kind])
            ] == []
        else:
            assert isinstance(document[name], KINDS[described]), name

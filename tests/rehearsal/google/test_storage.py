"""What Cloud Storage promises, asked of the stand-in by Google's own client over HTTP."""

from __future__ import annotations

import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback

BUCKET = "trigger"
TOPIC = "projects/acme-ml-dev/topics/events"
CHUNK = 256 * 1024
ODD_NAMES = [
    "incoming/2026/a b.csv",
    "ünï/çødé/文件-🗂.txt",
    "100%/%2F/%25",
    "what?/#fragment?x=1&y=2",
    "a+b c&d=e;f,g:h@i",
    "//double//slash/",
    "trailing space ",
    "x" * 1024,
]


@dataclass(frozen=True)
class Message:
    topic: str
    data: bytes
    attributes: dict[str, str]


@dataclass
class Cloud:
    """A served stand-in, Google's client for it, and what was published."""

    storage: Storage
    url: str
    client: Any
    loopback: Loopback
    published: list[Message] = field(default_factory=list)

    @property
    def bucket(self) -> Any:
        return self.client.bucket(BUCKET)

    def upload(self, body: bytes = b"body", name: str = "object", **query: str) -> requests.Response:
        parameters = {"uploadType": "media", "name": name, **query}
        return requests.post(f"{self.url}/upload/storage/v1/b/{BUCKET}/o", body, params=parameters, timeout=10)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> requests.Response:
        url = f"{self.url}/storage/v1/b/{BUCKET}/o/{path}"
        return requests.get(url, params=query, headers=headers, timeout=10)

    def notify(self, topic: str, **settings: Any) -> None:
        self.loopback.call(self.storage.add_notification, BUCKET, topic, **settings)

    def events(self) -> list[tuple[str, str]]:
        return [(message.attributes["eventType"], message.attributes["objectId"]) for message in self.published]


@pytest.fixture
def cloud(loopback: Loopback) -> Cloud:
    published: list[Message] = []
    storage = Storage(lambda topic, data, attributes: published.append(Message(topic, data, attributes)))
    storage.create_bucket(BUCKET)
    url = loopback.serve(storage.app)
    client = Client(project="acme-ml-dev", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
    return Cloud(storage, url, client, loopback, published)


# Objects


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_object_keeps_its_name_whatever_is_in_it(cloud: Cloud, name: str) -> None:
    cloud.bucket.blob(name).upload_from_string(b"content")
    found = cloud.bucket.get_blob(name)
    assert found.name == name
    assert found.download_as_bytes() == b"content"
    assert cloud.bucket.blob(name).download_as_bytes() == b"content"
    assert [blob.name for blob in cloud.client.list_blobs(BUCKET, prefix=name)] == [name]
    found.delete()
    assert cloud.bucket.get_blob(name) is None


@pytest.mark.parametrize("name", ["", "x" * 1025, "é" * 513, "a\nb", "a\rb", ".", ".."])
def test_a_name_that_cloud_storage_does_not_take_is_refused(cloud: Cloud, name: str) -> None:
    refused = cloud.upload(name=name)
    assert refused.status_code == 400
    assert refused.json()["error"]["errors"][0]["reason"] == "invalid"


def test_a_request_for_an_object_without_a_name_does_not_get_the_listing(cloud: Cloud) -> None:
    cloud.upload()
    assert cloud.get("").status_code == 404


def test_an_upload_with_metadata_gives_it_all_back(cloud: Cloud) -> None:
    blob = cloud.bucket.blob("report.csv")
    blob.metadata = {"owner": "ml", "note": "naïve"}
    blob.cache_control = "no-store"
    body = b"a,b\r\n--\r\n\x00\xff\r\n\r\n"
    blob.upload_from_string(body, content_type="text/csv")
    found = cloud.bucket.get_blob("report.csv")
    assert found.metadata == {"owner": "ml", "note": "naïve"}
    assert (found.content_type, found.cache_control, found.size) == ("text/csv", "no-store", len(body))
    assert found.download_as_bytes(checksum="md5") == body
    assert found.generation > 0
    assert found.metageneration == 1
    assert found.time_created == found.updated


def test_a_media_upload_is_an_object(cloud: Cloud) -> None:
    resource = cloud.upload(b"{}", name="media.json").json()
    assert resource["id"] == f"{BUCKET}/media.json/{resource['generation']}"
    assert cloud.bucket.blob("media.json").download_as_bytes() == b"{}"


def test_a_written_object_is_the_one_an_upload_would_have_made(cloud: Cloud) -> None:
    written = cloud.loopback.call(cloud.storage.write, BUCKET, "written", b"body", "text/plain")
    served = cloud.get("written").json()
    assert {key for key in written if written[key] != served[key]} == {"selfLink", "mediaLink"}


@pytest.mark.parametrize("size", [0, 1, 4 * CHUNK, 9 * 1024 * 1024 + 1])
def test_what_goes_up_in_chunks_comes_down_whole(cloud: Cloud, size: int) -> None:
    body = bytes(itertools.islice(itertools.cycle(range(251)), size))
    cloud.bucket.blob("big", chunk_size=4 * CHUNK).upload_from_file(
        io.BytesIO(body), content_type="application/x-big"
    )
    found = cloud.bucket.get_blob("big")
    assert (found.content_type, found.size) == ("application/x-big", size)
    assert found.download_as_bytes() == body
    in_chunks = io.BytesIO()
    cloud.bucket.blob("big", chunk_size=4 * CHUNK).download_to_file(in_chunks)
    assert in_chunks.getvalue() == body


def test_a_stream_of_unknown_length_arrives_whole(cloud: Cloud) -> None:
    with cloud.bucket.blob("stream").open("wb", chunk_size=CHUNK) as stream:
        stream.write(b"x" * (2 * CHUNK + 5))
    assert cloud.bucket.get_blob("stream").size == 2 * CHUNK + 5


def test_a_broken_resumable_upload_goes_on_from_what_is_stored(cloud: Cloud) -> None:
    def put(chunk: bytes, content_range: str) -> requests.Response:
        return requests.put(session, chunk, headers={"Content-Range": content_range}, timeout=10)

    session = cloud.bucket.blob("resumed").create_resumable_upload_session()
    assert "Range" not in put(b"", "bytes */6").headers
    assert put(b"abcd", "bytes 0-3/6").headers["Range"] == "bytes=0-3"
    asked = put(b"", "bytes */6")
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-3")
    assert cloud.bucket.get_blob("resumed") is None
    assert put(b"f", "bytes 5-5/6").status_code == 400
    assert put(b"c", "bytes 2-3/6").status_code == 400
    done = put(b"cdef", "bytes 2-5/6")
    assert (done.status_code, done.json()["size"]) == (200, "6")
    assert put(b"", "bytes */6").json() == done.json()
    assert cloud.bucket.blob("resumed").download_as_bytes() == b"abcdef"


def test_an_unknown_upload_session_is_not_found(cloud: Cloud) -> None:
    lost = f"{cloud.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&upload_id=lost"
    assert requests.put(lost, b"x", timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-20", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_the_bytes_that_were_asked_for(
    cloud: Cloud, asked: str, status: int, content: bytes, content_range: str | None
) -> None:
    cloud.upload(b"0123456789")
    answer = cloud.get("object", {"Range": asked}, alt="media")
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("Content-Range") == content_range


def test_content_comes_from_both_paths_and_says_what_it_is(cloud: Cloud) -> None:
    generation = cloud.upload(b"0123456789").json()["generation"]
    assert cloud.bucket.blob("object").download_as_bytes(start=3, end=5) == b"345"
    whole = cloud.get("object", alt="media")
    assert whole.content == b"0123456789"
    assert whole.headers["X-Goog-Generation"] == generation
    assert whole.headers["X-Goog-Hash"] == "crc32c=KAwGng==,md5=eB5eJF1ptWaXm4bijSPyxw=="


def test_an_empty_object_downloads_as_nothing(cloud: Cloud) -> None:
    cloud.upload(b"")
    assert cloud.bucket.blob("object").download_as_bytes() == b""


def test_an_overwrite_raises_the_generation_and_ends_the_old_one(cloud: Cloud) -> None:
    first, second = (int(cloud.upload(body).json()["generation"]) for body in (b"one", b"two"))
    assert second > first
    assert cloud.bucket.blob("object", generation=second).download_as_bytes() == b"two"
    with pytest.raises(NotFound):
        cloud.bucket.blob("object", generation=first).download_as_bytes()
    assert cloud.bucket.get_blob("object", generation=first) is None
    with pytest.raises(NotFound):
        cloud.bucket.blob("object", generation=first).delete()
    assert cloud.bucket.blob("object").exists()


def test_generations_rise_however_fast_objects_are_written(cloud: Cloud) -> None:
    generations = [
        int(cloud.loopback.call(cloud.storage.write, BUCKET, "object", b"")["generation"]) for _ in range(100)
    ]
    assert generations == sorted(set(generations))


def test_a_patch_changes_metadata_key_by_key_and_not_the_generation(cloud: Cloud) -> None:
    blob = cloud.bucket.blob("object")
    blob.metadata = {"keep": "1", "drop": "2"}
    blob.upload_from_string(b"body")
    generation = blob.generation
    blob.metadata = {"drop": None, "new": "3"}
    blob.content_type = "text/x"
    blob.patch()
    found = cloud.bucket.get_blob("object")
    assert (found.generation, found.metageneration, found.content_type) == (generation, 2, "text/x")
    assert found.metadata == {"keep": "1", "new": "3"}
    assert found.download_as_bytes() == b"body"


def test_a_deleted_object_is_gone(cloud: Cloud) -> None:
    cloud.upload()
    cloud.bucket.blob("object").delete()
    missing = cloud.get("object")
    assert missing.status_code == 404
    assert missing.json()["error"]["errors"][0]["reason"] == "notFound"
    with pytest.raises(NotFound):
        cloud.bucket.blob("object").delete()


# Listing


def test_a_listing_has_the_names_under_a_prefix_in_order(cloud: Cloud) -> None:
    for name in ["b", "a/2", "a/10", "a/1", "a", "ab"]:
        cloud.upload(name=name)
    assert [blob.name for blob in cloud.client.list_blobs(BUCKET)] == ["a", "a/1", "a/10", "a/2", "ab", "b"]
    assert [blob.name for blob in cloud.client.list_blobs(BUCKET, prefix="a/")] == ["a/1", "a/10", "a/2"]
    assert [blob.name for blob in cloud.client.list_blobs(BUCKET, start_offset="a/2")] == ["a/2", "ab", "b"]


def test_a_delimiter_folds_what_is_below_it_into_prefixes(cloud: Cloud) -> None:
    for name in ["in/", "in/a", "in/x/1", "in/x/2", "in/y/1", "out"]:
        cloud.upload(name=name)
    found = cloud.client.list_blobs(BUCKET, prefix="in/", delimiter="/")
    assert [blob.name for blob in found] == ["in/", "in/a"]
    assert found.prefixes == {"in/x/", "in/y/"}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("delimiter", [None, "/"])
def test_pages_put_together_are_the_whole_listing(cloud: Cloud, size: int, delimiter: str | None) -> None:
    names = ["a", "a-b", "a/1", "a/2", "a0", "b/1", "c"]
    for name in names:
        cloud.upload(name=name)
    found = cloud.client.list_blobs(BUCKET, page_size=size, delimiter=delimiter)
    pages = [[blob.name for blob in page] for page in found.pages]
    assert [name for page in pages for name in page] == [name for name in names if not delimiter or "/" not in name]
    assert found.prefixes == ({"a/", "b/"} if delimiter else set())
    assert all(len(page) <= size for page in pages)
    assert len(pages) == -(-(len(names) - (1 if delimiter else 0)) // size)


# Preconditions


def test_a_claim_is_granted_once(cloud: Cloud) -> None:
    cloud.bucket.blob("claim").upload_from_string(b"mine", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        cloud.bucket.blob("claim").upload_from_string(b"theirs", if_generation_match=0)
    error = cloud.upload(name="claim", ifGenerationMatch="0").json()["error"]
    assert (error["code"], error["errors"][0]["reason"]) == (412, "conditionNotMet")
    assert cloud.bucket.blob("claim").download_as_bytes() == b"mine"


def test_of_concurrent_claims_exactly_one_is_granted(cloud: Cloud) -> None:
    def claim(contender: int) -> int:
        return cloud.upload(str(contender).encode(), ifGenerationMatch="0").status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(claim, range(16)))
    assert sorted(statuses) == [200] + [412] * 15
    assert cloud.bucket.blob("object").download_as_bytes() == str(statuses.index(200)).encode()


def test_of_concurrent_takeovers_of_one_generation_exactly_one_succeeds(cloud: Cloud) -> None:
    generation = cloud.upload().json()["generation"]
    with ThreadPoolExecutor(16) as pool:
        takeovers = list(pool.map(lambda _: cloud.upload(ifGenerationMatch=generation).status_code, range(16)))
    assert sorted(takeovers) == [200] + [412] * 15


def test_a_deleted_claim_can_be_made_again_but_not_taken_over(cloud: Cloud) -> None:
    blob = cloud.bucket.blob("claim")
    blob.upload_from_string(b"", if_generation_match=0)
    taken = blob.generation
    blob.delete(if_generation_match=taken)
    with pytest.raises(PreconditionFailed):
        cloud.bucket.blob("claim").upload_from_string(b"", if_generation_match=taken)
    cloud.bucket.blob("claim").upload_from_string(b"", if_generation_match=0)


def test_a_resumable_upload_is_checked_when_it_ends(cloud: Cloud) -> None:
    cloud.notify(TOPIC)
    session = cloud.bucket.blob("object").create_resumable_upload_session(if_generation_match=0)
    cloud.upload(b"first")
    assert requests.put(session, b"late", timeout=10).status_code == 412
    assert cloud.bucket.blob("object").download_as_bytes() == b"first"
    assert cloud.events() == [("OBJECT_FINALIZE", "object")]


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("ifGenerationMatch", "{generation}", "1"),
        ("ifGenerationMatch", "{generation}", "0"),
        ("ifGenerationNotMatch", "1", "{generation}"),
        ("ifMetagenerationMatch", "1", "2"),
        ("ifMetagenerationNotMatch", "2", "1"),
    ],
)
def test_every_operation_obeys_every_precondition(cloud: Cloud, condition: str, holds: str, fails: str) -> None:
    def operate(method: str, value: str) -> requests.Response:
        written = cloud.upload()
        query = {condition: value.format(**written.json())}
        if method == "UPLOAD":
            return cloud.upload(b"changed", **query)
        url = f"{cloud.url}/storage/v1/b/{BUCKET}/o/object"
        return requests.request(method, url, params=query, json={} if method == "PATCH" else None, timeout=10)

    for method in ("UPLOAD", "GET", "PATCH", "DELETE"):
        assert operate(method, holds).ok
        unchanged = method == "GET" and "Not" in condition
        assert operate(method, fails).status_code == (304 if unchanged else 412)
        assert cloud.bucket.blob("object").download_as_bytes() == b"body"
        assert cloud.bucket.get_blob("object").metageneration == 1


def test_a_not_match_condition_needs_an_object(cloud: Cloud) -> None:
    assert cloud.upload(ifGenerationNotMatch="0").status_code == 412
    assert cloud.upload(ifGenerationNotMatch="1").status_code == 412
    assert cloud.upload(ifMetagenerationNotMatch="7").status_code == 412
    cloud.upload()
    assert cloud.upload(ifGenerationNotMatch="0").ok


def test_a_condition_that_is_not_a_number_is_refused(cloud: Cloud) -> None:
    assert cloud.upload(ifGenerationMatch="none").status_code == 400


# Notifications


def test_a_new_object_is_told_once_with_its_resource(cloud: Cloud) -> None:
    cloud.notify(TOPIC, prefix="in/", event_types=["OBJECT_FINALIZE"])
    cloud.bucket.blob("in/a b").upload_from_string(b"body", content_type="text/plain")
    cloud.upload(name="out/a")
    (message,) = cloud.published
    found = cloud.bucket.get_blob("in/a b")
    assert datetime.fromisoformat(message.attributes.pop("eventTime")) >= found.time_created
    assert message.topic == TOPIC
    assert message.attributes == {
        "notificationConfig": f"projects/_/buckets/{BUCKET}/notificationConfigs/1",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": BUCKET,
        "objectId": "in/a b",
        "objectGeneration": str(found.generation),
    }
    resource = json.loads(message.data)
    assert resource["kind"] == "storage#object"
    assert (resource["name"], resource["size"], resource["contentType"]) == ("in/a b", "4", "text/plain")


def test_an_overwrite_is_two_events_that_name_each_other(cloud: Cloud) -> None:
    old = cloud.upload().json()["generation"]
    cloud.notify(TOPIC)
    new = cloud.upload().json()["generation"]
    finalized, deleted = (message.attributes for message in cloud.published)
    assert finalized["eventType"] == "OBJECT_FINALIZE"
    assert (finalized["objectGeneration"], finalized["overwroteGeneration"]) == (new, old)
    assert deleted["eventType"] == "OBJECT_DELETE"
    assert (deleted["objectGeneration"], deleted["overwrittenByGeneration"]) == (old, new)


def test_each_kind_of_change_is_an_event_of_its_kind(cloud: Cloud) -> None:
    cloud.notify(TOPIC, payload_format="NONE")
    blob = cloud.bucket.blob("object")
    blob.upload_from_string(b"")
    blob.metadata = {"a": "b"}
    blob.patch()
    blob.delete()
    assert [event for event, _ in cloud.events()] == ["OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE"]
    assert {message.data for message in cloud.published} == {b""}


def test_an_upload_in_chunks_is_one_event(cloud: Cloud) -> None:
    cloud.notify(TOPIC)
    cloud.bucket.blob("big", chunk_size=CHUNK).upload_from_file(io.BytesIO(b"x" * 3 * CHUNK))
    assert cloud.events() == [("OBJECT_FINALIZE", "big")]


def test_what_was_refused_is_not_an_event(cloud: Cloud) -> None:
    cloud.upload()
    cloud.notify(TOPIC)
    cloud.upload(ifGenerationMatch="0")
    cloud.upload(name="bad\nname")
    with pytest.raises(PreconditionFailed):
        cloud.bucket.blob("object").delete(if_generation_match=1)
    assert cloud.events() == []


def test_a_notification_made_by_the_client_sends_until_it_is_deleted(cloud: Cloud) -> None:
    notification = cloud.bucket.notification(
        "events",
        topic_project="acme-ml-dev",
        blob_name_prefix="in/",
        event_types=["OBJECT_FINALIZE"],
        payload_format="JSON_API_V1",
    )
    notification.create()
    (found,) = cloud.bucket.list_notifications()
    assert (found.notification_id, found.topic_name, found.topic_project) == ("1", "events", "acme-ml-dev")
    assert (found.blob_name_prefix, found.event_types) == ("in/", ["OBJECT_FINALIZE"])
    assert cloud.bucket.get_notification("1").payload_format == "JSON_API_V1"
    cloud.upload(name="in/a")
    cloud.bucket.blob("in/a").delete()
    notification.delete()
    cloud.upload(name="in/b")
    assert cloud.events() == [("OBJECT_FINALIZE", "in/a")]
    assert not notification.exists()


def test_each_notification_of_a_bucket_gets_its_own_message(cloud: Cloud) -> None:
    for topic in (TOPIC, TOPIC + "-2"):
        cloud.notify(topic)
    cloud.upload()
    assert [message.topic for message in cloud.published] == [TOPIC, TOPIC + "-2"]


@pytest.mark.parametrize(
    "wrong", [{"topic": "events"}, {"payload_format": "JSON_API_V2"}, {"event_types": ["OBJECT_FINALISE"]}]
)
def test_a_notification_that_could_never_send_is_refused(cloud: Cloud, wrong: dict[str, Any]) -> None:
    body = {"topic": f"//pubsub.googleapis.com/{TOPIC}", "payload_format": "NONE", **wrong}
    with pytest.raises(BadRequest):
        cloud.client._post_resource(f"/b/{BUCKET}/notificationConfigs", body)
    assert list(cloud.bucket.list_notifications()) == []


# Buckets


def test_a_bucket_lives_from_create_to_delete(cloud: Cloud) -> None:
    created = cloud.client.create_bucket("second", location="europe-west4")
    assert created.location == "EUROPE-WEST4"
    assert [bucket.name for bucket in cloud.client.list_buckets()] == ["second", BUCKET]
    with pytest.raises(Conflict):
        cloud.client.create_bucket("second")
    created.blob("object").upload_from_string(b"")
    with pytest.raises(Conflict):
        created.delete()
    created.blob("object").delete()
    created.delete()
    assert not created.exists()


def test_without_its_bucket_nothing_is_found(cloud: Cloud) -> None:
    bucket = cloud.client.bucket("missing")
    for call in (
        bucket.reload,
        bucket.delete,
        lambda: list(bucket.list_blobs()),
        lambda: list(bucket.list_notifications()),
        bucket.blob("object").reload,
        lambda: bucket.blob("object").upload_from_string(b""),
        bucket.blob("object").create_resumable_upload_session,
    ):
        with pytest.raises(NotFound):
            call()

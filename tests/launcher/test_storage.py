"""The content of an object is that of the event's generation, whole and as text, or there is a reason why not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response, StreamingResponse

from function_src.launcher.credentials import AccessTokens
from function_src.launcher.origin import BadOriginError
from function_src.launcher.storage import (
    ORIGIN,
    Objects,
    ObjectUnusableError,
    StorageUnavailableError,
    storage_api,
)
from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, HangUp, Identity
from tests.launcher.wire import Wire, page, shown

BUCKET, NAME = "acme-incoming", "incoming/orders.json"
PATH = f"/storage/v1/b/{BUCKET}/o/incoming%2Forders.json"
LIMIT = 1000
CHUNK, ENDLESS = b"x" * 2**16, 1000  # together more than any buffer on the way holds


@dataclass
class Bucket:
    """A bucket of the stand-in, and the launcher's way of reading it."""

    loopback: Loopback
    storage: Storage
    wire: Wire
    objects: Objects

    def write(self, body: bytes, name: str = NAME) -> str:
        """Writes an object and returns its generation."""
        return str(self.loopback.call(self.storage.write, BUCKET, name, body)["generation"])

    def content(self, body: bytes, name: str = NAME) -> dict[str, Any]:
        return self.objects.content(BUCKET, name, self.write(body, name), LIMIT)


@pytest.fixture
def bucket(loopback: Loopback, serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    storage = Storage(lambda *_: None)
    storage.create_bucket(BUCKET)
    wire = Wire(storage.app)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(wire) + "/")
    return Bucket(loopback, storage, wire, Objects(storage_api(AccessTokens(), TIMEOUT)))


@pytest.mark.parametrize(
    ("body", "content", "lines"),
    [
        pytest.param(
            b'{"a": [1, 2.5, "\xc3\xa9"]}', {"a": [1, 2.5, "é"]}, ['{"a": [1, 2.5, "é"]}'], id="JSON object"
        ),
        pytest.param(b'["a",\n"b"]\n', ["a", "b"], ['["a",', '"b"]'], id="JSON list"),
        pytest.param(b"3", 3, ["3"], id="JSON number"),
        pytest.param(b"null", None, ["null"], id="JSON null"),
        pytest.param(b"a,b\n1,2\n", "a,b\n1,2\n", ["a,b", "1,2"], id="text"),
        pytest.param(b"a\r\nb\r\n", "a\r\nb\r\n", ["a", "b"], id="text of Windows"),
        pytest.param(b"", "", [], id="nothing"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, ['{"a": 1}'], id="JSON after a byte order mark"),
        pytest.param(b"\xef\xbb\xbfa,b", "a,b", ["a,b"], id="text after a byte order mark"),
        pytest.param(b'{"a": NaN}', '{"a": NaN}', ['{"a": NaN}'], id="NaN is no JSON"),
        pytest.param(b"-Infinity", "-Infinity", ["-Infinity"], id="Infinity is no JSON"),
        pytest.param(b"[" * 999, "[" * 999, ["[" * 999], id="brackets"),
    ],
)
def test_content_is_json_if_it_parses_and_else_text(bucket: Bucket, body: bytes, content: Any, lines: Any) -> None:
    assert bucket.content(body) == {"content": content, "lines": lines}


def test_json_that_nests_too_deeply_is_text(bucket: Bucket) -> None:
    text = "[" * 100_000 + "]" * 100_000
    generation = bucket.write(text.encode())
    assert bucket.objects.content(BUCKET, NAME, generation, 200_000)["content"] == text


def test_exactly_the_limit_is_read_and_one_byte_more_is_not(bucket: Bucket) -> None:
    assert bucket.content(b"x" * LIMIT)["content"] == "x" * LIMIT
    with pytest.raises(ObjectUnusableError, match=r"^the object holds more than content_limit, 1000 bytes$"):
        bucket.content(b"x" * (LIMIT + 1))


def test_an_endless_object_is_not_read_to_its_end(
    serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(ENDLESS):
            sent.append(number)
            yield CHUNK
            await asyncio.sleep(0)  # lets the server see that the client has gone

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(StreamingResponse(chunks())))
    with pytest.raises(ObjectUnusableError):
        Objects(storage_api(AccessTokens(), TIMEOUT)).content(BUCKET, NAME, "1", LIMIT)
    assert len(sent) < ENDLESS


@pytest.mark.parametrize("body", [b"\xff\xfa", b"a\x80", b"\x89PNG\r\n", "é".encode("latin-1")])
def test_what_is_not_utf_8_is_unusable(bucket: Bucket, body: bytes) -> None:
    with pytest.raises(ObjectUnusableError, match=r"^the object is not UTF-8 text$"):
        bucket.content(body)


@pytest.mark.parametrize(("length", "read"), [("2", True), ("7", False), ("many", False), (None, True)])
def test_a_file_that_was_cut_off_on_its_way_is_read_again(bucket: Bucket, length: str | None, read: bool) -> None:
    """Its length was right on the wire; what is stored is longer, and the half of it would be rejected for ever."""
    generation = bucket.write(b"{}")
    headers = {"X-Goog-Stored-Content-Length": length} if length else {}
    bucket.wire.fail("GET", PATH, Response(b"{}", headers=headers))
    if read:
        assert bucket.objects.content(BUCKET, NAME, generation, LIMIT)["content"] == {}
    else:
        with pytest.raises(StorageUnavailableError, match=f"^2 of the {length} bytes of the object came$"):
            bucket.objects.content(BUCKET, NAME, generation, LIMIT)


def test_another_generation_is_not_read_instead(bucket: Bucket) -> None:
    old = bucket.write(b"old")
    new = bucket.write(b"new")
    assert bucket.objects.content(BUCKET, NAME, new, LIMIT)["content"] == "new"
    with pytest.raises(ObjectUnusableError, match=r"^Cloud Storage answered 404: .*; the object is gone: keep"):
        bucket.objects.content(BUCKET, NAME, old, LIMIT)


def test_an_object_that_was_deleted_is_gone(bucket: Bucket) -> None:
    generation = bucket.write(b"a")
    bucket.loopback.call(bucket.storage.delete, BUCKET, NAME)
    with pytest.raises(ObjectUnusableError, match=r"^Cloud Storage answered 404: .*; the object is gone: keep"):
        bucket.objects.content(BUCKET, NAME, generation, LIMIT)


def test_one_request_is_made_and_with_the_token(bucket: Bucket, identity: Identity) -> None:
    generation = bucket.write(b"a")
    bucket.objects.content(BUCKET, NAME, generation, LIMIT)
    [seen] = bucket.wire.seen
    assert (seen.method, seen.path, seen.query) == ("GET", PATH, {"alt": "media", "generation": generation})
    assert seen.headers["authorization"] == f"Bearer {identity.issued[0]}"


@pytest.mark.parametrize(
    "answer",
    [*(page(status) for status in (206, 302, 400, 401, 403, 408, 429, 500, 502, 503, 504)), JSONResponse({}, 503)],
    ids=shown,
)
def test_any_other_answer_says_nothing_about_the_object(bucket: Bucket, answer: Response) -> None:
    generation = bucket.write(b"a")
    bucket.wire.fail("GET", PATH, answer, answer)
    with pytest.raises(StorageUnavailableError, match=f"^Cloud Storage answered {answer.status_code}"):
        bucket.objects.content(BUCKET, NAME, generation, LIMIT)


def test_an_answer_that_breaks_off_is_not_taken_for_the_content(bucket: Bucket) -> None:
    generation = bucket.write(b"a")
    bucket.wire.fail("GET", PATH, None)
    with pytest.raises(StorageUnavailableError):
        bucket.objects.content(BUCKET, NAME, generation, LIMIT)


def test_an_object_that_is_said_to_be_compressed_and_is_not_is_unusable(
    serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It will be so at each of a hundred attempts: a generation is immutable."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(Response(b'{"a": 1}', headers={"Content-Encoding": "gzip"})))
    with pytest.raises(ObjectUnusableError, match="Content-Encoding"):
        Objects(storage_api(AccessTokens(), TIMEOUT)).content(BUCKET, "a", "1", LIMIT)


def test_a_storage_that_hangs_up_is_unavailable(
    hang_up: HangUp, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", hang_up.host)
    with pytest.raises(StorageUnavailableError, match=r"^ProtocolError when the object was read$"):
        Objects(storage_api(AccessTokens(), TIMEOUT)).content(BUCKET, "a", "1", LIMIT)
    assert len(hang_up.heads) == 1


def test_without_an_emulator_it_is_cloud_storage_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    asked = Objects(storage_api(AccessTokens(), TIMEOUT))._api._pool
    assert f"{asked.scheme}://{asked.host}" == ORIGIN == "https://storage.googleapis.com"


@pytest.mark.parametrize(
    "elsewhere", ["https://storage.evil.example", "https://10.0.0.1:9000", "http://evil.example"]
)
def test_no_token_and_no_record_goes_to_an_emulator_that_is_not_on_this_machine(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", elsewhere)
    with pytest.raises(BadOriginError):
        storage_api(AccessTokens(), TIMEOUT)


names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 1024
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names | st.sampled_from(["a/../b", "//", "?a=b", "#a", "%2F", "a b+c", "..%2f..", "é/ü", "a\\b", "\x00"]))
def test_any_object_is_found_by_its_name(bucket: Bucket, name: str) -> None:
    body = json.dumps({"name": name}).encode()
    generation = bucket.write(body, name)
    assert bucket.objects.content(BUCKET, name, generation, 10_000)["content"] == {"name": name}

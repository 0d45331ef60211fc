"""Tokens come from the metadata server, and no more of them than are needed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from google.auth import _helpers, transport
from google.auth.compute_engine import _metadata
from starlette.responses import JSONResponse, PlainTextResponse, Response

from function_src.launcher import credentials
from function_src.launcher.credentials import (
    EMAIL,
    PASSING,
    PAUSES,
    SPARE,
    TIMEOUT_HERE,
    AccessTokens,
    TokenUnavailableError,
)
from tests.conftest import Serve
from tests.launcher.conftest import Identity
from tests.launcher.wire import TOKEN_PATH, Wire, page, silence

THREADS = 16


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long is waited before each request, in place of waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(credentials, "time", SimpleNamespace(time=time.time, sleep=seconds.append))
    return seconds


def together(get: Callable[[], str]) -> set[str]:
    """What as many threads get who ask at the same moment."""
    barrier = threading.Barrier(THREADS)

    def wait_and_get(_: int) -> str:
        barrier.wait()
        return get()

    with ThreadPoolExecutor(THREADS) as pool:
        return set(pool.map(wait_and_get, range(THREADS)))


def test_the_token_is_that_of_the_functions_own_identity(identity: Identity) -> None:
    token = AccessTokens().get()
    assert identity.tokens.principal(token) == "launcher@acme-ml-dev.iam.gserviceaccount.com"


def test_a_token_is_one_request(identity: Identity) -> None:
    """Of the scopes that are wanted; google-auth asks for the account too, each time."""
    AccessTokens(EMAIL).get()
    [seen] = identity.wire.seen
    assert (seen.method, seen.path) == ("GET", TOKEN_PATH)
    assert seen.query == {"scopes": "https://www.googleapis.com/auth/cloud-platform," + EMAIL}
    assert seen.headers["metadata-flavor"] == "Google"


def test_the_metadata_server_is_that_of_google_cloud_or_where_google_auth_would_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:8080")
    assert AccessTokens()._api._pool.port == 8080
    monkeypatch.delenv("GCE_METADATA_HOST")
    asked = AccessTokens()._api._pool
    assert (asked.scheme, asked.host, asked.port) == ("http", _metadata._GCE_DEFAULT_HOST, 80)


def test_a_fresh_token_is_not_asked_for_again(identity: Identity) -> None:
    tokens = AccessTokens()
    assert tokens.get() == tokens.get()
    assert identity.refreshes == 1


def test_threads_that_have_no_token_yet_cause_one_refresh(identity: Identity) -> None:
    assert len(together(AccessTokens().get)) == 1
    assert identity.refreshes == 1


def test_threads_that_find_the_token_stale_cause_one_refresh(identity: Identity) -> None:
    tokens = AccessTokens()
    old = tokens.get()
    tokens._end = time.time() + 180
    [new] = together(tokens.get)
    assert new != old
    assert identity.refreshes == 2


def test_threads_whose_token_was_refused_cause_one_refresh(identity: Identity) -> None:
    tokens = AccessTokens()
    old = tokens.get()
    [new] = together(lambda: tokens.get(refused=old))
    assert new != old
    assert identity.refreshes == 2


def test_a_token_that_was_renewed_meanwhile_is_not_renewed_again(identity: Identity) -> None:
    tokens = AccessTokens()
    old = tokens.get()
    new = tokens.get(refused=old)
    assert tokens.get(refused=old) == new
    assert identity.refreshes == 2


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("times", [1, 4])
def test_passing_trouble_of_the_metadata_server_is_waited_for(
    identity: Identity, pauses: list[float], status: int, times: int
) -> None:
    identity.wire.fail("GET", TOKEN_PATH, *[page(status)] * times)
    assert identity.tokens.principal(AccessTokens().get())
    assert pauses == [0, 1, 2, 4, 8][: times + 1]


def test_a_metadata_server_that_hangs_up_is_asked_again(identity: Identity, pauses: list[float]) -> None:
    identity.wire.fail("GET", TOKEN_PATH, None, None)
    assert identity.tokens.principal(AccessTokens().get())
    assert pauses == [0, 1, 2]


@pytest.mark.parametrize(
    ("answer", "said"), [(page(503), "it answered 503"), (None, "ProtocolError")], ids=["a refusal", "no answer"]
)
def test_the_metadata_server_is_asked_as_often_as_google_auth_does_and_no_more(
    identity: Identity, pauses: list[float], answer: Response | None, said: str
) -> None:
    identity.wire.fail("GET", TOKEN_PATH, *[answer] * 9)
    with pytest.raises(TokenUnavailableError, match=f"^the metadata server gave no token: {said}"):
        AccessTokens().get()
    assert identity.refreshes == len(pauses) == 5


def test_what_passes_when_a_token_is_renewed_and_how_long_is_waited_is_as_google_auth_has_it() -> None:
    assert set(PASSING) == set(transport.DEFAULT_RETRYABLE_STATUS_CODES)
    assert timedelta(seconds=SPARE) == _helpers.REFRESH_THRESHOLD
    assert _metadata._METADATA_DEFAULT_TIMEOUT == TIMEOUT_HERE
    assert [*PAUSES[1:]] == [2.0**attempt for attempt in range(4)]


def test_an_answer_of_another_server_is_no_token(identity: Identity) -> None:
    """Whoever answers to the name of the metadata server, where there is none."""
    identity.wire.fail("GET", TOKEN_PATH, JSONResponse({"access_token": "t", "expires_in": 3600}))
    with pytest.raises(TokenUnavailableError, match="no metadata server"):
        AccessTokens().get()


@pytest.mark.parametrize(
    "token",
    ["", None, 7, "a b", "a\r\nX: y", "caf\u00e9"],
    ids=["empty", "null", "number", "space", "lines", "accent"],
)
def test_what_no_header_can_carry_is_no_token(identity: Identity, token: object) -> None:
    told = JSONResponse({"access_token": token, "expires_in": 3600}, headers={"Metadata-Flavor": "Google"})
    identity.wire.fail("GET", TOKEN_PATH, told)
    with pytest.raises(TokenUnavailableError, match="it answered what is none"):
        AccessTokens().get()


@pytest.mark.parametrize(
    "answer",
    [page(404), page(403), JSONResponse({}, 400), PlainTextResponse("{", headers={"Metadata-Flavor": "Google"})],
    ids=["no identity", "forbidden", "an error", "broken JSON"],
)
def test_no_token_is_an_error_of_its_own_and_the_next_one_may_come(identity: Identity, answer: Response) -> None:
    tokens = AccessTokens()
    identity.wire.fail("GET", TOKEN_PATH, answer)
    with pytest.raises(TokenUnavailableError, match=r"^the metadata server gave no token: "):
        tokens.get()
    assert identity.tokens.principal(tokens.get())


def test_a_proxy_of_the_surroundings_is_not_handed_the_token(
    identity: Identity, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Wire(silence)
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, serve(proxy))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert identity.tokens.principal(AccessTokens().get())
    assert proxy.seen == []


def test_the_credentials_of_a_person_are_not_used(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/person.json")
    assert identity.tokens.principal(AccessTokens().get())

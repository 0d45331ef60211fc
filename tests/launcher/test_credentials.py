"""Tokens come from the metadata server, and no more of them than are needed."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from google.auth import _helpers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from function_src.launcher.credentials import AccessTokens, TokenUnavailableError
from tests.conftest import Serve
from tests.launcher.conftest import Identity
from tests.launcher.wire import TOKEN_PATH, Wire, page, silence

THREADS = 16


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
    tokens._credentials.expiry = _helpers.utcnow() + timedelta(minutes=3)
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


@pytest.mark.parametrize(
    "answer",
    [page(404), page(403), JSONResponse({}, 400), PlainTextResponse("{", media_type="application/json")],
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

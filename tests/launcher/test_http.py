"""A request goes to one origin, once, with what belongs to it and nothing else."""

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from function_src.launcher.credentials import AccessTokens, TokenUnavailableError
from function_src.launcher.http import Api, TooLateError
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, HangUp, Identity
from tests.launcher.wire import EXPERIMENTS, RUNS, TOKEN_PATH, Network, Wire, page, silence


def bearer(token: str) -> str:
    return f"Bearer {token}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_an_answer_and_not_an_order(identity: Identity, serve: Serve, method: str, status: int) -> None:
    elsewhere, wire = Wire(silence), Wire(silence)
    wire.fail(method, "/x", Response(status_code=status, headers={"Location": serve(elsewhere)}))
    response = Api(serve(wire), AccessTokens(), TIMEOUT).send(method, "/x", json={"a": 1})
    assert response.status_code == status
    assert elsewhere.seen == []
    assert wire.count(method) == 1


def test_the_token_goes_along(identity: Identity, serve: Serve) -> None:
    wire = Wire(silence)
    Api(serve(wire), AccessTokens(), TIMEOUT).send("GET", "/x")
    assert [seen.headers["authorization"] for seen in wire.seen] == [bearer(token) for token in identity.issued]


def test_without_tokens_nothing_is_authorized_and_nobody_is_asked(identity: Identity, serve: Serve) -> None:
    wire = Wire(silence)
    wire.fail("GET", "/x", page(401))
    assert Api(serve(wire), None, TIMEOUT).send("GET", "/x").status_code == 401
    [seen] = wire.seen
    assert "authorization" not in seen.headers
    assert identity.wire.seen == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_401_renews_the_token_and_sends_again(identity: Identity, serve: Serve, method: str) -> None:
    wire = Wire(silence)
    api = Api(serve(wire), AccessTokens(), TIMEOUT)
    api.send("GET", "/before")
    wire.fail(method, "/x", page(401))
    assert api.send(method, "/x", json={"a": 1}).status_code == 200
    old, new = identity.issued
    assert [seen.headers["authorization"] for seen in wire.seen] == [bearer(old), bearer(old), bearer(new)]
    assert [seen.body for seen in wire.seen[1:]] == [b'{"a": 1}'] * 2


def test_a_token_that_was_revoked_is_replaced(identity: Identity, serve: Serve) -> None:
    """The endpoint's clock is what counts: google-auth takes the token for a fresh one."""
    api = Api(serve(KfpEndpoint(identity.tokens.principal).app), AccessTokens(), TIMEOUT)
    assert api.send("GET", RUNS).status_code == 200
    identity.revoke()
    assert api.send("GET", RUNS).status_code == 200
    assert identity.refreshes == 2


def test_a_request_is_not_sent_again_when_that_is_too_late(identity: Identity, serve: Serve) -> None:
    """A 401 may take long to come; what must leave within a lease is not to leave after it."""
    wire = Wire(silence)
    wire.fail("POST", "/x", page(401))
    may_send = iter([True, False]).__next__
    assert Api(serve(wire), AccessTokens(), TIMEOUT).send("POST", "/x", may_send=may_send).status_code == 401
    assert wire.count("POST") == 1


def test_a_second_401_is_the_answer(identity: Identity, serve: Serve) -> None:
    wire = Wire(silence)
    wire.fail("POST", "/x", page(401), page(401), page(401))
    assert Api(serve(wire), AccessTokens(), TIMEOUT).send("POST", "/x").status_code == 401
    assert wire.count("POST") == 2
    assert identity.refreshes == 2


def test_without_a_token_nothing_is_sent(identity: Identity, serve: Serve) -> None:
    wire = Wire(silence)
    identity.wire.fail("GET", TOKEN_PATH, page(404))
    with pytest.raises(TokenUnavailableError):
        Api(serve(wire), AccessTokens(), TIMEOUT).send("POST", "/x")
    assert wire.seen == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failure_is_an_answer_and_not_a_reason_to_send_again(serve: Serve, method: str, status: int) -> None:
    wire = Wire(silence)
    wire.fail(method, "/x", page(status, {"Retry-After": "0"}))
    assert Api(serve(wire), None, TIMEOUT).send(method, "/x").status_code == status
    assert wire.count(method) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_whose_connection_is_dropped_was_sent_once(hang_up: HangUp, method: str) -> None:
    with pytest.raises(requests.ConnectionError):
        Api(hang_up.host, None, TIMEOUT).send(method, "/x", json={"a": 1})
    assert len(hang_up.heads) == 1


def test_a_server_that_is_silent_is_not_waited_for_without_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def disconnected(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(disconnected(receive), 5)
        await silence(scope, receive, send)  # to a client that waits without end, for the test to have one

    with pytest.raises(requests.ReadTimeout):
        Api(serve(wait), None, 0.05).send("POST", "/x")


def test_cookies_of_a_login_page_are_not_sent_back(serve: Serve) -> None:
    wire = Wire(silence)
    cookie = {"Set-Cookie": "S=cloud_datalab_tunnel; Path=/"}
    wire.fail("GET", "/x", page(200, cookie), page(401, cookie))
    api = Api(serve(wire), None, TIMEOUT)
    for _ in range(3):
        api.send("GET", "/x")
    assert ["cookie" in seen.headers for seen in wire.seen] == [False] * 3


def test_proxies_and_passwords_of_the_surroundings_are_ignored(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, wire = Wire(silence), Wire(silence)
    proxy_url = serve(proxy)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy_url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    Api(serve(wire), None, TIMEOUT).send("GET", "/x")
    assert proxy.seen == []
    [seen] = wire.seen
    assert "authorization" not in seen.headers


def test_threads_do_not_share_a_connection(serve: Serve) -> None:
    """requests promises nothing about a session in two threads."""
    api = Api(serve(silence), None, TIMEOUT)
    sessions = {api._session()}
    thread = threading.Thread(target=lambda: sessions.add(api._session()))
    thread.start()
    thread.join()
    assert len(sessions | {api._session()}) == 2


def test_nothing_is_sent_to_any_other_host(identity: Identity, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """google-auth's own session would: it looks up a "regional access boundary", in a thread, with the token."""
    endpoint = serve(KfpEndpoint(identity.tokens.principal).app)
    before = set(threading.enumerate())
    network = Network(monkeypatch)

    api = Api(endpoint, AccessTokens(), TIMEOUT)
    assert api.send("GET", RUNS).status_code == 200
    identity.revoke()
    assert api.send("POST", EXPERIMENTS, json={"display_name": "e"}).status_code == 200
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert network.targets == {urlsplit(url).netloc for url in (endpoint, identity.url)}


def test_whether_it_may_be_sent_is_asked_with_the_token_in_hand(
    serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal can take long, and others wait for it: what was allowed before it may not be allowed after it."""
    wire, late, get = Wire(silence), False, AccessTokens.get

    def get_slowly(tokens: AccessTokens, **options: Any) -> str:
        nonlocal late
        late = True
        return get(tokens, **options)

    monkeypatch.setattr(AccessTokens, "get", get_slowly)
    with pytest.raises(TooLateError):
        Api(serve(wire), AccessTokens(), TIMEOUT).send("POST", "/x", may_send=lambda: not late)
    assert wire.count("POST") == 0

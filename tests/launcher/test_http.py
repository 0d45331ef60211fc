"""A request goes to one origin, once, with what belongs to it and nothing else."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from function_src.launcher.credentials import AccessTokens, TokenUnavailableError
from function_src.launcher.http import HIDDEN, Api, TooLateError, read_answer
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import HOST, Loopback
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


def test_the_token_that_went_along_is_not_told_when_it_comes_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that looks like none."""
    token = "plain-words-that-open-a-door"
    monkeypatch.setattr(AccessTokens, "get", lambda _: token)
    response = Api(serve(Response(f"denied to {token}", 403)), AccessTokens(), TIMEOUT).send("GET", "/x")
    assert read_answer(response).words == f"denied to {HIDDEN}"


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
    """The endpoint's clock is what counts: by ours the token is a fresh one."""
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
    with pytest.raises(ProtocolError):
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

    with pytest.raises(ReadTimeoutError):
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


@dataclass
class Lines:
    """An app that answers with what it was asked for, once as many ask as it waits for, and notes who called."""

    callers: int
    seen: list[int] = field(default_factory=list)
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope["client"][1])
        if len(self.seen) >= self.callers:
            self.all_there.set()
        await self.all_there.wait()
        await Response(scope["path"])(scope, receive, send)


def test_threads_do_not_share_a_connection(serve: Serve) -> None:
    lines = Lines(8)
    api = Api(serve(lines), None, TIMEOUT)
    paths = [f"/{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda path: api.send("GET", path).read(), paths)] == [path.encode() for path in paths]
    assert len(set(lines.seen)) == 8


def test_a_connection_is_kept_for_the_next_request(serve: Serve) -> None:
    """To open one takes as long as a request, or twice that with TLS."""
    lines = Lines(1)
    api = Api(serve(lines), None, TIMEOUT)
    for stream in (False, True, False, False):
        assert api.send("GET", "/x", stream=stream).read() == b"/x"
    assert len(set(lines.seen)) == 1


@pytest.fixture
def stranger(loopback: Loopback, tmp_path: Path) -> Iterator[HangUp]:
    """A server whose certificate nobody knows. It stands in the file ``known``, for who wants to know it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "known").write_bytes(made.public_bytes(Encoding.PEM))
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "known", tmp_path / "key")
    handler = HangUp()
    server = loopback.run(asyncio.start_server(handler, HOST, 0, ssl=context))
    handler.host = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    yield handler
    loopback.call(server.close)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_who_is_not_known_to_certifi_is_sent_nothing(
    stranger: HangUp, identity: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "known"))
    with pytest.raises(SSLError):
        Api(stranger.host, AccessTokens(), TIMEOUT).send("POST", "/x")
    assert stranger.heads == []


@pytest.mark.parametrize(("host", "sent"), [("localhost", 1), ("127.0.0.1", 0)])
def test_who_is_known_is_sent_to_under_its_own_name_alone(
    stranger: HangUp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, sent: int
) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "known")
    monkeypatch.setattr("function_src.launcher.http._trusted", lambda: context)
    with pytest.raises(ProtocolError if sent else SSLError):
        Api(stranger.host.replace("localhost", host), None, TIMEOUT).send("POST", "/x")
    assert len(stranger.heads) == sent


def test_nothing_is_sent_to_any_other_host(identity: Identity, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """google-auth's session would: it looks up a "regional access boundary", in a thread, with the token."""
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

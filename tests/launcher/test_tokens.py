"""Each endpoint is sent the token that it takes: of the right kind and account, always fresh, and nobody else is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from google.auth import jwt
from starlette.responses import JSONResponse, PlainTextResponse, Response

from function_src.launcher import credentials
from function_src.launcher.credentials import (
    EMULATOR,
    ORIGIN,
    AccessTokens,
    IdTokens,
    ImpersonatedTokens,
    Tokens,
    TokenUnavailableError,
)
from function_src.launcher.http import Api
from function_src.launcher.origin import BadOriginError
from rehearsal.google.errors import google_error
from rehearsal.google.iam_credentials import IamCredentials
from rehearsal.kfp.proxy import IdentityAwareProxy
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.launcher.conftest import LIFETIME, TIMEOUT, Identity
from tests.launcher.test_credentials import together
from tests.launcher.wire import RUNS, TOKEN_PATH, Network, Wire, page, silence

LAUNCHER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
OTHER = "kfp-caller@acme-gke.iam.gserviceaccount.com"
AUDIENCE = "123-abc.apps.googleusercontent.com"
ACCOUNT = f"/v1/projects/-/serviceAccounts/{OTHER}"
METHODS = {"access": f"{ACCOUNT}:generateAccessToken", "id": f"{ACCOUNT}:generateIdToken"}
KINDS = ["own access", "own id", "other's access", "other's id"]
MINUTES = 60


@dataclass
class World:
    """An endpoint that wants one kind of token, the API that makes those of other accounts, and a shared clock."""

    identity: Identity
    iam: Wire
    endpoint: Wire
    url: str
    kind: str

    def tokens(self) -> Tokens:
        account, kind = self.kind.split()
        audience = AUDIENCE if kind == "id" else None
        if account == "other's":
            return ImpersonatedTokens(OTHER, AccessTokens(), audience)
        return IdTokens(AUDIENCE) if audience else AccessTokens()

    @property
    def made(self) -> int:
        """How often a token of the kind was made."""
        path = {"own access": TOKEN_PATH, "own id": TOKEN_PATH.replace("/token", "/identity")}.get(self.kind)
        if path:
            return self.identity.wire.count("GET", path)
        return self.iam.count("POST", METHODS[self.kind.split()[1]])

    @property
    def shown(self) -> list[str]:
        """The tokens that the endpoint was sent, in order."""
        return [seen.headers["authorization"].removeprefix("Bearer ") for seen in self.endpoint.seen]


def may_impersonate(caller: str, account: str) -> bool:
    return (caller, account) == (LAUNCHER, OTHER)


@pytest.fixture
def world(request: pytest.FixtureRequest, identity: Identity, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> World:
    clock, tokens, kind = identity.clock, identity.tokens, getattr(request, "param", "other's access")
    iam = Wire(IamCredentials(tokens, may_impersonate).app)
    monkeypatch.setenv(EMULATOR, serve(iam))
    monkeypatch.setattr(credentials, "time", SimpleNamespace(time=clock, sleep=lambda _: None))
    proxy = IdentityAwareProxy(tokens, AUDIENCE) if kind.endswith("id") else None
    endpoint = Wire(KfpEndpoint(tokens.principal, guard=proxy).app)
    return World(identity, iam, endpoint, serve(endpoint), kind)


every_kind = pytest.mark.parametrize("world", KINDS, indirect=True)


@every_kind
def test_an_endpoint_is_sent_the_kind_of_token_that_it_takes(world: World) -> None:
    assert Api(world.url, world.tokens(), TIMEOUT).send("GET", RUNS).status_code == 200
    [token] = world.shown
    issued = world.identity.tokens.find(token)
    assert issued
    assert issued.email == (OTHER if world.kind.startswith("other") else LAUNCHER)
    assert issued.audience == (AUDIENCE if world.kind.endswith("id") else "")


@every_kind
def test_a_token_is_renewed_in_a_long_lived_process_without_a_call_that_fails(world: World) -> None:
    api = Api(world.url, world.tokens(), TIMEOUT)
    for _ in range(10 * 6):  # ten hours
        assert api.send("GET", RUNS).status_code == 200
        world.identity.clock.now += 10 * MINUTES
    assert len(world.shown) == 60, "a refused token would have been sent again"
    assert len(set(world.shown)) == world.made == 10, "one token an hour"


@every_kind
def test_threads_that_find_the_token_stale_cause_one_refresh(world: World) -> None:
    tokens = world.tokens()
    old = tokens.get()
    world.identity.clock.now += LIFETIME - 3 * MINUTES
    [new] = together(tokens.get)
    assert (new != old, world.made) == (True, 2)


@every_kind
def test_a_token_that_is_refused_is_replaced_once(world: World) -> None:
    world.endpoint.fail("GET", RUNS, page(401))
    assert Api(world.url, world.tokens(), TIMEOUT).send("GET", RUNS).status_code == 200
    assert (len(set(world.shown)), world.made) == (2, 2)


@every_kind
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_token_goes_along_with_a_redirect(world: World, serve: Serve, status: int) -> None:
    elsewhere = Wire(silence)
    world.endpoint.fail("POST", RUNS, Response(status_code=status, headers={"Location": serve(elsewhere)}))
    assert Api(world.url, world.tokens(), TIMEOUT).send("POST", RUNS, json={}).status_code == status
    assert elsewhere.seen == []


@every_kind
def test_no_host_hears_of_it_but_the_endpoint_and_those_that_make_tokens(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, network = set(threading.enumerate()), Network(monkeypatch)
    assert Api(world.url, world.tokens(), TIMEOUT).send("GET", RUNS).status_code == 200
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    allowed = {urlsplit(url).netloc for url in (world.url, world.identity.url, credentials._origin())}
    assert urlsplit(world.url).netloc in network.targets
    assert network.targets <= allowed


# --- of another account --------------------------------------------------------------------------------------------


def test_tokens_of_other_accounts_are_made_by_google_or_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EMULATOR, raising=False)
    assert credentials._origin() == ORIGIN == "https://iamcredentials.googleapis.com"
    monkeypatch.setenv(EMULATOR, "http://127.0.0.1:8080")
    assert credentials._origin() == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "origin",
    [
        "https://iamcredentials.googleapis.com.evil.example",
        "https://iamcredentials-googleapis.com",
        "https://127.0.0.1.evil.example",
        "https://localhost.evil.example",
        "https://evil.example",
        "http://iamcredentials.googleapis.com",
        "http://10.0.0.1",
    ],
)
def test_no_lookalike_is_sent_the_launchers_own_token(
    world: World, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EMULATOR, origin)
    with pytest.raises(BadOriginError):
        world.tokens()


def test_who_makes_tokens_is_shown_an_access_token_of_the_launcher(world: World) -> None:
    world.tokens().get()
    [seen] = world.iam.seen
    issued = world.identity.tokens.find(seen.headers["authorization"].removeprefix("Bearer "))
    assert issued
    assert (issued.email, issued.audience) == (LAUNCHER, "")


def test_an_access_token_is_for_googles_apis_and_an_hour(world: World) -> None:
    world.tokens().get()
    assert json.loads(world.iam.seen[0].body) == {
        "scope": ["https://www.googleapis.com/auth/cloud-platform"],
        "lifetime": "3600s",
    }


@pytest.mark.parametrize("world", ["own id", "other's id"], indirect=True)
def test_an_id_token_says_whose_it_is(world: World) -> None:
    """Identity-Aware Proxy refuses one that does not."""
    claims = jwt.decode(world.tokens().get(), verify=False)
    assert claims["email"] == (OTHER if world.kind.startswith("other") else LAUNCHER)


def test_an_account_that_may_not_be_impersonated_is_named_with_the_role_that_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = ImpersonatedTokens("admin@acme-gke.iam.gserviceaccount.com", AccessTokens())
    with pytest.raises(TokenUnavailableError) as failure:
        tokens.get()
    assert str(failure.value).startswith(
        "iamcredentials.googleapis.com gave no token of admin@acme-gke.iam.gserviceaccount.com: it answered 403: "
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist); the function's "
        "identity needs roles/iam.serviceAccountTokenCreator on admin@acme-gke.iam.gserviceaccount.com"
    )


@pytest.mark.parametrize("world", ["other's access", "other's id"], indirect=True)
@pytest.mark.parametrize(
    "answer",
    [
        lambda: page(200),
        lambda: JSONResponse({}),
        lambda: JSONResponse([]),
        lambda: JSONResponse({"accessToken": "x", "expireTime": "soon", "token": "no.jwt"}),
        lambda: Response(status_code=302, headers={"Location": "http://evil.example"}),
        lambda: google_error(503, "later"),
        lambda: PlainTextResponse("", 204),
        lambda: None,
    ],
    ids=["page", "empty", "list", "nonsense", "redirect", "503", "no content", "broken off"],
)
def test_no_token_is_an_error_of_its_own_and_the_next_one_may_come(
    world: World, answer: Callable[[], Response | None]
) -> None:
    tokens = world.tokens()
    world.iam.fail("POST", METHODS[world.kind.split()[1]], answer())
    with pytest.raises(TokenUnavailableError, match=rf"^iamcredentials.googleapis.com gave no token of {OTHER}: "):
        tokens.get()
    assert tokens.get()

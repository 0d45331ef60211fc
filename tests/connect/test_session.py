"""Cookies and headers of one's own let in where Dex or oauth2-proxy does, and go nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from kfp_connect import ConnectError, Problem, connect
from kfp_connect.endpoint import Endpoint, own_headers
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.connect.conftest import Cloud

SESSION, COOKIES = "oauth2_proxy_kubeflow=abc|123=", "csrf=x; oauth2_proxy_kubeflow=abc|123="
LOGIN = RedirectResponse("/dex/auth?client_id=kubeflow", 302)


class Gate:
    """What stands before a whole Kubeflow: who comes without a session is sent to a login."""

    def __init__(self, app: Any, login: Response = LOGIN) -> None:
        self.app, self.login = app, login
        self.seen: list[Mapping[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Request(scope).headers
        self.seen.append(dict(headers))
        let_in = SESSION in headers.get("cookie", "") or headers.get("authorization") == "Bearer of-dex"
        await (self.app if let_in else self.login)(scope, receive, send)


@pytest.fixture
def gate() -> Gate:
    return Gate(KfpEndpoint(None).app)


@pytest.mark.parametrize(
    "own",
    [
        {"cookies": COOKIES},
        {"cookies": f" {COOKIES}; "},
        {"cookies": {"csrf": "x", "oauth2_proxy_kubeflow": "abc|123="}},
        {"headers": {"Authorization": "Bearer of-dex"}},
        {"cookies": COOKIES, "headers": {"kubeflow-userid": "ada@acme.example"}},
    ],
)
def test_who_has_a_session_is_let_in_with_each_request(bare: Path, serve: Serve, gate: Gate, own: Any) -> None:
    client = connect(serve(gate), **own)
    assert client.list_experiments().experiments is None
    assert len(gate.seen) == 2
    assert all("cookie" in seen or "authorization" in seen for seen in gate.seen)
    assert client.account == "whose session it is"


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (LOGIN, "302"),
        (PlainTextResponse("Jwt is expired", 401), "401: Jwt is expired"),
        (PlainTextResponse("RBAC: access denied", 403), "403: RBAC: access denied"),
        (HTMLResponse("<title>Sign in</title>"), "200 with a page for people"),
    ],
)
def test_a_session_that_has_ended_is_said_to_have(bare: Path, serve: Serve, login: Response, said: str) -> None:
    url = serve(Gate(None, login))
    with pytest.raises(ConnectError) as refused:
        connect(url, cookies="authservice_session=old")
    assert refused.value.problem is Problem.SESSION_REFUSED
    assert refused.value.what.endswith(f"it answered {said}")
    assert "old" not in str(refused.value)


def test_where_a_session_is_wanted_it_is_said_how_to_pass_one(bare: Path, serve: Serve, gate: Gate) -> None:
    with pytest.raises(ConnectError) as refused:
        connect(serve(gate))
    assert refused.value.problem is Problem.LOGIN_PAGE
    assert 'for Dex or oauth2-proxy cookies="..." of a session' in refused.value.fix


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_session_goes_to_no_other_host(bare: Path, serve: Serve, gate: Gate, status: int) -> None:
    stranger = Gate(KfpEndpoint(None).app)
    elsewhere = serve(stranger)
    client = connect(serve(gate), cookies=COOKIES, headers={"x-own": "mine"})
    gate.app = RedirectResponse(f"{elsewhere}/apis/v2beta1/experiments", status)
    with pytest.raises(ConnectError):
        client.list_experiments()
    with pytest.raises(ConnectError) as refused:
        client._run_api.api_client.rest_client.request("GET", f"{elsewhere}/apis/v2beta1/runs")
    assert refused.value.problem is Problem.ANOTHER_HOST
    assert stranger.seen == []


def test_a_session_never_goes_in_the_clear(bare: Path) -> None:
    with pytest.raises(ConnectError) as refused:
        connect("http://kf.acme.example", cookies=COOKIES)
    assert refused.value.problem is Problem.BAD_ENDPOINT


@pytest.mark.parametrize(
    "own",
    [
        {"cookies": "hush"},
        {"cookies": "a=hush\r\nx-evil: 1"},
        {"cookies": {"a": "hush; b=1"}},
        {"cookies": {"a": "hush\n"}},
        {"headers": {"x": "hush\r\ny: 1"}},
        {"headers": {"x y": "hush"}},
        {"headers": {"x": "h\u00fcsh"}},
        {"headers": {"Host": "hush.example"}},
        {"headers": {"Cookie": "a=hush"}},
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_shown(bare: Path, own: Any) -> None:
    with pytest.raises(ConnectError) as refused:
        connect("https://kf.acme.example", **own)
    assert refused.value.problem is Problem.BAD_ARGUMENT
    assert "hush" not in str(refused.value)


def test_an_access_token_of_google_s_does_not_go_there_as_a_header_either(bare: Path) -> None:
    own = {"authorization": "Bearer ya29.mine"}
    with pytest.raises(ConnectError) as refused:
        connect("https://kf.acme.example", headers=own)
    assert refused.value.problem is Problem.NOT_FOR_TOKENS
    assert own_headers(Endpoint("http://localhost:8080"), None, own) == own


def test_two_authorizations_are_one_too_many(cloud: Cloud) -> None:
    cloud.sign_in()
    with pytest.raises(ConnectError, match="either this one or credentials"):
        connect(cloud.url, "default", headers={"authorization": "Bearer x"})
    assert connect(cloud.url, "default", cookies="a=b").account != "nobody"

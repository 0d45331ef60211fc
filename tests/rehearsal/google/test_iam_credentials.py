"""What the stand-in for iamcredentials gives to google-auth and to others: tokens of another account, if they may."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import requests
from google.auth import impersonated_credentials, jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials

from rehearsal.google.iam_credentials import IamCredentials
from rehearsal.google.metadata import Tokens
from rehearsal.loopback import Loopback

LAUNCHER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
RUNS = "runs@acme-gke.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass
class Api:
    """A stand-in that is being served, and one grant."""

    server: IamCredentials
    tokens: Tokens
    url: str
    grants: set[tuple[str, str]] = field(default_factory=lambda: {(LAUNCHER, RUNS)})

    def ask(self, method: str, body: dict[str, Any], account: str = RUNS, token: str = "") -> requests.Response:
        token = token or self.tokens.issue(LAUNCHER, 3600)
        url = f"{self.url}/v1/projects/-/serviceAccounts/{account}:{method}"
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)


@pytest.fixture
def api(loopback: Loopback) -> Api:
    tokens = Tokens(lambda: 1_800_000_000.0)
    grants = {(LAUNCHER, RUNS)}
    server = IamCredentials(tokens, lambda caller, account: (caller, account) in grants)
    return Api(server, tokens, loopback.serve(server.app), grants)


def message(response: requests.Response) -> str:
    return str(response.json()["error"]["message"])


def impersonated(api: Api) -> Any:
    """google-auth's own credentials of the other account, refreshed."""
    source = Credentials(api.tokens.issue(LAUNCHER, 3600))
    endpoint = f"{api.url}/v1/projects/-/serviceAccounts/{RUNS}:generateAccessToken"
    credentials = impersonated_credentials.Credentials(source, RUNS, [SCOPE], iam_endpoint_override=endpoint)
    credentials.refresh(Request())
    return credentials


def test_google_auth_gets_an_access_token_of_the_other_account(api: Api) -> None:
    credentials = impersonated(api)
    assert api.tokens.principal(credentials.token) == RUNS
    assert credentials.expiry == datetime(2027, 1, 15, 9, 0)  # noqa: DTZ001 google-auth's times are naive, in UTC


def test_google_auth_is_told_when_the_role_is_missing(api: Api) -> None:
    api.grants.clear()
    with pytest.raises(RefreshError, match="denied on resource"):
        impersonated(api)


def test_an_id_token_names_the_other_account_only_when_asked_to(api: Api) -> None:
    for included in (True, False):
        answer = api.ask("generateIdToken", {"audience": "iap", "includeEmail": included}).json()
        claims = jwt.decode(answer["token"], verify=False)
        assert claims["aud"] == "iap"
        assert claims.get("email") == (RUNS if included else None)
        assert api.tokens.principal(answer["token"]) is None, "an ID token is no access token"


@pytest.mark.parametrize("method", ["generateAccessToken", "generateIdToken"])
def test_only_who_has_the_role_on_that_account_gets_its_tokens(api: Api, method: str) -> None:
    body = {"scope": [SCOPE], "audience": "iap"}
    stranger, other = api.tokens.issue("stranger@acme", 3600), "admin@acme-gke.iam.gserviceaccount.com"
    for refused in (api.ask(method, body, token=stranger), api.ask(method, body, account=other)):
        assert refused.status_code == 403
        assert "denied on resource (or it may not exist)" in message(refused)


@pytest.mark.parametrize("kind", ["none", "expired", "an ID token"])
def test_nobody_gets_nothing(api: Api, kind: str) -> None:
    tokens = {
        "none": "nobody's",
        "expired": api.tokens.issue(LAUNCHER, 0),
        "an ID token": api.tokens.issue_id_token(LAUNCHER, "iamcredentials", 3600),
    }
    assert api.ask("generateAccessToken", {"scope": [SCOPE]}, token=tokens[kind]).status_code == 401


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("generateAccessToken", {}),
        ("generateAccessToken", {"scope": SCOPE}),
        ("generateAccessToken", {"scope": [SCOPE], "lifetime": "7200s"}),
        ("generateAccessToken", {"scope": [SCOPE], "lifetime": "1h"}),
        ("generateIdToken", {}),
    ],
)
def test_what_the_api_does_not_take_is_refused(api: Api, method: str, body: dict[str, Any]) -> None:
    assert api.ask(method, body).status_code == 400


def test_it_can_be_out_of_order(api: Api) -> None:
    api.server.outage = True
    assert api.ask("generateAccessToken", {"scope": [SCOPE]}).status_code == 503

"""An installation behind Identity-Aware Proxy opens to ID tokens for its own audience, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests

from rehearsal.google.metadata import Tokens
from rehearsal.kfp.proxy import IdentityAwareProxy
from rehearsal.kfp.server import API, KfpEndpoint
from rehearsal.loopback import Loopback

AUDIENCE = "123-abc.apps.googleusercontent.com"
LAUNCHER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
NOW = 1_800_000_000.0
MISMATCH = (
    "JWT audience doesn't match this application "
    f"('aud' claim (https://kfp.example.com) doesn't match expected value ({AUDIENCE}))"
)
EXPIRED = "OpenID Connect token expired: JWT has expired"


@dataclass
class Installation:
    tokens: Tokens
    url: str

    def get(self, token: str = "", method: str = "GET") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url}{API}/experiments"
        return requests.request(method, url, headers=headers, timeout=10, allow_redirects=False)


@pytest.fixture
def installation(loopback: Loopback) -> Installation:
    tokens = Tokens(lambda: NOW)
    guard = IdentityAwareProxy(tokens, AUDIENCE, lambda email: email == LAUNCHER)
    return Installation(tokens, loopback.serve(KfpEndpoint(None, guard=guard).app))


def test_an_id_token_for_its_audience_opens(installation: Installation) -> None:
    assert installation.get(installation.tokens.issue_id_token(LAUNCHER, AUDIENCE, 3600)).json() == {}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (lambda tokens: tokens.issue(LAUNCHER, 3600), "Unable to parse JWT"),
        (lambda tokens: "nonsense", "Unable to parse JWT"),
        (
            lambda tokens: tokens.issue_id_token(LAUNCHER, "https://kfp.example.com", 3600),
            MISMATCH,
        ),
        (
            lambda tokens: tokens.issue_id_token(LAUNCHER, AUDIENCE, 0),
            "OpenID Connect token expired: JWT has expired",
        ),
        (
            lambda tokens: tokens.issue_id_token(LAUNCHER, AUDIENCE, 3600, with_email=False),
            "JWT 'email' claim isn't a string",
        ),
    ],
    ids=["access token", "no token", "another audience", "expired", "without the address"],
)
def test_any_other_token_is_refused_with_the_reason(
    installation: Installation, token: Callable[[Tokens], str], reason: str
) -> None:
    refused = installation.get(token(installation.tokens))
    assert (refused.status_code, refused.text) == (401, f"Invalid IAP credentials: {reason}")
    assert refused.headers["X-Goog-IAP-Generated-Response"] == "true"


def test_who_has_no_access_is_told_so_on_a_page(installation: Installation) -> None:
    refused = installation.get(installation.tokens.issue_id_token("stranger@acme", AUDIENCE, 3600))
    assert (refused.status_code, refused.headers["Content-Type"].split(";")[0]) == (403, "text/html")


def test_without_a_token_a_get_is_sent_to_the_login_and_a_post_is_not(installation: Installation) -> None:
    sent, refused = installation.get(), installation.get(method="POST")
    assert (sent.status_code, refused.status_code) == (302, 401)
    assert sent.headers["Location"].startswith("https://accounts.google.com/")
    assert sent.text == refused.text == "Invalid IAP credentials: empty token"

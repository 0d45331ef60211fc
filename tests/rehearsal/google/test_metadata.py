"""What google-auth needs of a metadata server, asked of the stand-in by google-auth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.auth
import pytest
import requests
from google.auth import jwt
from google.auth.compute_engine import Credentials, IDTokenCredentials, _metadata
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request

from rehearsal.google.metadata import Issued, MetadataServer, Tokens
from rehearsal.loopback import Loopback
from tests.conftest import Clock

EMAIL = "launcher@acme-ml-dev.iam.gserviceaccount.com"
PROJECT = "acme-ml-dev"
GOOGLE = {"Metadata-Flavor": "Google"}


@dataclass(frozen=True)
class Runtime:
    """A stand-in that is being served, and that google-auth takes for the metadata server of this process."""

    server: MetadataServer
    url: str
    clock: Clock

    def get(self, path: str, headers: dict[str, str] = GOOGLE) -> requests.Response:
        return requests.get(f"{self.url}/{path}", headers=headers, timeout=10)


@pytest.fixture
def runtime(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    clock = Clock()
    server = MetadataServer(EMAIL, PROJECT, tokens=Tokens(clock), lifetime=1200)
    url = loopback.serve(server.app)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", url.removeprefix("http://"))
    monkeypatch.setenv("GCE_METADATA_IP", url.removeprefix("http://"))
    return Runtime(server, url, clock)


def refreshed(credentials: Any) -> Any:
    credentials.refresh(Request())
    return credentials


def test_google_auth_gets_a_token_that_is_recognised_as_its_account(runtime: Runtime) -> None:
    credentials = refreshed(Credentials())
    assert credentials.token.startswith("ya29.")
    assert credentials.service_account_email == EMAIL
    assert credentials.universe_domain == "googleapis.com"
    assert runtime.server.tokens.principal(credentials.token) == EMAIL
    assert runtime.server.tokens.principal(credentials.token + "x") is None


def test_a_token_is_recognised_until_it_expires(runtime: Runtime) -> None:
    token = refreshed(Credentials()).token
    runtime.clock.now += 1199
    assert runtime.server.tokens.principal(token) == EMAIL
    runtime.clock.now += 1
    assert runtime.server.tokens.principal(token) is None
    assert runtime.server.tokens.principal(refreshed(Credentials()).token) == EMAIL


def test_an_account_may_be_named_by_its_email_and_no_other_exists(runtime: Runtime) -> None:
    assert runtime.server.tokens.principal(refreshed(Credentials(EMAIL)).token) == EMAIL
    with pytest.raises(RefreshError):
        refreshed(Credentials("other@acme-ml-dev.iam.gserviceaccount.com"))


def test_application_default_credentials_find_the_account_and_the_project(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "NO_GCE_CHECK"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    credentials, project = google.auth.default()
    assert project == PROJECT
    assert runtime.server.tokens.principal(refreshed(credentials).token) == EMAIL


def test_an_identity_token_names_the_account_and_the_audience(runtime: Runtime) -> None:
    audience = "https://launcher.run.app/?a=b"
    credentials = refreshed(IDTokenCredentials(Request(), audience, use_metadata_identity_endpoint=True))
    claims = jwt.decode(credentials.token, verify=False)
    assert (claims["aud"], claims["email"], claims["iss"]) == (audience, EMAIL, "https://accounts.google.com")
    assert (claims["iat"], claims["exp"]) == (runtime.clock.now, runtime.clock.now + 1200)


def test_an_identity_token_is_known_with_its_audience_and_is_no_access_token(runtime: Runtime) -> None:
    credentials = refreshed(IDTokenCredentials(Request(), "iap", use_metadata_identity_endpoint=True))
    issued = runtime.server.tokens.find(credentials.token)
    assert issued == Issued(EMAIL, runtime.clock.now + 1200, "iap")
    assert runtime.server.tokens.principal(credentials.token) is None


def test_an_identity_token_needs_an_audience(runtime: Runtime) -> None:
    path = "computeMetadata/v1/instance/service-accounts/default/identity"
    assert runtime.get(path).status_code == 400


def test_the_email_is_told_as_plain_text(runtime: Runtime) -> None:
    answer = runtime.get("computeMetadata/v1/instance/service-accounts/default/email")
    assert (answer.text, answer.headers["Content-Type"].split(";")[0]) == (EMAIL, "text/plain")


@pytest.mark.parametrize("headers", [{}, {"Metadata-Flavor": "google"}])
@pytest.mark.parametrize("path", ["", "computeMetadata/v1/instance/service-accounts/default/token"])
def test_nothing_is_told_without_the_header_that_browsers_do_not_send(
    runtime: Runtime, path: str, headers: dict[str, str]
) -> None:
    refused = runtime.get(path, headers)
    assert (refused.status_code, refused.headers["Metadata-Flavor"]) == (403, "Google")
    assert "ya29." not in refused.text


def test_servers_that_share_their_tokens_recognise_each_others(loopback: Loopback) -> None:
    tokens = Tokens()
    issued = {}
    for email in ("push@acme", "launcher@acme"):
        url = loopback.serve(MetadataServer(email, PROJECT, tokens=tokens).app)
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        issued[email] = requests.get(url + path, headers=GOOGLE, timeout=10).json()["access_token"]
    assert {email: tokens.principal(token) for email, token in issued.items()} == {email: email for email in issued}

"""A cloud of stand-ins, in a time of its own, that connect takes for Google's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import google.oauth2.credentials
import pytest
from google.auth import _helpers, iam
from google.auth.compute_engine import _metadata

from kfp_connect import connecting, tokens
from rehearsal.google.iam_credentials import IamCredentials
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.oauth import OAuth, person_file
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import IdentityAwareProxy
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Clock, Serve
from tests.keys import KEY_ID, make_key
from tests.launcher.wire import Wire

LIFETIME = 3600
AUDIENCE = "1234-abc.apps.googleusercontent.com"
RUNTIME = "runtime@acme-ml-dev.iam.gserviceaccount.com"
KEYED = "keyed@acme-ml-dev.iam.gserviceaccount.com"
RUNS = "runs@acme-gke.iam.gserviceaccount.com"
PERSON = "ada@acme.example"
ACCOUNTS = "/v1/projects/-/serviceAccounts/{}"


@dataclass
class Cloud:
    """Who gives tokens, and an endpoint behind each kind of proxy. ``may_act`` are the impersonations allowed."""

    clock: Clock
    tokens: Tokens
    oauth: OAuth
    token_uri: str
    metadata: Wire
    iam: Wire
    may_act: set[tuple[str, str]]
    endpoint: KfpEndpoint
    hosted: Wire
    url: str
    iap: Wire
    iap_url: str
    home: Path

    def sign_in(self) -> str:
        """Makes gcloud's credentials of a person the default ones; returns the refresh token."""
        token = self.oauth.sign_in(PERSON)
        (self.home / "application_default_credentials.json").write_text(person_file(token))
        return token

    def key_file(self) -> str:
        """The path of a key file."""
        path = self.home / "key.json"
        path.write_text(make_key().file(KEYED, self.token_uri))
        self.oauth.add_key(KEYED, KEY_ID, make_key().public)
        return str(path)

    def revoke_all(self) -> None:
        """Makes every token worthless that was given out. Who holds one cannot know."""
        self.tokens.revoke_all()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no credentials and no settings; returns gcloud's directory."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


@pytest.fixture
def cloud(bare: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    clock = Clock()
    issued = Tokens(clock)
    monkeypatch.setattr(_helpers, "utcnow", clock.utc)
    monkeypatch.setattr(tokens, "now", clock.utc)
    oauth = OAuth(issued, LIFETIME)
    token_uri = f"{serve(oauth.app)}/token"
    monkeypatch.setattr(google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", token_uri)
    metadata = Wire(MetadataServer(RUNTIME, "acme-ml-dev", tokens=issued, lifetime=LIFETIME).app)
    address = serve(metadata).removeprefix("http://")
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", address)
    monkeypatch.setenv("GCE_METADATA_IP", address)
    may_act: set[tuple[str, str]] = set()
    credentials = Wire(IamCredentials(issued, lambda one, other: (one, other) in may_act, LIFETIME).app)
    iam_url = serve(credentials)
    monkeypatch.setattr(iam, "_IAM_ENDPOINT", f"{iam_url}{ACCOUNTS}:generateAccessToken")
    monkeypatch.setattr(iam, "_IAM_IDTOKEN_ENDPOINT", f"{iam_url}{ACCOUNTS}:generateIdToken")
    endpoint = KfpEndpoint(issued.principal, pace=Pace(0))
    hosted = Wire(endpoint.app)
    iap = Wire(KfpEndpoint(None, guard=IdentityAwareProxy(issued, AUDIENCE)).app)
    return Cloud(
        *(clock, issued, oauth, token_uri, metadata, credentials, may_act),
        *(endpoint, hosted, serve(hosted), iap, serve(iap), bare),
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never comes need not be waited for as long as in real life."""
    monkeypatch.setattr(connecting, "SECONDS", 0.5)

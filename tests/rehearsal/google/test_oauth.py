"""What google-auth needs of the server that gives tokens, asked of the stand-in by google-auth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import google.oauth2.credentials
import pytest
from google.auth import jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import _client, service_account

from rehearsal.google.metadata import Tokens
from rehearsal.google.oauth import OAuth, person_file
from rehearsal.loopback import Loopback
from tests.keys import KEY_ID, Key, make_key

EMAIL = "runs@acme-ml-dev.iam.gserviceaccount.com"
PERSON = "ada@acme.example"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@dataclass(frozen=True)
class Server:
    oauth: OAuth
    tokens: Tokens
    uri: str

    def of_key(self, key: Key, key_id: str = KEY_ID, email: str = EMAIL, **options: Any) -> Any:
        info = json.loads(key.file(email, self.uri, key_id))
        kind: Any = (
            service_account.IDTokenCredentials if "target_audience" in options else service_account.Credentials
        )
        return kind.from_service_account_info(info, **(options or {"scopes": SCOPES}))

    def of_person(self, refresh_token: str) -> Any:
        info = json.loads(person_file(refresh_token))
        kind: Any = google.oauth2.credentials.Credentials
        del info["type"]
        return kind(None, token_uri=self.uri, **info)


@pytest.fixture
def server(loopback: Loopback) -> Server:
    tokens = Tokens()
    oauth = OAuth(tokens)
    oauth.add_key(EMAIL, KEY_ID, make_key().public)
    return Server(oauth, tokens, f"{loopback.serve(oauth.app)}/token")


def refreshed(credentials: Any) -> Any:
    credentials.refresh(Request())
    return credentials


def test_a_key_gives_access_tokens_of_its_account(server: Server) -> None:
    assert server.tokens.principal(refreshed(server.of_key(make_key())).token) == EMAIL


def test_a_key_gives_id_tokens_for_an_audience(server: Server) -> None:
    token = refreshed(server.of_key(make_key(), target_audience="iap")).token
    claims: Any = jwt.decode(token, verify=False)
    assert (claims["aud"], claims["email"]) == ("iap", EMAIL)
    assert server.tokens.principal(token) is None


@pytest.mark.parametrize(
    ("key", "key_id", "email", "reason"),
    [
        (1, KEY_ID, EMAIL, "Invalid JWT Signature"),
        (0, "another", EMAIL, "Invalid JWT Signature"),
        (0, KEY_ID, "nobody@acme-ml-dev.iam.gserviceaccount.com", "account not found"),
    ],
)
def test_another_key_gives_nothing(server: Server, key: int, key_id: str, email: str, reason: str) -> None:
    with pytest.raises(RefreshError, match=reason):
        refreshed(server.of_key(make_key(key), key_id, email))


def test_an_assertion_for_another_server_gives_nothing(server: Server) -> None:
    signer = server.of_key(make_key()).signer
    claims = {"iss": EMAIL, "aud": "https://evil.example/token", "scope": SCOPES[0], "iat": 0, "exp": 2**33}
    assertion = jwt.encode(signer, claims)
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        _client.jwt_grant(Request(), server.uri, assertion)


def test_a_deleted_key_gives_nothing_more(server: Server) -> None:
    credentials = refreshed(server.of_key(make_key()))
    server.oauth.delete_keys(EMAIL)
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        refreshed(credentials)


def test_a_person_gets_an_access_token_and_is_named_in_the_id_token_beside_it(server: Server) -> None:
    credentials = refreshed(server.of_person(server.oauth.sign_in(PERSON)))
    assert server.tokens.principal(credentials.token) == PERSON
    claims: Any = jwt.decode(credentials.id_token, verify=False)
    assert claims["email"] == PERSON


def test_a_person_who_signed_out_gets_nothing(server: Server) -> None:
    token = server.oauth.sign_in(PERSON)
    server.oauth.sign_out(token)
    with pytest.raises(RefreshError, match="expired or revoked"):
        refreshed(server.of_person(token))

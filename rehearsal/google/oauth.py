"""Stand-in for oauth2.googleapis.com, which gives tokens to whoever has a key or has signed in.

The two grants that google-auth uses: an assertion signed with a service account's key, which is verified with the
public half of that key, and the refresh token that gcloud keeps of a person.
"""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import parse_qs

from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.google.metadata import Tokens

AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth signs for this one, wherever it sends the assertion
ASSERTION, REFRESH = "urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token"


class OAuth:
    """Tokens last ``lifetime`` seconds. ``grants`` counts those that were given out."""

    def __init__(self, tokens: Tokens, lifetime: int = 3600) -> None:
        self.grants = 0
        self._tokens = tokens
        self._lifetime = lifetime
        self._keys: dict[str, dict[str, str]] = {}
        self._people: dict[str, str] = {}
        self.app = Starlette(routes=[Route("/token", self._token, methods=["POST"])])

    def add_key(self, email: str, key_id: str, public_key: str) -> None:
        """Takes the public half of a service account's key, in PEM."""
        self._keys.setdefault(email, {})[key_id] = public_key

    def delete_keys(self, email: str) -> None:
        """Deletes all keys of a service account, which stays."""
        self._keys[email] = {}

    def sign_in(self, email: str) -> str:
        """A refresh token, as gcloud gets one when a person signs in."""
        token = f"1//{secrets.token_urlsafe(32)}"
        self._people[token] = email
        return token

    def sign_out(self, refresh_token: str) -> None:
        """Revokes a refresh token."""
        del self._people[refresh_token]

    async def _token(self, request: Request) -> Response:
        fields = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        match fields.get("grant_type"):
            case grant if grant == ASSERTION:
                return self._by_assertion(fields.get("assertion", ""))
            case grant if grant == REFRESH:
                return self._by_refresh_token(fields)
            case grant:
                return _refused("unsupported_grant_type", f"Invalid grant_type: {grant}")

    def _by_assertion(self, assertion: str) -> Response:
        try:
            email = str(jwt.decode(assertion, verify=False).get("iss"))
            if email not in self._keys:
                return _refused("invalid_grant", "Invalid grant: account not found")
            claims: dict[str, Any] = jwt.decode(assertion, certs=self._keys[email], audience=AUDIENCE)
        except (ValueError, GoogleAuthError):
            return _refused("invalid_grant", "Invalid JWT Signature.")
        if audience := claims.get("target_audience"):
            return self._give(id_token=self._tokens.issue_id_token(email, audience, self._lifetime))
        if not claims.get("scope"):
            return _refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._give_access(email)

    def _by_refresh_token(self, fields: dict[str, str]) -> Response:
        email = self._people.get(fields.get("refresh_token", ""))
        if email is None:
            return _refused("invalid_grant", "Token has been expired or revoked.")
        if not fields.get("client_id") or not fields.get("client_secret"):
            return _refused("invalid_client", "The OAuth client was not found.")
        # Whoever signed in with the scopes openid and email gets an ID token too, for the program that asked.
        return self._give_access(
            email, id_token=self._tokens.issue_id_token(email, fields["client_id"], self._lifetime)
        )

    def _give_access(self, email: str, **more: str) -> Response:
        token = self._tokens.issue(email, self._lifetime)
        return self._give(access_token=token, expires_in=self._lifetime, token_type="Bearer", **more)  # noqa: S106 a kind

    def _give(self, **answer: str | int) -> Response:
        self.grants += 1
        return JSONResponse(answer)


def person_file(refresh_token: str) -> str:
    """The file that `gcloud auth application-default login` writes."""
    fields = {"type": "authorized_user", "client_id": "gcloud.apps.googleusercontent.com", "client_secret": "public"}
    return json.dumps({**fields, "refresh_token": refresh_token})


def _refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400)

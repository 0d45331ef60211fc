"""Files of credentials, each read as what it says it is, and called that when it is wrong.

google.auth.load_credentials_from_file would ask Cloud Resource Manager for the project of federated credentials:
nobody needs it here, and within VPC Service Controls that is out of reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from google.auth import (
    aws,
    external_account,
    external_account_authorized_user,
    identity_pool,
    impersonated_credentials,
    pluggable,
)
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import credentials, service_account

from kfp_connect.problems import ConnectError, Problem

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
KEY = "service_account"
KINDS = {  # what the files of each type hold
    KEY: "a service account key",
    "authorized_user": "a person's credentials",
    "external_account": "federated credentials",
    "external_account_authorized_user": "a person's federated credentials",
    "impersonated_service_account": "credentials that act as another account",
}
CLIENT_SECRETS = ("installed", "web")
FROM_AWS = "urn:ietf:params:aws:token-type:aws4_request"
ANOTHER_FILE = "name another file; this one may be somebody's, so leave it as it is"
UNREADABLE = (OSError, ValueError, TypeError, AttributeError, LookupError, GoogleAuthError)  # what google-auth raises


def read_credentials(path: str) -> Credentials:
    """The credentials in a file, whatever their type.

    Raises:
        ConnectError: there is no such file, or it is none of credentials.
    """
    return _read(path, _contents(path))


def read_key(path: str) -> Credentials:
    """The service account key in a file; raises as :func:`read_credentials` does, of other credentials too."""
    held = _contents(path)
    if held.get("type", KEY) != KEY and str(held["type"]) in KINDS:
        fix = f'leave out credentials, or say "default", with GOOGLE_APPLICATION_CREDENTIALS={path}'
        raise _wrong(path, f"holds {KINDS[str(held['type'])]}, and no service account key", fix)
    return _read(path, {"type": KEY, **held})


def kind_of(found: Credentials) -> str:
    """What credentials are called, as far as they are from a file."""
    match found:
        case external_account_authorized_user.Credentials():
            return KINDS["external_account_authorized_user"]
        case external_account.Credentials():
            return KINDS["external_account"]
    return KINDS["authorized_user"]


def _contents(path: str) -> Mapping[str, Any]:
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, ValueError) as error:
        if isinstance(error, FileNotFoundError) or "\0" in str(path):
            raise _wrong(path, "is not there", "name a file that is") from None
        what = "is empty" if not Path(path).stat().st_size else f"is no JSON, or was cut off: {error}"
        raise _wrong(path, what, ANOTHER_FILE) from None
    except (OSError, TypeError, RecursionError) as error:
        raise _wrong(path, f"cannot be read: {_first_line(error)}", ANOTHER_FILE) from None
    if isinstance(held, dict) and any(secret in held for secret in CLIENT_SECRETS):
        fix = f"gcloud auth application-default login --client-id-file={path}, and name no file"
        raise _wrong(path, "holds the secret of an OAuth client, by which people sign in, and no credentials", fix)
    if not isinstance(held, dict):
        raise _wrong(path, "does not hold what credentials do", ANOTHER_FILE)
    return held


def _read(path: str, held: Mapping[str, Any]) -> Credentials:
    kind = held.get("type")
    if not isinstance(kind, str) or kind not in READERS:
        types = ", ".join(READERS)
        raise _wrong(path, f"holds credentials of type {kind!r}, where there are {types}", ANOTHER_FILE)
    try:
        return READERS[kind](held)
    except UNREADABLE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else _first_line(error)
        raise _wrong(path, f"holds {KINDS[kind]}, of no use as it is: {reason}", ANOTHER_FILE) from None


def _key(held: Mapping[str, Any]) -> Credentials:
    found = service_account.Credentials.from_service_account_info(held, scopes=[SCOPE])
    return cast("Credentials", found)


def _person(held: Mapping[str, Any]) -> Credentials:
    return cast("Credentials", credentials.Credentials.from_authorized_user_info(held, scopes=[SCOPE]))


def _federated_person(held: Mapping[str, Any]) -> Credentials:
    return cast("Credentials", external_account_authorized_user.Credentials.from_info(held))


def _federated(held: Mapping[str, Any]) -> Credentials:
    """Those of a workload; what acts as an account is built here, since google-auth's own gets no ID tokens."""
    plain = {name: value for name, value in held.items() if not name.startswith("service_account_impersonation")}
    family: Any = identity_pool.Credentials
    if held.get("subject_token_type") == FROM_AWS:
        family = aws.Credentials
    elif "executable" in (held.get("credential_source") or {}):
        family = pluggable.Credentials
    source = cast("Credentials", family.from_info(plain, scopes=[SCOPE]))
    url = held.get("service_account_impersonation_url")
    lifetime = (held.get("service_account_impersonation") or {}).get("token_lifetime_seconds")
    return _acting(source, url, lifetime=lifetime or 3600) if url else source


def _impersonating(held: Mapping[str, Any]) -> Credentials:
    source = held["source_credentials"]
    found = READERS[source["type"]](source)
    return _acting(found, held["service_account_impersonation_url"], delegates=held.get("delegates"))


def _acting(source: Credentials, url: str, **options: Any) -> Credentials:
    """Credentials of the account that a URL of IAM's names."""
    account = url.rpartition("/")[2].partition(":")[0]
    return impersonated_credentials.Credentials(
        source, account, target_scopes=[SCOPE], iam_endpoint_override=url, **options
    )


READERS: Mapping[str, Callable[[Mapping[str, Any]], Credentials]] = {
    KEY: _key,
    "authorized_user": _person,
    "external_account": _federated,
    "external_account_authorized_user": _federated_person,
    "impersonated_service_account": _impersonating,
}


def _wrong(path: str, problem: str, fix: str) -> ConnectError:
    return ConnectError(Problem.BAD_CREDENTIALS_FILE, FILE=path, PROBLEM=problem, FIX=fix)


def _first_line(error: Exception) -> str:
    """What is wrong; google-auth's errors have their cause for a second argument."""
    text = error.args[0] if isinstance(error, GoogleAuthError) and error.args else error
    return str(text).partition("\n")[0]

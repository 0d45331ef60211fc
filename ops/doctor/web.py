"""A token goes to those of Google's APIs that are asked here, and to GKE's, over https, and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from google.auth.credentials import Credentials

GOOGLE = frozenset(
    f"https://{service}.googleapis.com"
    for service in (
        "artifactregistry",
        "cloudbilling",
        "cloudfunctions",
        "cloudresourcemanager",
        "cloudscheduler",
        "iam",
        "iap",
        "logging",
        "orgpolicy",
        "pubsub",
        "run",
        "serviceusage",
        "storage",
    )
)
CONTROL_PLANES = re.compile(r"https://([a-z0-9-]+\.)+gke\.goog")
QUOTA_HEADER = "X-Goog-User-Project"


class UnreachableError(Exception):
    """No answer came; the message says what happened instead."""


@dataclass(frozen=True)
class Answer:
    """What a server said. ``data`` is its JSON when that is an object, and None for a page."""

    status: int
    text: str
    data: Mapping[str, Any] | None


class Web:
    """Sends single requests: no redirects (a login page is not the answer), no cookies, no retries.

    ``reach`` says where an origin is reached; tests lead it to stand-ins. ``seconds`` is how long each wait on a
    server may take. Proxies of the surroundings are used, as Pulumi does; https goes through them unread.
    """

    def __init__(
        self, credentials: Credentials | None, *, reach: Callable[[str], str] = str, seconds: float = 10
    ) -> None:
        self.credentials = credentials
        self._reach, self._seconds = reach, seconds

    def send(self, method: str, origin: str, path: str, **options: Any) -> Answer:
        """Sends one request and returns whatever comes back.

        Raises:
            UnreachableError: nothing came back.
            ValueError: ``origin`` is none of :data:`GOOGLE`, and no cluster's on Google Cloud.
        """
        if origin not in GOOGLE and not CONTROL_PLANES.fullmatch(origin):
            raise ValueError(f"is {origin!r}, which is none of Google's APIs that are asked here")
        try:
            response = requests.request(
                method,
                self._reach(origin) + path,
                auth=self._sign if origin in GOOGLE else self._authorize,
                timeout=self._seconds,
                allow_redirects=False,
                **options,
            )
        except requests.Timeout:
            raise UnreachableError(f"{origin} did not answer within {self._seconds:g} seconds") from None
        except requests.RequestException as error:
            raise UnreachableError(f"{origin} cannot be reached ({type(error).__name__})") from None
        return Answer(response.status_code, response.text, _object(response.text))

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Adds the token. Being given as ``auth``, it also keeps requests from looking into netrc."""
        if self.credentials:
            request.headers["Authorization"] = f"Bearer {self.credentials.token}"
        return request

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Adds whose quota it is, too."""
        if quota_project := getattr(self.credentials, "quota_project_id", None):
            request.headers[QUOTA_HEADER] = quota_project
        return self._authorize(request)


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None

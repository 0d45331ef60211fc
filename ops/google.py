"""Google Cloud as the person at the keyboard: Application Default Credentials, and how to come by them."""

from __future__ import annotations

import getpass
import socket

import google.auth
from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOGIN = "gcloud auth application-default login"


def default_credentials(quota_project: str | None = None) -> Credentials:
    """Finds credentials, without trying them. Requests count on the quota of ``quota_project``, if it is given.

    Raises:
        DefaultCredentialsError: there are none.
    """
    credentials, _ = google.auth.default(scopes=[SCOPE], quota_project_id=quota_project)
    return credentials


def who_asks(credentials: Credentials) -> str:
    """Whose credentials they are, as far as they say it without a request; else who is at which machine."""
    for name in ("service_account_email", "account"):
        if "@" in str(getattr(credentials, name, "")):
            return str(getattr(credentials, name))
    return f"{getpass.getuser()} at {socket.gethostname()}"

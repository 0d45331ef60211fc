"""What must be on this machine: the Pulumi CLI, a login to its backend, and credentials for Google Cloud."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import partial

import yaml
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from ops.findings import Finding, ok, problem, unchecked
from ops.google import LOGIN, default_credentials
from rehearsal.program import ROOT

# Where the provider finds credentials before it looks for Application Default Credentials: variables and settings.
CREDENTIALS = (
    "GOOGLE_CREDENTIALS",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
)
CREDENTIAL_SETTINGS = ("gcp:credentials", "gcp:accessToken")
LONGEST_COMMAND, LONGEST_REQUEST = 30, 10  # seconds


def check_cli() -> Finding:
    """Whether the Pulumi CLI is installed, new enough and logged in."""
    check = "Pulumi CLI"
    if not shutil.which("pulumi"):
        return problem(check, "the Pulumi CLI is not installed", "curl -fsSL https://get.pulumi.com | sh")
    needed = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"].removeprefix(">=")
    found = _output_of("pulumi", "version").removeprefix("v")
    if _numbers(found) < _numbers(needed):
        what = f"the Pulumi CLI is {found or 'of an unknown version'}, and {needed} is needed"
        return problem(check, what, "pulumi self-update")
    if not (user := _output_of("pulumi", "whoami")):
        return problem(check, "you are not logged in to a Pulumi backend", "pulumi login, or pulumi login --local")
    return ok(check, f"{found}, logged in as {user}")


def find_credentials() -> tuple[Credentials | None, Finding]:
    """Finds Application Default Credentials, without trying them."""
    check = "credentials"
    try:
        credentials = default_credentials()
    except GoogleAuthError as error:
        return None, problem(check, f"there are no Google Cloud credentials ({_first_sentence(error)})", LOGIN)
    email = getattr(credentials, "service_account_email", "")
    return credentials, ok(check, f"Application Default Credentials{f' of {email}' if '@' in email else ''}")


def check_credentials(config: Mapping[str, str]) -> tuple[Credentials | None, Finding]:
    """Finds Application Default Credentials, and fetches a token with them."""
    credentials, finding = find_credentials()
    preferred = preferred_credentials(config)
    if not credentials and preferred:
        what = f"Pulumi will take {preferred}; the doctor looks with Application Default Credentials, and has none"
        return None, unchecked(finding.check, what, LOGIN)
    if not credentials:
        return None, finding
    try:
        credentials.refresh(partial(Request(), timeout=LONGEST_REQUEST))
    except TransportError as error:
        return None, unchecked(
            finding.check, f"no token is to be had: {_first_sentence(error)}", "look to the network"
        )
    except GoogleAuthError as error:
        return None, problem(finding.check, f"your credentials are no longer good: {_first_sentence(error)}", LOGIN)
    if preferred:
        what = f"Pulumi will take {preferred}; what follows was seen with your Application Default Credentials"
        return credentials, unchecked(finding.check, what, f"unset {preferred}")
    return credentials, finding


def preferred_credentials(config: Mapping[str, str]) -> str:
    """The variable or setting that the provider prefers to Application Default Credentials; else nothing."""
    variables = [name for name in CREDENTIALS if os.environ.get(name)]
    return next(iter([*variables, *(name for name in CREDENTIAL_SETTINGS if config.get(name))]), "")


def _output_of(*command: str) -> str:
    """What a command prints, and nothing when it fails or takes too long."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST_COMMAND)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _first_sentence(error: Exception) -> str:
    text = str(error.args[0] if error.args else error)
    return text.partition("\n")[0].partition(". ")[0].rstrip(".")

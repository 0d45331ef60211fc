"""Runs the Pulumi CLI for a stack, after checking that it can do its work here.

Everything that is missing is said at once, each with the command that mends it: a first deployment otherwise fails
once for the CLI, once for the login, once for the credentials and once for the sample project.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import google.auth
import yaml
from google.auth.exceptions import DefaultCredentialsError

from infra.errors import ConfigurationError
from ops.errors import OperationError
from rehearsal.program import ROOT, evaluate, read_stack

SAMPLES = {"acme-ml-dev": "gcp:project", "1234abcd-dot-us-central1": "target.host"}
# Where the provider finds credentials before it looks for Application Default Credentials: variables and settings.
CREDENTIALS = (
    "GOOGLE_CREDENTIALS",
    "GOOGLE_CLOUD_KEYFILE_JSON",
    "GCLOUD_KEYFILE_JSON",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
)
CREDENTIAL_SETTINGS = ("gcp:credentials", "gcp:accessToken")
# A destroy runs the program too: without it the engine could not call the program's error hook.
ARGUMENTS = {"up": (), "preview": (), "destroy": ("--run-program",)}


def run_pulumi(verb: str, stack: str) -> int:
    """Runs `pulumi up`, `preview` or `destroy` and returns its exit status.

    Raises:
        OperationError: something is missing; the message lists all of it.
        ConfigurationError: there is no such stack file.
    """
    name, config = read_stack(stack)
    missing = [*_cli_problems(), *_credential_problems(config)]
    if verb != "destroy":
        missing += _configuration_problems(name, config)
    if missing:
        listed = "".join(f"\n- {problem}" for problem in missing)
        raise OperationError(f"`pulumi {verb}` of stack {name} needs this first:{listed}")
    file = ["--config-file", str(Path(stack).resolve())] if stack != name else []
    create = ["--create"] if verb != "destroy" else []
    selected = subprocess.run(["pulumi", "stack", "select", name, *create], cwd=ROOT, check=False)
    if selected.returncode:
        return selected.returncode
    return subprocess.run(
        ["pulumi", verb, "--stack", name, *file, *ARGUMENTS[verb]], cwd=ROOT, check=False
    ).returncode


def _cli_problems() -> list[str]:
    if not shutil.which("pulumi"):
        return ["the Pulumi CLI is not installed: curl -fsSL https://get.pulumi.com | sh"]
    needed = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"].removeprefix(">=")
    found = _output_of("pulumi", "version").removeprefix("v")
    if _numbers(found) < _numbers(needed):
        return [f"the Pulumi CLI is {found or 'of an unknown version'}, and {needed} is needed: pulumi self-update"]
    if not _output_of("pulumi", "whoami"):
        return ["you are not logged in to a Pulumi backend: pulumi login, or pulumi login --local"]
    return []


def _credential_problems(config: Mapping[str, str]) -> list[str]:
    if any(os.environ.get(name) for name in CREDENTIALS) or any(config.get(name) for name in CREDENTIAL_SETTINGS):
        return []
    try:
        google.auth.default()
    except DefaultCredentialsError as error:
        first_line = str(error).splitlines()[0]
        return [f"there are no Google Cloud credentials: gcloud auth application-default login ({first_line})"]
    return []


def _configuration_problems(stack: str, config: Mapping[str, str]) -> list[str]:
    text = " ".join(config.values())
    problems = [
        f"Pulumi.{stack}.yaml still has the sample {key}, {value}: put in yours"
        for value, key in SAMPLES.items()
        if value in text
    ]
    try:
        evaluate(stack, config)
    except ConfigurationError as error:
        problems.append(str(error))
    return problems


def _output_of(*command: str) -> str:
    """What a command prints, and nothing when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]

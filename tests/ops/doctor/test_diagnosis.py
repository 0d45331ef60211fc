"""The doctor never fails itself: without a CLI, credentials, a network or a right configuration it says so."""

import asyncio
import json
from pathlib import Path

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from kfp_connect import connecting
from ops.cli import app
from ops.doctor import diagnosis
from ops.doctor.diagnosis import diagnose
from ops.doctor.machine import check_credentials
from ops.findings import Finding
from tests.ops.doctor.conftest import HOST, PROJECT, Clinic
from tests.ops.machines import install_cli
from tests.plans import DEV

LOGIN = "gcloud auth application-default login"


def of(findings: list[Finding], check: str) -> Finding:
    return next(finding for finding in findings if finding.check == check)


def test_with_nothing_on_the_machine_it_says_what_it_could_not_check(machine: Path) -> None:
    findings = diagnose(str(DEV), reach=lambda _: pytest.fail("nobody is asked about the samples"))
    assert [(finding.check, finding.status) for finding in findings] == [
        ("Pulumi CLI", "problem"),
        ("credentials", "problem"),
        ("configuration", "problem"),
        ("configuration", "problem"),
        ("project and endpoint", "could not check"),
    ]
    assert of(findings, "Pulumi CLI").fix == "curl -fsSL https://get.pulumi.com | sh"
    assert of(findings, "credentials").fix == LOGIN
    assert "the sample gcp:project, acme-ml-dev" in of(findings, "configuration").what


def test_without_credentials_the_endpoint_is_still_looked_at(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: object) -> None:
        raise DefaultCredentialsError("there are none")

    monkeypatch.setattr(google.auth, "default", none)
    findings = clinic.look()
    assert findings["project"].status == "could not check"
    assert findings["project"].fix == LOGIN
    assert findings[f"endpoint {HOST}, token"].what == "there are no Google Cloud credentials here"
    assert not clinic.project.seen


@pytest.mark.parametrize(
    ("version", "whoami", "what", "fix"),
    [
        ("3.99.0", "echo me", "the Pulumi CLI is 3.99.0, and 3.272.0 is needed", "pulumi self-update"),
        ("", "echo me", "the Pulumi CLI is of an unknown version, and 3.272.0 is needed", "pulumi self-update"),
        ("3.272.0", "exit 1", "you are not logged in to a Pulumi backend", "pulumi login, or pulumi login --local"),
    ],
)
def test_a_cli_that_does_not_do(
    clinic: Clinic, machine: Path, log: Path, version: str, whoami: str, what: str, fix: str
) -> None:
    install_cli(machine, log, version, whoami)
    finding = clinic.look()["Pulumi CLI"]
    assert (finding.status, finding.what, finding.fix) == ("problem", what, fix)


@pytest.mark.parametrize(
    ("error", "status", "what", "fix"),
    [
        (
            RefreshError("invalid_grant: Token has been expired or revoked.", {}),
            "problem",
            "your credentials are no longer good: invalid_grant: Token has been expired or revoked",
            LOGIN,
        ),
        (TransportError("no route"), "could not check", "no token is to be had: no route", "look to the network"),
    ],
)
def test_credentials_that_give_no_token(clinic: Clinic, error: Exception, status: str, what: str, fix: str) -> None:
    clinic.person.error = error
    finding = clinic.look()["credentials"]
    assert (finding.status, finding.what, finding.fix) == (status, what, fix)


def test_credentials_that_pulumi_prefers_are_named(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CREDENTIALS", "{}")
    finding = clinic.look()["credentials"]
    assert (finding.status, finding.fix) == ("could not check", "unset GOOGLE_CREDENTIALS")
    assert finding.what.startswith("Pulumi will take GOOGLE_CREDENTIALS")


def test_what_pulumi_takes_in_the_place_of_missing_credentials_is_named(
    machine_with_cli: Path, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    credentials, finding = check_credentials({})
    assert credentials is None
    assert (finding.status, finding.fix) == ("could not check", LOGIN)
    assert finding.what.startswith("Pulumi will take GOOGLE_OAUTH_ACCESS_TOKEN")


def test_a_configuration_that_the_program_refuses(clinic: Clinic) -> None:
    clinic.edit("pipeline: echo", "pipeline: ecco")
    findings = clinic.look()
    assert findings["configuration"].status == "problem"
    assert "there is no pipelines/ecco.py" in findings["configuration"].what
    assert findings["project and endpoint"].status == "could not check"


def test_what_does_not_answer_is_given_up(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    clinic.project.silent, clinic.endpoint, clinic.seconds = True, never, 0.05
    monkeypatch.setattr(connecting, "SECONDS", 0.5)
    findings = clinic.look()
    seen = {name: finding for name, finding in findings.items() if finding.status not in ("ok", "advice")}
    assert len(seen) > 10
    assert seen["account of Compute Engine"].fix == f"gcloud projects describe {PROJECT}"
    assert {finding.status for finding in seen.values()} == {"could not check"}
    assert seen["billing"].what == "https://cloudbilling.googleapis.com did not answer within 0.05 seconds"
    assert seen[f"endpoint {HOST}, server"].what == f"{HOST} did not answer within 0.5 s"


def test_a_redirect_of_an_api_is_not_followed(clinic: Clinic) -> None:
    clinic.project.redirect = "http://127.0.0.1:9/elsewhere"
    finding = clinic.look()["billing"]
    assert finding.status == "could not check"
    assert finding.what == "cloudbilling.googleapis.com says 307: it answered 307, and not in JSON"


def test_an_old_token_is_named(clinic: Clinic) -> None:
    clinic.project._tokens = type(clinic.project._tokens)()
    finding = clinic.look()["billing"]
    assert (finding.what, finding.fix) == ("cloudbilling.googleapis.com does not accept your token", LOGIN)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("could not check", 0), ("advice", 0), ("problem", 1)])
def test_only_a_problem_makes_the_command_fail(status: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Finding("a [check]", status, "what is wrong", "gcloud mend --it " + 30 * "at-length ")  # type: ignore[arg-type]  # a parameter
    monkeypatch.setattr(diagnosis, "diagnose", lambda stack: [found])
    shown = CliRunner().invoke(app, ["doctor", "--stack", PROJECT])
    assert shown.exit_code == code
    assert "a [check]" in shown.stdout
    assert found.fix in shown.stdout, "a command is cut in two"
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    assert as_json.exit_code == code
    assert json.loads(as_json.stdout) == [
        {"check": "a [check]", "status": status, "what": "what is wrong", "fix": found.fix}
    ]

"""A person with credentials, a project in which all is well, and an endpoint that lets the person in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth.credentials import Credentials
from kfp_server_api.rest import RESTClientObject
from starlette.types import ASGIApp, Receive, Scope, Send

from ops.doctor import configuration
from ops.doctor.diagnosis import diagnose
from ops.doctor.web import GOOGLE
from ops.findings import Finding
from rehearsal import program
from rehearsal.google.metadata import Tokens
from rehearsal.google.project_apis import GoogleProject
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from tests.ops.machines import install_cli

PROJECT, NUMBER = "my-own-project", "987654321098"
HOST = f"https://{PROJECT}.pipelines.googleusercontent.com"
PRIVATE = "https://private.example"
APP_ENGINE = f"{PROJECT}@appspot.gserviceaccount.com"
COMPUTE = f"{NUMBER}-compute@developer.gserviceaccount.com"
PATIENCE = 30.0


class Person(Credentials):
    """Credentials as `gcloud auth application-default login` leaves them."""

    quota_project_id: str | None = None
    error: Exception | None = None

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types
        self._tokens = tokens

    def refresh(self, request: Any) -> None:
        if self.error:
            raise self.error
        self.token = self._tokens.issue("somebody@example.com", 3600)


@dataclass
class Clinic:
    """What the doctor looks at. ``reach`` leads the origins of the real world to the stand-ins."""

    stack: Path
    person: Person
    project: GoogleProject
    endpoint: ASGIApp
    reach: Mapping[str, str]
    seconds: float = PATIENCE

    def look(self) -> dict[str, Finding]:
        """The findings, by check."""
        findings = diagnose(str(self.stack), reach=self.reach.__getitem__, seconds=self.seconds)
        by_check = {finding.check: finding for finding in findings}
        assert len(by_check) == len(findings)
        return by_check

    def edit(self, before: str, after: str) -> None:
        """Changes the stack file."""
        text = self.stack.read_text()
        assert before in text
        self.stack.write_text(text.replace(before, after))


@cache
def evaluated(name: str, config: tuple[tuple[str, str], ...]) -> program.Plan:
    return program.evaluate(name, dict(config))


@pytest.fixture
def clinic(machine_with_cli: Path, mine: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    tokens = Tokens()
    project = GoogleProject(PROJECT, NUMBER, tokens)
    project.accounts = {APP_ENGINE: {}, COMPUTE: {}}
    person = Person(tokens)
    clinic = Clinic(Path(mine), person, project, KfpEndpoint(tokens.principal).app, {})

    async def whatever_the_endpoint_is(scope: Scope, receive: Receive, send: Send) -> None:
        await clinic.endpoint(scope, receive, send)

    apis, endpoint = loopback.serve(project.app), loopback.serve(whatever_the_endpoint_is)
    clinic.reach = {**dict.fromkeys(GOOGLE, apis), HOST: endpoint, PRIVATE: endpoint}
    send = RESTClientObject.request

    def send_to_a_stand_in(self: RESTClientObject, method: str, url: str, **options: Any) -> Any:
        [origin] = [origin for origin in (HOST, PRIVATE) if url.startswith(f"{origin}/")]
        return send(self, method, url.replace(origin, clinic.reach[origin]), **options)

    monkeypatch.setattr(RESTClientObject, "request", send_to_a_stand_in)
    monkeypatch.setattr(google.auth, "default", lambda **_: (person, PROJECT))
    monkeypatch.setattr(configuration, "evaluate", lambda name, config: evaluated(name, tuple(config.items())))
    return clinic


@pytest.fixture
def machine_with_cli(machine: Path, log: Path) -> Path:
    install_cli(machine, log)
    return machine


Change = Callable[[Clinic], None]

"""The example notebooks run from start to end, and print what they say they do."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from infra.package.packaging import compile_pipeline
from rehearsal.environment import Environment
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.oauth import OAuth
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from rehearsal.program import ROOT
from rehearsal.runs.executor import RunExecutor
from tests.examples.conftest import PERSON, Play, read_notebook
from tests.keys import KEY_ID, make_key
from tests.plans import DEV, plan

NOTEBOOKS = sorted(path.stem for path in (ROOT / "examples").glob("*.ipynb"))
RUNTIME = "runtime@acme-ml-dev.iam.gserviceaccount.com"
KEYED = "pipeline-client@acme-ml-dev.iam.gserviceaccount.com"
CONNECTED = "{} is connected to Kubeflow Pipelines 2.17.0\n"
PULUMI = """#!/bin/sh
case "$1 $2" in
  version*) echo v3.999.0 ;;
  whoami*) echo me ;;
  "stack output") echo {bucket} ;;
  up*) echo "pulumi $*" ;;
esac
"""
Login = Callable[[Tokens], None]


@dataclass(frozen=True)
class Endpoint:
    server: KfpEndpoint
    tokens: Tokens
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {"KF_PIPELINES_ENDPOINT": self.url}


@pytest.fixture
def endpoint(loopback: Loopback) -> Endpoint:
    tokens = Tokens()
    server = KfpEndpoint(tokens.principal, RunExecutor())
    return Endpoint(server, tokens, loopback.serve(server.app))


def callers(endpoint: Endpoint) -> set[str]:
    return {workflow.caller for workflow in endpoint.server.workflows}


def test_from_a_laptop(endpoint: Endpoint, play: Play, sign_in: Login) -> None:
    sign_in(endpoint.tokens)
    printed = play("connect_gcloud", endpoint.environment)
    version = "sha256-" + compile_pipeline("echo")[0].digest.removeprefix("sha256:")[:12]
    assert printed["connect"] == CONNECTED.format(PERSON)
    assert printed["run"].endswith("from-a-laptop SUCCEEDED\n")
    assert f"echo {version} was uploaded: " in printed["upload"]
    assert printed["versions"] == f"echo {version}\n"
    assert printed["run-version"].endswith("SUCCEEDED\n")
    assert re.findall(r"SUCCEEDED (\S+)", printed["look"]) == ["from-an-uploaded-version", "from-a-laptop"]
    assert callers(endpoint) == {PERSON}


def test_from_a_runtime(endpoint: Endpoint, play: Play, loopback: Loopback) -> None:
    metadata = MetadataServer(RUNTIME, "acme-ml-dev", tokens=endpoint.tokens)
    address = loopback.serve(metadata.app).removeprefix("http://")
    where = {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "NO_GCE_CHECK": "false"}
    printed = play("connect_runtime", {**endpoint.environment, **where})
    assert printed["connect"] == CONNECTED.format(RUNTIME)
    assert printed["function"].endswith("SUCCEEDED\n")
    assert printed["threads"] == "{'SUCCEEDED'}\n"
    assert callers(endpoint) == {RUNTIME}


def test_with_a_key_file(endpoint: Endpoint, play: Play, loopback: Loopback, tmp_path: Path) -> None:
    oauth = OAuth(endpoint.tokens)
    oauth.add_key(KEYED, KEY_ID, make_key().public)
    (tmp_path / "key.json").write_text(make_key().file(KEYED, f"{loopback.serve(oauth.app)}/token"))
    printed = play("connect_key_file", endpoint.environment)
    assert printed["connect"] == CONNECTED.format(KEYED)
    assert printed["run"].endswith("SUCCEEDED\n")
    assert printed["wrong"].startswith("no-such-key.json is not there; name a file that is")
    assert callers(endpoint) == {KEYED}


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with Environment(plan()) as standing:
        yield standing


def test_an_event_triggers_a_run(environment: Environment, play: Play, sign_in: Login, tmp_path: Path) -> None:
    [trigger] = environment.triggers
    sign_in(environment.tokens)
    stack = tmp_path / "Pulumi.mine.yaml"
    dev = DEV.read_text().replace("acme-ml-dev", "my-own-project")
    dev = re.sub(r"host: https://\S+", f"host: {trigger.settings['target']['host']}", dev)
    stack.write_text(dev.replace("access: viewer", "access: none"))
    (tmp_path / "bin").mkdir()
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.write_text(PULUMI.format(bucket=trigger.bucket))
    pulumi.chmod(pulumi.stat().st_mode | stat.S_IXUSR)
    path = f"{tmp_path / 'bin'}:{ROOT / '.venv' / 'bin'}:/usr/bin:/bin"
    printed = play(
        "event_triggered", {"STACK": str(stack), "STORAGE_EMULATOR_HOST": environment.storage_url, "PATH": path}
    )
    event = printed["drop"].strip()
    assert f"pulumi up --stack mine --config-file {stack}" in printed["deploy"]
    assert printed["bucket"] == f"the trigger bucket is {trigger.bucket}\n"
    assert printed["connect"] == CONNECTED.format(PERSON)
    assert event.startswith(f"gs://{trigger.bucket}/incoming/hello.txt#")
    assert json.dumps(event.split("#")[0]) in printed["find"].replace("'", '"')
    assert printed["watch"] == "SUCCEEDED\n"
    assert printed["once"] == f"1 run for {event}\n"
    [workflow] = trigger.endpoint.workflows
    assert workflow.caller.endswith("@appspot.gserviceaccount.com")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_what_it_printed(name: str) -> None:
    notebook = read_notebook(name)
    nbformat.validate(notebook)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


def test_each_notebook_is_executed() -> None:
    assert NOTEBOOKS == ["connect_gcloud", "connect_key_file", "connect_runtime", "event_triggered"]

"""`pipeline-trigger connect` says of each step how it came out, and what mends the one that fails."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from infra.configuration.stack_file import find_stack
from kfp_connect.stack import TRIGGERS
from ops.endpoint import options
from rehearsal.kfp.proxy import IdentityAwareProxy
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.connect.conftest import AUDIENCE, KEYED, Cloud
from tests.launcher.wire import EXPERIMENTS, RUNS, api_error
from tests.ops.endpoint.conftest import Command
from tests.plans import DEV

MAY = ["may list pipelines", "may list experiments", "may list runs", "may change things"]


def test_a_connection_that_works_is_shown_step_by_step(command: Command, cloud: Cloud) -> None:
    said = command("connect")
    assert said.status == 0
    assert [re.split(" {2,}", line) for line in said.out.splitlines()] == [
        ["✓", "endpoint", f"{cloud.url}, on this machine"],
        ["✓", "token", f"an access token of {KEYED}"],
        ["✓", "server", "Kubeflow Pipelines 2.17.0"],
        *[["✓", what, "yes"] for what in MAY],
    ]


def test_scripts_get_the_same_as_json(command: Command) -> None:
    found = command("connect", "--json").json
    assert [finding["check"] for finding in found] == ["endpoint", "token", "server", *MAY]
    assert {finding["status"] for finding in found} == {"ok"}


def test_it_changes_nothing(command: Command, cloud: Cloud) -> None:
    command("connect")
    assert cloud.endpoint.experiments.rows == {}
    assert cloud.endpoint.workflows == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (PlainTextResponse("forbidden", 403), f"is forbidden to {KEYED} (403)"),
        (
            api_error(403, 7, "User ada may not create experiments"),
            "the endpoint answered 403: User ada may not create experiments",
        ),
    ],
    ids=["a proxy", "the server"],
)
def test_reading_may_be_allowed_and_writing_not(command: Command, cloud: Cloud, answer: Response, why: str) -> None:
    cloud.hosted.fail("POST", EXPERIMENTS, answer)
    said = command("connect")
    assert said.status == 1
    *passed, last = said.out.splitlines()[: 3 + len(MAY)]
    assert all(line.startswith("✓") for line in passed)
    assert last.startswith("✗  may change things  ")
    assert why in last


def test_what_one_may_not_read_does_not_hide_the_rest(command: Command, cloud: Cloud) -> None:
    cloud.hosted.fail("GET", RUNS, HTMLResponse("<title>no</title>", 403))
    lines = command("connect").out.splitlines()[: 3 + len(MAY)]
    assert [line[0] for line in lines] == list("✓✓✓✓✓✗✓")


@pytest.mark.parametrize(
    ("given", "step"),
    [
        (["--host", "http://kfp.acme.example"], "endpoint"),
        (["--stack", str(DEV), "--trigger", "nope"], "endpoint"),
        (["--host", "https://kfp.acme.example"], "token"),
        (["--host", "http://127.0.0.1:1"], "server"),
    ],
)
def test_it_stops_at_the_step_that_fails(command: Command, given: list[str], step: str) -> None:
    said = command("connect", *given)
    assert said.status == 1
    *passed, last, gap, about, fix = said.out.splitlines()
    assert all(line.startswith("✓") for line in passed)
    assert last.startswith(f"✗  {step}  ")
    assert (gap, about) == ("", step)
    assert fix


def test_a_stack_by_its_name_is_one_of_the_checkout_wherever_the_command_is_run_from(
    command: Command, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, host in {"elsewhere": "http://kfp.acme.example", "checkout": cloud.url}.items():
        (tmp_path / folder).mkdir()
        target = f"{{name: a, target: {{kind: kfp, host: '{host}'}}}}"
        (tmp_path / folder / "Pulumi.mine.yaml").write_text(f"config: {{{TRIGGERS}: [{target}]}}")
    monkeypatch.setattr(options, "find_stack", partial(find_stack, root=tmp_path / "checkout"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command("connect", "--stack", "mine").status == 0
    refused = command("connect", "--stack", "nope")
    assert refused.status == 1
    assert "there is no stack file Pulumi.nope.yaml; choose one of mine, or give a file's path" in refused.err


@pytest.mark.parametrize(
    ("target", "kind"),
    [("{kind: kfp, host: http://kfp.acme.example}", "configuration"), ("{kind: vertex}", "operation")],
)
def test_scripts_are_told_whether_the_stack_file_is_wrong(
    command: Command, tmp_path: Path, target: str, kind: str
) -> None:
    (tmp_path / "mine.yaml").write_text(f"config: {{{TRIGGERS}: [{{name: a, target: {target}}}]}}")
    said = command("runs", "list", "--stack", str(tmp_path / "mine.yaml"), "--json")
    assert (said.status, said.json["error"]["kind"]) == (1, kind)


def test_where_there_are_several_users_it_says_what_names_one(command: Command, cloud: Cloud, serve: Serve) -> None:
    url = serve(KfpEndpoint(cloud.tokens.principal, multi_user=True).app)
    refused = command("connect", "--host", url)
    assert refused.status == 1
    assert "cannot have an empty namespace in multi-user mode" in refused.out
    assert "name a namespace of yours with --namespace" in refused.out
    assert "--namespace" in command("runs", "list", "--host", url).err
    assert command("connect", "--host", url, "--namespace", "ada").status == 0
    assert command("runs", "list", "--host", url, "--namespace", "ada").status == 0


def test_identity_aware_proxy_gets_an_id_token(command: Command, cloud: Cloud, serve: Serve) -> None:
    url = serve(KfpEndpoint(None, guard=IdentityAwareProxy(cloud.tokens, AUDIENCE)).app)
    said = command("connect", "--host", url, "--audience", AUDIENCE)
    assert said.status == 0
    assert f"behind Identity-Aware Proxy with audience {AUDIENCE}" in said.out
    assert f"an ID token of {KEYED}" in said.out

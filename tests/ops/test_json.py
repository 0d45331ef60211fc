"""Every command answers scripts: with `--json` stdout is JSON, be it the answer or why there is none."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from kfp_connect import connect
from ops import cli
from ops.deploy import show
from ops.doctor import diagnosis
from ops.drift import drift
from ops.errors import OperationError
from ops.findings import ok
from ops.iam.catalogue import update as catalogue
from ops.iam.catalogue.update import Updated
from ops.iam.kept import document
from ops.init import making
from ops.rehearse import chaos, rehearse
from ops.scripts import asked_for_json
from rehearsal.chaos.chaos import Report
from rehearsal.chaos.verdict import Verdict
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.program import ROOT
from tests.conftest import Serve
from tests.connect.test_waiting import PACKAGE
from tests.ops.launches.conftest import Desk, desk, identity
from tests.plans import DEV

__all__ = ["desk", "identity"]  # fixtures

OF_DEV = ["--stack", str(DEV)]
PREVIEW = str(ROOT / "tests" / "ops" / "iam" / "recorded" / "added.json")
REPORT = Report(1, 1, 1, Counter(launched=1), (), {}, 0, Verdict(1, (), (), ()), True, 1.0, 1.0)  # noqa: FBT003 its order
RUN = {"display_name": "nightly", "pipeline_spec": PACKAGE}
NEW_STACK = [
    *("another-lab", "--project=acme-ml-dev", "--region=us-central1", "--source=gcs", "--template=echo"),
    *("--target=kfp", "--host=https://kfp.acme.example"),
]
# Pulumi has the terminal then, asks its own questions, and has JSON of its own.
PULUMI_S = {"up", "preview", "destroy"}


def commands(command: Any = None, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command of ours, by what is typed to run it."""
    command = command or typer.main.get_command(cli.app)
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)
    if not hasattr(command, "commands") and path[-1] not in PULUMI_S:
        yield " ".join(path), command


COMMANDS = dict(commands())


@dataclass
class World:
    """What the commands are run in: a desk, an endpoint with a run, and no rehearsal that takes its time."""

    request: pytest.FixtureRequest
    monkeypatch: pytest.MonkeyPatch

    @property
    def desk(self) -> Desk:
        return self.request.getfixturevalue("desk")  # type: ignore[no-any-return]  # it is one

    def event(self) -> str:
        event = self.desk.upload()
        self.desk.deliver()
        return event

    def letter(self) -> str:
        event = self.desk.upload()
        self.desk.dead_letter()
        return event

    def endpoint(self) -> list[str]:
        serve: Serve = self.request.getfixturevalue("serve")
        return ["--host", serve(KfpEndpoint(None).app)]

    def run(self) -> list[str]:
        where = self.endpoint()
        run = connect(where[1])._run_api.run_service_create_run(run=RUN)
        return [str(run.run_id), *where]

    def stopped_run(self) -> list[str]:
        arguments = self.run()
        connect(arguments[-1]).terminate_run(arguments[0])
        return arguments

    def rehearsal(self) -> list[str]:
        self.replace(rehearse, "evaluate", lambda *_: SimpleNamespace(stack="dev", advice=()))
        self.replace(rehearse, "samples_of", lambda *_: {})
        self.replace(rehearse, "Environment", lambda *_, **__: nullcontext(SimpleNamespace(triggers=[])))
        return OF_DEV

    def recovery(self) -> list[str]:
        self.replace(show, "check_cli", lambda: ok("Pulumi CLI", "it is there"))
        self.replace(show, "_apis", lambda _: None)
        self.replace(show, "steps_for", lambda *_: [])
        return OF_DEV

    def replace(self, module: Any, name: str, value: Any) -> list[str]:
        self.monkeypatch.setattr(module, name, value)
        return []


# What each command needs to succeed.
SUCCESS: dict[str, Callable[[World], list[str]]] = {
    "rehearse": World.rehearsal,
    "chaos": lambda world: OF_DEV + world.replace(chaos, "run_chaos", lambda *_, **__: REPORT),
    "doctor": lambda world: world.replace(diagnosis, "diagnose", lambda _: []),
    "cost": lambda _: OF_DEV,
    "verify": lambda _: OF_DEV,
    "try": lambda _: [*OF_DEV, "--object", "incoming/a.csv"],
    "init": lambda world: NEW_STACK + world.replace(making, "make_stack", lambda _: ["Pulumi.another-lab.yaml"]),
    "schema infer": lambda _: [str(ROOT / "examples" / "new-orders.json")],
    "recover": World.recovery,
    "replay": lambda world: [world.letter(), "--yes"],
    "connect": World.endpoint,
    "iam show": lambda _: OF_DEV,
    "iam update": lambda world: world.replace(document, "update", lambda: ["iam/dev.md"]),
    "iam check": lambda world: world.replace(document, "check", lambda: None),
    "iam diff": lambda _: [PREVIEW],
    "iam explain": lambda _: ["build", *OF_DEV],
    "iam drift": lambda world: [*OF_DEV, *world.replace(drift, "find_drift", lambda *_: [])],
    "iam catalogue update": lambda world: world.replace(catalogue, "update", lambda _: [Updated("roles/x", (), ())]),
    "launches list": lambda world: ["--since", "1h"] * bool(world.event()),
    "launches show": lambda world: [world.event()],
    "launches doubtful": lambda world: ["--trigger", "echo"] * bool(world.event()),
    "launches missing": lambda world: ["--trigger", "echo"] * bool(world.event()),
    "runs list": lambda world: world.run()[1:],
    "runs show": World.run,
    "runs wait": World.stopped_run,
    "runs terminate": World.run,
    "pipelines list": World.endpoint,
    "pipelines upload": lambda world: ["echo", *world.endpoint()],
    "experiments list": World.endpoint,
}
STATUS = {"runs wait": 4}  # of a run that was stopped; of the others 0


@pytest.fixture
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(request, monkeypatch)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Runs a command with `--json`; returns its exit status and what it prints: a document, or its lines."""

    def run(*arguments: str) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["pipeline-trigger", *arguments, "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        out = capsys.readouterr().out
        said = list(map(json.loads, out.splitlines())) if arguments[0] == "rehearse" else json.loads(out)
        return int(left.value.code or 0), said

    return run


Answer = Callable[..., tuple[int, Any]]


def reason(said: Any) -> Any:
    """The error in what was said."""
    (error,) = (said[-1] if isinstance(said, list) else said).values()
    return error


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_takes_json(path: str) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert "--json" in options, "give it as_json: Json = False"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_answers_in_json(path: str, world: World, answer: Answer) -> None:
    assert path in SUCCESS, f"say here what {path} needs to succeed"
    status, said = answer(*path.split(), *SUCCESS[path](world))
    assert status == STATUS.get(path, 0)
    assert "error" not in said


@pytest.mark.parametrize("path", COMMANDS)
def test_wrong_arguments_are_an_error_in_json(path: str, answer: Answer) -> None:
    status, said = answer(*path.split(), "--qqq")
    assert status == 2
    assert reason(said) == {"kind": "usage", "message": "No such option: --qqq", "exit_status": 2}


@pytest.mark.parametrize("path", COMMANDS)
def test_what_keeps_a_command_from_its_work_is_an_error_in_json(path: str, answer: Answer, world: World) -> None:
    def refuse(*_: object) -> None:
        raise OperationError("no")

    for name in ("update", "check"):  # those take no arguments that could be wrong
        world.replace(document, name, refuse)
    world.replace(catalogue, "gcloud", refuse)
    world.replace(making, "make_stack", refuse)
    takes = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    given = ["x" for parameter in COMMANDS[path].params if parameter.required]
    given += ["--stack", "nope"] * ("--stack" in takes) + ["--yes"] * ("--yes" in takes)
    given += ["x"] * (path in ("replay", "launches show")) + NEW_STACK * (path == "init")
    if path == "schema infer":  # of a file that is there, and is no JSON
        given = [str(ROOT / "Makefile")]
    status, said = answer(*path.split(), *given)
    assert status == 1
    if path == "connect":  # whose answer is what is wrong
        return
    error = reason(said)
    assert (error["kind"] in ("configuration", "operation"), error["exit_status"]) == (True, 1)


def test_a_command_that_there_is_not_is_an_error_in_json(answer: Answer) -> None:
    assert answer("nope")[0] == 2
    assert reason(answer("runs", "nope")[1])["message"] == "No such command 'nope'."


def test_a_defect_of_ours_is_an_error_in_json_and_a_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down() -> None:
        raise ZeroDivisionError("zero")

    world.replace(document, "check", break_down)
    monkeypatch.setattr(sys, "argv", ["pipeline-trigger", "iam", "check", "--json"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {"kind": "internal", "message": "ZeroDivisionError: zero", "exit_status": 1}


def test_a_replay_that_nobody_can_agree_to_says_what_to_add(answer: Answer, world: World) -> None:
    status, said = answer("replay", world.letter())
    assert (status, "say --yes too" in reason(said)["message"]) == (2, True)
    assert len(world.desk.dead_letters) == 1


def test_two_ways_to_write_one_answer_are_one_too_many(answer: Answer) -> None:
    status, said = answer("iam", "show", *OF_DEV, "--markdown")
    assert (status, "choose one" in reason(said)["message"]) == (2, True)


def test_the_page_for_scripts_says_what_each_command_answers() -> None:
    page = (ROOT / "docs" / "scripts.md").read_text()
    _, _, answers = page.partition("| command | document |")
    rows = re.findall(r"^\| (`.+?`) \|", answers.partition("\n\n")[0], re.MULTILINE)
    assert sorted(re.findall("`(.+?)`", " ".join(rows))) == sorted(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "asked"), [(["runs", "list"], False), (["x", "--json"], True), (["--", "--json"], False)]
)
def test_what_follows_two_dashes_is_no_option(arguments: list[str], asked: bool) -> None:
    assert asked_for_json(arguments) is asked

"""`pipeline-trigger init` asks on a terminal, takes options elsewhere, and ends with the commands that come next."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.init import making
from rehearsal.leash import leashed
from rehearsal.program import ROOT
from tests.ops.init.test_answers import HOSTED, KFP
from tests.watch.sitecustomize import is_a_user_s

INSTALLED = shutil.ignore_patterns(".*_cache", ".cache", ".git", ".hypothesis", ".venv", "__pycache__", "*.egg-info")


def options(**changes: str) -> list[str]:
    given = {**KFP, **changes}
    name = given.pop("name")
    return ["init", name, *(f"--{key}={value}" for key, value in given.items())]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written: the checkout is no place for a test's stacks."""
    monkeypatch.setattr(making, "make_stack", lambda answers: [f"Pulumi.{answers.name}.yaml"])


def test_without_a_terminal_each_missing_answer_is_named(written: None) -> None:
    done = CliRunner().invoke(app, ["init", "lab", "--project", "acme-ml-dev", "--target", "vertex"])
    assert done.exit_code == 2
    said = re.sub(r"[\s│]+", " ", done.output)
    assert "'--region' / '--source' / '--template' / '--pipeline-root' / '--service-account'" in said
    assert "there is no terminal to ask on: give it" in said
    assert "--project" not in said


def test_with_json_nobody_is_asked_even_on_a_terminal(written: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.init.cli.asks", lambda: True)
    done = CliRunner().invoke(app, ["init", "lab", "--json"])
    assert done.exit_code == 2
    assert "--project" in done.output


def test_a_bad_option_is_named(written: None) -> None:
    done = CliRunner().invoke(app, options(name="another-lab", project="Acme"))
    assert done.exit_code == 2
    assert "--project is 'Acme'; use the project's id" in re.sub(r"[\s│]+", " ", done.output)


def test_the_end_is_the_three_commands_that_come_next(written: None) -> None:
    done = CliRunner().invoke(app, options(name="another-lab"))
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "wrote Pulumi.another-lab.yaml\n\nNext:\n"
        "  make verify STACK=another-lab\n"
        "  make rehearse STACK=another-lab FILE=samples/another-lab/echo/hello.txt\n"
        "  make up STACK=another-lab\n"
    )


# --- a person at a terminal, in a project of their own -------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without anybody's files; what is installed for rehearsals is shared."""
    project = tmp_path_factory.mktemp("somebody") / "project"
    shutil.copytree(ROOT, project, ignore=left_out)
    (ROOT / ".cache").mkdir(exist_ok=True)
    (project / ".cache").symlink_to(ROOT / ".cache")
    return project


def left_out(folder: str, names: list[str]) -> set[str]:
    users = {name for name in names if is_a_user_s(PurePath(folder, name).relative_to(ROOT))}
    return {*INSTALLED(folder, names), *users}


def run(project: Path, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    line, on_leash = leashed(sys.executable, "-m", "ops", *command)
    environment = os.environ | {"PYTHONPATH": str(project)}
    return subprocess.run(
        line, **on_leash, stdin=stdin, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def test_who_answers_what_is_asked_has_a_stack_that_is_right_and_can_be_rehearsed(theirs: Path) -> None:
    """Wrong answers are asked for again. The commands are those that it says in the end, but for the last."""
    person, terminal = pty.openpty()
    typed = ["Lab", "lab", "acme-ml-dev", "", "schedule", "train", "", "http://kfp.acme.example", HOSTED]
    os.write(person, "".join(f"{answer}\n" for answer in typed).encode())
    done = run(theirs, "init", stdin=terminal)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is 'Lab'; use up to 30 lower-case letters" in done.stdout
    assert "start it with https://: a token must not travel in the clear" in done.stdout
    head, _, end = done.stdout.partition("\nNext:\n")
    assert "wrote Pulumi.lab.yaml" in head
    verify, rehearse, up = map(shlex.split, end.splitlines())
    assert (verify, rehearse, up) == (
        ["make", "verify", "STACK=lab"],
        ["make", "rehearse", "STACK=lab"],
        ["make", "up", "STACK=lab"],
    )
    done = run(theirs, "verify", "--stack", "lab")
    assert done.stdout == (
        "✓ Pulumi.lab.yaml: configuration, pipelines, mappings, rules, samples and manifests are right\n"
    )
    done = run(theirs, "rehearse", "--stack", "lab")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders.csv, beside train's samples, stands in for gs://acme-incoming/orders.csv" in done.stdout
    assert re.search(r"task fit: Output = 0\.99", done.stdout)


def test_a_script_is_told_what_was_written_and_a_second_time_why_nothing_was(theirs: Path) -> None:
    done = run(theirs, *options(name="night"), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert all((theirs / name).is_file() for name in said["written"])
    assert said["next"][-1] == "make up STACK=night"
    (theirs / "Pulumi.night.yaml").unlink()
    again = run(theirs, *options(name="night"), "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["error"]["message"].startswith("pipelines/night_echo.py is there already")

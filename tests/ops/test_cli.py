"""`pipeline-trigger` says what it is and how it is used, however one asks."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from infra.configuration.stack_file import stack_names
from ops.cli import app
from rehearsal.program import ROOT


def run(*arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(app, list(arguments), prog_name="pipeline-trigger", env=environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def paths(command: Any, *path: str) -> list[tuple[str, ...]]:
    """What is typed to run each command and each group of them."""
    inner = getattr(command, "commands", {})
    return [path, *(found for name in inner for found in paths(inner[name], *path, name))]


def test_the_version_has_one_home() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert run("--version") == f"pipeline-trigger {project['version']}\n", "install it anew: make install"


@pytest.mark.parametrize("path", paths(typer.main.get_command(app)), ids=" ".join)
def test_h_is_help_everywhere(path: tuple[str, ...]) -> None:
    assert run(*path, "-h") == run(*path, "--help")


def test_a_shell_completes_commands() -> None:
    assert completed("launches ") == ["list", "show", "missing", "doubtful"]


def test_a_shell_completes_the_names_of_stacks() -> None:
    assert completed("rehearse --stack ") == stack_names()


def completed(typed: str) -> list[str]:
    """What a shell offers after that."""
    words = {"COMP_WORDS": f"pipeline-trigger {typed}", "COMP_CWORD": str(typed.count(" ") + 1)}
    return run(_PIPELINE_TRIGGER_COMPLETE="complete_bash", **words).split()

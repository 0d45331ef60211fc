"""`pipeline-trigger` says what it is and how it is used, however one asks."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

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
    typed = {"COMP_WORDS": "pipeline-trigger launches ", "COMP_CWORD": "2"}
    assert run(_PIPELINE_TRIGGER_COMPLETE="complete_bash", **typed).split() == ["list", "show", "missing"]

"""Environments for the steps of runs: a step installs what it likes, and neither project nor other steps see it.

What a component lists is installed once, into an environment under ``.cache/steps`` that later steps with the same
list read. Each step gets one of its own on top, so what it installs by itself goes with it. As an image, such an
environment has nothing but Python, pip and what is installed into it. What the project needs is not in it, and cannot
be changed from it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

from infra.package.environments import copy_installed, digest_of, made_once, make, packages_of

ENVIRONMENTS = Path(__file__).resolve().parent.parent.parent / ".cache" / "steps"
# A lightweight component's command is ``sh -c 'pip install ... && "$0" "$@"' sh -ec ...`` (kfp's component_factory).
GO_ON = '"$0" "$@"'
# What every component installs, the project has already: so a first rehearsal needs no network for it.
SEEDS = ("pip", "kfp")


class _NotInstalledError(Exception):
    """What a component lists cannot be installed. Why was printed."""


def run_step(full_command: list[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Runs a step's command in an environment of its own, prints what it prints, and returns its exit code.

    In the place of kfp.local's own function, which runs it in the environment that kfp.local itself is in.
    """
    command, installation = _parts(full_command)
    environment = _environment(installation)
    if environment is None:
        return 1
    with tempfile.TemporaryDirectory(prefix="step-") as place:
        own = make(Path(place))
        (packages_of(own) / "installed.pth").write_text(
            f"import site; site.addsitedir({str(packages_of(environment))!r})\n"
        )
        return _run(command, [own, environment], env_vars or {})


def _parts(command: list[str]) -> tuple[list[str], str]:
    """What a command runs after its installation, and the script of that; the latter is empty where there is none."""
    match command:
        case ["sh", "-c", script, *rest] if script.rstrip().endswith(GO_ON):
            return rest, script
    return command, ""


def _environment(installation: str) -> Path | None:
    """The environment with what a script installs, made if it is not there; None if it cannot be, as was printed."""

    def fill(environment: Path, lock: int) -> None:
        for seed in SEEDS:
            copy_installed(distribution(seed), packages_of(environment))
        if _run(["sh", "-c", installation or GO_ON, "true"], [environment], {}, lock):
            raise _NotInstalledError

    with contextlib.suppress(_NotInstalledError):
        return made_once(ENVIRONMENTS / digest_of(distribution("kfp").version, installation), fill)
    return None


def _run(command: list[str], environments: list[Path], env_vars: Mapping[str, str], *files: int) -> int:
    """Runs a command, with the first of some environments as its own, and the project's nowhere on its path."""
    usual = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = [*(str(environment / "bin") for environment in environments), *usual]
    with subprocess.Popen(
        command,
        env={**os.environ, **env_vars, "PATH": os.pathsep.join(path), "VIRTUAL_ENV": str(environments[0])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=files,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout  # noqa: S101 it was asked for
        for line in process.stdout:
            print(line, end="")
    return process.returncode

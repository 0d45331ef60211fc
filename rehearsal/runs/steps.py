"""Environments for the steps of runs: a step installs what it likes, and neither project nor other steps see it.

What a component lists is installed once, into an environment under ``.cache/steps`` that later steps with the same
list read. Each step gets one of its own on top, so what it installs by itself goes with it. As an image, such an
environment has nothing but Python, pip and what is installed into it. What the project needs is not in it, and cannot
be changed from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parent.parent.parent / ".cache" / "steps"
READY = "ready"
# A lightweight component's command is ``sh -c 'pip install ... && "$0" "$@"' sh -ec ...`` (kfp's component_factory).
GO_ON = '"$0" "$@"'
# What every component installs, the project has already: so a first rehearsal needs no network for it.
SEEDS = ("pip", "kfp")


def run_step(full_command: list[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Runs a step's command in an environment of its own, prints what it prints, and returns its exit code.

    In the place of kfp.local's own function, which runs it in the environment that kfp.local itself is in.
    """
    command, installation = _parts(full_command)
    environment = _environment(installation)
    if environment is None:
        return 1
    with tempfile.TemporaryDirectory(prefix="step-") as place:
        own = _make(Path(place))
        (_packages(own) / "installed.pth").write_text(
            f"import site; site.addsitedir({str(_packages(environment))!r})\n"
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
    version = distribution("kfp").version
    digest = hashlib.sha256("\0".join([sys.version, version, installation]).encode()).hexdigest()[:16]
    environment = ENVIRONMENTS / digest
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with _lock(ENVIRONMENTS / f"{digest}.lock"):
        if (environment / READY).exists():
            return environment
        _make(environment)  # over what a killed run may have left half-made
        for seed in SEEDS:
            _copy(distribution(seed), _packages(environment))
        if _run(["sh", "-c", installation or GO_ON, "true"], [environment], {}):
            return None
        (environment / READY).touch()
    return environment


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Lets one process at a time make an environment. The lock of one that is killed is gone with it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(place: Path) -> Path:
    """An empty environment, with a ``pip`` that is its own Python's whatever its place is called."""
    venv.EnvBuilder(clear=True, symlinks=True).create(place)
    for name in ("pip", "pip3"):
        script = place / "bin" / name
        script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python3" -m pip "$@"\n')
        script.chmod(0o755)
    return place


def _packages(environment: Path) -> Path:
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _copy(seed: Distribution, to: Path) -> None:
    """Copies an installed distribution's modules and metadata, but none of its scripts: they name their Python."""
    for file in seed.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (to / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), to / file)


def _run(command: list[str], environments: list[Path], env_vars: Mapping[str, str]) -> int:
    """Runs a command, with the first of some environments as its own, and the project's nowhere on its path."""
    usual = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = [*(str(environment / "bin") for environment in environments), *usual]
    with subprocess.Popen(
        command,
        env={**os.environ, **env_vars, "PATH": os.pathsep.join(path), "VIRTUAL_ENV": str(environments[0])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout  # noqa: S101 it was asked for
        for line in process.stdout:
            print(line, end="")
    return process.returncode

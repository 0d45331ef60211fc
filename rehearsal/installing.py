"""Makes virtual environments of pinned requirements, or says in a sentence why not, and what mends it.

For the launcher of a rehearsal; and as a program, ``ENVIRONMENT REQUIREMENTS [PROJECT]``, for what `make` installs,
before there is any environment. So it needs Python and nothing else.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from infra.package.environments import explain_pip
from rehearsal.leash import leashed, scratch
from rehearsal.signals import end_at_once

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOG = "install.log"


class InstallError(Exception):
    """An environment cannot be made. Shown as it is."""


def install(environment: Path, requirements: Path, project: Path | None = None, *, anew: bool = False) -> Path:
    """Makes an environment, or brings one up to date; returns its python.

    ``project`` is installed in place, without what it requires; ``anew`` empties an environment that is there.

    Raises:
        InstallError: this Python makes no environments, or pip cannot install what is required.
        OSError: the environment's directory cannot be written.
    """
    if not importlib.util.find_spec("ensurepip"):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise InstallError(f"{sys.executable} has no ensurepip; on Debian and Ubuntu: apt install {package}")
    environment.mkdir(parents=True, exist_ok=True)
    python = environment / "bin" / "python"
    _run(environment, Path(sys.executable), "-m", "venv", *(["--clear"] if anew else []), str(environment))
    _run(environment, python, *PIP, "--require-hashes", "-r", str(requirements))
    if project:
        _run(environment, python, *PIP, "--no-deps", "--no-build-isolation", "--editable", str(project))
    return python


def _run(environment: Path, *arguments: Path | str) -> None:
    command, on_leash = leashed(*arguments)
    done = subprocess.run(
        command,
        **on_leash,
        env={**os.environ, "TMPDIR": str(scratch())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        (environment / LOG).write_text(done.stdout)
        raise InstallError(f"{explain_pip(done.stdout)}; all that was said is in {environment / LOG}")


def main() -> None:
    """Installs what the command line says."""
    end_at_once()
    environment, requirements, *project = map(Path, sys.argv[1:])
    try:
        install(environment, requirements, *project)
    except InstallError as error:
        sys.exit(f"error: {environment} cannot be made: {error}")
    except OSError as error:
        sys.exit(f"error: {environment} cannot be made: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()

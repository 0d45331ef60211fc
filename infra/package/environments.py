"""Python environments of what pipelines need: apart from the project's own, and made once.

In each is Python, pip and what is installed into it: what the project needs is not in it, and cannot be changed from
it. Needs nothing but Python, for the project's own environment is made with this too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from infra.errors import ConfigurationError

ENVIRONMENTS = Path(__file__).resolve().parent.parent.parent / ".cache" / "pipelines"
REQUIREMENTS = "requirements.txt"  # in pipelines/: what compiling them takes
READY = "ready"
KFP = re.compile(r"^\s*kfp\b(?!-)", re.MULTILINE)
OF_OTHER_FILES = re.compile(r"^\s*(-[rce]|--requirement|--constraint|--editable)\b", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9._-]+")
HASH = "--hash"  # of one requirement, after which each must have one
REASON = re.compile(r"\[Errno -?\d+\] ([\w ]+)")


def python_of(pipelines: Path) -> str:
    """The Python that compiles what is in a directory: the project's own, unless requirements.txt is there too.

    Raises:
        ConfigurationError: what that names cannot be installed, or stands in other files.
    """
    requirements = pipelines / REQUIREMENTS
    if not requirements.is_file():
        return sys.executable
    wanted = requirements.read_text(errors="replace")
    if other := OF_OTHER_FILES.search(wanted):
        raise ConfigurationError(
            f"pipelines/{REQUIREMENTS} names another file ({other[1]}), and an edit of that would not be seen; write "
            "here what it holds"
        )
    kfp = [] if KFP.search(wanted) or HASH in wanted else [f"kfp=={distribution('kfp').version}"]

    def fill(environment: Path, lock: int) -> None:
        print(f"Installing pipelines/{REQUIREMENTS} (once)", file=sys.stderr)
        for name in ("pip", *_needed("kfp")):  # which is here already
            copy_installed(distribution(name), packages_of(environment))
        done = subprocess.run(
            [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements, *kfp],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise ConfigurationError(f"pipelines/{REQUIREMENTS} cannot be installed: {explain_pip(done.stdout)}")

    return str(made_once(ENVIRONMENTS / digest_of(wanted, *kfp), fill) / "bin" / "python")


def digest_of(*what: str) -> str:
    """What an environment is called that holds something, made by this Python."""
    return hashlib.sha256("\0".join([sys.version, *what]).encode()).hexdigest()[:16]


def made_once(environment: Path, fill: Callable[[Path, int], None]) -> Path:
    """An environment, whole: made and filled by whoever comes first, and again if that was killed half-way.

    ``fill`` gets the file of a lock beside it. Who hands it on to the processes that it starts keeps others waiting
    until those have ended, even if it is killed itself.
    """
    environment.parent.mkdir(parents=True, exist_ok=True)
    with _locked(environment.with_name(f"{environment.name}.lock")) as lock:
        if not (environment / READY).exists():
            make(environment)  # over what may be half-made
            fill(environment, lock)
            (environment / READY).touch()
    return environment


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def make(place: Path) -> Path:
    """An empty environment, with a ``pip`` that is its own Python's whatever its place is called."""
    venv.EnvBuilder(clear=True, symlinks=True).create(place)
    for name in ("pip", "pip3"):
        script = place / "bin" / name
        script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python3" -m pip "$@"\n')
        script.chmod(0o755)
    return place


def packages_of(environment: Path) -> Path:
    """Where an environment has its modules."""
    return environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def copy_installed(installed: Distribution, to: Path) -> None:
    """Copies an installed distribution's modules and metadata, but none of its scripts: they name their Python."""
    for file in installed.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (to / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), to / file)


def _needed(name: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """An installed distribution and those that it needs, of what is installed."""
    if name in known or not [*distributions(name=name)]:
        return known
    known |= {name}
    for requirement in distribution(name).requires or ():
        if "extra ==" not in requirement and (wanted := NAME.match(requirement)):
            known = _needed(wanted[0].lower(), known)
    return known


def explain_pip(log: str) -> str:
    """Why pip could not install something, by what it said."""
    if "Max retries exceeded" in log or ("connection broken by" in log and "(from versions: none)" in log):
        reason = REASON.search(log)
        return (
            f"pip reaches no package index{f' ({reason[1]})' if reason else ''}: connect this machine to the network "
            "or name an index that it reaches in PIP_INDEX_URL"
        )
    lines = [line for line in log.splitlines() if line.strip()] or ["nothing was said"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:])[0]

"""`make` hands on what it is given, as it was given, ends what it runs, and says which Python it needs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.program import ROOT

PATIENCE_SECONDS = 60
PYTHON = ".venv/bin/python"
WRITES_ARGUMENTS = '#!/bin/sh\nprintf "%s\\0" "$@" > arguments\n'
WAITS_FOR_SIGTERM = (
    "#!/bin/sh\ntrap 'echo ended; exit 1' TERM\necho started\nfor i in $(seq 900); do sleep 0.1; done\n"
)
# What make, the shell and the command line each have their own idea of.
AWKWARD = st.text(st.sampled_from("a$(){}`'\"\\#%:=;&|<>*?~ -\n\tü") | st.characters(exclude_categories=["Cs", "Cc"]))
Values = Mapping[str, str]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in which everything is installed, and python writes down how it was called."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "Makefile", root)
    for name in ("requirements-dev.txt", "pyproject.toml"):
        (root / name).touch()
    (root / PYTHON).parent.mkdir(parents=True)
    put_program(root / PYTHON, WRITES_ARGUMENTS)
    (root / ".venv" / "ready").touch()
    return root


def put_program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


GIVEN = ("FILE", "STACK", "HOST", "WORKFLOWS", "EVENTS", "SEED", "ENGINE", "PYTHON")
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", *GIVEN)


def surroundings() -> dict[str, str]:
    """What is set here, but for what the `make test` that runs this test has set."""
    return {name: value for name, value in os.environ.items() if name not in OF_MAKE}


def make(checkout: Path, *arguments: str, environment: Values | None = None) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    env = {**surroundings(), **(environment or {})}
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)


def arguments_of(checkout: Path, verb: str, given: Values, environment: Values | None = None) -> list[str]:
    """How a verb calls python, with the values on make's command line."""
    done = make(checkout, verb, *(f"{name}={value}" for name, value in given.items()), environment=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return (checkout / "arguments").read_bytes().decode().split("\0")[:-1]


@settings(deadline=None)
@given(stack=AWKWARD, file=AWKWARD)
def test_a_file_and_a_stack_reach_the_command_as_they_are(checkout: Path, stack: str, file: str) -> None:
    assert arguments_of(checkout, "rehearse", {}, environment={"STACK": stack, "FILE": file}) == rehearsal(
        stack, file
    )
    # make itself takes off the blanks that a value on its command line begins with.
    stack, file = stack.lstrip(" \t\n"), file.lstrip(" \t\n")
    assert arguments_of(checkout, "rehearse", {"STACK": stack, "FILE": file}) == rehearsal(stack, file)


def rehearsal(stack: str, file: str) -> list[str]:
    return ["-m", "ops", "rehearse", f"--stack={stack}", *([f"--file={file}"] if file else [])]


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize(
    "value", ["$(shell touch ran)", "`touch ran`", "$(touch ran)", '";touch ran;"', "';touch ran;'"]
)
def test_nothing_that_is_given_is_run(checkout: Path, name: str, value: str) -> None:
    for verb in ("rehearse", "chaos", "verify", "compare-kfp"):
        make(checkout, verb, f"{name}={value}")
    assert not (checkout / "ran").exists()


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("rehearse", ["rehearse", "--stack=dev"]),
        ("chaos", ["chaos", "--stack=dev", "--events=2000", "--seed=1"]),
        ("up", ["up", "--stack=dev"]),
        ("preview", ["preview", "--stack=dev"]),
        ("destroy", ["destroy", "--stack=dev"]),
        ("verify", ["verify"]),
    ],
)
def test_without_values_the_defaults_are_given(checkout: Path, verb: str, expected: list[str]) -> None:
    assert arguments_of(checkout, verb, {}) == ["-m", "ops", *expected]


def test_a_rehearsal_on_the_engine_is_asked_for_by_name(checkout: Path) -> None:
    assert arguments_of(checkout, "rehearse", {"ENGINE": "1"}) == ["-m", "ops", "rehearse", "--stack=dev", "--engine"]
    assert arguments_of(checkout, "rehearse", {"ENGINE": ""}) == ["-m", "ops", "rehearse", "--stack=dev"]


def test_verify_takes_one_stack_where_one_is_given(checkout: Path) -> None:
    one = ["-m", "ops", "verify", "--stack=a $b"]
    assert arguments_of(checkout, "verify", {"STACK": "a $b"}) == one
    assert arguments_of(checkout, "verify", {}, environment={"STACK": "a $b"}) == one
    assert arguments_of(checkout, "verify", {"STACK": "dev"}) == ["-m", "ops", "verify", "--stack=dev"]


@pytest.mark.parametrize("verb", ["rehearse", "chaos", "up", "iam", "golden", "verify"])
def test_a_signal_to_make_alone_ends_what_it_runs(checkout: Path, verb: str, tmp_path: Path) -> None:
    shutil.copytree(checkout, tmp_path / "checkout")  # with the times of its files
    put_program(tmp_path / "checkout" / PYTHON, WAITS_FOR_SIGTERM)
    command = ["make", verb]
    with subprocess.Popen(
        command,
        cwd=tmp_path / "checkout",
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert said == "ended\n"


def test_without_go_it_is_said_what_builds_the_engine_and_nothing_else_needs_it(
    checkout: Path, tmp_path: Path
) -> None:
    shutil.copytree(checkout, tmp_path / "checkout")  # with the times of its files
    (tmp_path / "bin").mkdir()
    for name in ("sh", "make", "python"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name) or shutil.which("python3")))
    (tmp_path / "checkout" / "tools" / "engine").mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (tmp_path / "checkout" / "tools" / "engine" / name).touch()
    done = make(tmp_path / "checkout", "engine", environment={"PATH": str(tmp_path / "bin")})
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "error: there is no Go here to build the Pulumi CLI with: install Go 1.26 or newer "
        "(https://go.dev/doc/install), or the CLI itself (https://www.pulumi.com/docs/install/)"
    )
    done = make(tmp_path / "checkout", "rehearse", environment={"PATH": str(tmp_path / "bin")})
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (None, "no Python that runs here"),
        ("#!/bin/sh\nexit 127\n", "no Python that runs here"),
        ("#!/bin/sh\necho Python 3.10\n", "Python 3.10"),
    ],
    ids=["missing", "not Python", "too old"],
)
def test_a_python_that_cannot_install_is_named_with_what_to_do(
    checkout: Path, tmp_path: Path, program: str | None, reason: str
) -> None:
    python = put_program(tmp_path / "my python", program) if program else "nopython"
    done = make(checkout, "--always-make", "install", f"PYTHON={python}")
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first == f"error: PYTHON={python} is {reason}; Python 3.11 or newer is needed: make PYTHON=python3.12"
    assert len(rest) == 1, "make's own line"

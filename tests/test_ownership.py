"""A user's files are theirs: the product's tests pass whatever stands in them, since they read none of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import pytest

from rehearsal.leash import leashed
from tests.somebody import move_in
from tests.watch import sitecustomize
from tests.watch.sitecustomize import NOTES, SAMPLES, is_a_user_s

ROOT = Path(sitecustomize.ROOT)
# What is installed or cached, or git's, and takes long to copy.
INSTALLED = shutil.ignore_patterns(".*_cache", ".cache", ".git", ".hypothesis", ".venv", "__pycache__", "*.egg-info")
# What looks around in the project: for stacks, manifests, pipelines, modules, links.
LOOKING_AROUND = (
    "tests/infra/configuration/test_settings.py::test_a_stack_file_that_is_not_there",
    "tests/infra/package/test_packaging.py",
    "tests/infra/test_plan.py",
    "tests/ops/iam/kept/test_manifest.py",
    "tests/ops/test_reference.py",
    "tests/test_docs.py",
    "tests/test_rooms.py",
    "tests/test_workflows.py",
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which somebody has put their own files in the place of the samples."""
    project = tmp_path_factory.mktemp("somebody") / "project"
    shutil.copytree(ROOT, project, ignore=_left_out)
    move_in(project)
    return project


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {
        *INSTALLED(folder, names),
        *(name for name in names if is_a_user_s(PurePath(folder, name).relative_to(ROOT))),
    }


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs a module of this environment in another copy of the project, whose modules come first."""
    environment = os.environ | {"PYTHONPATH": str(project)}
    line, on_leash = leashed(sys.executable, "-m", *command)
    return subprocess.run(line, **on_leash, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_the_suite_stays_green_with_the_files_of_somebody_else(theirs: Path) -> None:
    """Of the suite what looks around; that no test reads what is a user's is watched over in all of it, always."""
    done = run(theirs, "pytest", "-q", "-p", "no:cacheprovider", *LOOKING_AROUND)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d{3,} passed", done.stdout.splitlines()[-1]), done.stdout


def checks() -> list[Sequence[str]]:
    """The commands of `make check` that look at style and types: each with what it looks at."""
    makefile = (ROOT / "Makefile").read_text()
    return [line.split() for line in re.findall(r"^\texec \$\(BIN\)/(?:python -m )?(ruff.+|mypy.+)$", makefile, re.M)]


def test_style_and_types_are_judged_of_the_product_s_pipelines_alone(theirs: Path) -> None:
    (listed,) = re.findall(r"^SAMPLES := \$\(addprefix pipelines/,(.+)\)$", (ROOT / "Makefile").read_text(), re.M)
    assert tuple(listed.split()) == SAMPLES
    assert [command[0] for command in checks()] == ["ruff", "ruff", "mypy"]
    for tool, *arguments in checks():
        assert "pipelines" not in arguments
        assert arguments.pop() == "$(SAMPLES)"
        if tool == "ruff":
            done = run(theirs, tool, *arguments, "--no-cache", *(f"pipelines/{name}" for name in SAMPLES))
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("Pulumi.dev.yaml", True),
        ("Pulumi.their-own.yml", True),
        ("Pulumi.yaml", False),
        ("examples/Pulumi.orders.yaml", False),
        ("tests/stacks/Pulumi.dev.yaml", False),
        ("iam/dev.json", True),
        ("tests/stacks/iam/dev.json", False),
        ("pipelines/echo.py", False),
        ("pipelines/__pycache__/echo.cpython-311.pyc", False),
        ("pipelines/theirs.py", True),
        ("pipelines/__pycache__/theirs.cpython-311.pyc", True),
        ("pipelines/parts/echo.py", True),
        ("pipelines/theirs.json", True),
        ("README.md", False),
    ],
)
def test_whose_a_file_is(path: str, whose: bool) -> None:
    assert is_a_user_s(PurePath(path)) is whose


READER = """
from pathlib import Path
for path in ("Pulumi.dev.yaml", "pipelines/echo.py", "iam"):
    if Path(path).is_file():
        Path(path).read_bytes()
"""


def test_a_file_of_a_user_that_a_test_opens_is_noted_with_who_opened_it(theirs: Path, tmp_path: Path) -> None:
    """In a process that a test starts, as in its own: Python itself loads the watch."""
    notes = tmp_path / "notes"
    (theirs / "reader.py").write_text(READER)
    environment = {"PYTHONPATH": str(theirs / "tests" / "watch"), NOTES: str(notes)}
    subprocess.run([sys.executable, "reader.py"], cwd=theirs, env=environment, check=True)
    assert notes.read_text() == "Pulumi.dev.yaml by reader.py, line 5\n"


def test_a_test_that_opens_a_file_of_a_user_fails(theirs: Path) -> None:
    reading = "from pathlib import Path\n\ndef test_reading():\n    Path('pipelines/sort_scans.py').read_text()\n"
    (theirs / "tests" / "test_reading.py").write_text(reading)
    done = run(theirs, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_reading.py")
    assert done.returncode == 1
    assert "read none of them: pipelines/sort_scans.py by tests/test_reading.py, line 4" in done.stdout


def test_the_tests_and_the_processes_that_they_start_are_watched() -> None:
    assert Path(os.environ[NOTES]).is_file()
    loaded = "import sys; print(sys.modules['sitecustomize'].note.__code__.co_filename)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sitecustomize.__file__

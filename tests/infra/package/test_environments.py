"""What pipelines need to compile is installed apart from the project, and whole or not at all."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.package import environments, packaging
from infra.package.environments import READY, made_once, packages_of, python_of
from infra.package.packaging import ROOT, compile_pipeline
from rehearsal.loopback import HOST
from tests.infra.package.test_compiling import step
from tests.infra.package.test_packaging import refusal
from tests.rehearsal.test_steps import installed, wheel

PATIENCE_SECONDS = 60
USES = step("import tabulated, google.protobuf", "tabulated.VERSION")


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = tmp_path / "pipelines"
    directory.mkdir()
    monkeypatch.setattr(packaging, "PIPELINES", directory)
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path / "cache" / "pipelines")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    before = installed()
    yield directory
    assert installed() == before


def test_pipelines_without_requirements_are_compiled_by_the_project_s_python(pipelines: Path) -> None:
    assert python_of(pipelines) == sys.executable


def test_a_pipeline_may_need_packages_that_the_project_has_not(pipelines: Path, tmp_path: Path) -> None:
    (pipelines / "mine.py").write_text(USES)
    assert "No module named 'tabulated'" in refusal("mine")
    for version in ("1.0", "2.0"):
        (pipelines / "requirements.txt").write_text(f"{wheel(tmp_path, version)}\n")
        inputs = compile_pipeline("mine")[0].spec["root"]["inputDefinitions"]["parameters"]
        assert inputs["more"]["defaultValue"] == version


def test_what_cannot_be_installed_is_named_with_the_file(pipelines: Path) -> None:
    (pipelines / "mine.py").write_text(USES)
    (pipelines / "requirements.txt").write_text("tabulated==9\n")
    for _ in range(2):
        assert refusal("mine").startswith("pipelines/requirements.txt cannot be installed: ")


def test_what_does_not_go_with_this_kfp_is_not_installed_beside_it(pipelines: Path, tmp_path: Path) -> None:
    (pipelines / "mine.py").write_text(USES)
    (pipelines / "requirements.txt").write_text(f"{wheel(tmp_path, '0.1', 'protobuf')}\n")
    assert "pipelines/requirements.txt cannot be installed: " in refusal("mine")


@pytest.mark.parametrize("line", ["-r base.txt", "--constraint=pins.txt", "  -e ./lib"])
def test_what_stands_in_other_files_is_refused_since_an_edit_of_them_would_not_be_seen(
    pipelines: Path, line: str
) -> None:
    (pipelines / "mine.py").write_text(USES)
    (pipelines / "requirements.txt").write_text(f"requests\n{line}\n")
    assert "pipelines/requirements.txt names another file" in refusal("mine")


KILLED = """
import os, socket, subprocess, sys
from pathlib import Path
from infra.package.environments import made_once, packages_of

def fill(environment, lock):
    (packages_of(environment) / "half.py").touch()
    hold = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"
    subprocess.run([sys.executable, "-c", hold, sys.argv[2]], pass_fds=[lock])

made_once(Path(sys.argv[1]), fill)
"""


@pytest.mark.parametrize("orphaned", [False, True], ids=["all of it", "but for pip"])
def test_an_installation_that_is_killed_half_way_leaves_a_whole_environment_to_the_next(
    tmp_path: Path, orphaned: bool
) -> None:
    """Where pip itself goes on for a while, the next waits for it and does not write beside it."""
    before = installed()
    place = tmp_path / "environment"
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        program = [sys.executable, "-c", KILLED, str(place), str(listener.getsockname()[1])]
        installing = subprocess.Popen(program, cwd=ROOT, start_new_session=True)
        pip, _ = listener.accept()
    with pip:
        if orphaned:
            installing.kill()
            installing.wait()
            waiting = subprocess.Popen([*program[:3], str(place), "0"], cwd=ROOT, stderr=subprocess.DEVNULL)
            assert (packages_of(place) / "half.py").exists()
        else:
            os.killpg(installing.pid, signal.SIGKILL)
            installing.wait()
            waiting = None
        assert not (place / READY).exists()
    if waiting:
        waiting.wait(PATIENCE_SECONDS)
        (place / READY).unlink()
    found: list[Path] = []
    made_once(place, lambda environment, _: found.extend(packages_of(environment).iterdir()))
    assert found == []
    assert (place / READY).exists()
    assert installed() == before

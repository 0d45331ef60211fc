"""`make rehearse WATCH=1` rehearses again after each change, and waits for a mistake to be mended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from rich.console import Console

from infra.errors import ConfigurationError
from ops.errors import OperationError
from ops.rehearse import watch
from tests.plans import DEV


class _StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipelines" / "__pycache__").mkdir(parents=True)
    (tmp_path / "pipelines" / "echo.py").write_text("1")
    (tmp_path / "sample.json").write_text("{}")
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    return tmp_path


def changes(project: Path, *writes: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is rehearsed while somebody writes files, one at each look, and then stops it."""
    heard: list[str] = []
    left = list(writes)

    def wait(_: float) -> None:
        if not left:
            raise _StoppedError
        path = project / left.pop(0)
        path.write_text(path.read_text() + "more" if path.exists() else "new")

    def rehearse() -> int:
        heard.append(f"with {len(left)} to come")
        if len(heard) == 1:
            raise ConfigurationError("Pulumi.dev.yaml: a mistake")
        if len(heard) == 2:
            raise OperationError("a sample is missing")
        return 0

    monkeypatch.setattr(time, "sleep", wait)
    with pytest.raises(_StoppedError):
        watch.rehearse_on_change(str(DEV), project / "sample.json", rehearse, Console(quiet=True))
    return heard


def test_a_change_of_a_pipeline_or_the_sample_rehearses_again_and_nothing_else_does(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = ["other.txt", "pipelines/echo.py", "pipelines/__pycache__/echo.pyc", "sample.json", "pipelines/new.py"]
    assert changes(project, *writes, monkeypatch=monkeypatch) == [
        "with 5 to come",
        "with 3 to come",
        "with 1 to come",
        "with 0 to come",
    ]


def test_what_is_written_while_it_rehearses_is_seen_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []

    def rehearse() -> int:
        heard.append(len(heard))
        (project / "sample.json").write_text("x" * len(heard)) if len(heard) < 3 else None
        return 0

    def stop(_: float) -> None:
        raise _StoppedError

    monkeypatch.setattr(time, "sleep", stop)
    with pytest.raises(_StoppedError):
        watch.rehearse_on_change(str(DEV), project / "sample.json", rehearse, Console(quiet=True))
    assert heard == [0, 1, 2]

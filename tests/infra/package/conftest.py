"""A project of its own for the tests of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.package import packaging


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory in the place of pipelines/."""
    directory = tmp_path / "pipelines"
    directory.mkdir()
    monkeypatch.setattr(packaging, "PIPELINES", directory)
    return directory

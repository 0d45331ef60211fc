"""A project that somebody begins: the product's pipelines, and no stack."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.package.packaging import pipelines_in
from rehearsal.program import ROOT
from tests.watch.sitecustomize import SAMPLES


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Its directory; what is compiled meanwhile is its."""
    directory = tmp_path / "project"
    (directory / "pipelines").mkdir(parents=True)
    for name in SAMPLES:
        shutil.copy(ROOT / "pipelines" / name, directory / "pipelines")
    with pipelines_in(directory / "pipelines"):
        yield directory

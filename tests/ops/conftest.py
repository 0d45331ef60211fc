"""A machine with nothing on it, and a stack file that is somebody's own."""

from pathlib import Path

import pytest
from google.auth.compute_engine import _metadata

from ops.doctor.configuration import SAMPLES
from ops.doctor.machine import CREDENTIALS
from tests.plans import DEV


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it: an empty directory for programs, no credentials."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setattr(_metadata, "is_on_gce", lambda **_: False)
    for name in (*CREDENTIALS, "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    return programs


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A stack file with a project and an endpoint of one's own."""
    text = DEV.read_text()
    for sample in SAMPLES:
        text = text.replace(sample, "my-own-project")
    path = tmp_path / "Pulumi.mine.yaml"
    path.write_text(text)
    return str(path)

"""The cloud of tests/connect, and a command line in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ops import cli
from tests.connect.conftest import Cloud, bare, cloud, impatient

__all__ = ["bare", "cloud", "impatient"]


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture
def command(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `pipeline-trigger` as a person with a key file, in this process."""
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", cloud.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", cloud.key_file())
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["pipeline-trigger", *arguments, "--credentials", "default"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Said(int(left.value.code or 0), *capsys.readouterr())

    return run

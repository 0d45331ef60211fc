"""Finds the Pulumi CLI, which is Pulumi's engine."""

from __future__ import annotations

import shutil
from pathlib import Path

from infra.configuration.stack_file import ROOT

BUILT = ROOT / ".cache" / "engine" / "pulumi"  # by `make engine`


class NoEngineError(Exception):
    """There is no Pulumi CLI here. The message says how to get one."""


def find_cli(built: Path = BUILT) -> Path:
    """The Pulumi CLI: the one on PATH, or else the one that `make engine` built.

    Raises:
        NoEngineError: there is neither.
    """
    if found := shutil.which("pulumi"):
        return Path(found)
    if built.is_file():
        return built
    raise NoEngineError(
        "there is no Pulumi CLI here: make engine, which builds it with Go 1.26 in about five minutes, or install "
        "it: curl -fsSL https://get.pulumi.com | sh"
    )

"""Rehearses again whenever what a person works on has changed: pipelines, the stack file, the sample."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from infra.configuration.stack_file import find_stack
from infra.errors import ConfigurationError
from ops.errors import OperationError
from ops.printing import MARKS
from rehearsal.program import ROOT

SECONDS = 0.5  # between two looks
State = dict[Path, tuple[int, int]]


def rehearse_on_change(stack: str, file: Path | None, rehearse: Callable[[], int], console: Console) -> NoReturn:
    """Rehearses, and again after each change, until somebody stops it. A mistake is shown, and waited to be mended.

    Raises:
        ConfigurationError: there is no such stack file.
    """
    watched = [ROOT / "pipelines", find_stack(stack), *([file] if file else [])]
    while True:
        before = _state(watched)
        try:
            rehearse()
        except (ConfigurationError, OperationError) as error:
            console.print(f"{MARKS['problem']} {escape(str(error))}")
        console.print("\nwaiting for a change of pipelines/, the stack file or the sample; Ctrl-C ends this")
        while _state(watched) == before:
            time.sleep(SECONDS)


def _state(watched: list[Path]) -> State:
    """When each file was last written, and how long it is."""
    return {path: (found.st_mtime_ns, found.st_size) for path in _files(watched) if (found := _stat(path))}


def _files(watched: list[Path]) -> Iterator[Path]:
    for path in watched:
        yield from (
            (found for found in path.rglob("*") if "__pycache__" not in found.parts) if path.is_dir() else [path]
        )


def _stat(path: Path) -> os.stat_result | None:
    """None for a file that an editor has just replaced."""
    try:
        return path.stat()
    except OSError:
        return None

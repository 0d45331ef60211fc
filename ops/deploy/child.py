"""Runs the Pulumi CLI as a child, in the same terminal, and lets it end in its own way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_child(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> int:
    """Runs a command to its end; returns its exit status, 128 and more if a signal ended it.

    What would end this process is the command's to end: an update finishes what it is making, and writes down the
    state. Killed, it would leave what nobody knows of.
    """
    with subprocess.Popen(command, cwd=cwd, env=dict(environment)) as process, _forwarding(process):
        process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


@contextlib.contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Sends signals on to a process, once each. A Ctrl-C on the terminal reaches it by itself, and a second one would
    make the CLI stop at once."""

    def forward(number: int, _: FrameType | None) -> None:
        if number != signal.SIGINT or not _in_front_of_a_terminal():
            process.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_front_of_a_terminal() -> bool:
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # there is none
        return False

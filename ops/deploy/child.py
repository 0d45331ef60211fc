"""Runs the Pulumi CLI as a child, in the same terminal, and lets it end in its own way."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_child(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> int:
    """Runs a command to its end; returns its exit status, 128 and more if a signal ended it.

    What would end this process is the command's to end: an update finishes what it is making, and writes down the
    state. Killed, it would leave what nobody knows of. A Ctrl-C on the terminal reaches the command by itself; a
    second one would make it stop at once.
    """
    received: list[int] = []  # before there is whom to send them to

    def forward(number: int, _: FrameType | None) -> None:
        if number != signal.SIGINT or not _in_front_of_a_terminal():
            received.append(signal.SIGTERM if number == signal.SIGHUP else number)
            send()

    def send() -> None:
        while process and received:
            process.send_signal(received.pop(0))

    process: subprocess.Popen[bytes] | None = None
    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        with subprocess.Popen(command, cwd=cwd, env=dict(environment)) as process:
            send()
            status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _in_front_of_a_terminal() -> bool:
    try:
        with Path("/dev/tty").open("rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # there is none
        return False

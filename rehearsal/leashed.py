"""The program that has a command on the leash of the process that started it: see leash.py.

It gets ``END COMMAND...``: a descriptor, the reading end of the leash, and what to run. It ends as the command does.
When the leash is at its end first, it kills its process group: itself, the command and what that started.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from types import FrameType


def main() -> None:
    """Starts the command and waits for either end."""
    end, command = int(sys.argv[1]), sys.argv[2:]
    if os.getpgrp() != os.getpid():
        sys.exit("start this in a session of its own: at the end it kills its process group")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, _leave_it_to_the_command)
    signal.signal(signal.SIGCHLD, _end_as_the_command)
    woken = _wake_on_signals()
    try:
        os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_CLOSE, end)],
            setsigdef=[signal.SIGPIPE],  # Python ignores it, and what it starts would too
        )
    except OSError as error:
        sys.exit(f"{command[0]} does not start: {error.strerror}")
    while end not in select.select([end, woken], [], [])[0]:
        os.read(woken, 1)  # a signal's handler has run
    os.killpg(0, signal.SIGKILL)


def _wake_on_signals() -> int:
    """A descriptor that can be read after each signal: one that comes just before a wait would be slept through."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return woken


def _leave_it_to_the_command(_number: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN, which the command would inherit."""


def _end_as_the_command(_number: int, _frame: FrameType | None) -> None:
    """With its exit status, or by the signal that it died of."""
    try:
        process, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:  # it did not start
        return
    if not process:  # it has only been stopped
        return
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()

"""Ends processes, and removes temporary files, when the process that they belong to ends, however it does.

A closed terminal, SIGQUIT and SIGKILL run no clean-up. So whatever is on the leash holds the reading end of a pipe
whose writing end only its owner has. Nobody writes to it: when the owner is gone the kernel closes it, and that is
the sign. Not a parent-death signal: only Linux has one, and it follows the thread that started the child.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

PROGRAM = Path(__file__).resolve().with_name("leashed.py")
# By descriptor 3, because & takes standard input away. In several attempts: what may still write is being killed.
REMOVE_AT_THE_END = 'exec 3<&0; { cat <&3; for attempt in 1 2 3 4 5; do rm -rf -- "$0" && break; sleep 1; done; } &'


class Options(TypedDict):
    """What a process on the leash has to be started with. Its process id is then its process group too."""

    pass_fds: Sequence[int]
    start_new_session: bool


def leashed(*command: str | Path) -> tuple[list[str], Options]:
    """The command line, and the options of Popen, that run a command on the leash of this process.

    To end it, signal its process group.
    """
    end, _ = _pipe()
    # -I and -S: it may not look for modules where the command is to run, and starts in a third of the time.
    program = [sys.executable, "-I", "-S", str(PROGRAM), str(end), *map(str, command)]
    return program, Options(pass_fds=(end,), start_new_session=True)


@functools.cache
def scratch() -> Path:
    """The directory for temporary files of this process, which goes when the process does.

    Until it is gone, what removes it holds this process's standard error.
    """
    directory = tempfile.mkdtemp(prefix="rehearsal-")
    subprocess.run(
        ["sh", "-c", REMOVE_AT_THE_END, directory],
        stdin=_pipe()[0],
        stdout=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        check=True,
    )
    return Path(directory)


@functools.cache
def _pipe() -> tuple[int, int]:
    """Both ends, never closed: the end of the process does it. Should two threads make one each, both serve."""
    return os.pipe()

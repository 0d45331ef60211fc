"""Ends a command at once, and without a word, when it is told to: by Ctrl-C, a closed terminal, `kill`.

Not by KeyboardInterrupt. That is raised in whatever the process is at: in an import it is a traceback, in a callback
of an event loop it may be swallowed, and an interpreter that winds down beside gRPC's threads may crash. Nothing has
to be wound down: what a command started ends with it, and its temporary files go (leash.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
CLEAR_LINE_AND_SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"  # a progress display has written the one and hidden the other


def end_at_once(last_words: Callable[[int], str] = lambda _: "") -> None:
    """Makes this process end so, with last words on stdout, which are told the exit status.

    It dies of the signal itself, as a shell expects it: a loop of the shell's ends too. A signal that is ignored, as
    under nohup, stays so.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(OSError):  # of a terminal that is closed
            # Not by a stream, which may be in the middle of writing.
            os.write(1, (CLEAR_LINE_AND_SHOW_CURSOR if os.isatty(1) else b"") + last_words(128 + number).encode())
        os.kill(os.getpid(), number)

    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, end)

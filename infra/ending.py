"""How the program ends beneath a Pulumi engine: without a word where the engine has said what there is to say."""

from __future__ import annotations

import signal
import sys
from types import TracebackType

OVER = "Resource monitor has terminated"  # pulumi.runtime.settings, of an engine that is at its end


def end_with_the_engine() -> None:
    """Leaves a Ctrl-C to the engine, which gets it too and ends in its own way; and then ends without a traceback.

    Each resource that is still asked for fails when the engine is gone, after an error as after a Ctrl-C, and a
    hundred lines of that would bury the one that matters.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _say_unless_over


def _say_unless_over(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    cause: BaseException | None = error
    while cause:
        if OVER in str(cause):
            return
        cause = cause.__cause__ or cause.__context__
    sys.__excepthook__(kind, error, trace)

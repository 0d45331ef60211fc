"""Waiting for a run to end.

kfp's own ``wait_for_run_completion`` takes a cancelled run for one that goes on (kubeflow/pipelines#14473), and after
a 401 asks again without pause and without end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kfp_server_api import ApiException, V2beta1Run

from kfp_connect.problems import ConnectError, NotEndedError, Problem

ENDED = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})
LONGEST_POLL = 60.0  # seconds


def wait_for_run(
    get_run: Callable[[float], V2beta1Run],
    timeout: float | timedelta | None,
    pause: float,
    seen: Callable[[V2beta1Run], None] = lambda _: None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> V2beta1Run:
    """Returns the run when it has ended, in whichever way.

    ``get_run`` is given the seconds that it may take; ``seen`` sees each state as it is read. An endpoint that is
    away for a while is waited for; one that refuses is not.

    Raises:
        NotEndedError: the run has not ended in ``timeout`` seconds.
        ConnectError, ApiException: the endpoint does not say, and will not.
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    end = clock() + seconds if seconds is not None else float("inf")
    last = "it was not seen"
    while True:
        left = end - clock()
        try:
            run = get_run(max(1.0, min(LONGEST_POLL, left)))
        except (ConnectError, ApiException) as error:
            if not _passes(error):
                raise
            last = error.what if isinstance(error, ConnectError) else str(error).splitlines()[0]
        else:
            seen(run)
            if str(run.state).upper() in ENDED:
                return run
            last = f"it is {run.state}"
        left = end - clock()
        if left <= 0:
            raise NotEndedError(Problem.NOT_ENDED, SECONDS=f"{seconds:g}", LAST=last)
        sleep(min(pause, left))


def _passes(error: Any) -> bool:
    if isinstance(error, ConnectError):
        return error.problem.passing
    return bool(error.status == 429 or error.status >= 500)

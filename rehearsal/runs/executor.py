"""Executes runs, each in a process of its own: kfp.local keeps its state in globals and offers no way to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from rehearsal.leash import leashed, scratch
from rehearsal.runs.failures import summarise
from rehearsal.runs.graph import unexecutable
from rehearsal.runs.pods import pass_on, variables

PROGRAM = "rehearsal.runs.run_package"
ROOT = Path(__file__).resolve().parent.parent.parent
NOT_EXECUTED = "not executed here"
MAX_REPORT_BYTES = 32 * 1024 * 1024
INHERITED = re.compile(r"PIP_\w+|LANG|LC_\w+|TZ|SSL_CERT_\w+|REQUESTS_CA_BUNDLE")

Outputs = dict[str, Any]
"""What a task put out, by name. An artifact is ``{"uri": ..., "metadata": ...}``."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: SUCCEEDED or FAILED, in which task. ``error`` is the gist of its ``log``.

    A run that is not executed succeeds, and ``error`` says why it is not.
    """

    state: str
    error: str = ""
    log: str = ""
    task: str = ""


class Executor(Protocol):
    """Executes runs, or what matters of them."""

    async def run(
        self,
        package: Mapping[str, Any],
        parameters: Mapping[str, Any],
        on_task: Callable[[str, Outputs], None],
        workflow: str,
    ) -> Outcome:
        """Executes a package to its end, as a Workflow of some name, and tells ``on_task`` of each finished task."""


class RunExecutor:
    """Runs pipeline packages with kfp.local and reports every task's outputs when it has finished.

    Components run in Python environments of their own (steps.py). Of the person's own surroundings they get only what
    pip needs: with their credentials a component would write to production.
    ``storage`` is the URL of a Cloud Storage to import ``gs://`` artifacts from, and ``metadata`` the host of the
    metadata server that says whom the steps run as. ``in_pods``: the steps run in pods of Kubernetes, by KFP.
    """

    def __init__(self, storage: str | None = None, metadata: str | None = None, *, in_pods: bool = False) -> None:
        self._in_pods = in_pods
        inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
        self._environment = inherited | {"PATH": os.environ.get("PATH", os.defpath), "NO_GCE_CHECK": "true"}
        if storage:
            self._environment["STORAGE_EMULATOR_HOST"] = storage
        if metadata:
            self._environment["GCE_METADATA_HOST"] = metadata

    async def run(
        self,
        package: Mapping[str, Any],
        parameters: Mapping[str, Any],
        on_task: Callable[[str, Outputs], None],
        workflow: str = "",
    ) -> Outcome:
        """Executes a package to its end, as a Workflow of some name. ``on_task`` gets each task's name and outputs as
        it finishes.

        Cancelling this kills the process and all that it started; either way nothing of the run stays on the disk.
        """
        if problem := unexecutable(package):
            return Outcome("SUCCEEDED", f"{NOT_EXECUTED}: {problem}")
        container = variables(workflow) if self._in_pods else {}
        parameters = pass_on(parameters, container) if self._in_pods else parameters
        # A process that was just killed may still be letting go of its files when they are removed.
        directory = tempfile.TemporaryDirectory(prefix="kfp-run-", dir=scratch(), ignore_cleanup_errors=True)
        command, on_leash = leashed(sys.executable, "-m", PROGRAM)
        with directory as place, tempfile.TemporaryFile() as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                # From here the program is found without being installed; it goes to the run's directory by itself. A
                # PYTHONPATH would do too, but would reach the components.
                cwd=ROOT,
                env=self._environment | container | {"TMPDIR": place, "HOME": place, "CLOUDSDK_CONFIG": place},
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                **on_leash,
                limit=MAX_REPORT_BYTES,
            )
            try:
                stdin = cast("asyncio.StreamWriter", process.stdin)
                stdin.write(json.dumps({"package": package, "parameters": parameters, "directory": place}).encode())
                stdin.close()
                return await _outcome(process, stderr, on_task)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _outcome(process: Process, stderr: IO[bytes], on_task: Callable[[str, Outputs], None]) -> Outcome:
    failures = []
    async for line in cast("asyncio.StreamReader", process.stdout):
        report = json.loads(line)
        if "log" in report:
            failures.append(report)
        else:
            on_task(report["task"], report["outputs"])
    if (code := await process.wait()) == 0:
        return Outcome("SUCCEEDED")
    if failures:
        task, log = failures[0]["task"], failures[0]["log"]
        return Outcome("FAILED", f"Task {task} failed: {summarise(log) or 'it printed nothing'}", log, task)
    stderr.seek(0)
    log = stderr.read().decode(errors="replace")
    return Outcome("FAILED", f"The run failed outside its tasks (exit code {code}): {summarise(log)}", log)

"""Executes runs, each in a process of its own: kfp.local keeps its state in globals and offers no way to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
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
OnTask = Callable[[str, Outputs, str], None]
"""Is told of each finished task: its name, what it put out and what it printed."""


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
        on_task: OnTask,
        workflow: str,
    ) -> Outcome:
        """Executes a package to its end, as a Workflow of some name, and tells ``on_task`` of each finished task."""


class RunExecutor:
    """Runs pipeline packages with kfp.local and reports every task's outputs when it has finished.

    Components run in Python environments of their own (steps.py). Of the person's own surroundings they get only what
    pip needs: with their credentials a component would write to production.
    ``storage`` is the URL of a Cloud Storage to import ``gs://`` artifacts from, and ``metadata`` the host of the
    metadata server that says whom the steps run as. ``in_pods``: the steps run in pods of Kubernetes, by KFP.
    Artifacts go with their run, unless there is a directory to keep them in, ``kept/WORKFLOW/TASK/NAME``.
    """

    def __init__(
        self,
        storage: str | None = None,
        metadata: str | None = None,
        *,
        in_pods: bool = False,
        kept: Path | None = None,
    ) -> None:
        self._in_pods = in_pods
        self._kept = kept
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
        on_task: OnTask,
        workflow: str = "",
    ) -> Outcome:
        """Executes a package to its end, as a Workflow of some name, and tells ``on_task`` of each finished task.

        Cancelling this kills the process and all that it started; either way nothing of the run stays on the disk but
        what is kept.
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
                return await _outcome(process, stderr, self._keeping(on_task, workflow))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    def _keeping(self, on_task: OnTask, workflow: str) -> OnTask:
        """Keeps the artifacts of each finished task before it is told of, if they are to be."""
        kept = self._kept / workflow if self._kept else None
        return lambda task, outputs, printed: on_task(task, keep(outputs, kept / task) if kept else outputs, printed)


def keep(outputs: Outputs, place: Path) -> Outputs:
    """Copies the artifacts among some outputs, and writes down their metadata; returns them with their new URIs."""
    found = dict(outputs)
    for name, value in outputs.items():
        if not isinstance(value, dict) or "uri" not in value:
            continue
        place.mkdir(parents=True, exist_ok=True)
        path, target = Path(value["uri"]), place / name
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        elif path.is_file():
            shutil.copyfile(path, target)
        if value["metadata"]:
            target.with_name(f"{name}.metadata.json").write_text(json.dumps(value["metadata"], indent=2))
        found[name] = {**value, "uri": str(target)}
    return found


async def _outcome(process: Process, stderr: IO[bytes], on_task: OnTask) -> Outcome:
    failures = []
    async for line in cast("asyncio.StreamReader", process.stdout):
        report = json.loads(line)
        if "log" in report:
            failures.append(report)
        else:
            on_task(report["task"], report["outputs"], report["printed"])
    if (code := await process.wait()) == 0:
        return Outcome("SUCCEEDED")
    if failures:
        task, log = failures[0]["task"], failures[0]["log"]
        return Outcome("FAILED", f"Task {task} failed: {summarise(log) or 'it printed nothing'}", log, task)
    stderr.seek(0)
    log = stderr.read().decode(errors="replace")
    return Outcome("FAILED", f"The run failed outside its tasks (exit code {code}): {summarise(log)}", log)

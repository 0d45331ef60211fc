"""The life of a run at the endpoint: PENDING, RUNNING, then SUCCEEDED, FAILED or CANCELED."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette

from rehearsal.kfp.requests import INTERNAL, Fields
from rehearsal.runs import Outcome, Outputs, RunExecutor

DEFAULT_SERVICE_ACCOUNT = "pipeline-runner"
NEVER = "1970-01-01T00:00:00Z"
"""A time that has not come. Unlike what else is empty it is not left out of an answer (api_converter.go toApiRun)."""


@dataclass(frozen=True)
class RunChange:
    """A step in the life of a run: the state it is in and, when the step is a finished task, that task's outputs."""

    run_id: str
    display_name: str
    state: str
    error: str = ""
    task: str = ""
    outputs: Outputs = field(default_factory=dict)


class Run:
    """A row of the run table and the execution that reports into it. Every step is given to ``announce``."""

    def __init__(
        self, run_id: str, experiment_id: str, request: Fields, announce: Callable[[RunChange], None]
    ) -> None:
        created = now()
        self.row: Fields = {
            "run_id": run_id,
            "experiment_id": experiment_id,
            "display_name": request["display_name"],
            "description": request.get("description", ""),
            "pipeline_spec": request.get("pipeline_spec", {}),
            "pipeline_version_reference": request.get("pipeline_version_reference", {}),
            "runtime_config": request.get("runtime_config", {}),
            "service_account": request.get("service_account") or DEFAULT_SERVICE_ACCOUNT,
            "storage_state": "AVAILABLE",
            "created_at": created,
            "scheduled_at": created,
            "finished_at": NEVER,
            "state_history": [],
        }
        self.outputs: dict[str, Outputs] = {}
        self.log = ""
        self.finished = asyncio.Event()
        self._announce = announce
        self._execution: asyncio.Task[Outcome] | None = None
        self._enter("PENDING")

    @property
    def active(self) -> bool:
        """Whether the run can still be terminated: CANCELING is too late."""
        return self.row["state"] in ("PENDING", "RUNNING")

    def start(self, execute: RunExecutor, package: Fields, parameters: Fields) -> None:
        """Executes the run in the background."""
        self._execution = asyncio.create_task(self._follow(execute, package, parameters))
        # A callback, because a task that is cancelled before its first step never runs at all.
        self._execution.add_done_callback(self._settle)

    def cancel(self) -> None:
        """Stops an active run. It is CANCELED once the execution is gone, and until then CANCELING."""
        if self._execution is None:
            self._end("CANCELED")
        else:
            # As in the real server this state does not go into the history (run_store.go TerminateRun).
            self.row["state"] = "CANCELING"
            self._execution.cancel()

    async def _follow(self, execute: RunExecutor, package: Fields, parameters: Fields) -> Outcome:
        self._enter("RUNNING")
        return await execute.run(package, parameters, self._record)

    def _record(self, task: str, outputs: Outputs) -> None:
        self.outputs[task] = outputs
        self._tell(task=task, outputs=outputs)

    def _settle(self, execution: asyncio.Task[Outcome]) -> None:
        if execution.cancelled():
            self._end("CANCELED")
        elif error := execution.exception():
            self._end("FAILED", f"The rehearsal could not execute the run: {error!r}")
        else:
            self.log = execution.result().log
            self._end(execution.result().state, execution.result().error)

    def _end(self, state: str, error: str = "") -> None:
        self.row["finished_at"] = now()
        if error:
            self.row["error"] = {"code": INTERNAL, "message": error}
        self._enter(state, error)
        self.finished.set()

    def _enter(self, state: str, error: str = "") -> None:
        self.row["state"] = state
        self.row["state_history"].append({"update_time": now(), "state": state})
        self._tell(error=error)

    def _tell(self, **step: Any) -> None:
        self._announce(RunChange(self.row["run_id"], self.row["display_name"], self.row["state"], **step))


@dataclass(frozen=True)
class Workflow:
    """One start of a pipeline. The real server names it with a random suffix, so starting twice makes two of them."""

    name: str
    run_id: str
    caller: str
    package: Fields
    parameters: Fields


class RunBook:
    """The runs of an endpoint, of whatever kind.

    ``workflows`` holds everything that was ever started, in order: count these, not runs, to know that an event
    started one thing exactly once. While ``outage`` is set the endpoint answers 503 to all. ``listeners`` are called
    on the loop with every step of every run; they must be quick and must not raise. Without an executor a run stays
    PENDING.
    """

    app: Starlette

    def __init__(self, execute: RunExecutor | None = None) -> None:
        self.workflows: list[Workflow] = []
        self.outage = False
        self.listeners: list[Callable[[RunChange], None]] = []
        self._execute = execute
        self._runs: dict[str, Run] = {}

    def outputs(self, run_id: str) -> dict[str, Outputs]:
        """What each finished task of a run put out, by task name."""
        return dict(self._find_run(run_id).outputs)

    def log(self, run_id: str) -> str:
        """The log of the task that made a run fail; empty for any other run."""
        return self._find_run(run_id).log

    async def finished(self, run_id: str) -> Fields:
        """Waits until a run has ended and returns it. From other threads: ``loopback.run(endpoint.finished(id))``."""
        run = self._find_run(run_id)
        await run.finished.wait()
        return run.row

    def _find_run(self, run_id: str) -> Run:
        return self._runs[run_id]

    def _announce(self, change: RunChange) -> None:
        for listener in self.listeners:
            listener(change)


def now() -> str:
    """The present as the API writes it: RFC 3339 in whole seconds, which is what its table holds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

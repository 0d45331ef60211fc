"""The life of a run at the endpoint: PENDING, RUNNING, then SUCCEEDED or FAILED.

A Workflow works whether or not a row was written for it, and two of one run id share a row: each reports into it what
it comes to, and the last to report is believed (resource_manager.go ReportWorkflowResource).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp

from rehearsal.kfp.requests import Fields
from rehearsal.runs.executor import Executor, Outcome, Outputs

DEFAULT_SERVICE_ACCOUNT = "pipeline-runner"
NEVER = "1970-01-01T00:00:00Z"
"""A time that has not come. Unlike what else is empty it is not left out of an answer (api_converter.go toApiRun)."""


@dataclass(frozen=True)
class RunChange:
    """A step in the life of a run: the state it is in and, when the step is a finished task, what that put out and
    printed."""

    run_id: str
    display_name: str
    state: str
    error: str = ""
    task: str = ""
    outputs: Outputs = field(default_factory=dict)
    printed: str = ""


@dataclass(frozen=True)
class Workflow:
    """One start of a pipeline. The real server names it with a random suffix, so starting twice makes two of them.

    ``display_name`` is the run's; it is annotated with it.
    """

    name: str
    run_id: str
    caller: str
    package: Fields
    parameters: Fields
    display_name: str = ""


class Run:
    """A row of the run table. Every step of its life is given to ``announce``; ``workflow`` names whose row it is."""

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
            "run_details": {},
            "state_history": [],
        }
        self.outputs: dict[str, Outputs] = {}
        self.error = ""
        self.log = ""
        self.finished = asyncio.Event()
        self.workflow = ""
        self._announce = announce
        self.enter("PENDING")

    @property
    def active(self) -> bool:
        """Whether the run can still be terminated: CANCELING is too late."""
        return self.row["state"] in ("PENDING", "RUNNING")

    def enter(self, state: str, error: str = "") -> None:
        """Goes on to a state, which its history tells from then on."""
        self.row["state"] = state
        if [status["state"] for status in self.row["state_history"][-1:]] != [state]:
            self.row["state_history"].append({"update_time": now(), "state": state})
        self._tell(error=error)

    def record(self, task: str, outputs: Outputs, printed: str) -> None:
        """Takes what a finished task put out."""
        self.outputs[task] = outputs
        self._tell(task=task, outputs=outputs, printed=printed)

    def end(self, outcome: Outcome) -> None:
        """Comes to its end. Which tasks failed is told by the tasks: the row of a failed run has no error."""
        self.error, self.log = outcome.error, outcome.log
        self.row["finished_at"] = now()
        self.row["run_details"] = {"task_details": _task_details(self, outcome)}
        self.enter(outcome.state, outcome.error)
        self.finished.set()

    def retry(self) -> None:
        """Begins again."""
        self.row["finished_at"] = NEVER
        self.finished.clear()
        self.enter("RUNNING")

    def _tell(self, **step: Any) -> None:
        self._announce(RunChange(self.row["run_id"], self.row["display_name"], self.row["state"], **step))


def _task_details(run: Run, outcome: Outcome) -> list[Fields]:
    """The nodes of a Workflow: the run itself, and for each task its driver, its executor and the two together."""
    states = dict.fromkeys(run.outputs, "SUCCEEDED") | ({outcome.task: outcome.state} if outcome.task else {})
    nodes = [(run.workflow, outcome.state), ("root-driver", "SUCCEEDED"), ("root", outcome.state)]
    for task, state in states.items():
        nodes += [(f"{task}-driver", "SUCCEEDED"), (task, state), ("executor", state)]
    return [
        {"run_id": run.row["run_id"], "task_id": f"node-{number}", "display_name": name, "state": state}
        for number, (name, state) in enumerate(nodes)
    ]


class Execution:
    """A Workflow at work. ``row`` finds the row that it reports into, which may not be there, or not yet."""

    def __init__(self, workflow: Workflow, execute: Executor, row: Callable[[], Run | None]) -> None:
        self.workflow = workflow
        self.outcome: Outcome | None = None
        self.ended = asyncio.Event()
        self._row = row
        self._task = asyncio.create_task(self._follow(workflow, execute))
        # A callback, because a task that is cancelled before its first step never runs at all.
        self._task.add_done_callback(self._settle)

    def cancel(self) -> None:
        """Stops it where it is."""
        self._task.cancel()

    async def _follow(self, workflow: Workflow, execute: Executor) -> Outcome:
        if run := self._row():
            run.enter("RUNNING")
        return await execute.run(workflow.package, workflow.parameters, self._record, workflow.name)

    def _record(self, task: str, outputs: Outputs, printed: str) -> None:
        if run := self._row():
            run.record(task, outputs, printed)

    def _settle(self, task: asyncio.Task[Outcome]) -> None:
        if task.cancelled():
            self.outcome = Outcome("FAILED")
        elif error := task.exception():
            self.outcome = Outcome("FAILED", f"The rehearsal could not execute the run: {error!r}")
        else:
            self.outcome = task.result()
        if run := self._row():
            run.end(self.outcome)
        self.ended.set()


class RunBook:
    """The runs of an endpoint, of whatever kind.

    ``workflows`` holds everything that was ever started, in order: count these, not runs, to know that an event
    started one thing exactly once. By name, ``rowless`` has those of them for which no row was written, and
    ``executions`` what is being executed. While ``outage`` is set the endpoint answers 503 to all.
    ``listeners`` are called on the loop with every step of every run; they must be quick and must not raise. Without
    an executor a run stays PENDING.
    """

    app: ASGIApp

    def __init__(self, execute: Executor | None = None) -> None:
        self.workflows: list[Workflow] = []
        self.rowless: dict[str, Workflow] = {}
        self.executions: dict[str, Execution] = {}
        self.outage = False
        self.listeners: list[Callable[[RunChange], None]] = []
        self._execute = execute
        self._runs: dict[str, Run] = {}

    def outputs(self, run_id: str) -> dict[str, Outputs]:
        """What each finished task of a run put out, by task name."""
        return dict(self._find_run(run_id).outputs)

    def parameters(self, run_id: str) -> Fields:
        """What a run was given."""
        return next((workflow.parameters for workflow in self.workflows if workflow.run_id == run_id), {})

    def log(self, run_id: str) -> str:
        """The log of the task that made a run fail; empty for any other run."""
        return self._find_run(run_id).log

    def error(self, run_id: str) -> str:
        """Why a run failed, which a KFP server does not say."""
        return self._find_run(run_id).error

    async def finished(self, run_id: str) -> Fields:
        """Waits until a run has ended and returns it. From other threads: ``loopback.run(endpoint.finished(id))``."""
        run = self._find_run(run_id)
        await run.finished.wait()
        return run.row

    def _start(self, workflow: Workflow) -> None:
        """A Workflow is there from now on; that a row is, remains to be seen."""
        self.workflows.append(workflow)
        self.rowless[workflow.name] = workflow
        self._work(workflow)

    def _work(self, workflow: Workflow) -> None:
        """Has a Workflow executed."""
        if self._execute:
            key, row = self._row_id(workflow.run_id), self._runs.get
            self.executions[workflow.name] = Execution(workflow, self._execute, lambda: row(key))

    def _write(self, workflow: Workflow, run: Run) -> None:
        """Writes the row of a Workflow."""
        run.workflow = workflow.name
        self._runs[self._row_id(workflow.run_id)] = run
        del self.rowless[workflow.name]

    def _row_id(self, run_id: str) -> str:
        """What the table of runs holds an id for."""
        return run_id

    def _find_run(self, run_id: str) -> Run:
        return self._runs[self._row_id(run_id)]

    def _announce(self, change: RunChange) -> None:
        for listener in self.listeners:
            listener(change)


def now() -> str:
    """The present as the API writes it: RFC 3339 in whole seconds, which is what its table holds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Shows what is at an endpoint: tables for people, progress while they wait."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from time import sleep
from typing import Any

from kfp_server_api import V2beta1Run
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from kfp_connect import Client
from kfp_connect.waiting import wait_for_run
from ops.errors import OperationError
from ops.printing import print_error, print_json, show_moment
from ops.tables import Cell, print_details, print_table, visible

COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "yellow", "CANCELING": "yellow", "SKIPPED": "cyan"}
STATUS = {"SUCCEEDED": 0, "SKIPPED": 0, "FAILED": 3, "CANCELED": 4}
STOPPING = "CANCELING"
TIME_IS_UP = 5


def experiment_id(client: Client, name: str) -> str:
    """The id of an experiment.

    Raises:
        OperationError: there is none of that name.
    """
    try:
        return str(client.get_experiment(experiment_name=name).experiment_id)
    except ValueError as error:  # kfp's way to say so
        raise OperationError(f"{error} pipeline-trigger experiments list shows those there are") from None


def print_runs(found: Sequence[V2beta1Run], console: Console) -> None:
    """Prints runs as a table."""
    rows = [(show_moment(run.created_at), _state(run.state), run.run_id, run.display_name or "") for run in found]
    _print_table(("created", "state", "run", "name"), rows, console)


def print_named(found: Sequence[Any], id_field: str, console: Console) -> None:
    """Prints pipelines or experiments as a table."""
    rows = [(show_moment(one.created_at), getattr(one, id_field), one.display_name or "") for one in found]
    _print_table(("created", "id", "name"), rows, console)


def print_run(client: Client, run: V2beta1Run, console: Console) -> None:
    """Prints one run."""
    console.print(Text.assemble((visible(run.display_name), "bold"), " is ", _state(run.state)))
    parameters = run.runtime_config.parameters if run.runtime_config else None
    rows = [
        ("run", run.run_id),
        ("at", f"{client.endpoint.host}/#/runs/details/{run.run_id}"),
        ("about", run.description or ""),
        ("parameters", json.dumps(parameters) if parameters else ""),
        *[(show_moment(step.update_time), str(step.state)) for step in run.state_history or []],
        ("failed", ", ".join(failed_tasks(run))),
        ("error", run.error.message if run.error else ""),
    ]
    print_details([(name, value) for name, value in rows if value], console)


def failed_tasks(run: V2beta1Run) -> list[str]:
    """The tasks of a run that failed, by name; no other word of why is to be had of a KFP server.

    It lists the nodes of the run's Workflow: a task is one with a driver before it and an executor in it, all tasks
    are in ``root``, and that is in a node which is called as the Workflow is. Those around a task fail with it.
    """
    pipeline = ((run.pipeline_spec or {}).get("pipelineInfo") or {}).get("name", "")
    around = re.compile(rf"root|executor|{re.escape(pipeline)}-[a-z0-9]+")
    nodes = (run.run_details and run.run_details.task_details) or []
    failed = [str(node.display_name) for node in nodes if node.state == "FAILED"]
    return sorted({name for name in failed if not around.fullmatch(name)}) or sorted(set(failed))


def wait(client: Client, run_id: str, timeout: float | None, every: float, console: Console, *, as_json: bool) -> int:
    """Waits for a run, showing each state it enters; returns the exit status.

    A run that is stopped ends FAILED like any other (no code of the server says CANCELED), so that it was being
    stopped has to be seen.
    """
    last, stopped = "", False

    def see(run: V2beta1Run) -> None:
        nonlocal last, stopped
        if run.state != last:
            last = str(run.state)
            stopped = stopped or last == STOPPING
            console.print(Text.assemble(f"run {run_id} is ", _state(last)))

    def get_run(seconds: float) -> V2beta1Run:
        return client.get_run(run_id, seconds)

    try:
        with console.status("Waiting"):
            run = wait_for_run(get_run, timeout, every, see, sleep=sleep)
    except TimeoutError as error:
        if as_json:
            print_error("timeout", str(error), TIME_IS_UP)
        else:
            console.print(f"[red]time is up:[/] {escape(str(error))}")
        return TIME_IS_UP
    if as_json:
        print_json(run)
    elif failed := failed_tasks(run):
        console.print(f"failed: {escape(visible(', '.join(failed)))}")
    return STATUS["CANCELED" if stopped and run.state == "FAILED" else str(run.state)]


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], console: Console) -> None:
    if rows:
        print_table(headings, rows, console)
    else:
        console.print("there are none")


def _state(state: str | None) -> Text:
    return Text(visible(state or "unknown"), COLOURS.get(str(state), "white"))

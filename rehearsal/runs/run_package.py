"""The program of a run's process: executes one pipeline package with kfp.local.

It takes ``{"package", "parameters", "directory"}`` from stdin and writes one JSON line per finished task to stdout:
``{"task", "outputs", "printed"}`` or, for one that failed, ``{"task", "log"}``. The exit code says how the run ended.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from google.protobuf import json_format
from kfp import local
from kfp.local import importer_handler, pipeline_orchestrator, status, subprocess_task_handler
from kfp.local.orchestrator import task_executor
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from rehearsal.runs.failures import printed
from rehearsal.runs.steps import run_step
from rehearsal.runs.values import compute_like_a_cluster

COLOUR = re.compile(r"\x1b\[\d+m")
STORAGE_TIMEOUT_SECONDS = 60

Report = Callable[[dict[str, Any]], None]


def main() -> None:
    """Runs the package on stdin. Whatever is printed on the way is a task's log; only reports reach stdout."""
    request = json.load(sys.stdin)
    os.chdir(request["directory"])
    stdout = sys.stdout

    def report(line: dict[str, Any]) -> None:
        stdout.write(json.dumps(line, default=_artifact) + "\n")
        stdout.flush()

    with contextlib.redirect_stdout(io.StringIO()) as log:
        report_tasks(report, log)
        leave_commands_alone()
        run_python_of_containers()
        subprocess_task_handler.run_local_subprocess = run_step
        if storage := os.environ.get("STORAGE_EMULATOR_HOST"):
            import_from(storage)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=request["directory"], raise_on_error=True)
        compute_like_a_cluster()
        # Not by components.load_component_from_text: it takes a pipeline that is called like one of its components
        # for that component alone, and runs nothing else of it (kfp 2.17.0, ComponentSpec.from_ir_dicts).
        spec = json_format.ParseDict(request["package"], PipelineSpec())
        pipeline_orchestrator.run_local_pipeline(spec, request["parameters"])


def report_tasks(report: Report, log: io.StringIO) -> None:
    """Wraps the one function by which kfp.local executes a task: it has no callback, and its errors name no cause."""
    execute = task_executor.execute_single_task

    def reporting(**task: Any) -> tuple[dict[str, Any], status.Status]:
        # Inside a loop this is "for-loop-1-iteration-0/task": the same task runs once per item.
        name = "/".join([*task["pipeline_resource_name"].split("/")[1:], task["task_name"]])
        start = log.tell()
        try:
            outputs, state = execute(**task)
        except Exception as error:
            report({"task": name, "log": f"{_since(log, start)}{type(error).__name__}: {error}"})
            raise
        if state == status.Status.SUCCESS:
            report({"task": name, "outputs": outputs, "printed": printed(_since(log, start))})
        else:
            report({"task": name, "log": _since(log, start)})
        return outputs, state

    task_executor.execute_single_task = reporting


def leave_commands_alone() -> None:
    """Keeps kfp.local from writing its interpreter's path for each ``python3`` of a component's command.

    It does so unquoted, in a script of the shell and in the values of parameters alike. The PATH leads to the step's.
    """
    subprocess_task_handler.replace_python_executable = lambda command, _: command


def run_python_of_containers() -> None:
    """Lets a container component run here that asks for nothing but Python, such as a fence."""
    refuse = subprocess_task_handler.SubprocessTaskHandler.validate_not_container_component

    def refuse_others(handler: Any, full_command: list[str]) -> None:
        if full_command[:2] != ["python3", "-c"]:
            refuse(handler, full_command)

    subprocess_task_handler.SubprocessTaskHandler.validate_not_container_component = refuse_others


def import_from(storage: str) -> None:
    """Makes ``dsl.importer`` fetch ``gs://`` objects, as the launcher of a cluster does; kfp.local reads local files.

    The component then sees a local URI, because kfp.local passes an artifact on by nothing else.
    """
    get_uri = importer_handler.get_importer_uri

    def local_uri(**importer: Any) -> str:
        uri: str = get_uri(**importer)
        return str(_download(uri, storage)) if uri.startswith("gs://") else uri

    importer_handler.get_importer_uri = local_uri


def _artifact(artifact: Any) -> dict[str, Any]:
    return {"uri": artifact.uri, "metadata": artifact.metadata}


def _since(log: io.StringIO, start: int) -> str:
    return COLOUR.sub("", log.getvalue()[start:])


def _download(uri: str, storage: str) -> Path:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    url = f"{storage}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    response = requests.get(url, params={"alt": "media"}, timeout=STORAGE_TIMEOUT_SECONDS)
    if not response.ok:
        raise FileNotFoundError(f"cannot import {uri}: {storage} answered {response.status_code} {response.reason}")
    path = Path(tempfile.mkdtemp(), Path(name).name)
    path.write_bytes(response.content)
    return path


if __name__ == "__main__":
    main()

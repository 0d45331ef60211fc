"""Runs at the KFP endpoint are executed for real: their outputs, their failures and their ends can be seen."""

import json
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import kfp
import pytest
import requests
import yaml
from kfp import compiler, dsl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rehearsal.kfp.cluster import Trouble
from rehearsal.kfp.runs import RunChange
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.leash import scratch
from rehearsal.loopback import HOST, Loopback
from rehearsal.runs.executor import Outcome, RunExecutor

TOKEN = "ya29.tester"
AS_TESTER = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_SECONDS = 60
# Also the name of a component: kfp's loader runs nothing but that component of such a pipeline.
PIPELINE_NAME = "remark"
OBJECTS = {b"/storage/v1/b/trigger/o/incoming%2Fday%201.csv": "a,b\n1,2\n"}


def receive(text: str, times: int, scale: float) -> str:
    return f"{text * times} {scale!r}"


def remark(text: str, note: Optional[str] = None) -> str:  # noqa: UP045 (kfp reads no other)
    return f"{text}, {note}"


def fail(text: str) -> str:
    raise ValueError(f"cannot use {text}")


def read(table: dsl.Input[dsl.Dataset]) -> str:
    from pathlib import Path

    return Path(table.path).read_text()


def hold_on(port: int) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(1)


def locate(program: str) -> str:
    import shutil

    return str(shutil.which(program))


def component(function: Callable[..., Any], **options: Any) -> Any:
    return dsl.component(function, base_image="python:3.11", **options)


def two_steps(text: str, times: int, scale: float, note: Optional[str] = None) -> None:  # noqa: UP045 kfp reads Optional only
    received = component(receive)(text=text, times=times, scale=scale)
    component(remark)(text=received.output, note=note)


def looping(text: str) -> None:
    with dsl.ParallelFor([1, 2]) as times:
        component(receive, install_kfp_package=False)(text=text, times=times, scale=1.0)


def failing(text: str) -> None:
    remarked = component(remark, install_kfp_package=False)(text=text)
    component(fail, install_kfp_package=False)(text=remarked.output)


def locating(program: str) -> None:
    component(locate, install_kfp_package=False)(program=program)


def weigh(text: str, data: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> None:
    from pathlib import Path

    print(f"weighing {text}")
    print("done")
    Path(data.path).write_text(text)
    metrics.log_metric("length", len(text))


def weighing(text: str) -> None:
    component(weigh, install_kfp_package=False)(text=text)


def importing(uri: str) -> None:
    table = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset)
    component(read, install_kfp_package=False)(table=table.output)


def waiting(port: int) -> None:
    component(hold_on, install_kfp_package=False)(port=port)


def launch(host: str, pipeline: Callable[..., None], run_id: str = "", **parameters: Any) -> str:
    """Compiles a pipeline, starts it and returns the run's id, if it was told."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "package.yaml")
        compiler.Compiler().compile(dsl.pipeline(pipeline, name=PIPELINE_NAME), str(path))
        return launch_package(host, yaml.safe_load(path.read_text()), run_id, **parameters)


def launch_package(host: str, package: dict[str, Any], run_id: str = "", **parameters: Any) -> str:
    run = {"display_name": "r", "pipeline_spec": package, "runtime_config": {"parameters": parameters}}
    answer = requests.post(f"{host}/apis/v2beta1/runs", json=run | {"run_id": run_id}, headers=AS_TESTER, timeout=10)
    return str(answer.json().get("run_id"))


def launch_and_hold(host: str) -> tuple[str, socket.socket]:
    """A run whose component holds a connection to us, which closes when the component's process is gone."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        run_id = launch(host, waiting, port=listener.getsockname()[1])
        connection, _ = listener.accept()
    connection.settimeout(PATIENCE_SECONDS)
    return run_id, connection


async def serve_object(request: Request) -> Response:
    body = OBJECTS.get(request.scope["raw_path"]) if request.query_params.get("alt") == "media" else None
    return Response(status_code=404) if body is None else PlainTextResponse(body)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where we are, and where temporary files go, of this process and of those that it starts."""
    scratch()  # made once for all tests, and not there
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.fixture
def endpoint(loopback: Loopback, elsewhere: Path) -> KfpEndpoint:
    storage = loopback.serve(Starlette(routes=[Route("/{path:path}", serve_object)]))
    return KfpEndpoint({TOKEN: "tester"}.get, RunExecutor(storage))


@pytest.fixture
def host(loopback: Loopback, endpoint: KfpEndpoint) -> str:
    return loopback.serve(endpoint.app)


def test_every_task_shows_its_outputs_as_it_finishes(loopback: Loopback, endpoint: KfpEndpoint, host: str) -> None:
    heard: list[RunChange] = []
    endpoint.listeners.append(heard.append)
    # By JSON an integer may come as 2.0 and a double as 3; an optional input without a value is left out.
    run_id = launch(host, two_steps, text="hi", times=2.0, scale=3)
    run = loopback.run(endpoint.finished(run_id))
    outputs = {"receive": {"Output": "hihi 3"}, "remark": {"Output": "hihi 3, None"}}

    assert run["state"] == "SUCCEEDED", endpoint.error(run["run_id"])
    assert endpoint.outputs(run_id) == outputs
    assert requests.get(f"{host}/rehearsal/runs/{run_id}/outputs", timeout=10).json() == outputs
    assert [(change.state, change.task, change.outputs) for change in heard] == [
        ("PENDING", "", {}),
        ("RUNNING", "", {}),
        ("RUNNING", "receive", outputs["receive"]),
        ("RUNNING", "remark", outputs["remark"]),
        ("SUCCEEDED", "", {}),
    ]
    assert (
        kfp.Client(host=host, existing_token=TOKEN).wait_for_run_completion(run_id, timeout=10).state == "SUCCEEDED"
    )


def test_what_a_step_that_succeeds_prints_is_shown_and_its_artifacts_are_kept(
    loopback: Loopback, elsewhere: Path
) -> None:
    kept = elsewhere / "kept"
    endpoint = KfpEndpoint({TOKEN: "tester"}.get, RunExecutor(kept=kept))
    heard: list[RunChange] = []
    endpoint.listeners.append(heard.append)
    run_id = launch(loopback.serve(endpoint.app), weighing, text="a feather")
    run = loopback.run(endpoint.finished(run_id))
    assert run["state"] == "SUCCEEDED", endpoint.error(run_id)
    assert [change.printed for change in heard if change.task] == ["weighing a feather\ndone\n"]
    place = kept / endpoint.workflows[0].name / "weigh"
    assert endpoint.outputs(run_id)["weigh"]["data"]["uri"] == str(place / "data")
    assert (place / "data").read_text() == "a feather"
    assert json.loads((place / "metrics.metadata.json").read_text())["length"] == 9
    assert {path.name for path in place.iterdir()} == {"data", "metrics.metadata.json"}
    assert endpoint.parameters(run_id) == {"text": "a feather"}


def test_each_turn_of_a_loop_shows_its_own_outputs(loopback: Loopback, endpoint: KfpEndpoint, host: str) -> None:
    run_id = launch(host, looping, text="x")
    loopback.run(endpoint.finished(run_id))
    turns = {name.partition("-iteration-")[2]: outputs for name, outputs in endpoint.outputs(run_id).items()}
    assert turns == {"0/receive": {"Output": "x 1"}, "1/receive": {"Output": "xx 1"}}


@pytest.mark.parametrize("program", ["pip", "python3"])  # kfp.local writes another path for the latter, everywhere
def test_a_component_runs_and_installs_in_an_environment_of_its_own(
    program: str, loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    run_id = launch(host, locating, program=program)
    loopback.run(endpoint.finished(run_id))
    [outputs] = endpoint.outputs(run_id).values()
    assert Path(outputs["Output"]).is_relative_to(scratch())
    assert not Path(outputs["Output"]).is_relative_to(sys.prefix)


def test_a_failed_run_names_the_task_and_shows_the_exception(
    loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    run_id = launch(host, failing, text="this")
    run = loopback.run(endpoint.finished(run_id))
    assert (run["state"], "error" in run) == ("FAILED", False)
    tasks = {task["display_name"]: task["state"] for task in run["run_details"]["task_details"]}
    assert (tasks["remark"], tasks["fail"], tasks["fail-driver"]) == ("SUCCEEDED", "FAILED", "SUCCEEDED")
    assert endpoint.error(run_id) == (
        "Task fail failed: ValueError: cannot use this, None\n"
        '  File "ephemeral_component.py", line 8, in fail\n'
        '    raise ValueError(f"cannot use {text}")'
    )
    assert endpoint.outputs(run_id) == {"remark": {"Output": "this, None"}}
    log = requests.get(f"{host}/rehearsal/runs/{run_id}/log", timeout=10).text
    assert 'raise ValueError(f"cannot use {text}")' in log
    assert "'remark'" not in log


def test_an_importer_reads_an_object_of_the_rehearsals_storage(
    loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    run_id = launch(host, importing, uri="gs://trigger/incoming/day 1.csv")
    run = loopback.run(endpoint.finished(run_id))
    assert run["state"] == "SUCCEEDED", endpoint.error(run["run_id"])
    assert endpoint.outputs(run_id)["read"] == {"Output": "a,b\n1,2\n"}
    assert endpoint.outputs(run_id)["importer"]["artifact"]["uri"].endswith("/day 1.csv")


def test_an_importer_of_an_object_that_is_not_there_fails_the_run_and_says_so(
    loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    run = loopback.run(endpoint.finished(launch(host, importing, uri="gs://trigger/absent.csv")))
    assert run["state"] == "FAILED"
    error = endpoint.error(run["run_id"])
    assert error.startswith("Task importer failed: FileNotFoundError: cannot import gs://trigger/absent.csv")
    assert "404 Not Found" in error


def test_a_package_that_kfp_cannot_load_fails_the_run_with_the_reason(
    loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    tasks = {"odd": {"componentRef": {"name": "comp-absent"}, "taskInfo": {"name": "odd"}}}
    package = {"schemaVersion": "2.1.0", "pipelineInfo": {"name": "odd"}, "root": {"dag": {"tasks": tasks}}}
    run = loopback.run(endpoint.finished(launch_package(host, package)))
    assert run["state"] == "FAILED"
    assert "ValueError: Value not set" in endpoint.error(run["run_id"])


def test_terminating_a_run_leaves_no_process_and_no_file(
    loopback: Loopback, endpoint: KfpEndpoint, host: str, elsewhere: Path
) -> None:
    run_id, connection = launch_and_hold(host)
    assert list(scratch().glob("kfp-run-*"))
    kfp.Client(host=host, existing_token=TOKEN).terminate_run(run_id)
    with connection:
        assert connection.recv(1) == b""
    run = loopback.run(endpoint.finished(run_id))
    assert [status["state"] for status in run["state_history"]] == ["PENDING", "RUNNING", "FAILED"]
    assert list(elsewhere.iterdir()) == []
    assert list(scratch().iterdir()) == []


def test_two_workflows_of_one_id_both_work_and_one_without_a_row_does_too(
    loopback: Loopback, endpoint: KfpEndpoint, host: str
) -> None:
    endpoint.trouble = {"orphan": Trouble.DATABASE_DEAD}.get
    for run_id in ("twice", "twice", "orphan"):
        launch(host, looping, run_id=run_id, text="a")
    assert [workflow.run_id for workflow in endpoint.rowless.values()] == ["twice", "orphan"]
    for execution in endpoint.executions.values():
        loopback.run(execution.ended.wait())
    assert [execution.outcome for execution in endpoint.executions.values()] == [Outcome("SUCCEEDED")] * 3
    assert requests.get(f"{host}/apis/v2beta1/runs/orphan", headers=AS_TESTER, timeout=10).status_code == 404


def test_a_run_does_not_outlive_the_rehearsal() -> None:
    with Loopback() as loopback:
        endpoint = KfpEndpoint({TOKEN: "tester"}.get, RunExecutor())
        _, connection = launch_and_hold(loopback.serve(endpoint.app))
    with connection:
        assert connection.recv(1) == b""

"""`make rehearse` as a person runs it: a process, with its output and its exit status."""

import json
import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest
from rich.text import Text

from rehearsal.program import ROOT
from rehearsal.runs.executor import RunExecutor
from tests.ops.rehearse.picture import PICTURE, WIDTH, lines, shown, text_of
from tests.ops.rehearse.rehearsals import COMMAND, REPLAYED, STORY, outcomes, rehearse
from tests.plans import DEV

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COLUMNS", str(WIDTH))
        return rehearse("--stack", str(DEV))


def test_a_file_s_uri_comes_out_of_the_pipeline_that_it_started(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    uri = r"gs://echo-bucket-\w+/incoming/hello\.txt"
    assert re.search(rf"launched: {uri}#\d+", done.stdout)
    assert re.search(rf"task receive: Output = {uri}", done.stdout)
    assert re.search(rf"given filename = {uri}\n", done.stdout)
    assert re.search(rf"task echo prints: {uri}\n", done.stdout)
    assert re.search(rf"task echo: Output = {uri}\n", done.stdout)
    assert re.search(r"run [0-9a-f-]{36} is SUCCEEDED", done.stdout)
    assert outcomes(done) == [*STORY, REPLAYED]
    assert done.stderr == ""


def test_the_readme_s_picture_shows_what_a_rehearsal_says(done: subprocess.CompletedProcess[str]) -> None:
    now = lines(shown(Text.from_ansi(done.stdout)).plain)
    assert lines(text_of(PICTURE.read_text())) == now, "draw it anew with: make picture"


def test_another_stack_and_a_file_of_one_s_own_with_the_data_that_it_names() -> None:
    done = rehearse("--stack", "examples/Pulumi.orders.yaml", "--file", "examples/new-orders.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders.csv, beside new-orders.json, stands in for gs://acme-orders/2026/11/orders.csv" in done.stdout
    assert 'task validate: Output = {"columns": ["order_id", "customer", "amount"], "rows": 3}' in done.stdout


def test_a_happy_rehearsal_is_one_event_and_its_run_with_what_lies_beside_the_sample(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.csv.meta.json").write_text('{"name": "incoming/deep/b.csv", "metadata": {"customer": "acme"}}')
    done = rehearse("--stack", str(DEV), "--happy", "--file", str(tmp_path / "a.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == ["✓ launched"]
    assert re.search(r"given filename = gs://echo-bucket-\w+/incoming/deep/b\.csv\n", done.stdout)


def test_a_file_that_the_pipeline_cannot_use_is_seen_in_the_exit_status(tmp_path: Path) -> None:
    (tmp_path / "trigger.json").write_text('{"data": 5}')
    done = rehearse("--stack", "examples/Pulumi.orders.yaml", "--file", str(tmp_path / "trigger.json"))
    assert done.returncode == 1
    assert "parameter 'csv_uri' is 5, which is no STRING" in done.stdout
    assert "✗ rejected" in done.stdout


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A rehearsal of an endpoint inside a network, for a script."""
    stack = DEV.read_text().replace("access: viewer", "access: none")
    path = tmp_path_factory.mktemp("inside") / "Pulumi.inside.yaml"
    path.write_text(re.sub(r"host: \S+", "host: https://kfp.internal.example", stack))
    return rehearse("--stack", str(path), "--json")


def test_an_endpoint_inside_a_network_is_rehearsed_without_a_token(inside: subprocess.CompletedProcess[str]) -> None:
    assert inside.returncode == 0, inside.stdout + inside.stderr


def test_scripts_get_a_line_of_json_for_all_that_happens(inside: subprocess.CompletedProcess[str]) -> None:
    told = [json.loads(line) for line in inside.stdout.splitlines()]
    assert told[-1] == {"kind": "end", "at": told[-1]["at"], "as_expected": True}
    assert [line["at"] for line in told] == sorted(line["at"] for line in told)
    steps = [line for line in told if line["kind"] == "step"]
    assert [(step["outcome"], step["as_expected"]) for step in steps] == [
        (outcome.split()[1], True) for outcome in (*STORY, REPLAYED)
    ]
    launcher = [line for line in told if line.get("who") == "launcher"]
    first = next(line for line in launcher if line["outcome"] == "launched")
    assert first["event"].startswith("gs://echo-bucket-")
    assert {"key", "run_id", "at", "trigger"} <= first.keys()
    assert {line["outcome"] for line in launcher} == {"launched", "duplicate", "rejected", "retry"}
    [outputs] = [
        line["outputs"]
        for line in told
        if (line.get("run_id"), line.get("task")) == (first["run_id"], "echo") and "outputs" in line
    ]
    assert outputs == {"Output": first["event"].partition("#")[0]}


def test_components_do_not_see_the_person_s_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsed component that writes somewhere would else write there for real."""
    secrets = {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/home/me"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    environment = RunExecutor()._environment
    assert not [name for name, value in secrets.items() if environment.get(name) == value]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stack", "nope"], "error: there is no stack file Pulumi.nope.yaml; choose one of "),
        (
            ["--stack", str(DEV), "--file", "nope.txt"],
            "error: there is no file nope.txt; give the path of a local file",
        ),
        (
            ["--stack", "examples/Pulumi.orders.yaml"],
            "reads what stands in its files; give one: make rehearse STACK=",
        ),
    ],
)
def test_what_is_missing_is_said_without_a_traceback(arguments: list[str], message: str) -> None:
    done = rehearse(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_configuration_is_shown_as_it_is(tmp_path: Path) -> None:
    stack = tmp_path / "Pulumi.mine.yaml"
    stack.write_text(DEV.read_text().replace("kind: gcs, prefix: incoming/", "kind: '[red]'"))
    done = rehearse("--stack", str(stack))
    assert done.returncode == 1
    assert (
        "Pulumi.mine.yaml:\n  event-triggered-pipelines:triggers[0].source.kind: is '[red]'; use 'gcs',"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="looks processes up in /proc and waits for them by pidfd")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_nothing_is_left_running_or_lying_about(end: signal.Signals, tmp_path: Path) -> None:
    rehearsal = subprocess.Popen(
        [*COMMAND, "--stack", str(DEV)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200", "TMPDIR": str(tmp_path)},
    )
    assert rehearsal.stdout
    assert any("task receive:" in line for line in rehearsal.stdout)
    started = [os.pidfd_open(pid) for pid in descendants(rehearsal.pid)]
    assert len(started) >= 5, "the function's server and its worker, the run, and the leashes of both"
    assert list(tmp_path.glob("*/kfp-run-*"))
    rehearsal.send_signal(end)
    rest = rehearsal.stdout.read()  # until the temporary files are removed
    rehearsal.stdout.close()
    assert rehearsal.wait() == -end
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
    for process in started:
        assert select.select([process], [], [], PATIENCE_SECONDS)[0], "a process outlived the rehearsal"
        os.close(process)


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    children = [
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    ]
    return children + [found for child in children for found in descendants(child)]

"""`pipeline-trigger runs` lists, shows, stops and waits, and its exit status says how a run ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kfp_connect import Client, connect
from rehearsal.loopback import Loopback
from rehearsal.runs.executor import Outcome
from tests.connect.conftest import Cloud
from tests.connect.test_waiting import PACKAGE
from tests.launcher.wire import RUNS, page
from tests.ops.endpoint.conftest import Command


@pytest.fixture
def client(cloud: Cloud) -> Client:
    return connect(cloud.url, "key-file", key_file=cloud.key_file())


@pytest.fixture
def run_id(client: Client) -> str:
    return str(start(client, "nightly"))


@pytest.fixture
def end(cloud: Cloud, loopback: Loopback, run_id: str) -> Callable[..., None]:
    """Ends the run."""
    return lambda *outcome: loopback.call(cloud.endpoint._find_run(run_id).end, Outcome(*outcome))


def start(client: Client, name: str, **fields: Any) -> Any:
    body = {"display_name": name, "pipeline_spec": PACKAGE, **fields}
    return client._run_api.run_service_create_run(run=body).run_id


def test_runs_are_listed_and_nothing_of_them_is_cut(command: Command, run_id: str) -> None:
    said = command("runs", "list")
    [heading, line] = said.out.splitlines()
    assert heading.split() == ["created", "state", "run", "name"]
    assert line.split()[2:] == ["PENDING", run_id, "nightly"]
    assert command("runs", "list", "--json").json[0]["run_id"] == run_id


def test_names_with_brackets_are_shown_as_they_are(command: Command, client: Client) -> None:
    start(client, "nightly [red] [/]")
    client.create_experiment("[mine]")
    assert command("runs", "list").out.rstrip().endswith("nightly [red] [/]")
    assert "[mine]" in command("experiments", "list").out


def test_runs_of_one_experiment(command: Command, client: Client, run_id: str) -> None:
    mine = client.create_experiment("mine").experiment_id
    other = start(client, "other", experiment_id=mine)
    assert [run["run_id"] for run in command("runs", "list", "--experiment", "mine", "--json").json] == [other]
    assert len(command("runs", "list", "--json").json) == 2
    assert len(command("runs", "list", "--limit", "1", "--json").json) == 1
    said = command("runs", "list", "--experiment", "nope")
    assert (said.status, "pipeline-trigger experiments list" in said.err) == (1, True)


def test_where_there_are_none_that_is_said(command: Command) -> None:
    assert command("runs", "list").out == "there are none\n"
    assert command("runs", "list", "--json").json == []


def test_a_run_is_shown_with_why_it_failed(command: Command, run_id: str, end: Callable[..., None]) -> None:
    end("FAILED", "KeyError: 'amount'", "", "train")
    shown = command("runs", "show", run_id).out
    assert shown.startswith("nightly is FAILED\n")
    assert f"/#/runs/details/{run_id}" in shown
    assert shown.splitlines()[-1].split() == ["failed", "train"]
    tasks = command("runs", "show", run_id, "--json").json["run_details"]["task_details"]
    assert [task["state"] for task in tasks if task["display_name"] == "train"] == ["FAILED"]
    assert command("runs", "wait", run_id).out == f"run {run_id} is FAILED\nfailed: train\n"


def test_a_run_that_is_not_there_is_one_message(command: Command) -> None:
    said = command("runs", "show", "nope")
    assert said.status == 1
    assert said.err.startswith("error: the endpoint answered 404: Failed to fetch run nope")
    assert "a run can be deleted" in said.err
    assert "kubectl get workflows --all-namespaces -l pipeline/runid=nope" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(("state", "status"), [("SUCCEEDED", 0), ("SKIPPED", 0), ("FAILED", 3)])
def test_the_exit_status_says_how_a_run_ended(
    command: Command, run_id: str, end: Callable[..., None], state: str, status: int
) -> None:
    end(state)
    said = command("runs", "wait", run_id)
    assert said.status == status
    assert said.out.startswith(f"run {run_id} is {state}\n")


def test_progress_is_shown_while_it_waits(
    command: Command, cloud: Cloud, run_id: str, end: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [lambda: cloud.endpoint._find_run(run_id).enter("RUNNING"), lambda: None, lambda: end("SUCCEEDED")]
    monkeypatch.setattr("ops.endpoint.show.sleep", lambda _: looks.pop(0)())
    said = command("runs", "wait", run_id)
    assert said.out.splitlines() == [f"run {run_id} is {state}" for state in ("PENDING", "RUNNING", "SUCCEEDED")]


def test_a_proxy_that_answers_from_its_cache_is_not_believed(
    command: Command, cloud: Cloud, run_id: str, end: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cloud.endpoint.proxy.caches
    looks = [lambda: end("SUCCEEDED")]
    monkeypatch.setattr("ops.endpoint.show.sleep", lambda _: looks.pop(0)())
    assert command("runs", "wait", run_id).status == 0


def test_scripts_get_the_run_alone_on_stdout(command: Command, run_id: str, end: Callable[..., None]) -> None:
    end("FAILED")
    said = command("runs", "wait", run_id, "--json")
    assert (said.status, said.json["state"]) == (3, "FAILED")
    assert said.err == f"run {run_id} is FAILED\n"


def test_a_run_that_never_ends_is_waited_for_no_longer_than_asked(command: Command, run_id: str) -> None:
    said = command("runs", "wait", run_id, "--timeout", "0.2", "--every", "0.05")
    assert said.status == 5
    assert "time is up: the run has not ended in 0.2 s: it is PENDING" in said.out


def test_scripts_learn_that_the_time_is_up_from_json_alone(command: Command, run_id: str) -> None:
    said = command("runs", "wait", run_id, "--timeout", "0.2", "--every", "0.05", "--json")
    assert said.status == 5
    error = said.json["error"]
    assert (error["kind"], error["exit_status"]) == ("timeout", 5)
    assert "it is PENDING" in error["message"]


def test_a_401_after_a_while_ends_it(
    command: Command, cloud: Cloud, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{RUNS}/{run_id}"
    looks = 0

    def third_look(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            cloud.hosted.fail("GET", path, page(401), page(401))

    monkeypatch.setattr("ops.endpoint.show.sleep", third_look)
    said = command("runs", "wait", run_id)
    assert said.status == 1
    assert "does not accept the token of" in said.err
    assert looks == 3


def test_a_run_is_stopped(command: Command, run_id: str) -> None:
    assert command("runs", "terminate", run_id).out == f"run {run_id} is being stopped\n"
    assert command("runs", "wait", run_id).status == 3  # it was over before anybody looked
    assert command("runs", "terminate", run_id).status == 1


def test_a_run_that_is_stopped_while_somebody_waits_was_cancelled(
    command: Command, cloud: Cloud, run_id: str, end: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = cloud.endpoint._find_run(run_id).row
    looks = [lambda: row.update(state="CANCELING"), lambda: end("FAILED")]
    monkeypatch.setattr("ops.endpoint.show.sleep", lambda _: looks.pop(0)())
    said = command("runs", "wait", run_id)
    assert said.out.splitlines()[:3] == [f"run {run_id} is {state}" for state in ("PENDING", "CANCELING", "FAILED")]
    assert said.status == 4


def test_scripts_learn_which_run_is_being_stopped(command: Command, run_id: str) -> None:
    assert command("runs", "terminate", run_id, "--json").json == {"run_id": run_id, "stopping": True}

"""A fenced run, from the file to its last step: the launcher tells the fence where, and the fence lets one pass."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from function_src.launcher.package import FENCE
from rehearsal.environment import Environment
from rehearsal.kfp.server import KfpEndpoint
from tests.end_to_end.conftest import Stage
from tests.plans import plan

RUNNER = "pipeline-runner@acme-gke.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def fenced() -> Iterator[Stage]:
    with Environment(plan(target__fence=True, target__runner=RUNNER)) as environment:
        [trigger] = environment.triggers
        yield Stage(environment, trigger)


def test_of_two_workflows_that_a_server_started_for_one_event_one_works(fenced: Stage) -> None:
    outcome = fenced.outcome(fenced.upload("a.csv"))
    endpoint, loopback = fenced.trigger.endpoint, fenced.environment.loopback
    assert loopback.run(endpoint.finished(outcome["run_id"]))["state"] == "SUCCEEDED"
    assert len(endpoint.outputs(outcome["run_id"])) == 3

    [workflow] = [started for started in endpoint.workflows if started.run_id == outcome["run_id"]]
    ledger = fenced.trigger.settings["ledger"]
    assert workflow.parameters[FENCE] == f"gs://{ledger}/started/echo/{outcome['key']}"
    note = loopback.call(fenced.environment.storage.get, ledger, f"started/echo/{outcome['key']}")
    assert note.body.decode() == workflow.name

    # What a second POST of the run starts: the same package and parameters, in a Workflow of another name.
    assert isinstance(endpoint, KfpEndpoint)
    twin = replace(workflow, name="echo-twin")
    loopback.call(endpoint._start, twin)
    execution = endpoint.executions[twin.name]
    loopback.run(execution.ended.wait())
    assert execution.outcome
    assert execution.outcome.state == "FAILED"
    assert f"duplicate of {workflow.name}: this event's work is that workflow's" in execution.outcome.log
    assert len(endpoint.outputs(outcome["run_id"])) == 3


def test_what_the_ledger_records_of_a_fenced_run_are_the_event_s_parameters_alone(fenced: Stage) -> None:
    outcome = fenced.outcome(fenced.upload("b.csv"))
    assert outcome["outcome"] == "launched"
    loopback, ledger = fenced.environment.loopback, fenced.trigger.settings["ledger"]
    record = loopback.call(fenced.environment.storage.get, ledger, f"outcomes/echo/{outcome['key']}")
    assert FENCE not in record.body.decode()


def test_a_name_that_kubernetes_would_expand_starts_no_run(fenced: Stage) -> None:
    outcome = fenced.outcome(fenced.upload("$(KFP_POD_NAME).csv"))
    assert outcome["outcome"] == "rejected"
    assert outcome["reason"].startswith("parameter 'filename' holds '$(KFP_POD_NAME)', which Kubernetes would expand")

"""Each kind of target, and each way of being let in there, through the function as it is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request

from rehearsal.chaos.chaos import Report, run_chaos
from rehearsal.environment import Environment
from rehearsal.kfp.proxy import Proxy
from rehearsal.program import evaluate
from tests.end_to_end.conftest import Stage, of
from tests.plans import TRIGGERS, dev_config, plan

ALWAYS_STALE = 200  # seconds; the launcher renews what has less than 225 to live
RUNNER = "runner@acme-ml-dev.iam.gserviceaccount.com"
OTHER = "kfp-caller@acme-gke.iam.gserviceaccount.com"
HOSTED = {"kind": "kfp", "host": "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"}
BEHIND_IAP = {
    "kind": "kfp",
    "access": "iap",
    "iap_backend_service": "kfp",
    "audience": "123-abc.apps.googleusercontent.com",
}
VERTEX = {"kind": "vertex", "pipeline_root": "gs://acme-runs/out", "service_account": RUNNER}
TARGETS: dict[str, dict[str, Any]] = {
    "hosted": HOSTED,
    "hosted-as-other": {**HOSTED, "impersonate": OTHER},
    "iap": {**BEHIND_IAP, "host": "https://iap.acme.example"},
    "iap-as-other": {**BEHIND_IAP, "host": "https://other.acme.example", "impersonate": OTHER},
    "kubeflow": {
        "kind": "kfp",
        "host": "https://kf.acme.example/pipeline",
        "access": "iap",
        "iap_backend_service": "kubeflow-ingress",
        "audience": "456-def.apps.googleusercontent.com",
        "namespace": "team-orders",
    },
    "vpc": {"kind": "kfp", "host": "https://kfp.internal.acme.example", "access": "none"},
    "vertex": VERTEX,
}


@dataclass
class Stages:
    """A stage for each target, in one environment, and what was refused before the endpoints."""

    environment: Environment
    stages: dict[str, Stage]
    refused: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    config = dev_config()
    (echo,) = json.loads(config[TRIGGERS])
    triggers = [{**echo, "name": name, "identity": "dedicated", "target": target} for name, target in TARGETS.items()]
    refused: list[str] = []
    refusal = Proxy._refusal

    def noting(proxy: Proxy, request: Request) -> Any:
        answer = refusal(proxy, request)
        if answer:
            refused.append(f"{answer.status_code} {request.url.path}")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Proxy, "_refusal", noting)
        planned = evaluate("dev", {**config, TRIGGERS: json.dumps(triggers)})
        with Environment(planned, token_lifetime=ALWAYS_STALE) as environment:
            for trigger in environment.triggers:
                patch.setattr(trigger.endpoint, "_execute", None)
            found = {trigger.name: Stage(environment, trigger) for trigger in environment.triggers}
            yield Stages(environment, found, refused)


@pytest.mark.parametrize(
    ("name", "caller"),
    [
        ("hosted", "dev-hosted-launcher@acme-ml-dev.iam.gserviceaccount.com"),
        ("hosted-as-other", OTHER),
        ("iap", "dev-iap-launcher@acme-ml-dev.iam.gserviceaccount.com"),
        ("iap-as-other", OTHER),
        ("kubeflow", "dev-kubeflow-launcher@acme-ml-dev.iam.gserviceaccount.com"),
        ("vpc", ""),
        ("vertex", "dev-vertex-launcher@acme-ml-dev.iam.gserviceaccount.com"),
    ],
)
def test_a_file_starts_one_run_as_the_account_that_the_target_lets_in(stages: Stages, name: str, caller: str) -> None:
    stage = stages.stages[name]
    subject = stage.upload("orders.csv")
    log = stage.outcome(subject)
    assert (log["outcome"], log.get("reason")) == ("launched", None)
    [workflow] = [found for found in stage.trigger.endpoint.workflows if found.run_id == log["run_id"]]
    assert workflow.parameters == {"filename": subject.partition("#")[0]}
    assert workflow.caller == caller
    below = "/pipeline" if name == "kubeflow" else ""
    assert name == "vertex" or urlsplit(log["run_url"])[2::2] == (f"{below}/", f"/runs/details/{log['run_id']}")
    message = stage.attempt(of(subject)).message
    stage.publish(stage.trigger.subscription.topic, message)
    assert stage.outcome(subject)["outcome"] == "duplicate"
    assert stage.workflows(log["run_id"]) == 1


@pytest.mark.parametrize("name", ["hosted", "hosted-as-other", "iap", "iap-as-other"])
def test_a_process_that_lives_long_renews_its_tokens_without_a_call_that_fails(stages: Stages, name: str) -> None:
    """Each token is worthless by the time the next file comes, as it would be after an hour."""
    stage = stages.stages[name]
    pid, before = stage.trigger.function.pid, len(stages.refused)
    for number in range(3):
        subject = stage.upload(f"hour-{number}.csv")
        assert stage.outcome(subject)["outcome"] == "launched"
        assert stage.attempt(of(subject)).number == 1
        stages.environment.loopback.call(stages.environment.tokens.revoke_all)
    assert stages.refused[before:] == []
    assert stage.trigger.function.pid == pid


def test_files_that_land_on_vertex_together_start_one_job_each(stages: Stages) -> None:
    stage = stages.stages["vertex"]
    subjects = {stage.upload(f"many/{number}.csv") for number in range(20)}
    logs = [stage.log(lambda entry: entry.get("event") in subjects) for _ in subjects]
    assert {log["outcome"] for log in logs} == {"launched"}
    assert {stage.workflows(log["run_id"]) for log in logs} == {1}


def test_an_old_endpoint_is_recognised_and_waited_for(stages: Stages) -> None:
    stage = stages.stages["vpc"]
    old: Any = stage.trigger.endpoint
    old.v1_only = True
    subject = stage.upload("old.csv")
    reasons = [stage.outcome(subject)["reason"] for _ in range(2)]  # the first is about an experiment of before
    old.v1_only = False
    assert "speaks the KFP API v1beta1 only" in reasons[1]
    last = stage.log(lambda entry: entry.get("event") == subject and entry["outcome"] != "retry")
    assert last["outcome"] == "launched"


# --- chaos on Vertex AI --------------------------------------------------------------------------------------------

EVENTS, SEED = 40, 1


@pytest.fixture(scope="module")
def report() -> Report:
    return run_chaos(plan(target=VERTEX), EVENTS, SEED)


def test_no_event_is_lost_or_starts_a_second_job_through_faults_duplicates_and_kills(report: Report) -> None:
    assert report.failures() == []
    assert report.verdict.workflows == EVENTS
    assert not report.defects
    assert report.kills >= 1
    assert report.deliveries > report.messages > EVENTS

"""What chaos executes of a run: the deployed package's own fence, of several Workflows at once."""

import asyncio
import json
from typing import Any

import pytest

from infra.package.fence import raise_fence
from rehearsal.chaos import pods as pods_of_chaos
from rehearsal.chaos.pods import Pods
from rehearsal.google.metadata import MetadataServer
from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback
from rehearsal.runs.executor import Outcome
from tests.infra.package.shapes import compiled, tell

LEDGER = "ledger"
PLACE = f"gs://{LEDGER}/started/echo/0123abcd"


def one_step(text: str) -> None:
    tell(text=text)


@pytest.fixture
def storage() -> Storage:
    found = Storage(lambda *_: None)
    found.create_bucket(LEDGER)
    return found


@pytest.fixture
def pods(loopback: Loopback, storage: Storage) -> Pods:
    found = Pods(seed=1, lease=0)
    found.storage = loopback.serve(storage.app)
    metadata = loopback.serve(MetadataServer("runner@acme.iam.gserviceaccount.com", "acme").app)
    found.metadata = metadata.removeprefix("http://")
    return found


def run(loopback: Loopback, pods: Pods, package: dict[str, Any], *workflows: str) -> list[Outcome]:
    """Executes Workflows of one event, all at once."""

    async def all_of_them() -> list[Outcome]:
        given = {"text": "t", "launch_fence": PLACE}
        return await asyncio.gather(*(pods.run(package, given, lambda *_: None, name) for name in workflows))

    return loopback.run(all_of_them())


def fenced() -> dict[str, Any]:
    package: dict[str, Any] = json.loads(raise_fence(json.dumps(compiled(one_step))))
    return package


@pytest.mark.parametrize("retried", [0.0, 1.0])
def test_of_many_workflows_at_once_one_works_however_often_their_pods_are_started(
    loopback: Loopback, pods: Pods, storage: Storage, retried: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pods_of_chaos, "RETRY_RATE", retried)
    names = [f"echo-{number}" for number in range(12)]
    outcomes = run(loopback, pods, fenced(), *names)
    [worked] = pods.worked
    assert [outcome.state for outcome in outcomes].count("SUCCEEDED") == 1
    assert storage.buckets[LEDGER].objects["started/echo/0123abcd"].body == worked.encode()
    assert all(f"duplicate of {worked}" in outcome.error for outcome in outcomes if outcome.state == "FAILED")


def test_without_a_fence_all_of_them_work(loopback: Loopback, pods: Pods) -> None:
    run(loopback, pods, compiled(one_step), "a", "b")
    assert sorted(pods.worked) == ["a", "b"]


def test_a_package_whose_fence_lets_everybody_pass_shows(loopback: Loopback, pods: Pods) -> None:
    broken = json.loads(json.dumps(fenced()).replace("if holder != workflow:", "if False:"))
    run(loopback, pods, broken, "a", "b")
    assert sorted(pods.worked) == ["a", "b"]

"""What was planned is what is done: a saved plan is carried out, or refused before or where it no longer holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.resources import propagation
from tests.engine.worlds import World


@pytest.fixture
def plan(tmp_path: Path) -> str:
    return str(tmp_path / "plan.json")


def test_a_plan_of_a_first_deployment_is_carried_out_with_everything_late(
    new: World, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's number and an agent's address are asked of Google Cloud, and cannot be in a first preview."""
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 0.8)
    delays = new.cloud.delays
    delays.services = delays.accounts = delays.grants = 0.6
    assert not new.operate("preview", "--save-plan", plan).status
    new.up("--plan", plan)
    assert new.changes() == {}


def test_a_plan_of_a_change_is_carried_out(standing: World, plan: str) -> None:
    standing.triggers[0]["function"] = {"memory": "1Gi"}
    assert not standing.operate("preview", "--save-plan", plan).status
    standing.up("--plan", plan)
    (function,) = standing.cloud.of_type(":Function")
    assert function.inputs["serviceConfig"]["availableMemory"] == "1Gi"


def test_a_plan_of_nothing_does_nothing(standing: World, plan: str) -> None:
    assert not standing.operate("preview", "--save-plan", plan).status
    assert "created" not in standing.up("--plan", plan).stdout


@pytest.mark.parametrize("of", ["a stack file that has changed since", "a stack that has changed since"])
def test_a_stale_plan_is_refused_with_words(standing: World, plan: str, of: str) -> None:
    standing.triggers[0]["function"] = {"memory": "1Gi"}
    assert not standing.operate("preview", "--save-plan", plan).status
    standing.triggers[0]["function"] = {"memory": "2Gi"}
    if of == "a stack that has changed since":
        standing.up()
        standing.triggers[0]["function"] = {"memory": "512Mi"}
    assert "violates plan" in standing.fail("up", "--plan", plan)
    (function,) = standing.cloud.of_type(":Function")
    assert function.inputs["serviceConfig"].get("availableMemory") != "1Gi"

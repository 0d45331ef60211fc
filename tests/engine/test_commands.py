"""`pipeline-trigger up`, `preview` and `destroy` on the real engine: what they say, write down and leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
import yaml

from infra.configuration.stack_file import find_stack, read_stack
from infra.resources import propagation
from ops.deploy import deploy, leftovers, pulumi_cli, recover, show
from ops.deploy.pulumi_cli import select
from ops.errors import OperationError
from ops.iam.deployer.needs import needs_of
from ops.printing import open_console
from rehearsal.engine.cloud import Fault
from rehearsal.engine.kinds.functions import BUILD_FAILED
from rehearsal.program import evaluate
from tests.engine.test_recover import ApisOfCloud
from tests.engine.worlds import World

Heard = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_SKIP_CONFIRMATIONS", "true")
    monkeypatch.setattr(deploy, "_check", lambda *_: None)  # the world's project is the sample


def command(world: World, verb: str) -> int:
    world.write()
    return deploy.run_pulumi(verb, str(world.workspace.stack_file(world.stack)))


def paragraph(heard: Heard) -> list[str]:
    """What is said after the CLI has said its own."""
    lines = heard.readouterr().err.splitlines()
    return lines[len(lines) - lines[::-1].index("") :]


def at_hand(world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Has commands of ours find the CLI, and the world's project."""
    (place / "bin").mkdir()
    (place / "bin" / "pulumi").symlink_to(world.cli)
    for name, value in world.workspace.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for module in (deploy, pulumi_cli, leftovers):
        monkeypatch.setattr(module, "ROOT", world.workspace.project)
    return world


@pytest.fixture
def fresh(new: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return at_hand(new, tmp_path, monkeypatch)


@pytest.fixture
def made(standing: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return at_hand(standing, tmp_path, monkeypatch)


def test_a_failing_up_ends_with_what_failed_why_and_what_to_do(fresh: World, capfd: Heard) -> None:
    fresh.cloud.faults.append(Fault("function:Function", "create", BUILD_FAILED.format(verb="create"), late=True))
    assert command(fresh, "up") == 1
    first, failed, why, fix, rest = (said := paragraph(capfd))
    assert first.endswith(" did not do all of it."), said
    assert failed.startswith("✗ Function echo-launcher: ")
    assert why.startswith("Why: the build's account may not do yet")
    assert "which builds anew" in fix
    assert rest == "What is made stays made, and what is not is made by the next `up`."


def test_what_was_tried_again_is_said_to_be_no_error(
    fresh: World, capfd: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 0.8)
    fresh.cloud.delays.accounts = 3.0  # longer than a slow machine takes to their first grant
    assert command(fresh, "up") == 0
    [said] = paragraph(capfd)
    assert said.startswith("All is well: ")
    assert said.endswith("tried again until Google Cloud knew what is new. Above they may count as errored.")


def test_what_failed_is_told_and_not_what_was_tried_until_it_worked(
    fresh: World, capfd: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 0.8)
    fresh.cloud.delays.accounts = 0.6
    fresh.cloud.faults.append(Fault("function:Function", "create", BUILD_FAILED.format(verb="create"), late=True))
    assert command(fresh, "up") == 1
    [failed] = [line for line in paragraph(capfd) if line.startswith("✗")]
    assert failed.startswith("✗ Function echo-launcher: ")


def test_an_up_that_is_interrupted_is_told_as_one_and_the_next_goes_on(fresh: World, capfd: Heard) -> None:
    fresh.cloud.interrupts[":Topic"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert command(fresh, "up") == 1
    [said] = paragraph(capfd)
    assert "was ended before it was done; make up STACK=" in said
    assert command(fresh, "up") == 0


def test_a_destroy_that_meets_files_says_whose_they_are(made: World, capfd: Heard) -> None:
    [ledger] = [bucket for bucket in made.cloud.of_type(":Bucket") if bucket.id.startswith("launch-ledger")]
    made.cloud.objects[ledger.id] = {"claims/echo/1": 1}
    assert command(made, "destroy") == 1
    said = "\n".join(paragraph(capfd))
    assert "✗ Bucket launch-ledger: " in said
    assert "Why: the bucket still holds files." in said
    assert ledger.id in made.cloud.things


def test_a_killed_up_is_said_before_the_next_starts(fresh: World, capfd: Heard) -> None:
    fresh.cloud.interrupts[":Notification"] = lambda: _kill_the_engine(
        fresh
    )  # the last, while nothing else is written
    command(fresh, "up")
    with pytest.raises(OperationError, match=r"the lock of .*, gone, .*half-made, perhaps: echo-new-objects"):
        command(fresh, "up")


def _kill_the_engine(world: World) -> None:
    [lock] = (world.workspace.state / ".pulumi" / "locks").rglob("*.json")
    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)


def test_a_preview_looks_at_the_project_and_changes_nothing(made: World, capfd: Heard) -> None:
    [function] = made.cloud.of_type(":Function")
    function.inputs["labels"] = {}
    before = made.resources()
    assert command(made, "preview") == 0
    assert "echo-launcher" in capfd.readouterr().out
    assert made.resources() == before
    assert made.changes() == {}  # which a plain preview would not have shown


def test_a_preview_does_not_refresh_away_that_a_build_has_failed(fresh: World, capfd: Heard) -> None:
    fresh.cloud.faults.append(Fault("function:Function", "create", BUILD_FAILED.format(verb="create"), late=True))
    assert command(fresh, "up") == 1
    assert command(fresh, "preview") == 0
    assert fresh.changes()["replace"] == ["Function echo-launcher"]


def test_a_plan_that_has_looked_at_the_project_is_carried_out(made: World, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    made.triggers[0]["function"] = {"memory": "1Gi"}
    assert not made.operate("preview", "--refresh", "--save-plan", plan).status
    made.up("--refresh", "--plan", plan)
    [function] = made.cloud.of_type(":Function")
    assert function.inputs["serviceConfig"]["availableMemory"] == "1Gi"


def test_a_first_plan_may_look_too(fresh: World, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    assert not fresh.operate("preview", "--refresh", "--save-plan", plan).status
    fresh.up("--refresh", "--plan", plan)
    assert fresh.changes() == {}


def test_looking_takes_what_the_deployer_may_read_and_nothing_more(made: World) -> None:
    permissions = needs_of(evaluate(made.stack, read_stack(str(made.file))[1])).permissions
    made.cloud.may = frozenset(name for name in permissions if name.endswith((".get", ".getIamPolicy", ".list")))
    assert made.changes("--refresh") == {}


@pytest.fixture
def elsewhere(fresh: World, tmp_path: Path) -> Path:
    """The file of a stack that is not made yet, in another folder than the project's."""
    shutil.rmtree(fresh.workspace.state)
    fresh.workspace.state.mkdir()
    usual = fresh.workspace.stack_file(fresh.stack)
    usual.unlink()
    (folder := tmp_path / "examples").mkdir()
    return Path(shutil.copy(fresh.file, folder / usual.name))


def test_a_stack_file_elsewhere_gets_the_salt_and_says_the_same_after_the_first_up(
    fresh: World, elsewhere: Path
) -> None:
    usual, before = fresh.workspace.stack_file(fresh.stack), read_stack(str(elsewhere))
    assert select(fresh.stack, elsewhere) == 0
    assert not usual.exists()
    assert yaml.safe_load(elsewhere.read_text())["encryptionsalt"]
    assert deploy.run_pulumi("up", str(elsewhere)) == 0
    assert not usual.exists()
    assert read_stack(str(elsewhere)) == before


def test_a_recovery_of_a_stack_whose_file_is_elsewhere_leaves_no_other_in_the_project(
    fresh: World, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.cloud.interrupts[":Notification"] = lambda: _kill_the_engine(fresh)
    deploy.run_pulumi("up", str(elsewhere))
    monkeypatch.setattr(show, "_apis", lambda _: ApisOfCloud(fresh.cloud))
    monkeypatch.setattr(recover, "find_stack", partial(find_stack, root=fresh.workspace.project))
    assert show.show_recovery(str(elsewhere), open_console(), yes=True, as_json=False) == 0
    assert not fresh.workspace.stack_file(fresh.stack).exists()
    assert deploy.run_pulumi("up", str(elsewhere)) == 0

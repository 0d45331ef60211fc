"""Stacks on the real engine. Each test goes on from a copy of one that stands, unless it needs a new one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.resources import propagation
from ops.iam.deployer.needs import project_of
from rehearsal.engine.cli import NoEngineError, find_cli
from rehearsal.engine.cloud import Cloud
from rehearsal.engine.given import given_by
from rehearsal.program import evaluate, read_stack
from tests.engine.worlds import World
from tests.plans import DEV

MakeWorld = Callable[[Path], World]


@pytest.fixture(scope="session")
def cli() -> Path:
    try:
        return find_cli()
    except NoEngineError as error:
        pytest.skip(str(error))


def hurry(patch: pytest.MonkeyPatch) -> None:
    """What is waited for here takes no minutes."""
    patch.setattr(propagation, "SECONDS_BETWEEN_TRIES", 0.1)
    patch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 0.0)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def make_world(tmp_path: Path, cli: Path) -> Iterator[MakeWorld]:
    """Stacks, of which nothing is made, by their files; what each takes for given is there."""
    with contextlib.ExitStack() as running:

        def make(file: Path) -> World:
            plan = evaluate(*read_stack(str(file)))
            cloud = Cloud(project_of(plan))
            cloud.given = given_by(plan)
            world = World(tmp_path / plan.stack, cloud, cli, file).start()
            running.callback(world.close)
            return world

        yield make


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory, cli: Path) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("empty"), Cloud("acme-ml-dev"), cli, DEV).start()
    yield world
    world.close()


@pytest.fixture
def new(_empty: World, tmp_path: Path) -> Iterator[World]:
    """The dev stack, of which nothing is made."""
    world = _empty.copy(tmp_path / "new")
    yield world
    world.close()


@pytest.fixture(scope="session")
def _standing(_empty: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = _empty.copy(tmp_path_factory.mktemp("standing") / "dev")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        world.up()
    yield world
    world.close()


@pytest.fixture
def standing(_standing: World, tmp_path: Path) -> Iterator[World]:
    """The dev stack, made."""
    world = _standing.copy(tmp_path / "standing")
    yield world
    world.close()

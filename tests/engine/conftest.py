"""Stacks on the real engine. Each test goes on from a copy of one that stands, unless it needs a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.resources import propagation
from rehearsal.engine.cli import NoEngineError, find_cli
from rehearsal.engine.cloud import Cloud
from tests.engine.worlds import World
from tests.plans import DEV

MakeWorld = Callable[..., World]


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


@pytest.fixture(scope="session")
def _standing(tmp_path_factory: pytest.TempPathFactory, cli: Path) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("standing"), Cloud("acme-ml-dev"), cli, DEV).start()
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        world.up()
    yield world
    world.close()


@pytest.fixture
def new(tmp_path: Path, cli: Path) -> Iterator[World]:
    """The dev stack, of which nothing is made."""
    world = World(tmp_path, Cloud("acme-ml-dev"), cli, DEV).start()
    yield world
    world.close()


@pytest.fixture
def standing(_standing: World, tmp_path: Path) -> Iterator[World]:
    """The dev stack, made."""
    world = _standing.copy(tmp_path)
    yield world
    world.close()

"""Which Pulumi CLI is taken, and what is said where there is none."""

from pathlib import Path

import pytest

from rehearsal.engine.cli import NoEngineError, find_cli


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing on it but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_the_installed_one_is_taken_before_the_one_that_was_built(bare: Path) -> None:
    built = program(bare / "engine" / "pulumi")
    assert find_cli(built) == built
    installed = program(bare / "pulumi")
    assert find_cli(built) == installed


def test_where_there_is_none_it_is_said_how_to_get_one(bare: Path) -> None:
    with pytest.raises(NoEngineError, match=r"^there is no Pulumi CLI here: make engine, .* or install it: curl "):
        find_cli(bare / "engine" / "pulumi")

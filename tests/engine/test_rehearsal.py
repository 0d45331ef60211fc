"""`make rehearse ENGINE=1`: the environment of a rehearsal, made by a real `pulumi up`."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from ops.errors import OperationError
from ops.rehearse.rehearse import rehearse_stack
from ops.rehearse.telling import OnTerminal
from rehearsal.engine import made
from rehearsal.engine.cli import find_cli
from rehearsal.engine.cloud import Cloud, Fault
from rehearsal.engine.made import EngineError, make_with_engine
from rehearsal.program import ROOT, evaluate, read_stack
from tests.ops.rehearse.rehearsals import REPLAYED, STORY, outcomes, rehearse
from tests.plans import DEV, PROD

STACKS = [PROD, *(ROOT / "examples" / f"Pulumi.{name}.yaml" for name in ("fence", "workflows"))]


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.name)
def test_the_engine_makes_a_stack_as_it_is_planned(cli: Path, stack: Path) -> None:
    """Each comes up at the first try, and what is in its state is what an evaluation without an engine says."""
    planned = evaluate(*read_stack(str(stack)))
    said: list[str] = []
    by_engine = make_with_engine(planned, str(stack), said.append).plan
    assert {(r.type, r.name) for r in by_engine.resources} == {(r.type, r.name) for r in planned.resources}
    assert by_engine.exports.keys() == planned.exports.keys()
    custom = [resource for resource in planned.resources if resource.custom]
    assert len(said) == len(custom)
    for resource in custom:
        assert by_engine.named(resource.name, resource.type).inputs.keys() >= resource.inputs.keys()
    for function in by_engine.of_type(":Function"):
        assert "main.py" in by_engine.archive_of(function).assets


def test_the_story_is_told_on_what_the_engine_made(cli: Path) -> None:
    done = rehearse("--stack", str(DEV), "--engine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"pulumi up: \d+ resources in \d+\.\d s, by Pulumi's engine v3\.\d+\.\d+ on a", done.stdout)
    assert outcomes(done) == [*STORY, REPLAYED]


def test_without_a_cli_it_is_said_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(made, "find_cli", partial(find_cli, tmp_path / "pulumi"))
    with pytest.raises(OperationError, match=r"^there is no Pulumi CLI here: make engine, .* or install it"):
        rehearse_stack(str(DEV), None, OnTerminal(Console(quiet=True)), engine=True)


def test_what_the_engine_refuses_is_said_in_its_words(cli: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = evaluate(*read_stack(str(DEV)))

    class Refusing(Cloud):
        def __init__(self, project: str) -> None:
            super().__init__(project)
            self.faults.append(Fault(":Topic", "create", "googleapi: Error 403: no topics today"))

    monkeypatch.setattr(made, "Cloud", Refusing)
    with pytest.raises(EngineError, match="no topics today"):
        make_with_engine(planned, str(DEV), lambda _: None)

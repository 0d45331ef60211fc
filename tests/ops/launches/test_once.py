"""`launches show --by VALUE` finds the event that has a value of `once_per`, and of the others says why they have no
run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.expression import read_expression
from ops.cli import app
from tests.ops.launches.conftest import Desk


def launcher(desk: Desk) -> Launcher:
    found = desk.launcher()
    return Launcher(replace(found._trigger, once_per=read_expression("once_per", "content.order")), found._package)


@pytest.fixture
def orders(desk: Desk) -> list[str]:
    """Two files with one order, and one with another whose number is text."""
    bodies = {"a.json": b'{"order": 17}', "b.json": b'{"order": 17}', "c.json": b'{"order": "17"}'}
    events = [desk.upload(name, body) for name, body in bodies.items()]
    assert desk.deliver(launcher(desk)) == ["launched", "skipped", "launched"]
    return events


def test_by_its_value_the_event_that_was_launched_is_found(desk: Desk, orders: list[str]) -> None:
    shown = desk.run("launches", "show", "--by", "17")
    assert orders[0] in shown
    assert "launched" in shown
    assert orders[1] not in shown
    assert orders[2] in desk.run("launches", "show", "--by", '"17"')


def test_a_file_that_was_not_says_which_was(desk: Desk, orders: list[str]) -> None:
    shown = desk.run("launches", "show", orders[1])
    assert "skipped" in shown
    assert f"{orders[0]} has the same value of once_per, and was launched" in shown


def test_a_value_that_no_event_has_is_said(desk: Desk, orders: list[str]) -> None:
    assert "no event of stack dev has the value 18 of once_per" in desk.refusal("launches", "show", "--by", "18")


@pytest.mark.parametrize("arguments", [[], ["gs://b/a", "--by", "17"]])
def test_one_thing_is_named(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["launches", "show", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "name one event, or the value of once_per that it has" in done.output

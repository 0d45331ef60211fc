"""`pipeline-trigger recover` shows what it would do, and does it once it may."""

import json

import pytest
import typer

from ops.deploy import show
from ops.deploy.recover import Step
from ops.errors import OperationError
from ops.findings import ok
from ops.printing import open_console
from tests.plans import DEV

Taken = list[str]


@pytest.fixture
def taken() -> Taken:
    return []


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, taken: Taken) -> list[Step]:
    """What there is to do for the stack, and to leave."""
    steps = [
        Step("adopt", "Account build", "it is this stack's", lambda: taken.append("adopt")),
        Step("delete", "a topic", "its state does not know it", lambda: taken.append("delete")),
    ]
    monkeypatch.setattr(show, "check_cli", lambda: ok("Pulumi CLI", "it is there"))
    monkeypatch.setattr(show, "_apis", lambda _: None)
    monkeypatch.setattr(show, "steps_for", lambda *_: steps)
    return steps


def recover(*, yes: bool = False, as_json: bool = False) -> int:
    return show.show_recovery(str(DEV), open_console(stderr=as_json), yes=yes, as_json=as_json)


def answer(monkeypatch: pytest.MonkeyPatch, *, agreed: bool) -> None:
    def ask(_: str, *, abort: bool) -> None:
        if abort and not agreed:
            raise typer.Abort

    monkeypatch.setattr(typer, "confirm", ask)


@pytest.mark.usefixtures("steps")
def test_nothing_is_done_before_it_was_shown_and_agreed_to(
    monkeypatch: pytest.MonkeyPatch, taken: Taken, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, agreed=False)
    with pytest.raises(typer.Abort):
        recover()
    assert taken == []
    assert "it is this stack's" in capsys.readouterr().out
    answer(monkeypatch, agreed=True)
    assert recover() == 0
    assert taken == ["adopt", "delete"]


@pytest.mark.usefixtures("steps")
def test_for_a_script_it_is_done_with_yes_alone(taken: Taken, capsys: pytest.CaptureFixture[str]) -> None:
    assert recover(as_json=True) == 0
    assert [step["done"] for step in json.loads(capsys.readouterr().out)] == ["adopt", "delete"]
    assert taken == []
    assert recover(yes=True, as_json=True) == 0
    assert taken == ["adopt", "delete"]


def test_what_is_left_for_a_person_is_an_exit_status(steps: list[Step], taken: Taken) -> None:
    steps.append(Step("leave", "a bucket", "it holds files"))
    assert recover(yes=True) == 1
    assert taken == ["adopt", "delete"]


def test_no_lock_is_lifted_unasked_whose_update_may_be_at_work(
    steps: list[Step], taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.insert(0, Step("cancel", "the update", "on another machine", lambda: taken.append("cancel"), ask=True))
    with pytest.raises(OperationError, match="no answer to that"):
        recover(yes=True)
    assert taken == []
    answer(monkeypatch, agreed=True)
    assert recover() == 0
    assert taken[0] == "cancel"


def test_where_there_is_nothing_to_do_nobody_is_asked(steps: list[Step], capsys: pytest.CaptureFixture[str]) -> None:
    steps.clear()
    assert recover() == 0
    assert "There is nothing to do for stack dev" in capsys.readouterr().out

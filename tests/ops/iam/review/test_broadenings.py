"""No broadening passes unseen, and what is harmless raises no alarm: each is planted into a preview."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from ops import cli
from tests.ops.iam.broadenings import ADMIN, BROADENINGS, HARMLESS
from tests.ops.iam.planted import document


def reviewed(
    preview: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The exit code of the command as CI runs it, and what it says."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(preview)))
    monkeypatch.setattr(sys, "argv", ["pipeline-trigger", "iam", "diff", "-", "--markdown", "--fail-on", "broadened"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0), capsys.readouterr().out


@pytest.mark.parametrize("what", BROADENINGS)
def test_a_broadening_does_not_pass_and_has_a_sentence(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted, sentence = BROADENINGS[what]
    code, said = reviewed(document(planted), monkeypatch, capsys)
    assert code == 3
    assert "**broadened**" in said
    assert sentence in said.replace("\\", "")


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_harmless_raises_no_alarm(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = reviewed(document(*HARMLESS[what]), monkeypatch, capsys)
    assert code == 0, said


def test_a_stack_whose_provider_impersonates_by_its_configuration_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = reviewed(document(config={"gcp:impersonateServiceAccount": ADMIN}), monkeypatch, capsys)
    assert code == 3
    assert "it makes tokens of this account" in said


def test_the_table_is_as_long_as_it_is_promised() -> None:
    assert len(BROADENINGS) >= 40
    assert len(HARMLESS) >= 10

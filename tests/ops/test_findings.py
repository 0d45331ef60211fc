"""What checks find is shown in one way: what was found in a table, and below it, once each, what mends it."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from ops.findings import Finding, ok, problem, show_findings, unchecked

LOGIN = "gcloud auth application-default login"


def shown(*findings: Finding) -> list[str]:
    console = Console(file=io.StringIO(), width=40)
    show_findings(findings, console, as_json=False)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]  # a StringIO


def test_what_mends_several_things_is_said_once_with_all_of_them() -> None:
    lines = shown(problem("credentials", "none", LOGIN), ok("CLI", "3.272.0"), unchecked("project", "unseen", LOGIN))
    assert lines == [
        "✗  credentials  none",
        "✓  CLI          3.272.0",
        "?  project      unseen",
        "",
        "credentials, project",
        LOGIN,
    ]


def test_a_check_that_asks_twice_for_a_fix_is_named_once_above_it() -> None:
    samples = [problem("configuration", f"has the sample {key}", "put in yours") for key in ("project", "host")]
    assert shown(*samples)[-2:] == ["configuration", "put in yours"]


def test_a_command_is_never_cut_and_brackets_are_no_markup() -> None:
    command = "gcloud mend [it] " + 10 * "--at-length "
    assert shown(problem("a [check]", "is [wrong]", command))[-2:] == ["a [check]", command.rstrip()]


def test_a_list_of_problems_is_shown_as_one() -> None:
    lines = shown(problem("configuration", "Pulumi.mine.yaml:\n  a: is wrong\n  b: is missing", ""))
    assert lines == [
        "✗  configuration  Pulumi.mine.yaml:",
        "                  a: is wrong",
        "                  b: is missing",
    ]


def test_scripts_get_each_finding_in_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [ok("CLI", "3.272.0"), problem("credentials", "none", LOGIN)]
    assert show_findings(findings, Console(), as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"check": "CLI", "status": "ok", "what": "3.272.0", "fix": ""},
        {"check": "credentials", "status": "problem", "what": "none", "fix": LOGIN},
    ]


@pytest.mark.parametrize(
    ("finding", "status"), [(ok("a", "b"), 0), (unchecked("a", "b", "c"), 0), (problem("a", "b", "c"), 1)]
)
def test_only_a_problem_is_a_failure(finding: Finding, status: int) -> None:
    assert show_findings([finding], Console(file=io.StringIO()), as_json=False) == status

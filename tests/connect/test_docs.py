"""docs/connect.md lists every error of connect with what mends it, and what it shows is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfp_connect import ConnectError, Problem, connect
from ops.endpoint.options import OPTIONS
from ops.endpoint.show import STATUS, TIME_IS_UP
from rehearsal.program import ROOT

TEXT = (ROOT / "docs" / "connect.md").read_text()


def rows(heading: str) -> Iterator[tuple[str, ...]]:
    """The rows of the table with that first column."""
    _, _, table = TEXT.partition(f"| {heading} |")
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield tuple(cell.strip() for cell in line.strip("|").split(" | "))


def shown(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"\1", template)


def test_every_error_is_in_the_table_and_nothing_else() -> None:
    errors = {problem.what: problem.fix for problem in Problem}
    errors[Problem.BAD_ENDPOINT.what] = "FIX, as in the table of endpoints [above](#where-a-token-may-go)"
    assert sorted(rows("Error")) == sorted((shown(what), shown(fix)) for what, fix in errors.items())


@pytest.mark.parametrize(("endpoint", "fix"), list(rows("Endpoint")))
def test_every_endpoint_that_is_shown_as_refused_is(bare: Path, endpoint: str, fix: str) -> None:
    with pytest.raises(ConnectError) as refused:
        connect(endpoint.strip("`"), "token", token="t")
    assert refused.value.problem is Problem.BAD_ENDPOINT
    assert str(refused.value).endswith(fix)


@pytest.mark.parametrize("problem", list(Problem))
def test_every_error_is_provoked_by_some_test(problem: Problem) -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "connect").glob("test_*.py"))
    assert re.search(rf"Problem\.{problem.name}\b", tests)


def test_every_option_and_exit_status_is_told() -> None:
    for option in OPTIONS:
        assert f"`--{option.replace('_', '-')}`" in TEXT
    assert f"{STATUS['FAILED']} failed,\n{STATUS['CANCELED']} cancelled, {TIME_IS_UP} the time is up" in TEXT

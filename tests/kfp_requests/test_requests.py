"""Our KFP endpoint answers as the real one, request by request, and a server that does not is found out."""

from __future__ import annotations

from collections import Counter

import pytest

from rehearsal.kfp.pace import Pace
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from tests.kfp_requests.__main__ import main
from tests.kfp_requests.table import Case, Server, cases, clean_up

CASES = list(cases())


@pytest.fixture(scope="module")
def endpoint() -> KfpEndpoint:
    return KfpEndpoint(None, pace=Pace(0))


@pytest.fixture(scope="module")
def server(loopback: Loopback, endpoint: KfpEndpoint) -> Server:
    def count(run_id: str) -> int:
        return Counter(workflow.run_id for workflow in endpoint.workflows)[run_id]

    return Server(loopback.serve(endpoint.app), count=count)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_it_answers_as_the_real_server(server: Server, case: Case) -> None:
    answer, expected = server.ask(case)
    assert answer.differences(expected) == [], answer.body[:300]


def test_every_request_has_its_source_and_another_name() -> None:
    assert all(case.source for case in CASES)
    assert max(Counter(case.name for case in CASES).values()) == 1
    assert len(CASES) > 100


def test_a_server_that_answers_otherwise_is_found_out_and_left_clean(
    loopback: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    other = KfpEndpoint(None, pace=Pace(0))
    other.database.utf8mb4 = True
    assert main(loopback.serve(other.app), "") == 5
    said = capsys.readouterr().out
    assert "starting a run: with an emoji in the name: status: 200, not 500 (measured: 1366)" in said
    assert f"{len(CASES)} requests, 5 answered otherwise; Workflows were not counted" in said
    assert [row["display_name"] for row in other.experiments.rows.values()] == ["Default"]
    assert not other._runs
    assert not other._pipelines._pipelines


def test_one_that_answers_as_the_table_is_all_right_and_its_workflows_can_be_counted(
    loopback: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = KfpEndpoint(None, pace=Pace(0))
    assert main(loopback.serve(endpoint.app), "") == 0
    assert main(loopback.serve(endpoint.app), "echo {}") > 30, "echo says that there is one Workflow of any id"
    assert "were not counted" not in capsys.readouterr().out.splitlines()[-2]


def test_cleaning_up_leaves_what_is_somebody_elses(loopback: Loopback) -> None:
    endpoint = KfpEndpoint(None, pace=Pace(0))
    loopback.call(endpoint.experiments._add, "theirs", "", "")
    clean_up(Server(loopback.serve(endpoint.app)))
    assert len(endpoint.experiments.rows) == 1

"""A stack's bill is estimated from its plan: what is dearer in the plan is dearer in the bill."""

import json
from typing import Any

import pytest
from rich.console import Console

from ops import reference
from ops.cost import prices
from ops.cost.estimate import SECONDS, VOLUMES, Line, estimate, total
from ops.cost.show import show_cost
from rehearsal.program import ROOT, evaluate, read_stack
from tests.plans import plan

EXAMPLES = ROOT / "examples"


def parts(lines: list[Line], trigger: str) -> dict[str, Line]:
    return {line.what.partition(":")[0]: line for line in lines if line.trigger == trigger}


def of_dev(**changes: Any) -> dict[str, Line]:
    return parts(estimate(plan(**changes)), "echo")


def test_each_second_of_the_launcher_is_its_processors_and_its_memory() -> None:
    second = 1 * prices.CPU_SECOND.dollars + 0.5 * prices.MEMORY_GIB_SECOND.dollars
    assert of_dev()["Cloud Run"].per_event == pytest.approx(SECONDS * second + prices.REQUEST.dollars)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"function__memory": "1Gi"}, "Cloud Run"),
        ({"function__cpu": "2"}, "Cloud Run"),
    ],
)
def test_a_larger_function_costs_more(change: dict[str, Any], part: str) -> None:
    assert of_dev(**change)[part].per_event > of_dev()[part].per_event


def test_only_a_schedule_has_a_job_and_each_its_own() -> None:
    lines = estimate(evaluate(*read_stack(str(EXAMPLES / "Pulumi.sources.yaml"))))
    jobs = [line for line in lines if "Scheduler" in line.what]
    assert [(job.trigger, job.standing) for job in jobs] == [("nightly", prices.SCHEDULER_JOB_MONTH.dollars)]


def test_vertex_takes_a_fee_for_each_run_and_a_kfp_endpoint_none() -> None:
    lines = estimate(evaluate(*read_stack(str(EXAMPLES / "Pulumi.vertex.yaml"))))
    assert [line.per_event for line in lines if line.what.startswith("Vertex")] == [prices.VERTEX_RUN.dollars]
    assert not [what for what in of_dev() if what.startswith("Vertex")]


def test_a_ledger_that_remembers_longer_costs_more() -> None:
    name, config = read_stack(str(EXAMPLES / "Pulumi.vertex.yaml"))
    longer = {**config, "event-triggered-pipelines:ledger_days": "365"}
    short, long = (total(estimate(evaluate(name, given)), 1_000_000) for given in (config, longer))
    assert long > short


def test_the_bill_is_what_stands_and_what_each_event_adds() -> None:
    lines = [Line("a", "x", 1.5, 0.001), Line("b", "y", 0, 0.002)]
    assert [total(lines, events) for events in (0, 1000)] == [pytest.approx(1.5), pytest.approx(4.5)]


def test_every_price_names_the_page_it_is_from() -> None:
    found = [price for price in vars(prices).values() if isinstance(price, prices.Price)]
    assert len(found) > 8
    assert all(price.page.startswith("cloud.google.com/") and price.page.endswith("/pricing") for price in found)


def test_scripts_get_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    stack = str(EXAMPLES / "Pulumi.vertex.yaml")
    show_cost(stack, Console(), as_json=True)
    answer = json.loads(capsys.readouterr().out)
    lines = estimate(evaluate(*read_stack(stack)))
    assert [(part["standing"], part["per_event"]) for part in answer["parts"]] == [
        (line.standing, line.per_event) for line in lines
    ]


def test_the_page_shows_what_the_command_prints() -> None:
    page = reference.COST.read_text()
    assert page == reference.write_page(page, reference.costs())
    assert all(f"{events:,} events" in page for events in VOLUMES)

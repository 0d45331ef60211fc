"""The triggers of a stack never ask an endpoint for more runs at once than it can serve in their patience."""

from __future__ import annotations

import json
from typing import Any

import pytest

from function_src.launcher.pace import POSTS_AT_ONCE
from infra.check import check_stack
from infra.configuration.settings import read_settings
from infra.errors import ConfigurationError
from tests.infra.configuration.test_settings import HOST, IAP, IN_VPC, refusal
from tests.plans import TRIGGERS, dev_config

DIRECT = {"target__host": "https://kfp.example.com", "target__access": "none"}


def stack(*triggers: dict[str, Any]) -> dict[str, str]:
    """A stack of triggers like dev's, with changes to each."""
    found = [json.loads(dev_config(name=f"t{number}", **each)[TRIGGERS])[0] for number, each in enumerate(triggers)]
    return {**dev_config(), TRIGGERS: json.dumps(found)}


def instances(count: int, **changes: Any) -> dict[str, Any]:
    return {"function__max_instances": count, **changes}


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        pytest.param({}, 150, id="hosted: half of what is served in the 60 s of the proxy's agent"),
        pytest.param(DIRECT, 375, id="direct: half of what is served in the launcher's 150 s"),
        pytest.param({**DIRECT, "function__timeout_seconds": 60}, 75, id="direct, with the patience of 30 s"),
        pytest.param({**DIRECT, "function__timeout_seconds": 540}, 375, id="a lease is 300 s whatever the time-out"),
        pytest.param(IAP, 75, id="behind a load balancer, whose backend service waits 30 s"),
        pytest.param({"target__client_qps": 50}, 1500, id="limits were raised"),
        pytest.param({"target__client_qps": 2}, 60, id="stacks share an endpoint"),
    ],
)
def test_an_endpoint_is_asked_for_no_more_than_it_can_serve(changes: dict[str, Any], most: int) -> None:
    fitting = most // POSTS_AT_ONCE
    assert read_settings("dev", stack(instances(fitting, **changes)))
    host = changes.get("target__host", f"https://{HOST}")
    assert refusal(stack(instances(fitting + 1, **changes))) == (
        f"{TRIGGERS}: t0 may ask {host} for {4 * (fitting + 1)} runs at once, and its server keeps up with {most} of "
        f"a stack; let function.max_instances be {fitting} in all, or, if CLIENTQPS of its ml-pipeline was raised, "
        "set target.client_qps to that"
    )


def test_a_way_out_leaves_every_trigger_an_instance_and_counts_what_one_asks_for() -> None:
    slow = {"target__client_qps": 1}
    assert "let 7 of them use it, each with function.max_instances: 1" in refusal(stack(*[instances(1, **slow)] * 8))
    assert "be 30 in all" in refusal(stack(instances(100, function__concurrency=1, **slow)))


def test_what_one_instance_may_ask_for_is_no_more_than_it_has_deliveries() -> None:
    assert read_settings("dev", stack(instances(150, function__concurrency=1)))
    assert "for 302 runs" in refusal(stack(instances(151, function__concurrency=2)))


def test_all_triggers_of_an_endpoint_count_together_and_those_of_another_do_not() -> None:
    assert read_settings("dev", stack({}, {}, {}))
    assert "t0, t1, t2, t3 may ask" in refusal(stack({}, {}, {}, {}))
    assert read_settings("dev", stack({}, {}, {}, IN_VPC))


def test_the_triggers_of_an_endpoint_are_bound_by_the_least_that_one_says_of_it() -> None:
    """Otherwise whoever raised a limit in one place would have it everywhere."""
    assert "keeps up with 150 of a stack" in refusal(stack(instances(30, target__client_qps=50), {}))


def test_vertex_ai_has_no_such_line() -> None:
    target = {
        "kind": "vertex",
        "pipeline_root": "gs://acme-runs/out",
        "service_account": "r@a.iam.gserviceaccount.com",
    }
    assert read_settings("dev", stack(instances(1000, target=target)))


READS = {"pipeline": "validate_csv", "parameters": {"csv_uri": "content.uri", "required_columns": {"value": []}}}
VERTEX = {
    "kind": "vertex",
    "pipeline_root": "gs://acme-runs/out",
    "service_account": "r@acme.iam.gserviceaccount.com",
}


@pytest.mark.parametrize(
    ("function", "limit", "target"),
    [({}, 1 << 20, {}), ({}, 1 << 20, VERTEX), ({"memory": "2Gi", "concurrency": 4}, 32 << 20, {})],
)
def test_files_that_fit_into_memory_may_be_read(function: dict[str, Any], limit: int, target: dict[str, Any]) -> None:
    changes = {f"function__{key}": value for key, value in function.items()}
    assert check_stack("dev", dev_config(**READS, content_limit=limit, **changes, **in_place_of(target)))


@pytest.mark.parametrize("target", [{}, VERTEX])
def test_files_that_may_not_fit_are_refused_with_what_they_take(target: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"memory: \d+ files of content_limit 33554432 may be read"):
        check_stack("dev", dev_config(**READS, content_limit=32 << 20, **in_place_of(target)))


PUBSUB = {"source": {"kind": "pubsub", "topic": "projects/acme-ml-dev/topics/orders"}}


@pytest.mark.parametrize("limit", [1 << 20, 8 << 20])
@pytest.mark.parametrize("target", [{}, VERTEX])
def test_messages_count_as_often_as_an_instance_takes_them_read_or_not(limit: int, target: dict[str, Any]) -> None:
    """They are in memory before anybody takes a turn; as they come by default they fit."""
    unread = dev_config(**PUBSUB, parameters={"filename": "message.id"}, content_limit=limit, **in_place_of(target))
    read = dev_config(**PUBSUB, parameters={"filename": "content.uri"}, content_limit=limit, **in_place_of(target))
    for config in (unread, read):
        if limit == 1 << 20:
            assert check_stack("dev", config)
        else:
            with pytest.raises(ConfigurationError, match="memory: 16 messages of content_limit 8388608 may be read"):
                check_stack("dev", config)


def test_a_trigger_that_reads_no_file_needs_no_memory_for_one() -> None:
    assert check_stack("dev", dev_config(content_limit=32 << 20))


def in_place_of(target: dict[str, Any]) -> dict[str, Any]:
    return {"target": target} if target else {}

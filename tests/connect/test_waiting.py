"""Waiting for a run ends: when it ends in whichever way, when the time is up, or when the endpoint refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kfp_server_api import ApiException, V2beta1Run
from starlette.responses import HTMLResponse

from kfp_connect import Client, ConnectError, Problem, connect
from kfp_connect.waiting import ENDED, wait_for_run
from rehearsal.loopback import Loopback
from rehearsal.runs.executor import Outcome
from tests.connect.conftest import Cloud
from tests.launcher.wire import RUNS, api_error, page

PACKAGE = {
    "pipelineInfo": {"name": "empty"},
    "root": {"dag": {"tasks": {}}},
    "schemaVersion": "2.1.0",
}


@dataclass
class Watch:
    """A run at the endpoint, and someone who waits for it in a time of their own. ``at`` are things to happen."""

    cloud: Cloud
    loopback: Loopback
    client: Client
    run_id: str
    now: float = 0.0

    def end(self, state: str) -> Callable[[], None]:
        run = self.cloud.endpoint._find_run(self.run_id)
        return lambda: self.loopback.call(run.end, Outcome(state))

    def wait(self, timeout: Any, happenings: dict[float, Callable[[], Any]] | None = None) -> Any:
        left, patience = sorted((happenings or {}).items()), iter(range(1000))

        def sleep(seconds: float) -> None:
            self.now += seconds
            assert next(patience, None) is not None, "it waits for ever"
            while left and left[0][0] <= self.now:
                left.pop(0)[1]()

        def get_run(seconds: float) -> Any:
            assert 1 <= seconds <= 60
            return self.client.get_run(self.run_id)

        return wait_for_run(get_run, timeout, 5, clock=lambda: self.now, sleep=sleep)


@pytest.fixture
def watch(cloud: Cloud, loopback: Loopback) -> Watch:
    client = connect(cloud.url, "key-file", key_file=cloud.key_file())
    body = {"display_name": "r", "pipeline_spec": PACKAGE}
    run = client._run_api.run_service_create_run(run=body)
    return Watch(cloud, loopback, client, run.run_id)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_it_ends_with_the_run_however_that_ends(watch: Watch, state: str) -> None:
    assert watch.wait(600, {12: watch.end(state)}).state == state
    assert watch.now == 15


def test_it_ends_when_somebody_terminates_the_run(watch: Watch) -> None:
    assert watch.wait(600, {7: lambda: watch.client.terminate_run(watch.run_id)}).state == "FAILED"


def test_it_is_over_at_once_when_the_run_is(watch: Watch) -> None:
    watch.end("FAILED")()
    assert watch.client.wait_for_run_completion(watch.run_id, timeout=600).state == "FAILED"


@pytest.mark.parametrize("timeout", [42, 42.0, timedelta(seconds=42)])
def test_it_ends_when_the_time_is_up(watch: Watch, timeout: Any) -> None:
    with pytest.raises(ConnectError, match=r"the run has not ended in 42 s: it is PENDING; wait for longer") as late:
        watch.wait(timeout)
    assert late.value.problem is Problem.NOT_ENDED
    assert isinstance(late.value, TimeoutError), "what kfp raises"
    assert watch.now == 42


def test_without_a_limit_it_lasts_as_long_as_the_run(watch: Watch) -> None:
    assert watch.wait(None, {600: watch.end("SUCCEEDED")}).state == "SUCCEEDED"
    assert watch.wait(timedelta.max).state == "SUCCEEDED"


def test_it_outlives_tokens(watch: Watch) -> None:
    expire = {100.0 * hour: watch.cloud.revoke_all for hour in range(1, 6)}
    assert watch.wait(3600, {**expire, 601: watch.end("SUCCEEDED")}).state == "SUCCEEDED"


def test_a_401_that_stays_ends_it(watch: Watch) -> None:
    refuse = [page(401)] * 2
    path = f"{RUNS}/{watch.run_id}"
    with pytest.raises(ConnectError) as failed:
        watch.wait(3600, {50: lambda: watch.cloud.hosted.fail("GET", path, *refuse)})
    assert failed.value.problem is Problem.UNAUTHORIZED
    assert watch.now == 50


def test_a_run_that_is_gone_ends_it(watch: Watch) -> None:
    with pytest.raises(ApiException, match="not found"):
        watch.wait(3600, {50: lambda: watch.client.delete_run(watch.run_id)})


def test_an_endpoint_that_is_away_for_a_while_does_not(watch: Watch) -> None:
    def fail() -> None:
        answers = (HTMLResponse("later", 503), api_error(500, 13), page(429), None, None)
        watch.cloud.hosted.fail("GET", f"{RUNS}/{watch.run_id}", *answers)

    assert watch.wait(3600, {10: fail, 60: watch.end("SUCCEEDED")}).state == "SUCCEEDED"


def test_an_endpoint_that_is_away_for_good_is_named_when_the_time_is_up(watch: Watch) -> None:
    def outage() -> None:
        watch.cloud.endpoint.outage = True

    with pytest.raises(TimeoutError, match="answered 503: it is not available"):
        watch.wait(60, {10: outage})


def test_what_kfp_returns_from_a_start_waits_the_same_way(watch: Watch) -> None:
    from kfp.client.client import RunPipelineResult

    watch.end("CANCELED")()
    run = watch.client.get_run(watch.run_id)
    assert RunPipelineResult(watch.client, run).wait_for_run_completion().state == "CANCELED"


States = st.sampled_from(
    ["PENDING", "RUNNING", "PAUSED", "CANCELING", "RUNTIME_STATE_UNSPECIFIED", *ENDED, None, 503]
)


@given(states=st.lists(States, min_size=1), timeout=st.floats(0, 200), pause=st.floats(0.5, 30))
def test_it_never_goes_on_after_an_end_or_the_limit(states: list[Any], timeout: float, pause: float) -> None:
    now, polls = [0.0], iter([*states, *["RUNNING"] * 1000])

    def get_run(_: float) -> V2beta1Run:
        state = next(polls)
        if state == 503:
            raise ApiException(status=503)
        return V2beta1Run(state=state)

    def sleep(seconds: float) -> None:
        now[0] += seconds

    first = next((place for place, state in enumerate(states) if state in ENDED), None)
    try:
        run = wait_for_run(get_run, timeout, pause, clock=lambda: now[0], sleep=sleep)
    except TimeoutError:
        assert now[0] >= timeout or now[0] == pytest.approx(timeout)
        assert first is None or first * pause >= timeout - pause
    else:
        assert first is not None
        assert run.state == states[first]
        assert now[0] <= timeout + 1e-6

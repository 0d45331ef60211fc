"""What is in doubt is said, counted and bounded: two POSTs for an event at most, and then a person decides."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from function_src.launcher import ledger
from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.pace import POSTS_AT_ONCE, Pace
from function_src.launcher.settings import KfpTarget
from tests.launcher.deliveries import OBJECT, push
from tests.launcher.wire import EXPERIMENTS, RUNS, api_error, page, shown
from tests.launcher.world import LEDGER, RUN_ID, RUN_PATH, World

KEY = "29618ab4d3b51d9f7e2a030ed46c5e19"
LOOK = f"kubectl get workflows --all-namespaces -l pipeline/runid={RUN_ID}"
AGAIN = f"it is started again only by: pipeline-trigger replay {KEY} --again --because REASON"
NOT_SURE = "a workflow that no run shows may be running, to be found by"
STORED = "Failed to create a run: Failed to store run echo to table: "
TAKEN = api_error(500, 13, f"{STORED}Error 1062 (23000): Duplicate entry '{RUN_ID}' for key 'PRIMARY'")
EMOJI = {**OBJECT, "name": "incoming/\U0001f600.csv"}

lost = pytest.mark.parametrize(
    "answer", [page(502), page(504), api_error(500, 13, "EOF"), api_error(503, 14), page(200), None], ids=shown
)


def in_doubt(world: World, answer: Response | None = None, times: int = 1) -> None:
    """So many attempts had a bad answer to their POSTs, and their leases ran out."""
    for _ in range(times):
        world.wire.fail("POST", RUNS, answer)
        assert world.outcomes(world.launcher(), push(OBJECT)) == ["retry"]
        world.time_passes()


def record(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.loopback.call(world.storage.get, LEDGER, f"outcomes/echo/{KEY}").body)
    return found


# --- two POSTs at most ---------------------------------------------------------------------------------------------


@lost
def test_after_two_posts_without_a_run_no_third_is_sent_and_the_event_is_doubtful(
    world: World, answer: Response | None
) -> None:
    in_doubt(world, answer, times=2)
    for _ in range(3):
        handled = world.handle(world.launcher(), push(OBJECT))
        assert (handled.outcome, handled.status, handled.reason) == ("doubtful", 503, AGAIN)
        assert handled.doubt == f"2 POSTs may have reached the endpoint, and there is no run; {NOT_SURE}: {LOOK}"
    assert world.posts == 2
    assert not [name for name in world.storage.buckets[LEDGER].objects if name.startswith("outcomes/")]


def test_what_is_doubtful_is_an_error_in_the_log_with_the_commands_to_look_and_to_start_it_again(
    world: World,
) -> None:
    in_doubt(world, times=2)
    handled = world.handle(world.launcher(), push(OBJECT))
    log = world.logs[-1]
    assert (log["severity"], log["outcome"], log["doubt"]) == ("ERROR", "doubtful", handled.doubt)
    assert log["message"].endswith(f"#1712345678901234: {handled.doubt}; {AGAIN}")


def test_a_doubtful_event_whose_run_turns_up_is_launched(world: World) -> None:
    world.wire.fail("POST", RUNS, page(504), served=True)
    world.wire.fail("GET", RUN_PATH, *[api_error(404, 5)] * 4)
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["retry"]
    world.time_passes()
    in_doubt(world)
    assert world.outcomes(world.launcher(), push(OBJECT), push(OBJECT), push(OBJECT)) == [
        "doubtful",
        "launched",
        "duplicate",
    ]
    assert record(world)["doubt"] == f"2 POSTs may have reached the endpoint; {NOT_SURE}: {LOOK}"


def test_a_second_post_is_counted_before_it_is_sent(world: World) -> None:
    """Whoever is killed between the two leaves a count that is too high, never one that is too low."""
    in_doubt(world)
    launcher = world.launcher()
    seen = []

    def killed(*_: object) -> str:
        seen.append(world.claims[KEY]["posts"])
        raise SystemExit

    with world.monkeypatch.context() as patch:
        patch.setattr(launcher._endpoint, "start", killed)
        with pytest.raises(SystemExit):
            launcher.handle(*push(OBJECT))
    assert seen == ["2"]
    world.capsys.readouterr()
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["doubtful"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (RUNS, page(403)),
        (RUNS, page(302)),
        (RUNS, api_error(429, 8)),
        (RUNS, api_error(500, 13, "Failed to create a workflow for (echo-): dial tcp: connection refused")),
        (EXPERIMENTS, page(503)),
    ],
    ids=["403", "302", "429", "Kubernetes not asked", "no experiment"],
)
def test_a_second_post_that_certainly_started_nothing_does_not_count(
    world: World, path: str, answer: Response
) -> None:
    in_doubt(world)
    for _ in range(3):
        world.wire.fail_for_good("GET" if path == EXPERIMENTS else "POST", path, answer)
        assert world.outcomes(world.launcher(), push(OBJECT)) == ["retry"]
        assert world.claims[KEY]["posts"] == "1"
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["launched"]


def test_a_second_post_that_cannot_be_counted_is_not_sent(world: World) -> None:
    in_doubt(world)
    launcher = world.launcher()
    uploads = f"/upload/storage/v1/b/{LEDGER}/o"
    well = JSONResponse({"generation": "1"})
    world.storage_wire.fail("POST", uploads, page(412), well, page(503))
    assert world.outcomes(launcher, push(OBJECT)) == ["retry"]
    assert world.posts == 1


def test_an_outage_of_the_endpoint_uses_no_posts_up(world: World) -> None:
    """A run is asked for before it is started again, and who does not answer that gets no POST."""
    in_doubt(world, page(503))
    for _ in range(5):
        world.wire.fail("GET", RUN_PATH, page(503))
        assert world.outcomes(world.launcher(), push(OBJECT)) == ["retry"]
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["launched"]
    assert world.posts == 2


def test_a_claim_of_an_older_launcher_allows_one_more_post(world: World) -> None:
    """A stack that stands has such claims when it is updated, and an outage leaves them with many attempts."""
    world.launcher()._ledger._write("claims", KEY, {"holder": "0", "attempt": "40", "event": "gs://b/n#1"}, "", "0")
    world.time_passes()
    in_doubt(world)
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["doubtful"]
    assert world.posts == 1


# --- nothing is silent ---------------------------------------------------------------------------------------------


def test_an_ordinary_launch_has_no_doubt(world: World) -> None:
    world.handle(world.launcher(), push(OBJECT))
    assert record(world)["doubt"] is None
    assert "doubt" not in world.logs[0]


def test_a_launch_by_a_second_post_says_that_the_first_may_have_left_a_workflow(world: World) -> None:
    in_doubt(world)
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.doubt) == (
        "launched",
        f"2 POSTs may have reached the endpoint; {NOT_SURE}: {LOOK}",
    )
    assert record(world)["doubt"] == handled.doubt
    assert (world.logs[-1]["severity"], world.logs[-1]["doubt"]) == ("WARNING", handled.doubt)
    listed = world.storage.buckets[LEDGER].objects[f"outcomes/echo/{KEY}"].resource()["metadata"]
    assert listed["doubt"] == handled.doubt, "where a listing finds it"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [({"filename": "content.file"}, "rejected"), ({"when": read_condition("object.size > `99`")}, "skipped")],
    ids=["rejected", "skipped"],
)
def test_what_is_decided_otherwise_after_a_doubt_says_so(world: World, change: dict[str, Any], outcome: str) -> None:
    """The pipeline or the trigger was changed meanwhile; what the first POST started works all the same."""
    delivery = world.upload(b"{}")
    world.wire.fail("POST", RUNS, None)
    assert world.outcomes(world.launcher(), delivery) == ["retry"]
    world.time_passes()
    handled = world.handle(world.launcher(**change), delivery)
    assert handled.outcome == outcome
    told = "a POST of an earlier attempt may have reached the endpoint, and there is no run"
    assert str(handled.doubt).startswith(f"{told}; {NOT_SURE}: kubectl get workflows")


def test_a_duplicate_of_a_launch_in_doubt_says_so_too(world: World) -> None:
    """Whoever launched it may have been killed between its record and its line of log."""
    in_doubt(world)
    launched, duplicate = (world.handle(world.launcher(), push(OBJECT)) for _ in range(2))
    assert (duplicate.outcome, duplicate.doubt) == ("duplicate", launched.doubt)
    assert (world.logs[-1]["severity"], world.logs[-1]["doubt"]) == ("WARNING", launched.doubt)


def test_a_run_that_its_only_post_had_started_is_no_doubt(world: World) -> None:
    world.wire.fail("POST", RUNS, None, served=True)
    world.wire.fail("GET", RUN_PATH, page(503))
    world.outcomes(world.launcher(), push(OBJECT))
    world.time_passes()
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.found, handled.doubt) == ("launched", True, None)


def test_a_run_that_was_there_before_its_post_is_said_to_have_two_workflows(world: World) -> None:
    world.wire.fail("POST", RUNS, TAKEN, served=True)
    handled = world.handle(world.launcher(), push(OBJECT))
    assert handled.outcome == "launched"
    told = "the run was there already, and the endpoint started another workflow for it"
    assert handled.doubt == f"{told}; {NOT_SURE}: {LOOK}"


@pytest.mark.parametrize("error", ["Error 1366 (HY000): Incorrect string value", "Error 1406: Data too long"])
def test_what_the_server_cannot_store_is_rejected_after_one_post(world: World, error: str) -> None:
    """433 workflows for 12 events, when each attempt sent another."""
    world.wire.fail("POST", RUNS, api_error(500, 13, STORED + error))
    handled = world.handle(world.launcher(), push(OBJECT))
    assert (handled.outcome, handled.status) == ("rejected", 200)
    assert handled.doubt == f"the endpoint started a workflow and cannot store its run; {NOT_SURE}: {LOOK}"
    assert error in str(record(world)["reason"])
    assert record(world)["doubt"] == handled.doubt
    world.time_passes()
    assert world.outcomes(world.launcher(), push(OBJECT)) == ["duplicate"]
    assert world.posts == 1


def test_that_is_recorded_however_late_it_comes(world: World) -> None:
    """A rejection that comes late is not, else: but this one would be sent again, and start another workflow."""
    launcher = world.launcher()
    world.wire.fail("POST", RUNS, api_error(500, 13, f"{STORED}Error 1366"))
    start = launcher._endpoint.start

    def slow(*given: Any) -> str:
        try:
            return start(*given)
        finally:
            world.monkeypatch.setattr(ledger, "SHARE_TO_SEND_IN", 0)

    world.monkeypatch.setattr(launcher._endpoint, "start", slow)
    assert world.outcomes(launcher, push(OBJECT)) == ["rejected"]


def test_a_name_that_a_stock_server_cannot_store_is_rejected_where_it_is_a_value_and_no_matter_where_not(
    world: World,
) -> None:
    assert world.outcomes(world.launcher(), push(EMOJI)) == ["rejected"]
    assert world.posts == 0
    assert world.outcomes(world.launcher({"value": "a"}), push({**EMOJI, "generation": "7"})) == ["launched"]


# --- what the endpoint may have forgotten --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "retention", "outcome"), [(9, 7, "doubtful"), (5, 7, "launched"), (900, None, "launched")]
)
def test_that_there_is_no_run_says_nothing_of_an_event_older_than_runs_are_kept(
    world: World, days: int, retention: int | None, outcome: str
) -> None:
    first = (datetime.now(UTC) - timedelta(days=days, hours=1)).isoformat()
    claim = {"holder": "0", "attempt": "2", "posts": "1", "first": first, "event": "gs://b/n#1"}
    world.launcher()._ledger._write("claims", KEY, claim, "", "0")
    world.time_passes()
    target = KfpTarget(world.host, "access-token", "gcs-triggered", runs_retention_days=retention)
    handled = world.handle(world.launcher(target=target), push(OBJECT))
    assert handled.outcome == outcome
    if outcome == "doubtful":
        assert "its run may have been deleted since: a POST of it is 9 days old" in str(handled.doubt)


# --- in turn -------------------------------------------------------------------------------------------------------


def test_a_delivery_that_finds_no_turn_in_time_costs_no_claim(world: World) -> None:
    launcher = world.launcher()
    world.monkeypatch.setattr(Pace, "for_a_turn", 0.0)
    with ExitStack() as others:
        for _ in range(POSTS_AT_ONCE):
            others.enter_context(launcher._turns.take(1))
        handled = world.handle(launcher, push(OBJECT))
        assert (handled.outcome, handled.status) == ("retry", 503)
        assert handled.reason == "4 runs are being asked for; this one had no turn yet"
        assert (world.claims, world.wire.seen, world.storage_wire.seen) == ({}, [], [])
    assert world.outcomes(launcher, push(OBJECT)) == ["launched"]


def test_an_attempt_that_waited_too_long_asks_for_nothing_and_gives_its_claim_back(world: World) -> None:
    """Its time is for the answer: a POST that is given up may leave a workflow that no run shows."""
    with world.monkeypatch.context() as patch:
        patch.setattr(Pace, "to_send_in", 0.0)
        assert world.outcomes(world.launcher(), push(OBJECT)) == ["retry"]
    assert (world.posts, world.claims) == (0, {})


@lost
def test_after_a_doubt_a_process_looks_whether_the_server_is_well_before_it_asks_for_another_run(
    world: World, answer: Response | None
) -> None:
    launcher = world.launcher()
    world.wire.fail("POST", RUNS, answer)
    assert world.outcomes(launcher, push(OBJECT)) == ["retry"]
    other = world.upload()
    world.wire.seen.clear()
    world.outcomes(launcher, other)
    assert [seen.method for seen in world.wire.seen] == ["GET", "POST"]
    world.wire.seen.clear()
    world.outcomes(launcher, world.upload())
    assert [seen.method for seen in world.wire.seen] == ["POST"], "it started one"


def test_a_server_that_is_not_well_is_asked_for_no_other_run(world: World) -> None:
    """Of a dead database, say: each event in turn would leave it a workflow that it cannot store."""
    launcher = world.launcher()
    world.wire.fail("POST", RUNS, api_error(500, 13, "invalid connection"))
    world.outcomes(launcher, push(OBJECT))
    other = world.upload()
    with world.monkeypatch.context() as patch:
        patch.setattr(launcher._endpoint, "_call", lambda *_, **__: (500, {"code": 13, "message": "invalid"}))
        assert world.outcomes(launcher, other) == ["retry"]
    assert world.posts == 1
    assert list(world.claims) == [KEY], "the other gave its own back"
    assert world.outcomes(launcher, other) == ["launched"]


def test_a_process_does_not_ask_for_more_runs_at_once_than_it_may(world: World) -> None:
    launcher, most, now = world.launcher(), 0, 0
    start = launcher._endpoint.start

    def counted(*given: Any) -> str:
        nonlocal most, now
        now += 1
        most = max(most, now)
        try:
            return start(*given)
        finally:
            now -= 1

    world.monkeypatch.setattr(launcher._endpoint, "start", counted)
    deliveries = [push({**OBJECT, "generation": str(number)}) for number in range(40)]
    with ThreadPoolExecutor(16) as pool:
        handled = list(pool.map(lambda delivery: launcher.handle(*delivery), deliveries))
    assert {each.outcome for each in handled} == {"launched"}
    assert most <= POSTS_AT_ONCE

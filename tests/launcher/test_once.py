"""Of several events with one value of `once_per` one is launched, and each has an outcome of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from function_src.launcher.credentials import AccessTokens
from function_src.launcher.event import AGAIN, BECAUSE
from function_src.launcher.launch import Launcher
from function_src.launcher.ledger import ClaimedError
from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.expression import UnmappableError, read_expression
from function_src.launcher.once import Once, TakenError, hash_of, value_of
from function_src.launcher.storage import storage_api
from tests.launcher.deliveries import as_json
from tests.launcher.wire import RUNS, api_error
from tests.launcher.world import LEDGER, World

FIRST, SECOND = "incoming/a.json", "incoming/b.json"
SAME = "{} has the same value of once_per, and was launched"


def launcher(world: World, text: str = "content.order", **changes: Any) -> Launcher:
    return world.launcher("content.file", once_per=read_expression("once_per", text), **changes)


def order(number: Any, file: str = "f") -> bytes:
    return as_json({"order": number, "file": file})


def records(world: World) -> list[Mapping[str, Any]]:
    stored = world.storage.buckets[LEDGER].objects
    return [json.loads(stored[name].body) for name in stored if name.startswith("outcomes/")]


def once(world: World, within: timedelta | None = None) -> Once:
    return Once(storage_api(AccessTokens(), 5), LEDGER, "echo", within)


def test_of_two_files_with_one_order_one_is_launched_and_the_other_says_which(world: World) -> None:
    first, second = world.upload(order(17), FIRST), world.upload(order(17), SECOND)
    assert world.outcomes(launcher(world), first, second, second, first) == [
        *("launched", "skipped"),
        *("duplicate", "duplicate"),
    ]
    assert len(world.started) == 1
    assert ["run_id" in line for line in world.logs] == [True, False, False, True]
    subject = next(record["event"] for record in records(world) if record["outcome"] == "launched")
    assert [record["reason"] for record in records(world) if record["outcome"] == "skipped"] == [SAME.format(subject)]


def test_a_file_that_is_written_again_is_the_same_order(world: World) -> None:
    assert world.outcomes(launcher(world), world.upload(order(17))) == ["launched"]
    assert world.outcomes(launcher(world), world.upload(order(17))) == ["skipped"]


def test_other_orders_are_launched(world: World) -> None:
    for number in (17, "17", 18, [17], {"17": 17}, True):
        assert world.outcomes(launcher(world), world.upload(order(number))) == ["launched"]


def test_keys_and_run_ids_are_those_that_the_events_have_without_it(world: World) -> None:
    delivery = world.upload(order(17))
    handled = world.handle(launcher(world), delivery)
    again = world.handle(world.launcher("content.file"), delivery)
    assert (again.outcome, again.key, again.run_id) == ("duplicate", handled.key, handled.run_id)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        pytest.param(as_json({"order": 17, "file": "f", "open": True}), "skipped", id="when says no"),
        pytest.param(as_json({"order": 17}), "rejected", id="no parameter"),
        pytest.param(b'{"order": 17, ', "rejected", id="half-written"),
    ],
)
def test_what_is_not_launched_has_no_value_so_that_it_can_come_mended(
    world: World, body: bytes, outcome: str
) -> None:
    when = read_condition("!not_null(content.open, `false`)")
    bad, good = world.upload(body, FIRST), world.upload(order(17), SECOND)
    assert world.outcomes(launcher(world, when=when), bad, good) == [outcome, "launched"]


def test_what_the_endpoint_refuses_gives_its_value_up(world: World) -> None:
    world.wire.fail("POST", RUNS, api_error(400, 3, "bad"))
    deliveries = world.upload(order(17), FIRST), world.upload(order(17), SECOND)
    assert world.outcomes(launcher(world), *deliveries) == ["rejected", "launched"]


def test_while_nobody_knows_what_became_of_one_the_other_waits(world: World) -> None:
    first, second = world.upload(order(17), FIRST), world.upload(order(17), SECOND)
    world.wire.fail("POST", RUNS, api_error(503, 14))
    assert world.outcomes(launcher(world), first, second) == ["retry", "retry"]
    assert str(world.logs[-1]["reason"]).endswith("has the same value of once_per, and no outcome yet")
    world.time_passes()
    assert world.outcomes(launcher(world), first, second) == ["launched", "skipped"]
    assert len(set(world.started)) == 1


@pytest.mark.parametrize("body", [as_json({"file": "f"}), as_json({"file": "f", "order": None})])
def test_an_event_without_a_value_is_rejected(world: World, body: bytes) -> None:
    handled = world.handle(launcher(world), world.upload(body))
    assert (handled.outcome, handled.reason) == ("rejected", "once_per gives nothing (null) for this event")


def test_one_more_run_can_be_asked_for_all_the_same(world: World) -> None:
    first, (headers, body) = world.upload(order(17), FIRST), world.upload(order(17), SECOND)
    assert world.outcomes(launcher(world), first, (headers, body)) == ["launched", "skipped"]
    asked = json.loads(body)
    asked["message"]["attributes"] |= {AGAIN: "1", BECAUSE: "the data was wrong"}
    assert world.outcomes(launcher(world), (headers, as_json(asked))) == ["launched"]


def test_a_value_may_be_of_the_object_alone_and_its_file_is_not_read(world: World) -> None:
    by_checksum = world.launcher("object.uri", once_per=read_expression("once_per", "object.md5_hash"))
    deliveries = [world.upload(b"same", name) for name in (FIRST, SECOND)]
    assert world.outcomes(by_checksum, *deliveries) == ["launched", "skipped"]
    assert world.reads() == []


def test_a_trigger_without_it_asks_for_nothing_more(world: World) -> None:
    world.handle(world.launcher(), world.upload())
    assert [name for name in world.storage.buckets[LEDGER].objects if name.startswith("once/")] == []


def test_together_they_start_one_run(world: World) -> None:
    deliveries = [world.upload(order(17), f"incoming/{number}") for number in range(8)]
    launchers = [launcher(world) for _ in deliveries]
    with ThreadPoolExecutor(8) as pool:
        handled = list(pool.map(lambda pair: pair[0].handle(*pair[1]), zip(launchers, deliveries, strict=True)))
    assert {delivery.outcome for delivery in handled} <= {"launched", "skipped", "retry"}
    assert len(world.started) == 1


# --- who has a value -----------------------------------------------------------------------------------------------


def test_after_a_time_a_value_is_anybodys_again_and_again_one_has_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(world).take(17, "k1", "gs://b/1#1")
    monkeypatch.setattr(Once, "outcome", lambda *_: {"outcome": "launched"})
    with pytest.raises(TakenError, match=r"^gs://b/1#1 has the same value of once_per, and was launched$"):
        once(world, timedelta(days=1)).take(17, "k2", "gs://b/2#1")
    once(world, timedelta(seconds=-10)).take(17, "k2", "gs://b/2#1")
    with pytest.raises(TakenError, match=r"^gs://b/2#1"):
        once(world, timedelta(days=1)).take(17, "k1", "gs://b/1#1")


def test_an_event_that_is_replayed_keeps_its_value_from_who_has_seen_it_rejected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would be launched if it did not write its value anew: the other has read that it was rejected."""
    mine, others = once(world), once(world)
    mine.take(17, "k1", "gs://b/1#1")

    def rejected_and_then_replayed(_: str) -> Mapping[str, Any]:
        mine.take(17, "k1", "gs://b/1#1")
        return {"outcome": "rejected"}

    monkeypatch.setattr(others, "outcome", rejected_and_then_replayed)
    with pytest.raises(ClaimedError, match="another event has just taken the same value"):
        others.take(17, "k2", "gs://b/2#1")


@pytest.mark.parametrize(
    ("one", "other", "same"), [(7, 7.0, True), (7, "7", False), (1, True, False), ([1], [1], True)]
)
def test_what_is_one_value(one: Any, other: Any, same: bool) -> None:
    assert (hash_of(one) == hash_of(other)) is same


def test_a_map_is_the_same_in_any_order() -> None:
    assert hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})


def test_what_json_cannot_hold_is_no_value() -> None:
    with pytest.raises(UnmappableError, match=r"^once_per gives what JSON cannot hold$"):
        value_of(read_expression("once_per", "content.x"), {"content": {"x": 1e999}, "lines": []})

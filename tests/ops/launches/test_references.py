"""Whatever the launcher or `launches` itself printed of an event names it."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest

from ops.launches.words import read_day, read_reference
from tests.ops.launches.conftest import BUCKET, OUTPUTS, TOPIC, Desk

KEY = "0123456789abcdef0123456789abcdef"
RUN = "8f47d608-93d8-5121-9bb3-07fcb97b53cc"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("gs://b/incoming/a: 1.csv#1795358844171391", "gs://b/incoming/a: 1.csv#1795358844171391"),
        (f"  {KEY}\n", KEY),
        (json.dumps({"severity": "INFO", "event": "gs://b/a#1", "key": KEY}), KEY),
        (json.dumps({"insertId": "x", "jsonPayload": {"key": KEY}}), KEY),
        (json.dumps([{"insertId": "x", "jsonPayload": {"key": KEY}}], indent=2), KEY),
        ("launched: gs://b/a: 1.csv#1795358844171391", "gs://b/a: 1.csv#1795358844171391"),
        ("retry: gs://b/a#1: 2#1795358844171391: the endpoint answered 503: down", "gs://b/a#1: 2#1795358844171391"),
        ("rejected: pubsub:17: the object is gone", "pubsub:17"),
        ("doubtful: gs://b/a#1795358844171391: two POSTs", "gs://b/a#1795358844171391"),
        ("skipped: log:projects/p/logs/x%2Fy#ab1", "log:projects/p/logs/x%2Fy#ab1"),
        (f"https://1234-dot-us-central1.pipelines.googleusercontent.com/#/runs/details/{RUN}", RUN),
        (
            f"https://console.cloud.google.com/vertex-ai/locations/x/pipelines/runs/echo-{KEY}?project=acme",
            f"echo-{KEY}",
        ),
        (
            "https://console.cloud.google.com/storage/browser/_details/b/in/a%20%231.csv?project=p",
            "gs://b/in/a #1.csv",
        ),
        ("https://console.cloud.google.com/storage/browser/_details/b/a;tab=live_object", "gs://b/a"),
        (f"https://console.cloud.google.com/logs/query;query=a%20jsonPayload.key%3D%22{KEY}%22%20b?project=p", KEY),
        ("1795358844171391", "1795358844171391"),
        ('{"no": "key"}', '{"no": "key"}'),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_pasted_is_read_down_to_what_names_the_event(text: str, named: str) -> None:
    assert read_reference(text) == named


@pytest.mark.parametrize("outcome", ["launched", "rejected", "retry"])
def test_every_page_that_show_links_to_and_every_line_of_the_log_names_the_event(desk: Desk, outcome: str) -> None:
    event = desk.upload("a #1: b.json")
    desk.kfp.outage = outcome == "retry"
    assert desk.deliver(desk.launcher("content.file") if outcome == "rejected" else None) == [outcome]
    [shown] = desk.json("launches", "show", event)
    [entry] = desk.log.entries
    pasted = [*shown["links"].values(), json.dumps(entry), json.dumps(entry["jsonPayload"])]
    pasted.append(entry["jsonPayload"]["message"])
    assert len(pasted) == (6 if outcome == "launched" else 5)
    for text in pasted:
        assert [found["event"] for found in desk.json("launches", "show", text)] == [event], text


@pytest.mark.parametrize("launcher", ["object.uri", "content.file"])
def test_the_id_of_the_message_names_the_event(desk: Desk, launcher: str) -> None:
    event = desk.upload()
    [message] = desk.loopback.call(list, desk.inbox.kept)
    desk.deliver(desk.launcher(launcher))
    assert [found["event"] for found in desk.json("launches", "show", message.id)] == [event]


def test_the_id_of_a_dead_letter_names_the_event(desk: Desk) -> None:
    event = desk.upload()
    desk.dead_letter()
    [letter] = desk.dead_letters
    assert [found["event"] for found in desk.json("launches", "show", letter.id)] == [event]


@pytest.mark.parametrize("name", ["echo-bucket/incoming/a.json", "gs://echo-bucket/incoming/a.json"])
def test_the_name_of_the_output_stands_for_the_trigger_bucket(desk: Desk, name: str) -> None:
    event = desk.upload()
    desk.deliver()
    assert [found["event"] for found in desk.json("launches", "show", name)] == [event]


def test_a_trigger_bucket_that_is_called_like_an_output_is_itself(desk: Desk) -> None:
    desk.stands(echo={}, other={"source": {"kind": "gcs", "bucket": "echo-bucket", "prefix": "x/"}})
    [told] = desk.json("launches", "show", "gs://echo-bucket/incoming/a.json")
    assert (told["trigger"], told["why"]) == ("other", "its name does not begin with x/")


@pytest.mark.parametrize("name", ["echo-bucket", f"gs://{BUCKET}", f"gs://{BUCKET}/"])
def test_a_bucket_alone_names_no_event(desk: Desk, name: str) -> None:
    refusal = desk.refusal("launches", "show", name)
    assert f"is a bucket; name a file in it, gs://{BUCKET}/NAME" in refusal
    assert "pipeline-trigger launches list --trigger echo lists its events" in refusal


@pytest.mark.parametrize("name", ["", " ", KEY, RUN, "999", "pubsub:999", f"https://host/#/runs/details/{RUN}"])
def test_what_names_nothing_is_said_to(desk: Desk, name: str) -> None:
    desk.loopback.call(desk.pubsub.publish, TOPIC, b"not JSON", {})
    desk.deliver()
    refusal = desk.refusal("launches", "show", name)
    assert "neither the ledger, the dead letters nor the trigger buckets of stack dev know" in refusal
    assert "pipeline-trigger launches list shows what is known" in refusal


def test_a_file_that_is_missing_can_be_named_by_its_key(desk: Desk) -> None:
    event = desk.upload()
    desk.loopback.call(desk.inbox.kept.clear)
    [missing] = desk.json("launches", "missing")
    assert [found["event"] for found in desk.json("launches", "show", missing["key"])] == [event]


def test_a_key_is_looked_up_and_the_ledger_is_not_listed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger may hold millions of records."""
    for number in range(3):
        desk.upload(f"{number}.json")
    desk.deliver()
    key = desk.json("launches", "list")[1]["key"]
    listed: list[int] = []
    whole = desk.storage.listing

    def listing(*arguments: str) -> object:
        found = whole(*arguments)
        listed.append(len(found))
        return found

    monkeypatch.setattr(desk.storage, "listing", listing)
    [shown] = desk.json("launches", "show", key)
    assert (shown["key"], max(listed)) == (key, 1)


def test_one_trigger_is_looked_through_if_one_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    source = OUTPUTS["triggers"]["echo"]["source"]
    desk.stands(echo={}, other={"source": {**source, "prefix": "other/"}}, third={"source": source})
    event = desk.upload()
    desk.deliver()
    listed: list[str] = []
    whole = desk.storage.listing

    def listing(bucket: str, prefix: str, *arguments: str) -> object:
        listed.append(prefix.split("/")[1])
        return whole(bucket, prefix, *arguments)

    monkeypatch.setattr(desk.storage, "listing", listing)
    assert len(desk.json("launches", "show", event, "--trigger", "echo")) == 1
    assert {*listed} == {"echo"}
    [told] = desk.json("launches", "show", event, "--trigger", "other")
    assert (told["trigger"], told["why"]) == ("other", "its name does not begin with other/")


def test_show_can_be_of_one_day(desk: Desk) -> None:
    """A file that is written anew each day has an event each day."""
    first, second = desk.upload(), desk.upload()
    desk.deliver()
    name = first.partition("#")[0]
    outcomes = [desk.storage.buckets["launch-ledger"].objects[place] for place in places(desk)]
    yesterday = int((datetime.now().astimezone() - timedelta(days=1)).timestamp() * 1_000_000)
    object.__setattr__(outcomes[0], "updated", yesterday)
    days = [{one["event"] for one in desk.json("launches", "show", name, "--day", day)} for day in DAYS]
    assert [len(events) for events in days] == [1, 1]
    assert days[0] | days[1] == {first, second}
    assert {one["event"] for one in desk.json("launches", "list", "--day", "today")} == days[0]
    assert {one["event"] for one in desk.json("launches", "show", name, "--since", "1h")} == days[0]
    assert desk.run("launches", "show", name, "--day", "2020-01-01") == "no such events\n"


DAYS = ("today", "yesterday")


def places(desk: Desk) -> list[str]:
    return [place for place in desk.storage.buckets["launch-ledger"].objects if place.startswith("outcomes/")]


@pytest.mark.parametrize("text", ["", "24h", "2026-13-01", "the day before"])
def test_a_day_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="write today, yesterday or a date such as 2026-11-01"):
        read_day(text)


def test_a_day_is_one_of_the_users_calendar() -> None:
    assert read_day("2026-11-01") == date(2026, 11, 1)
    assert read_day("today") - read_day("yesterday") == timedelta(days=1)

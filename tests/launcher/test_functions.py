"""What expressions can call beside JMESPath's own functions."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath import functions

from function_src.launcher.mapping.expression import BadMappingError, UnmappableError, evaluate, read_expression
from function_src.launcher.mapping.functions import BadArgumentError, Functions
from rehearsal.program import ROOT
from tests.launcher.test_documented_events import examples

EXAMPLE = re.compile(
    r"^\| `[a-z].*?` \|.*\| `(?P<expression>[^`|]+\([^`|]*)` \| `(?P<value>[^`]+)` \|$", re.MULTILINE
)
CALL = Functions().call_function


def value(expression: str, document: dict[str, Any] | None = None) -> Any:
    return evaluate("p", read_expression("p", expression), document or {})


def documented() -> list[tuple[str, str]]:
    section = (ROOT / "docs" / "configuration.md").read_text().partition("### Functions")[2].partition("\n## ")[0]
    return [(found["expression"], found["value"]) for found in EXAMPLE.finditer(section)]


@pytest.mark.parametrize(("expression", "shown"), documented())
def test_an_example_of_the_docs_gives_what_they_say(expression: str, shown: str) -> None:
    _, document = examples()["gcs"]
    assert value(expression, document) == json.loads(shown)


def test_each_function_has_an_example() -> None:
    own = {name for name in Functions.FUNCTION_TABLE if name not in functions.Functions.FUNCTION_TABLE}
    called = {name for expression, _ in documented() for name in re.findall(r"(\w+)\(", expression)}
    assert own - called == {"find_last", "lower"}, "which share a line with another"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("lower('ÄB')", "äb"),
        ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("split('ab', '')", ["a", "b"]),
        ("replace('aaa', 'a', '')", ""),
        ("find_first('abcb', 'b')", 1),
        ("find_last('abcb', 'b')", 3),
        ("find_first('abc', 'x')", None),
        ("find_first('abc', '')", None),
        ("format_time('2026-03-29T00:30:00Z', '%H:%M', 'Europe/Amsterdam')", "01:30"),
        ("format_time('2026-03-29T01:30:00Z', '%H:%M', 'Europe/Amsterdam')", "03:30"),  # the clocks went forward
        ("format_time('2026-01-01T00:30:00+02:00', '%Y%m%d', 'UTC')", "20251231"),
        ("format_time('2026-11-22T02:00:09.987654321Z', '%S', 'UTC')", "09"),
        ("format_time('2026-11-22T02:00:09Z', '100%% on %j', 'UTC')", "100% on 326"),
        # A day later is at the same hour though that day has 23 hours; 24 hours later are 24 hours later.
        ("add_time('2026-03-28T12:00:00+01:00', '1d', 'Europe/Amsterdam')", "2026-03-29T12:00:00+02:00"),
        ("add_time('2026-03-28T12:00:00+01:00', '24h', 'Europe/Amsterdam')", "2026-03-29T13:00:00+02:00"),
        ("add_time('2026-03-28T02:30:00+01:00', '1d', 'Europe/Amsterdam')", "2026-03-29T03:30:00+02:00"),
        ("add_time('2026-10-26T02:30:00+01:00', '-1d', 'Europe/Amsterdam')", "2026-10-25T02:30:00+02:00"),
        # In the hour that comes twice it stays which of the two it is.
        ("add_time('2026-10-25T00:30:00Z', '1h', 'Europe/Amsterdam')", "2026-10-25T02:30:00+01:00"),
        ("add_time('2026-10-25T01:30:00Z', '1h', 'Europe/Amsterdam')", "2026-10-25T03:30:00+01:00"),
        ("add_time('2026-11-22T00:00:00Z', '-1w2d3h4m5s', 'UTC')", "2026-11-12T20:55:55+00:00"),
        ("parse_json('[1, {\"a\": null}]')[1].a", None),
        ("parse_json('\"a\"')", "a"),
    ],
)
def test_a_function_gives(expression: str, wanted: Any) -> None:
    assert value(expression) == wanted


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("format_time(event.time, '%Q', 'UTC')", "format_time() has no %Q; it has %%, %F, %G, %H"),
        ("format_time(event.time, '%', 'UTC')", "format_time() has no %; it has"),
        ("format_time(event.time, '%Y', 'Europe/Atlantis')", "takes a zone such as 'UTC'"),
        ("format_time(event.time, '%Y', '../../etc/passwd')", "takes a zone such as 'UTC'"),
        ("format_time('yesterday', '%Y', 'UTC')", "format_time() takes a time such as"),
        ("format_time('2026-11-22', '%Y', 'UTC')", "format_time() takes a time such as"),
        ("add_time(event.time, '1 day', 'UTC')", "add_time() takes a duration such as '-1d'"),
        ("add_time(event.time, '1mo', 'UTC')", "add_time() takes a duration"),
        ("add_time(event.time, '-999999d', 'UTC')", "add_time() leaves the years 1 to 9999"),
        ("add_time(event.time, '1d')", "add_time() takes 3 arguments, not 2"),
        ("strftime(event.time)", "there is no function strftime(); did you mean format_time()?"),
        ("toLower(object.name)", "did you mean lower()?"),
    ],
)
def test_what_is_wrong_whatever_the_event_is_refused_before_there_is_one(expression: str, problem: str) -> None:
    with pytest.raises(BadMappingError) as refused:
        read_expression("p", expression)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("parse_json(content)", "parse_json() was given text that is no JSON"),
        ("format_time(content, '%Y', 'UTC')", "format_time() takes a time such as 2026-11-22T10:00:00Z"),
        ("add_time('2026-11-22T00:00:00Z', content, 'UTC')", "add_time() takes a duration"),
        ("format_time(years, '%Y', 'America/Lima')", "times of the years 1 to 9999"),
        ("split(length(content), 'a')", "split() takes text, not a number"),
    ],
)
def test_an_event_on_which_a_function_fails_is_refused_without_its_values(expression: str, problem: str) -> None:
    with pytest.raises(UnmappableError) as refused:
        value(expression, {"content": "secret {", "years": "0001-01-01T00:00:00Z"})
    assert problem in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("replace", ["a" * 2000, "a", "b" * 2000]),
        ("replace", ["a" * 2000, "", "b" * 2000]),
        ("split", ["a" * 100_001, ""]),
        ("split", ["a," * 100_001, ","]),
        ("parse_json", ["NaN"]),
        ("format_time", ["2026-11-22T10:00:00Z", "\ud800", "UTC"]),
    ],
)
def test_what_would_take_too_much_memory_or_is_none_is_refused(name: str, arguments: list[str]) -> None:
    with pytest.raises(BadArgumentError):
        CALL(name, arguments)


def test_a_long_text_may_be_changed_without_becoming_longer() -> None:
    assert CALL("replace", ["a" * 2_000_000, "a", "b"]) == "b" * 2_000_000


def test_json_that_would_take_too_much_memory_is_not_parsed() -> None:
    with pytest.raises(BadArgumentError):
        CALL("parse_json", [f"[{'0,' * 100_001}0]"])
    assert CALL("parse_json", [f"[{'0,' * 9}0]"]) == [0] * 10


ZONES = st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"])
MOMENTS = st.integers(-30_000_000_000, 200_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(moment=MOMENTS, zone=ZONES, hours=st.integers(-5000, 5000))
def test_hours_later_are_hours_later_in_any_zone(moment: datetime, zone: str, hours: int) -> None:
    duration = f"{'-' * (hours < 0)}{abs(hours)}h"
    later = datetime.fromisoformat(CALL("add_time", [moment.isoformat(), duration, zone]))
    assert later - moment == timedelta(hours=hours)


@given(moment=MOMENTS, zone=ZONES, days=st.integers(0, 400))
def test_days_later_are_on_that_date_by_the_zone_s_clocks(moment: datetime, zone: str, days: int) -> None:
    wanted = (moment.astimezone(ZoneInfo(zone)) + timedelta(days=days)).date()
    later = CALL("add_time", [moment.isoformat(), f"{days}d", zone])
    found = datetime.fromisoformat(later).astimezone(ZoneInfo(zone)).date()
    assert found - wanted in (timedelta(0), timedelta(days=1)), "the next where the clocks leave the hour out"
    assert CALL("format_time", [later, "%F", zone]) == str(found)


@given(name=st.sampled_from(sorted(Functions.FUNCTION_TABLE)), texts=st.lists(st.text(), min_size=3, max_size=3))
def test_no_text_makes_a_function_fail_in_words_of_python(name: str, texts: list[str]) -> None:
    if name in functions.Functions.FUNCTION_TABLE:
        return
    try:
        CALL(name, texts[: len(Functions.FUNCTION_TABLE[name]["signature"])])
    except BadArgumentError:
        return

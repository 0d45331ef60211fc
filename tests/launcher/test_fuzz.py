"""What names and functions give is what the docs say, however odd the text: against slow programs written from those.

`python -m tests.launcher.fuzz --cases 100000 --seed 1` plays more of it, and shows how much is done for longer names.
"""

import json
import unicodedata
from random import Random

import pytest

from tests.launcher.fuzz import cases, globs, texts, times
from tests.launcher.fuzz.compare import REFUSED, disagreements, documented_for, given_for
from tests.launcher.fuzz.steps import HOSTILE, name_of, steps

MANY = {"glob": 3000}  # of the others 500


@pytest.mark.parametrize("kind", cases.KINDS)
def test_what_is_given_is_what_the_docs_say(kind: str) -> None:
    assert list(disagreements(kind, MANY.get(kind, 500), seed=1)) == []


@pytest.mark.parametrize("kind", cases.KINDS)
def test_the_cases_are_no_matter_of_course(kind: str) -> None:
    """Many have a value, and not always the same one."""
    random = Random(1)
    said = {documented_for(kind, cases.KINDS[kind](random)) for _ in range(500)}
    assert len(said - {REFUSED, "None"}) >= (5 if kind.startswith("find") else 50)


@pytest.mark.parametrize(("glob", "letters"), HOSTILE.items())
def test_twice_the_name_is_twice_the_work(glob: str, letters: str) -> None:
    counts = [steps(glob, name_of(letters, length)) for length in (250, 500, 1000)]
    assert counts[0] >= 250
    assert counts[2] - counts[1] <= 2.1 * (counts[1] - counts[0]), "each letter more costs what the others do"


# --- what the slow programs found ---------------------------------------------------------------------------------


@pytest.mark.parametrize("control", "\x1c\x1d\x1e\x1f")
def test_trim_leaves_what_is_no_white_space_to_unicode(control: str) -> None:
    assert given_for("trim", (f" {control}a\u3000",)) == repr(f"{control}a")


@pytest.mark.parametrize(("pattern", "shown"), [("%Y", "0001"), ("%F", "0001-01-01"), ("%G", "0001"), ("%%Y", "%Y")])
def test_an_early_year_has_four_digits_on_every_system(pattern: str, shown: str) -> None:
    """Go's zero time stands in many a file, and Python 3.11 makes 1-01-01 of it on Linux."""
    assert given_for("format_time", ("0001-01-01T00:00:00Z", pattern, "UTC")) == repr(shown)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:00:599Z",
        "2026-11-22710:00:00Z",
        "2026-11-22T10:00:00+01:90",
        "2026-W47-7T10:00:00Z",
    ],
)
def test_what_only_some_pythons_take_for_a_time_is_none(time: str) -> None:
    assert given_for("format_time", (time, "%F", "UTC")) == REFUSED


@pytest.mark.parametrize("time", ["20261122T100000Z", "2026-11-22 10:00+00", "2026-11-22T12:30:00,5+0230"])
def test_a_time_may_be_written_in_each_of_the_ways_of_iso_8601(time: str) -> None:
    assert given_for("format_time", (time, "%F %T", "UTC")) == "'2026-11-22 10:00:00'"


@pytest.mark.parametrize(
    ("time", "duration", "shown"),
    [
        ("2025-11-02T01:30:00-05:00", "52w", "2026-11-01T01:30:00-04:00"),  # the hour that comes twice: the first
        ("2025-11-02T01:30:00-05:00", "126d", "2026-03-08T01:30:00-05:00"),
        ("2026-03-07T02:30:00-05:00", "1d", "2026-03-08T03:30:00-04:00"),  # which has no such hour
    ],
)
def test_days_later_is_the_first_of_two_equal_hours(time: str, duration: str, shown: str) -> None:
    assert given_for("add_time", (time, duration, "America/New_York")) == repr(shown)


# --- whether the slow programs themselves are right, where somebody else knows ------------------------------------


def test_the_tables_of_letters_are_unicode_s() -> None:
    decomposed = {letter: unicodedata.decomposition(letter) for letter in "\u212a\u212b"}
    assert decomposed == {"\u212a": "004B", "\u212b": "00C5"}
    assert texts.upper("aßb") == "ASSB"
    assert texts.lower("BΣ.B BΣ. Σ") == "bσ.b bς. σ"  # noqa: RUF001 these are sigmas


def test_the_slow_json_is_json() -> None:
    text = '{"a": [1, -2.5e3, "\\ud83d\\ude00"], "a": {"b": null}}'
    assert texts.parse_json(text) == json.loads(text)
    for wrong in ("01", "1.", "[1,]", "{}x", '"\t"', "NaN", "\ufeff1", ""):
        with pytest.raises(globs.RefusedError):
            texts.parse_json(wrong)


@pytest.mark.parametrize(
    ("date", "days"), [((1, 1, 1), 0), ((1970, 1, 1), 719_162), ((2000, 2, 29), 730_178), ((9999, 12, 31), 3_652_058)]
)
def test_the_slow_calendar_counts_as_the_world_does(date: tuple[int, int, int], days: int) -> None:
    assert times.joined_days(*date) == days
    assert times.split_days(days)[:3] == date

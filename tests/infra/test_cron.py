"""When a schedule fires, and what is seldom meant by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cron import read_cron, surprising

NOW = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)  # a Friday


def fires(text: str, zone: str = "Etc/UTC", after: datetime = NOW, times: int = 3) -> list[str]:
    return [f"{found:%a %d %b %H:%M}" for found in islice(read_cron(text).after(after, zone), times)]


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("30 4 * * *", "Etc/UTC", ["Sat 28 Nov 04:30", "Sun 29 Nov 04:30", "Mon 30 Nov 04:30"]),
        ("0 6 * * 1-5", "Etc/UTC", ["Fri 27 Nov 06:00", "Mon 30 Nov 06:00", "Tue 01 Dec 06:00"]),
        ("0 6 * * SUN", "Etc/UTC", ["Sun 29 Nov 06:00", "Sun 06 Dec 06:00", "Sun 13 Dec 06:00"]),
        ("0 6 * * 7", "Etc/UTC", ["Sun 29 Nov 06:00", "Sun 06 Dec 06:00", "Sun 13 Dec 06:00"]),
        ("0 6 1 * 1", "Etc/UTC", ["Mon 30 Nov 06:00", "Tue 01 Dec 06:00", "Mon 07 Dec 06:00"]),
        ("0 6 1 * *", "Europe/Amsterdam", ["Tue 01 Dec 06:00", "Fri 01 Jan 06:00", "Mon 01 Feb 06:00"]),
        ("*/45 5 * * *", "Etc/UTC", ["Fri 27 Nov 05:00", "Fri 27 Nov 05:45", "Sat 28 Nov 05:00"]),
        ("0 0 29 2 *", "Etc/UTC", ["Tue 29 Feb 00:00", "Sun 29 Feb 00:00", "Fri 29 Feb 00:00"]),
    ],
)
def test_a_schedule_fires_when_cloud_scheduler_says(text: str, zone: str, wanted: list[str]) -> None:
    assert fires(text, zone) == wanted[: len(fires(text, zone))]
    assert fires(text, zone)


def test_a_time_that_the_clocks_leave_out_is_left_out() -> None:
    spring = datetime(2027, 3, 27, tzinfo=UTC)
    assert fires("30 2 * * *", "Europe/Amsterdam", spring, 2) == ["Sat 27 Mar 02:30", "Mon 29 Mar 02:30"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*/90 * * * *", "*/90 as minute begins anew each hour, and is 0."),
        ("*/45 * * * *", "*/45 as minute begins anew each hour, and is 0, 45."),
        ("0 */5 * * *", "*/5 as hour begins anew each day, and is 0, 5, 10, 15, 20."),
        ("0 6 */30 * *", "*/30 as day of the month begins anew each month, and is 1, 31."),
        ("0 6 1 */5 *", "*/5 as month begins anew each year, and is 1, 6, 11."),
        ("0 6 * * */2", "*/2 as day of the week begins anew each week, and is 0, 2, 4, 6."),
        ("0 6 1 * 1", "fires on days that either has, and not only on those that both have."),
        ("* 6 * * *", "* as minute fires 60 times in hour 6; for one time write 0."),
    ],
)
def test_what_is_seldom_meant_is_said_with_the_next_five_times(text: str, said: str) -> None:
    found = str(surprising(text, "Europe/Amsterdam", NOW))
    assert said in found
    assert found.endswith("(Europe/Amsterdam)")
    assert found.partition("fires next at ")[2].count(":") == 5


@pytest.mark.parametrize(
    "text",
    [
        "0 6 * * *",
        "*/15 * * * *",
        "0 */6 * * *",
        "0 6 * * 1-5",
        "0 6 1 * *",
        "0 6 1 */3 *",
        "* 9-17 * * *",
        "*/1 * * * *",
    ],
)
def test_what_means_what_it_looks_like_is_passed_over(text: str) -> None:
    assert surprising(text, "Etc/UTC", NOW) is None


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["Etc/UTC", "Europe/Amsterdam", "Australia/Lord_Howe"]),
    days=st.integers(0, 800),
)
def test_a_daily_schedule_fires_once_a_day_in_order(minute: int, hour: int, zone: str, days: int) -> None:
    start = NOW + timedelta(days=days)
    found = list(islice(read_cron(f"{minute} {hour} * * *").after(start, zone), 5))
    assert found == sorted(found)
    assert all(start < one for one in found)
    assert {(one.hour, one.minute) for one in found} == {(hour, minute)}
    assert all(timedelta(hours=22) < two - one < timedelta(hours=50) for one, two in pairwise(found))

"""Each round begins with the same services, and what a function asks of them is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from benchmarks.measure import order, stand_ins
from benchmarks.standins import Addresses


@pytest.fixture(scope="module")
def at() -> Iterator[Addresses]:
    with stand_ins() as addresses:
        yield addresses


def ask(url: str) -> None:
    requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=10)


def test_what_is_asked_is_counted_once(at: Addresses) -> None:
    order(at, "asked")
    for _ in range(3):
        ask(f"{at.metadata}/")
    assert order(at, "asked") == {"metadata": 3, "storage": 0, "kfp": 0, "vertex": 0}
    assert order(at, "asked")["metadata"] == 0


def test_a_round_begins_with_nothing_of_the_last(at: Addresses) -> None:
    def there() -> int:
        return requests.get(f"{at.storage}/storage/v1/b/acme-incoming/o/a", timeout=10).status_code

    order(at, "put", b"{}", bucket="acme-incoming", name="a")
    assert there() == 200
    order(at, "fresh")
    assert there() == 404


def test_a_bucket_is_filled_to_a_number(at: Addresses) -> None:
    order(at, "fresh")
    for until in (3, 5):
        order(at, "fill", b"{}", bucket="acme-ledger", until=until, prefix="outcomes/echo/")
        listed = requests.get(f"{at.storage}/storage/v1/b/acme-ledger/o", timeout=10).json()
        assert len(listed["items"]) == until

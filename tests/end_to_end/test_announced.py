"""A bucket that its owner announces on a topic, and what else is there, through the function as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.environment import Environment
from tests.end_to_end.conftest import Stage, of
from tests.plans import plan

TOPIC = "projects/acme-shop/topics/new-objects"


@pytest.fixture(scope="module")
def announced() -> Iterator[Stage]:
    source = {"kind": "gcs", "bucket": "acme-shop-exports", "topic": TOPIC, "prefix": "orders/"}
    with Environment(plan(source=source)) as environment:
        [trigger] = environment.triggers
        trigger.endpoint._execute = None
        yield Stage(environment, trigger)


def test_an_object_starts_one_run_however_often_and_by_whom_it_is_announced(announced: Stage) -> None:
    subject = announced.upload("a.csv")
    first = announced.outcome(subject)
    message = announced.attempt(of(subject)).message
    again = announced.publish(TOPIC, message)
    second = announced.outcome(subject)
    assert [(log["outcome"], log["message_id"]) for log in (first, second)] == [
        ("launched", message.id),
        ("duplicate", again),
    ]
    assert announced.workflows(first["run_id"]) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out/b.csv", "it is not in gs://acme-shop-exports/orders/"),
        ("orders/", "it is a folder's placeholder"),
        ("orders/c.csv.tmp", "it is a file that a tool is still writing, or makes for itself"),
        ("gcloud/tmp/parallel_composite_uploads/x/1", "it is not in gs://acme-shop-exports/orders/"),
    ],
)
def test_what_else_lands_there_starts_none_and_says_why(announced: Stage, name: str, why: str) -> None:
    subject = announced.environment.upload("acme-shop-exports", name, b"")
    log = announced.outcome(subject)
    assert (log["outcome"], log["severity"], log["reason"]) == ("skipped", "INFO", why)


def test_a_deletion_that_is_announced_there_starts_none(announced: Stage) -> None:
    subject = announced.upload("d.csv")
    assert announced.outcome(subject)["outcome"] == "launched"
    announced.environment.loopback.call(announced.environment.storage.delete, "acme-shop-exports", "orders/d.csv")
    log = announced.outcome(subject)
    assert (log["outcome"], log["reason"]) == ("skipped", "its eventType is 'OBJECT_DELETE'")

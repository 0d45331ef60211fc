"""Claims and outcomes: one holder at a time, one record for ever, whatever Cloud Storage does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from function_src.launcher import ledger
from function_src.launcher.credentials import AccessTokens
from function_src.launcher.ledger import Claim, ClaimedError, DecidedError, Ledger
from function_src.launcher.records import LedgerUnavailableError
from function_src.launcher.storage import storage_api
from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, Identity
from tests.launcher.wire import Wire, page

BUCKET, KEY, LEASE = "launch-ledger", "29618ab4d3b51d9f7e2a030ed46c5e19", 60.0
EVENT = "gs://acme-incoming/orders.csv#1"
UPLOADS = f"/upload/storage/v1/b/{BUCKET}/o"
CLAIM = f"/storage/v1/b/{BUCKET}/o/claims%2Fecho%2F{KEY}"
LAUNCHED = {"outcome": "launched", "run_id": "1"}


@dataclass
class Shelf:
    """A ledger bucket and the wire to it."""

    loopback: Loopback
    storage: Storage
    wire: Wire
    monkeypatch: pytest.MonkeyPatch

    def ledger(self) -> Ledger:
        """Another instance's view of the ledger."""
        return Ledger(storage_api(AccessTokens(), TIMEOUT), BUCKET, "echo", LEASE)

    def about(self) -> Mapping[str, str]:
        """The metadata of the claim that stands."""
        found = self.loopback.call(self.storage.get, BUCKET, f"claims/echo/{KEY}").resource()
        about: Mapping[str, str] = found["metadata"]
        return about

    def write(self, about: Mapping[str, str]) -> None:
        """Writes a claim as an older launcher did."""
        self.ledger()._write("claims", KEY, about, "", over="0")

    def time_passes(self) -> None:
        """Lets every lease expire, now and from now on."""
        self.monkeypatch.setattr(ledger, "CLOCK_RESOLUTION", -10 * LEASE)


@pytest.fixture
def shelf(loopback: Loopback, serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    storage = Storage(lambda *_: None)
    storage.create_bucket(BUCKET)
    wire = Wire(storage.app)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(wire))
    return Shelf(loopback, storage, wire, monkeypatch)


def together(count: int, claim: Callable[[], Claim]) -> list[Claim]:
    """Who of so many that claim at once gets it."""

    def attempt(_: int) -> Claim | None:
        try:
            return claim()
        except (ClaimedError, DecidedError):
            return None

    with ThreadPoolExecutor(count) as pool:
        return [won for won in pool.map(attempt, range(count)) if won]


def test_a_claim_that_nobody_has_costs_one_request(shelf: Shelf) -> None:
    claim = shelf.ledger().claim(KEY, EVENT)
    assert not claim.taken_over
    assert claim.may_send
    assert [(seen.method, seen.path) for seen in shelf.wire.seen] == [("POST", UPLOADS)]


def test_a_claim_has_one_holder(shelf: Shelf) -> None:
    assert len(together(16, lambda: shelf.ledger().claim(KEY, EVENT))) == 1
    with pytest.raises(
        ClaimedError, match=r"an attempt of \d+ s ago may still be starting the run; its claim lasts 60 s"
    ):
        shelf.ledger().claim(KEY, EVENT)


def test_an_expired_claim_is_taken_over_by_one_who_knows_it(shelf: Shelf) -> None:
    shelf.ledger().claim(KEY, EVENT)
    shelf.time_passes()
    (claim,) = {won.generation: won for won in together(1, lambda: shelf.ledger().claim(KEY, EVENT))}.values()
    assert (claim.taken_over, claim.attempt) == (True, 2)


def test_two_take_overs_of_one_claim_have_one_winner(shelf: Shelf) -> None:
    first = shelf.ledger().claim(KEY, EVENT)
    shelf.time_passes()
    took = shelf.ledger()
    assert took._write_claim(first)
    assert took._write_claim(first) is None


def test_a_claim_that_was_given_back_is_as_good_as_new(shelf: Shelf) -> None:
    held = shelf.ledger()
    held.release(held.claim(KEY, EVENT))
    assert not shelf.ledger().claim(KEY, EVENT).taken_over


def test_giving_back_too_late_takes_nothing_from_the_next_holder(shelf: Shelf) -> None:
    slow = shelf.ledger()
    old = slow.claim(KEY, EVENT)
    shelf.time_passes()
    shelf.ledger().claim(KEY, EVENT)
    slow.release(old)
    assert shelf.loopback.call(shelf.storage.get, BUCKET, f"claims/echo/{KEY}")


def test_an_attempt_that_took_long_may_not_send() -> None:
    """What is left of the lease is for the POST, and for a server that is slow to do what it was asked for."""
    assert Claim(KEY, EVENT, "1", 1, 1, time.monotonic() - 0.3 * LEASE, LEASE).may_send
    assert not Claim(KEY, EVENT, "1", 1, 1, time.monotonic() - 0.41 * LEASE, LEASE).may_send


def test_an_outcome_is_written_once_and_ends_all_claiming(shelf: Shelf) -> None:
    held = shelf.ledger()
    held.claim(KEY, EVENT)
    assert held.record(KEY, LAUNCHED) == LAUNCHED
    assert shelf.ledger().record(KEY, {"outcome": "rejected"}) == LAUNCHED
    shelf.time_passes()
    with pytest.raises(DecidedError) as decided:
        shelf.ledger().claim(KEY, EVENT)
    assert decided.value.record == LAUNCHED


def test_a_claim_whose_answer_was_lost_is_recognised_as_ours(shelf: Shelf) -> None:
    shelf.wire.fail("POST", UPLOADS, None, served=True)
    assert not shelf.ledger().claim(KEY, EVENT).taken_over


@pytest.mark.parametrize("answer", [page(429), page(500), page(503), None], ids=["429", "500", "503", "dropped"])
def test_a_claim_that_was_not_written_is_nobody_s(shelf: Shelf, answer: None) -> None:
    shelf.wire.fail("POST", UPLOADS, answer)
    with pytest.raises((ClaimedError, LedgerUnavailableError)):
        shelf.ledger().claim(KEY, EVENT)
    assert not shelf.ledger().claim(KEY, EVENT).taken_over


def test_a_claim_that_another_wrote_meanwhile_is_not_taken_for_ours(shelf: Shelf) -> None:
    shelf.ledger().claim(KEY, EVENT)
    shelf.wire.fail("POST", UPLOADS, page(503))
    with pytest.raises(LedgerUnavailableError):
        shelf.ledger().claim(KEY, EVENT)


def test_an_outcome_that_may_not_have_been_written_is_not_taken_for_written(shelf: Shelf) -> None:
    shelf.wire.fail("POST", UPLOADS, page(503))
    with pytest.raises(LedgerUnavailableError, match="the ledger answered 503"):
        shelf.ledger().record(KEY, LAUNCHED)


def test_giving_back_never_fails(shelf: Shelf) -> None:
    held = shelf.ledger()
    claim = held.claim(KEY, EVENT)
    shelf.wire.fail("DELETE", CLAIM, page(503))
    held.release(claim)


# --- how many POSTs there were -------------------------------------------------------------------------------------


def test_a_claim_counts_its_post_before_it_is_sent_at_no_cost(shelf: Shelf) -> None:
    assert shelf.ledger().claim(KEY, EVENT).posts == 1
    assert shelf.about()["posts"] == "1"


def test_a_claim_that_is_taken_over_brings_the_posts_of_all_before(shelf: Shelf) -> None:
    held = shelf.ledger()
    first = held.claim(KEY, EVENT)
    assert held.count_post(first).posts == 2
    shelf.time_passes()
    assert shelf.ledger().claim(KEY, EVENT).posts == 2


def test_a_post_that_started_nothing_is_not_counted(shelf: Shelf) -> None:
    held = shelf.ledger()
    held.uncount_post(held.count_post(held.claim(KEY, EVENT)))
    assert shelf.about()["posts"] == "1"


def test_a_claim_of_a_launcher_that_did_not_count_stands_for_one_post(shelf: Shelf) -> None:
    """What a stack that stands has in its ledger when it is updated; the attempts say nothing of POSTs."""
    shelf.write({"holder": "0", "attempt": "7", "event": EVENT})
    shelf.time_passes()
    claim = shelf.ledger().claim(KEY, EVENT)
    assert (claim.attempt, claim.posts) == (8, 1)
    assert {"holder", "attempt", "event"} <= shelf.about().keys(), "what such a launcher reads in turn"


def test_a_claim_that_a_replay_opened_is_as_good_as_new_for_one(shelf: Shelf) -> None:
    """A rejected event had no POST; what is left of its claim would put the next attempt in doubt."""
    shelf.write({"holder": "0", "attempt": "1", "posts": "0", "event": EVENT})
    (claim,) = together(8, lambda: shelf.ledger().claim(KEY, EVENT))
    assert (claim.taken_over, claim.posts) == (False, 1)
    assert shelf.about()["posts"] == "1"


def test_a_post_is_not_counted_under_a_claim_that_another_has_taken_over(shelf: Shelf) -> None:
    slow = shelf.ledger()
    old = slow.claim(KEY, EVENT)
    shelf.time_passes()
    shelf.ledger().claim(KEY, EVENT)
    with pytest.raises(ClaimedError):
        slow.count_post(old)
    slow.uncount_post(old)
    assert shelf.about()["posts"] == "1"


def test_a_post_that_may_not_have_been_counted_is_not_sent(shelf: Shelf) -> None:
    held = shelf.ledger()
    claim = held.claim(KEY, EVENT)
    shelf.wire.fail("POST", UPLOADS, page(503))
    with pytest.raises(LedgerUnavailableError):
        held.count_post(claim)


def test_taking_a_post_back_never_fails(shelf: Shelf) -> None:
    held = shelf.ledger()
    claim = held.count_post(held.claim(KEY, EVENT))
    shelf.wire.fail("POST", UPLOADS, page(503))
    held.uncount_post(claim)
    assert shelf.about()["posts"] == "2"


def test_the_first_claim_of_an_event_is_remembered_however_often_it_is_taken_over(shelf: Shelf) -> None:
    assert shelf.ledger().claim(KEY, EVENT).age == timedelta(0)
    first = shelf.loopback.call(shelf.storage.get, BUCKET, f"claims/echo/{KEY}").resource()["timeCreated"]
    shelf.time_passes()
    taken = [shelf.ledger().claim(KEY, EVENT) for _ in range(2)]
    assert [claim.first for claim in taken] == [first, first]
    assert shelf.about()["first"] == first

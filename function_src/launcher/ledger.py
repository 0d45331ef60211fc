"""The ledger: who is launching an event, and what became of it, as objects in a bucket of its own.

Each has a name of its own, since Cloud Storage takes one write a second per name:

- ``claims/TRIGGER/KEY``: a lease. Somebody is launching this event, or died trying. Its metadata count the POSTs that
  may have reached the endpoint, each before it is sent; a claim of a launcher that did not count them says one. One
  that says none was opened by a replay, and is as good as new.
- ``outcomes/TRIGGER/KEY``: what became of it. Written once, never changed.
- ``rejected/TRIGGER/KEY``: a rejected delivery as it came, so that it can be replayed once its fault is mended.
- ``started/TRIGGER/KEY``: which workflow works for this event. Written by the fence of the run itself, if it has one.
- ``once/TRIGGER/HASH``: whose a value of ``once_per`` is; once.py says how.

What a listing shows stands in their metadata too: which event, of which message, and its outcome. All are created
with a generation precondition, which Cloud Storage checks atomically. A claim's age is taken from Cloud Storage's
clock alone (the answer's Date less the object's ``updated``), so that no instance's clock matters.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from .credentials import TokenUnavailableError
from .http import Api
from .pace import SHARE_TO_SEND_IN
from .records import LedgerUnavailableError, Records, expect_ok, moment_of, object_of, understood

JSON = {"Content-Type": "application/json"}
LISTED = ("outcome", "event", "run_id", "message_id", "doubt")
CLOCK_RESOLUTION = 1.0  # seconds, of the Date header
EPOCH = datetime.fromtimestamp(0, UTC)


class ClaimedError(Exception):
    """Another attempt is launching the event, or died or was left in doubt less than a lease ago."""


class DecidedError(Exception):
    """The event has its outcome already; ``record`` is the ledger's."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__(f"the event was {record.get('outcome')} before")
        self.record = record


@dataclass(frozen=True)
class Claim:
    """A lease on an event, counted from before it was asked for (``since``, monotonic seconds).

    ``taken_over``: an earlier attempt may have started the run. Ask for it before starting one.
    ``posts``: how many POSTs may have reached the endpoint, of earlier attempts and of this one.
    ``first``: when the event was claimed for the first time, by Cloud Storage's clock; empty for a first attempt.
    ``age``: how long ago that was.
    ``moment``: when this one was taken, by the same clock.
    """

    key: str
    event: str
    generation: str
    attempt: int
    posts: int
    since: float
    seconds: float
    first: str = ""
    age: timedelta = timedelta(0)
    moment: datetime = EPOCH

    @property
    def taken_over(self) -> bool:
        """Whether somebody had the lease before and let it expire."""
        return self.attempt > 1

    @property
    def may_send(self) -> bool:
        """Whether enough of the lease is left to start a run in it."""
        return time.monotonic() - self.since < SHARE_TO_SEND_IN * self.seconds


class Ledger(Records):
    """Claims and outcomes of one trigger; ``directory`` keeps triggers apart."""

    def __init__(self, api: Api, bucket: str, directory: str, lease_seconds: float) -> None:
        super().__init__(api, bucket, directory)
        self._lease = lease_seconds

    def claim(self, key: str, event: str) -> Claim:
        """Takes the lease on an event: one request where nobody had it. ``event`` is its subject, for people.

        Raises:
            DecidedError: the event has its outcome.
            ClaimedError: another delivery holds the lease, or was quicker to take it over.
            LedgerUnavailableError: there is no telling who holds it now.
        """
        now = time.monotonic()
        if taken := self._write_claim(Claim(key, event, "0", 1, 1, now, self._lease)):
            return taken
        if record := self.outcome(key):
            raise DecidedError(record)
        with understood():
            wanted = self._next_claim(*self._read_claim(key), Claim(key, event, "0", 1, 1, now, self._lease))
        if taken := self._write_claim(wanted):
            return taken
        raise ClaimedError("another delivery has just taken this event over")

    def count_post(self, claim: Claim) -> Claim:
        """Notes that one more POST is about to be sent under a claim; returns the claim as it stands then.

        Raises:
            ClaimedError: it is no longer ours.
            LedgerUnavailableError: it may not have been written.
        """
        counted = self._write_claim(replace(claim, posts=claim.posts + 1))
        if not counted:
            raise ClaimedError("another delivery has just taken this event over")
        return counted

    def uncount_post(self, claim: Claim) -> None:
        """Takes that back, for a POST that certainly started nothing. Best effort: else it counts as one in doubt."""
        with contextlib.suppress(ClaimedError, LedgerUnavailableError, TokenUnavailableError):
            self._write_claim(replace(claim, posts=claim.posts - 1))

    def mark(self, key: str, event: str) -> None:
        """Notes that an event is being launched, where nobody needs to be kept from launching it too.

        So whatever has an outcome has a claim, also after the trigger gets another target.

        Raises:
            DecidedError: the event has its outcome.
            LedgerUnavailableError: it may not have been written.
        """
        claim = Claim(key, event, "0", 1, 1, time.monotonic(), self._lease)
        if not self._write_claim(claim) and (record := self.outcome(key)):
            raise DecidedError(record)

    def release(self, claim: Claim) -> None:
        """Gives the lease back, for a launch that certainly did not happen. Best effort: it also expires."""
        with contextlib.suppress(LedgerUnavailableError, TokenUnavailableError):
            self._send("DELETE", self._path("claims", claim.key), params={"ifGenerationMatch": claim.generation})

    def record(self, key: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Writes an event's outcome, once; returns the one that stands, an earlier one if there is any.

        Raises:
            LedgerUnavailableError: it may not have been written.
        """
        metadata = {name: str(record[name]) for name in LISTED if record.get(name)}
        response = self._write("outcomes", key, metadata, json.dumps(record, sort_keys=True), over="0")
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            return self.outcome(key) or record
        expect_ok(response)
        return record

    def fence(self, key: str) -> str:
        """Where the fence of an event's run leaves the name of its workflow."""
        return f"gs://{self._bucket}/{self._name('started', key)}"

    def keep(self, key: str, delivery: bytes) -> None:
        """Keeps a delivery that is about to be rejected.

        Raises:
            LedgerUnavailableError: it may not have been written.
        """
        params = {"uploadType": "media", "name": self._name("rejected", key), "ifGenerationMatch": "0"}
        response = self._send("POST", self._upload, params=params, data=delivery, headers=JSON)
        if response.status_code != HTTPStatus.PRECONDITION_FAILED:
            expect_ok(response)

    def _next_claim(self, found: Mapping[str, Any], moment: datetime, first_claim: Claim) -> Claim:
        """The claim to write over one that was found at a moment: a first one where a replay has opened it.

        Raises:
            ClaimedError: its lease has not expired.
        """
        about, generation = found["metadata"], found["generation"]
        if about.get("posts") == "0":
            return replace(first_claim, generation=generation)
        age = max(0.0, (moment - datetime.fromisoformat(found["updated"])).total_seconds())
        if age < self._lease + CLOCK_RESOLUTION:
            raise ClaimedError(
                f"an attempt of {age:.0f} s ago may still be starting the run; its claim lasts {self._lease:.0f} s"
            )
        first = about.get("first", found["timeCreated"])
        return replace(
            first_claim,
            generation=generation,
            attempt=int(about["attempt"]) + 1,
            posts=int(about.get("posts", 1)),
            since=time.monotonic(),
            first=first,
            age=moment - datetime.fromisoformat(first),
        )

    def _write_claim(self, claim: Claim) -> Claim | None:
        """Writes a claim over its generation (0: over nothing) and returns it with its own; None if another is there.

        When the answer is lost the claim is looked up: it may stand and be ours, and waiting for it to expire would
        hold the event up for a lease.
        """
        holder = uuid.uuid4().hex
        about = {"holder": holder, "attempt": str(claim.attempt), "posts": str(claim.posts), "event": claim.event}
        try:
            response = self._write(
                "claims", claim.key, about | ({"first": claim.first} if claim.first else {}), "", claim.generation
            )
            if response.status_code == HTTPStatus.PRECONDITION_FAILED:
                return None
            with understood():
                written = object_of(expect_ok(response))
                return replace(claim, generation=str(written["generation"]), moment=moment_of(response))
        except LedgerUnavailableError:
            with understood():
                found, moment = self._read_claim(claim.key)
                if found["metadata"]["holder"] == holder:
                    return replace(claim, generation=str(found["generation"]), moment=moment)
            raise

    def _read_claim(self, key: str) -> tuple[Mapping[str, Any], datetime]:
        """A claim's object resource, and the moment of that by Cloud Storage's clock."""
        response = self._send("GET", self._path("claims", key))
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise ClaimedError("another delivery of this event has just given it back")
        return object_of(expect_ok(response)), moment_of(response)

"""The ledger: who is launching an event, and what became of it, as objects in a bucket of its own.

Each has a name of its own, since Cloud Storage takes one write a second per name:

- ``claims/TRIGGER/KEY``: a lease. Somebody is launching this event, or died trying.
- ``outcomes/TRIGGER/KEY``: what became of it. Written once, never changed.
- ``rejected/TRIGGER/KEY``: a rejected delivery as it came, so that it can be replayed once its fault is mended.

What a listing shows stands in their metadata too: which event, of which message, and its outcome. All are created
with a generation precondition, which Cloud Storage checks atomically. A claim's age is taken from Cloud Storage's
clock alone (the answer's Date less the object's ``updated``), so that no instance's clock matters.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import requests
from requests import codes

from .credentials import TokenUnavailableError
from .http import Api

BOUNDARY = "--part-of-an-object--"
JSON = {"Content-Type": "application/json"}
LISTED = ("outcome", "event", "run_id", "message_id")
SHARE_TO_SEND_IN = 0.4  # of the lease: an older claim starts nothing, and leaves the rest to the POST and the server
CLOCK_RESOLUTION = 1.0  # seconds, of the Date header


class LedgerUnavailableError(Exception):
    """Cloud Storage did not do what was asked, or did not say whether it did."""


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
    """

    key: str
    generation: str
    attempt: int
    since: float
    seconds: float

    @property
    def taken_over(self) -> bool:
        """Whether somebody had the lease before and let it expire."""
        return self.attempt > 1

    @property
    def may_send(self) -> bool:
        """Whether enough of the lease is left to start a run in it."""
        return time.monotonic() - self.since < SHARE_TO_SEND_IN * self.seconds


class Ledger:
    """Claims and outcomes of one trigger; ``directory`` keeps triggers apart."""

    def __init__(self, api: Api, bucket: str, directory: str, lease_seconds: float) -> None:
        self._api = api
        self._bucket = bucket
        self._upload = f"/upload/storage/v1/b/{bucket}/o"
        self._directory = directory
        self._lease = lease_seconds

    def claim(self, key: str, event: str) -> Claim:
        """Takes the lease on an event: one request where nobody had it. ``event`` is its subject, for people.

        Raises:
            DecidedError: the event has its outcome.
            ClaimedError: another delivery holds the lease, or was quicker to take it over.
            LedgerUnavailableError: there is no telling who holds it now.
        """
        since = time.monotonic()
        if generation := self._write_claim(key, event, 1, over="0"):
            return Claim(key, generation, 1, since, self._lease)
        if record := self.outcome(key):
            raise DecidedError(record)
        found, age = self._read_claim(key)
        if age < self._lease + CLOCK_RESOLUTION:
            raise ClaimedError(
                f"an attempt of {age:.0f} s ago may still be starting the run; its claim lasts {self._lease:.0f} s"
            )
        since, attempt = time.monotonic(), int(found["metadata"]["attempt"]) + 1
        generation = self._write_claim(key, event, attempt, over=found["generation"])
        if not generation:
            raise ClaimedError("another delivery has just taken this event over")
        return Claim(key, generation, attempt, since, self._lease)

    def mark(self, key: str, event: str) -> None:
        """Notes that an event is being launched, where nobody needs to be kept from launching it too.

        So whatever has an outcome has a claim, also after the trigger gets another target.

        Raises:
            DecidedError: the event has its outcome.
            LedgerUnavailableError: it may not have been written.
        """
        if not self._write_claim(key, event, 1, over="0") and (record := self.outcome(key)):
            raise DecidedError(record)

    def release(self, claim: Claim) -> None:
        """Gives the lease back, for a launch that certainly did not happen. Best effort: it also expires."""
        try:
            self._send("DELETE", self._path("claims", claim.key), params={"ifGenerationMatch": claim.generation})
        except (LedgerUnavailableError, TokenUnavailableError):
            return

    def record(self, key: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Writes an event's outcome, once; returns the one that stands, an earlier one if there is any.

        Raises:
            LedgerUnavailableError: it may not have been written.
        """
        metadata = {name: str(record[name]) for name in LISTED if record.get(name)}
        response = self._write("outcomes", key, metadata, json.dumps(record, sort_keys=True), over="0")
        if response.status_code == codes.precondition_failed:
            return self.outcome(key) or record
        _expect_ok(response)
        return record

    def outcome(self, key: str) -> Mapping[str, Any] | None:
        """An event's outcome, if it has one."""
        response = self._send("GET", self._path("outcomes", key), params={"alt": "media"})
        if response.status_code == codes.not_found:
            return None
        found: Mapping[str, Any] = _expect_ok(response).json()
        return found

    def keep(self, key: str, delivery: bytes) -> None:
        """Keeps a delivery that is about to be rejected.

        Raises:
            LedgerUnavailableError: it may not have been written.
        """
        params = {"uploadType": "media", "name": self._name("rejected", key), "ifGenerationMatch": "0"}
        response = self._send("POST", self._upload, params=params, data=delivery, headers=JSON)
        if response.status_code != codes.precondition_failed:
            _expect_ok(response)

    def _write_claim(self, key: str, event: str, attempt: int, over: str) -> str | None:
        """Writes a claim over a generation (0: over nothing) and returns its own; None if another is there.

        When the answer is lost the claim is looked up: it may stand and be ours, and waiting for it to expire would
        hold the event up for a lease.
        """
        holder = uuid.uuid4().hex
        try:
            metadata = {"holder": holder, "attempt": str(attempt), "event": event}
            response = self._write("claims", key, metadata, "", over)
            if response.status_code == codes.precondition_failed:
                return None
            return str(_expect_ok(response).json()["generation"])
        except LedgerUnavailableError:
            found, _ = self._read_claim(key)
            if found["metadata"]["holder"] != holder:
                raise
            return str(found["generation"])

    def _read_claim(self, key: str) -> tuple[Mapping[str, Any], float]:
        """A claim's object resource, and its age in seconds."""
        response = self._send("GET", self._path("claims", key))
        if response.status_code == codes.not_found:
            raise ClaimedError("another delivery of this event has just given it back")
        found: Mapping[str, Any] = _expect_ok(response).json()
        written = datetime.fromisoformat(found["updated"])
        return found, max(0.0, (parsedate_to_datetime(response.headers["Date"]) - written).total_seconds())

    def _write(self, kind: str, key: str, metadata: Mapping[str, str], body: str, over: str) -> requests.Response:
        parts = (
            f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{json.dumps({'metadata': metadata})}\r\n"
            f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{body}\r\n--{BOUNDARY}--\r\n"
        )
        return self._send(
            "POST",
            self._upload,
            params={"uploadType": "multipart", "name": self._name(kind, key), "ifGenerationMatch": over},
            data=parts.encode(),
            headers={"Content-Type": f"multipart/related; boundary={BOUNDARY}"},
        )

    def _name(self, kind: str, key: str) -> str:
        return f"{kind}/{self._directory}/{key}"

    def _path(self, kind: str, key: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{quote(self._name(kind, key), safe='')}"

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._api.send(method, path, **options)
        except requests.RequestException as error:
            raise LedgerUnavailableError(f"{type(error).__name__} at the ledger") from None


def _expect_ok(response: requests.Response) -> requests.Response:
    if response.status_code != codes.ok:
        raise LedgerUnavailableError(f"the ledger answered {response.status_code}")
    return response

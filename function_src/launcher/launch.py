"""From a delivery to an outcome: the one place that decides what becomes of an event."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from . import logs
from .condition import holds, refusal
from .credentials import AccessTokens, TokenUnavailableError
from .event import Event, launch_key, read_event
from .expression import UnmappableError, reads_content
from .ledger import Claim, ClaimedError, DecidedError, Ledger, LedgerUnavailableError
from .package import Package
from .parameters import needs_content, run_parameters
from .run import ExistsError, RefusedError, Run, UnavailableError, UnknownError
from .settings import Trigger
from .sources import BadDeliveryError
from .storage import Objects, ObjectUnusableError, StorageUnavailableError, storage_api
from .targets import open_target

LONGEST_VALUE_RECORDED = 200  # characters of JSON
SHARE_TO_WAIT = 1 / 6  # of the lease, for one answer


class Outcome(StrEnum):
    """What became of a delivery. All but ``retry`` are final: the event will not be delivered again."""

    LAUNCHED = "launched"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    RETRY = "retry"


# The event itself is wrong, and would be at every later delivery.
WRONG_FOR_EVER = (BadDeliveryError, ObjectUnusableError, UnmappableError, RefusedError)
# Something else is wrong, for now: a redelivery may succeed, and a person may mend it meanwhile.
WRONG_FOR_NOW = (
    ClaimedError,
    LedgerUnavailableError,
    StorageUnavailableError,
    TokenUnavailableError,
    UnavailableError,
    UnknownError,
)


@dataclass
class Delivery:
    """What is known of a delivery so far, and in the end its outcome.

    ``in_doubt``: a run may have been started, or may still start; the claim must then outlive this attempt.
    ``found``: the run was there already, of an earlier attempt.
    ``passed_over``: the source does not take the event up, and the ledger hears nothing of it. A bucket can get
     thousands of data files for one marker: a record of each costs several times what answering its delivery does,
     and would stand in the way of a launch when the glob was wrong and is mended.
    """

    key: str
    outcome: Outcome = Outcome.RETRY
    event: Event | None = None
    claim: Claim | None = None
    in_doubt: bool = False
    found: bool = False
    passed_over: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    run_url: str | None = None
    reason: str | None = None
    stack: str | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def status(self) -> int:
        """The HTTP status that tells Pub/Sub: 200, finished with it; 503, deliver it again."""
        return 503 if self.outcome is Outcome.RETRY else 200


class Launcher:
    """Handles deliveries for one trigger. Safe to use from several threads."""

    def __init__(self, trigger: Trigger, package: Package) -> None:
        tokens, timeout = AccessTokens(), trigger.lease_seconds * SHARE_TO_WAIT
        storage = storage_api(tokens, timeout)
        self._trigger = trigger
        self._package = package
        self._condition_reads_content = reads_content(trigger.when)
        self._parameters_read_content = needs_content(trigger.parameters)
        self._objects = Objects(storage)
        self._ledger = Ledger(storage, trigger.ledger, trigger.name, trigger.lease_seconds)
        self._endpoint = open_target(trigger.target, trigger.name, tokens, timeout)

    def handle(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Brings one delivery to its outcome, records that in the ledger and logs it. Never raises."""
        delivery = Delivery(key=launch_key(self._trigger.id, ("unread", hashlib.sha256(body).hexdigest())))
        self._decide(delivery, lambda: self._attempt(delivery, headers, body))
        self._decide(delivery, lambda: self._settle(delivery, body))
        self._log(delivery, headers)
        return delivery

    def _decide(self, delivery: Delivery, step: Callable[[], None]) -> None:
        """Takes a step, and turns what goes wrong in it into an outcome."""
        try:
            step()
        except DecidedError as error:
            delivery.outcome, delivery.reason = Outcome.DUPLICATE, str(error)
            delivery.run_id, delivery.run_url = error.record.get("run_id"), error.record.get("run_url")
        except WRONG_FOR_EVER as error:
            delivery.outcome, delivery.reason = Outcome.REJECTED, str(error)
        except WRONG_FOR_NOW as error:
            delivery.outcome, delivery.reason = Outcome.RETRY, str(error)
        except Exception as error:  # noqa: BLE001 a defect of ours must not lose the event: it dead-letters instead
            delivery.outcome, delivery.reason = Outcome.RETRY, f"internal error: {type(error).__name__}"
            delivery.stack = traceback.format_exc()

    def _attempt(self, delivery: Delivery, headers: Mapping[str, str], body: bytes) -> None:
        """Reads, claims, maps and launches.

        The claim comes before the file is read: what was launched before stays launched, even if the pipeline has
        moved the file by now. And it comes before ``when`` is asked: otherwise, after a change of it, one delivery
        could skip what another launches, and what was skipped could be launched later.
        """
        event = delivery.event = read_event(self._trigger.id, self._trigger.source, headers, body)
        delivery.key = event.key
        if self._passes_over(delivery, event):
            return
        claim = delivery.claim = self._claim(event)
        delivery.in_doubt = claim is not None and claim.taken_over
        run_id = self._endpoint.run_id(event.key)
        delivery.run_id, delivery.run_url = run_id, self._endpoint.run_url(run_id)
        if delivery.in_doubt and self._endpoint.has_run(run_id):
            self._find(delivery)
            return
        try:
            document = self._document(delivery, event)
            if document is None:
                delivery.outcome = Outcome.SKIPPED
                delivery.run_id = delivery.run_url = None
                return
            delivery.parameters = run_parameters(self._trigger.parameters, self._package.inputs, document)
        except WRONG_FOR_EVER:
            # Without a claim, nothing has said yet whether an earlier attempt got any further.
            if claim is None and self._endpoint.has_run(run_id):
                self._find(delivery)
                return
            raise
        run = Run(run_id, self._trigger.id, event.subject, event.label, event.key, self._package, delivery.parameters)
        self._start(delivery, run, claim)

    def _passes_over(self, delivery: Delivery, event: Event) -> bool:
        """Whether the source does not take an event up. One of another source is claimed before it is rejected."""
        try:
            reason = self._trigger.source.check(event.document)
        except BadDeliveryError:
            delivery.claim = self._claim(event)
            raise
        if reason:
            delivery.outcome, delivery.reason, delivery.passed_over = Outcome.SKIPPED, reason, True
        return reason is not None

    def _claim(self, event: Event) -> Claim | None:
        """Takes the lease on an event. None where the target itself starts nothing twice, and neither a predicate nor
        a file, which may be gone by then, decides whether it starts."""
        if not self._endpoint.atomic or self._trigger.when or self._parameters_read_content:
            return self._ledger.claim(event.key, event.subject)
        self._ledger.mark(event.key, event.subject)
        return None

    def _settle(self, delivery: Delivery, body: bytes) -> None:
        """Records a final outcome; gives the claim back when nothing was started and nothing can still start."""
        if delivery.passed_over:
            return
        if delivery.outcome in (Outcome.SKIPPED, Outcome.REJECTED) and delivery.claim and not delivery.claim.may_send:
            raise UnavailableError("the attempt took too long to decide in its lease; another may have launched")
        if delivery.outcome is Outcome.REJECTED:
            self._ledger.keep(delivery.key, body)
        if delivery.outcome in (Outcome.LAUNCHED, Outcome.SKIPPED, Outcome.REJECTED):
            entry = self._entry(delivery)
            standing = self._ledger.record(delivery.key, entry)
            started = delivery.outcome is Outcome.LAUNCHED and not delivery.found
            if delivery.event and standing is not entry and not started:  # somebody else was quicker to decide
                raise DecidedError(standing)
        elif delivery.outcome is Outcome.RETRY and delivery.claim and not delivery.in_doubt:
            self._ledger.release(delivery.claim)

    def _document(self, delivery: Delivery, event: Event) -> Mapping[str, Any] | None:
        """What the parameters are mapped from; None if ``when`` says no. A file is read once at most, and for the
        parameters only when the event is wanted."""
        document, condition = event.document, self._trigger.when
        if self._condition_reads_content:
            document = self._with_content(event)
        if condition and not holds(condition, document):
            delivery.reason = refusal(condition, document)
            return None
        if self._parameters_read_content and not self._condition_reads_content:
            document = self._with_content(event)
        return document

    def _with_content(self, event: Event) -> Mapping[str, Any]:
        if event.data is not None:
            return {**event.document, **event.content()}
        found = event.object
        limit = self._trigger.content_limit
        return {**event.document, **self._objects.content(found["bucket"], found["name"], found["generation"], limit)}

    def _start(self, delivery: Delivery, run: Run, claim: Claim | None) -> None:
        delivery.in_doubt = True
        try:
            started = self._endpoint.start(run, lambda: claim is None or claim.may_send)
        except (RefusedError, UnavailableError):
            delivery.in_doubt = claim is not None and claim.taken_over
            raise
        except ExistsError:
            self._find(delivery)
            return
        except UnknownError:
            # Never a second POST on a doubt: it would start a second workflow.
            if not self._endpoint.has_run(run.id):
                raise
            started = run.id
        delivery.outcome = Outcome.LAUNCHED
        if started != run.id:
            delivery.run_id, delivery.run_url = started, self._endpoint.run_url(started)
            delivery.reason = f"the endpoint ignored the run id {run.id}: it cannot tell duplicates apart"

    def _find(self, delivery: Delivery) -> None:
        """The event needs no other run than the one that is there."""
        delivery.outcome, delivery.found = Outcome.LAUNCHED, True
        delivery.reason = "an earlier attempt had started the run"

    def _entry(self, delivery: Delivery) -> dict[str, Any]:
        """The ledger's record of an outcome, to be understood without anything else."""
        event = delivery.event
        return {
            "outcome": delivery.outcome,
            "trigger": self._trigger.id,
            "key": delivery.key,
            "event": event.subject if event else None,
            "message_id": event.document["message"].get("id") if event else None,
            "parameters": {
                name: value
                for name, value in delivery.parameters.items()
                if len(json.dumps(value)) <= LONGEST_VALUE_RECORDED
            },
            "run_id": delivery.run_id if delivery.outcome is Outcome.LAUNCHED else None,
            "run_url": delivery.run_url if delivery.outcome is Outcome.LAUNCHED else None,
            "package": self._package.digest,
            "reason": delivery.reason,
            "again_because": event.again_because if event else None,
            "attempt": delivery.claim.attempt if delivery.claim else 1,
            "recorded_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def _log(self, delivery: Delivery, headers: Mapping[str, str]) -> None:
        event = delivery.event
        subject = event.subject if event else "a delivery"
        message = f"{delivery.outcome}: {subject}" + (f": {delivery.reason}" if delivery.reason else "")
        logs.write(
            delivery.outcome,
            message,
            self._trigger.id.split("/")[0],
            headers,
            trigger=self._trigger.id,
            event=event.subject if event else None,
            key=delivery.key,
            message_id=event.document["message"].get("id") if event else None,
            run_id=delivery.run_id,
            run_url=delivery.run_url,
            package=self._package.digest,
            reason=delivery.reason,
            stack_trace=delivery.stack,
            seconds=round(time.monotonic() - delivery.started, 3),
        )

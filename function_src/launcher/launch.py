"""From a delivery to an outcome: the one place that decides what becomes of an event."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from .credentials import AccessTokens, TokenUnavailableError
from .delivery import Delivery, Outcome
from .document import Documents
from .event import Event, check_size, launch_key, read_event
from .ledger import Claim, ClaimedError, DecidedError, Ledger
from .mapping.condition import holds
from .mapping.content import BadContentError
from .mapping.expression import UnmappableError
from .mapping.parameters import run_parameters
from .mapping.schema import Schema
from .once import Once, TakenError, value_of
from .pace import POSTS_AT_ONCE, BusyError, Pace, Turns
from .package import FENCE, Package
from .records import LedgerUnavailableError
from .run import (
    MOST_POSTS,
    DoubtfulError,
    ExistsError,
    RefusedError,
    Run,
    StrandedError,
    TwiceError,
    UnavailableError,
    UnknownError,
    doubt,
)
from .settings import Trigger
from .sources import BadDeliveryError
from .storage import Objects, ObjectUnusableError, StorageUnavailableError, storage_api
from .targets import open_target, open_workflows

# The event itself is wrong, and would be at every later delivery.
WRONG_FOR_EVER = (BadContentError, BadDeliveryError, ObjectUnusableError, UnmappableError, RefusedError)
# Something else is wrong, for now: a redelivery may succeed, and a person may mend it meanwhile.
WRONG_FOR_NOW = (
    BusyError,
    ClaimedError,
    LedgerUnavailableError,
    StorageUnavailableError,
    TokenUnavailableError,
    UnavailableError,
    UnknownError,
)
# How long an event may be under way to its first attempt and not count as one that comes again. Whoever makes a
# ledger anew takes longer: a function is built for it.
FRESH = timedelta(minutes=1)


class Launcher:
    """Handles deliveries for one trigger. Safe to use from several threads."""

    def __init__(self, trigger: Trigger, package: Package, schema: Schema | None = None) -> None:
        tokens, pace = AccessTokens(), Pace(min(trigger.lease_seconds, trigger.timeout_seconds))
        storage = storage_api(tokens, pace.for_an_answer)
        self._trigger = trigger
        self._package = package
        self._documents = Documents(Objects(storage), trigger, schema)
        self._ledger = Ledger(storage, trigger.ledger, trigger.name, trigger.lease_seconds)
        self._once = Once(storage, trigger.ledger, trigger.name, trigger.once_within)
        self._endpoint = open_target(trigger.target, trigger.name, tokens, pace)
        self._workflows = open_workflows(trigger.target, pace)
        self._pace = pace
        self._turns = Turns(POSTS_AT_ONCE, pace.after_a_doubt)

    def handle(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Brings one delivery to its outcome, records that in the ledger and logs it. Never raises."""
        delivery = Delivery(key=launch_key(self._trigger.id, ("unread", hashlib.sha256(body).hexdigest())))
        self._decide(delivery, lambda: self._attempt(delivery, headers, body))
        self._decide(delivery, lambda: self._settle(delivery, body))
        delivery.log(self._trigger.id, self._package.digest, headers)
        return delivery

    def _decide(self, delivery: Delivery, step: Callable[[], None]) -> None:
        """Takes a step, and turns what goes wrong in it into an outcome."""
        try:
            step()
        except DecidedError as error:
            delivery.outcome, delivery.reason = Outcome.DUPLICATE, str(error)
            delivery.run_id, delivery.run_url = error.record.get("run_id"), error.record.get("run_url")
            delivery.doubt = error.record.get("doubt")  # who found it may have died before it could say so
        except TakenError as error:
            delivery.outcome, delivery.reason = Outcome.SKIPPED, str(error)
            delivery.run_id = delivery.run_url = None
        except WRONG_FOR_EVER as error:
            delivery.outcome, delivery.reason = Outcome.REJECTED, str(error)
        except WRONG_FOR_NOW as error:
            delivery.outcome, delivery.reason = Outcome.RETRY, str(error)
        except DoubtfulError as error:
            delivery.outcome, delivery.reason = Outcome.DOUBTFUL, str(error)
        except Exception as error:  # noqa: BLE001 a defect of ours must not lose the event: it dead-letters instead
            delivery.outcome, delivery.reason = Outcome.RETRY, f"internal error: {type(error).__name__}"
            delivery.stack = traceback.format_exc()

    def _attempt(self, delivery: Delivery, headers: Mapping[str, str], body: bytes) -> None:
        """Reads a delivery and launches its event, in turn where the endpoint cannot take all at once."""
        check_size(body, self._trigger.content_limit)
        event = delivery.event = read_event(self._trigger.id, self._trigger.source, headers, body)
        delivery.key = event.key
        if self._passes_over(delivery, event):
            return
        with nullcontext() if self._endpoint.atomic else self._turns.take(self._pace.for_a_turn):
            self._launch(delivery, event)

    def _passes_over(self, delivery: Delivery, event: Event) -> bool:
        """Whether the source does not take an event up. One of another source is claimed before it is rejected."""
        try:
            reason = self._trigger.source.check(event.document)
        except BadDeliveryError:
            delivery.claim = self._claim(event)
            raise
        if reason is None:
            return False
        delivery.outcome, delivery.reason, delivery.passed_over = Outcome.SKIPPED, reason, True
        return True

    def _launch(self, delivery: Delivery, event: Event) -> None:
        """Claims, maps and starts.

        The claim comes before the file is read: what was launched before stays launched, even if the pipeline has
        moved the file by now. And it comes before ``when`` is asked: otherwise, after a change of it, one delivery
        could skip what another launches, and what was skipped could be launched later.
        """
        claim = delivery.claim = self._claim(event)
        delivery.in_doubt = claim is not None and claim.taken_over
        run_id = self._endpoint.run_id(event.key)
        delivery.run_id, delivery.run_url = run_id, self._endpoint.run_url(run_id)
        forgotten = self._may_be_forgotten(event, claim)
        if (delivery.in_doubt or forgotten or self._turns.doubtful) and self._endpoint.has_run(run_id):
            self._find(delivery)
            return
        if claim and (claim.taken_over or forgotten) and not self._endpoint.atomic:
            if self._find_unseen(delivery, run_id):
                return
            self._check_doubt(delivery, claim)
        try:
            document = self._document(delivery, event)
            if document is None:
                delivery.outcome = Outcome.SKIPPED
                delivery.run_id = delivery.run_url = None
                return
            delivery.parameters = run_parameters(
                self._trigger.parameters, self._package.inputs, document, self._trigger.target.kind
            )
            if self._trigger.once_per and event.again_because is None:
                self._once.take(value_of(self._trigger.once_per, document), event.key, event.subject)
        except WRONG_FOR_EVER:
            # Without a claim, nothing has said yet whether an earlier attempt got any further.
            if claim is None and self._endpoint.has_run(run_id):
                self._find(delivery)
                return
            raise
        sent = {**delivery.parameters, **self._fence(event)}
        run = Run(run_id, self._trigger.id, event.subject, event.label, event.key, self._package, sent)
        self._start(delivery, run)

    def _fence(self, event: Event) -> Mapping[str, str]:
        """What the fence of a fenced package is given: beside the event's parameters, and recorded by nobody."""
        return {FENCE: self._ledger.fence(event.key)} if self._package.fenced else {}

    def _claim(self, event: Event) -> Claim | None:
        """Takes the lease on an event. None where the target itself starts nothing twice, and neither a predicate nor
        a file, which may be gone by then, decides whether it starts."""
        if not self._endpoint.atomic or self._trigger.when or self._documents.read_later:
            return self._ledger.claim(event.key, event.subject)
        self._ledger.mark(event.key, event.subject)
        return None

    def _may_be_forgotten(self, event: Event, claim: Claim | None) -> bool:
        """Whether it may have been launched before the ledger's memory began: that was made anew, moved or emptied
        since, or forgets after ``ledger_days``. Fresh events are spared the question."""
        return claim is not None and claim.moment - event.moment > FRESH

    def _check_doubt(self, delivery: Delivery, claim: Claim) -> None:
        """Whether the endpoint's word that there is no run will do to ask for one, after all that was sent before."""
        if claim.posts >= MOST_POSTS:
            self._doubt(delivery, f"{claim.posts} POSTs may have reached the endpoint, and there is no run")
        elif claim.age > self._endpoint.memory:
            self._doubt(delivery, f"its run may have been deleted since: a POST of it is {claim.age.days} days old")
        if delivery.doubt:
            raise DoubtfulError(
                f"it is started again only by: pipeline-trigger replay {delivery.key} --again --because REASON"
            )

    def _document(self, delivery: Delivery, event: Event) -> Mapping[str, Any] | None:
        """What the parameters are mapped from; None if ``when`` says no. A file is read once at most, and for the
        parameters only when the event is wanted."""
        condition = self._trigger.when
        document = self._documents.for_when(event)
        if condition and not holds(condition, document):
            delivery.reason = "when is false for this event"
            return None
        document = self._documents.for_parameters(event, document)
        self._documents.check(document)
        return document

    def _start(self, delivery: Delivery, run: Run) -> None:
        """Asks for the run, once. A first claim has counted its POST already; any other counts it now."""
        taken_over, counted = delivery.in_doubt, None
        if delivery.claim and taken_over and not self._endpoint.atomic:
            counted = delivery.claim = self._ledger.count_post(delivery.claim)
        delivery.in_doubt = True
        try:
            started = self._endpoint.start(run, lambda: self._may_send(delivery))
        except StrandedError:
            self._doubt(delivery, "the endpoint started a workflow and cannot store its run")
            raise
        except (RefusedError, UnavailableError):
            delivery.in_doubt = taken_over
            if counted:
                self._ledger.uncount_post(counted)
            raise
        except ExistsError:
            self._find(delivery)
            return
        except UnknownError as error:
            # Never a second POST on a doubt: it would start a second workflow.
            if not self._is_there(run.id):
                raise
            started = run.id
            if isinstance(error, TwiceError):
                self._doubt(delivery, "the run was there already, and the endpoint started another workflow for it")
        self._turns.trust()
        self._launched(delivery)
        if started != run.id:
            delivery.run_id, delivery.run_url = started, self._endpoint.run_url(started)
            delivery.reason = f"the endpoint ignored the run id {run.id}: it cannot tell duplicates apart"

    def _may_send(self, delivery: Delivery) -> bool:
        """Whether there is time left to ask for a run and wait for the answer."""
        return delivery.age < self._pace.to_send_in and (delivery.claim is None or delivery.claim.may_send)

    def _is_there(self, run_id: str) -> bool:
        """Whether a run is there whose POST had no good answer. Unless it is, nobody else's is sent for a while."""
        there = False
        try:
            there = self._endpoint.has_run(run_id)
        finally:
            if not there:
                self._turns.doubt()
        return there

    def _find(self, delivery: Delivery) -> None:
        """The event needs no other run than the one that is there."""
        delivery.found, delivery.reason = True, "an earlier attempt had started the run"
        self._launched(delivery)

    def _find_unseen(self, delivery: Delivery, run_id: str) -> bool:
        """Whether the event needs no run, because a workflow that no run shows has done its work.

        One that is at work is waited for: KFP removes it, minutes after it began, and only then is another needed.
        """
        name = self._workflows.succeeded(run_id) if self._workflows else None
        if name:
            delivery.outcome, delivery.found = Outcome.LAUNCHED, True
            delivery.reason = "the workflow of an earlier attempt has done the work"
            delivery.doubt = f"the workflow {name} has succeeded, and the endpoint has no run of it"
        return name is not None

    def _launched(self, delivery: Delivery) -> None:
        delivery.outcome = Outcome.LAUNCHED
        if delivery.claim and delivery.claim.posts > 1 and not self._endpoint.atomic and not delivery.doubt:
            self._doubt(delivery, f"{delivery.claim.posts} POSTs may have reached the endpoint")

    def _doubt(self, delivery: Delivery, why: str) -> None:
        """Says what no run shows, and how to look."""
        delivery.doubt = doubt(why, self._endpoint.run_id(delivery.key))

    def _settle(self, delivery: Delivery, body: bytes) -> None:
        """Records a final outcome; gives the claim back when nothing was started and nothing can still start."""
        if delivery.passed_over:
            return
        claim = delivery.claim
        if claim and delivery.outcome in (Outcome.SKIPPED, Outcome.REJECTED) and not delivery.doubt:
            if not claim.may_send:
                raise UnavailableError("the attempt took too long to decide in its lease; another may have launched")
            if claim.taken_over and not self._endpoint.atomic:
                self._doubt(
                    delivery, "a POST of an earlier attempt may have reached the endpoint, and there is no run"
                )
        if delivery.outcome is Outcome.REJECTED:
            self._ledger.keep(delivery.key, body)
        if delivery.outcome in (Outcome.LAUNCHED, Outcome.SKIPPED, Outcome.REJECTED):
            entry = delivery.record(self._trigger.id, self._package.digest)
            standing = self._ledger.record(delivery.key, entry)
            started = delivery.outcome is Outcome.LAUNCHED and not delivery.found
            if delivery.event and standing is not entry and not started:  # somebody else was quicker to decide
                raise DecidedError(standing)
        elif delivery.outcome is Outcome.RETRY and delivery.claim and not delivery.in_doubt:
            self._ledger.release(delivery.claim)

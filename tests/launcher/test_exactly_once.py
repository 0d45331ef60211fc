"""One run per event and no event lost: a machine that looks for a way to break it.

It delivers events, also twice and together, lets each attempt take one request at a time, decides what befalls that
request, kills attempts wherever they stand, and lets time pass. What may never be is checked after each of its moves,
and that everything ends well once the faults have ended, at the end of each of its games.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from jmespath.parser import ParsedResult

from function_src.launcher.delivery import Delivery as Handled
from function_src.launcher.delivery import Outcome
from function_src.launcher.event import read_event
from function_src.launcher.kfp import Endpoint, run_id
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.expression import read_expression
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.package import read_package
from function_src.launcher.run import MOST_POSTS
from function_src.launcher.settings import Cluster, KfpTarget, Trigger
from function_src.launcher.sources import GcsSource
from rehearsal.chaos.faults import Point
from rehearsal.google.objects import Object
from tests.launcher.deliveries import TRIGGER_ID, Delivery, as_json, push
from tests.launcher.stepwise import CLUSTER, CLUSTER_FATES, HOST, STRANDED, WELL, Attempt, Fate, Services

BUCKET, LEDGER, LEASE = "acme-incoming", "launch-ledger", 60.0
SOURCE = GcsSource(BUCKET, "incoming/")
START_WITHIN = 0.6 * LEASE  # the window that docs/guarantees.md states: three minutes of a lease of five
MOST_UNDECIDED, MOST_AT_ONCE = 2, 3
DELIVERIES_TO_END = 3  # after the faults, half a lease apart: one meets the claim, the next takes it over
PACKAGE = as_json(
    {
        "pipelineInfo": {"name": "echo"},
        "root": {"inputDefinitions": {"parameters": {"filename": {"parameterType": "STRING"}}}},
        "schemaVersion": "2.1.0",
    }
)


@dataclass
class Happened:
    """An event. ``wrong``: something about it can never be right, so that it may be rejected."""

    name: str
    delivery: Delivery
    wrong: bool
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = read_event(TRIGGER_ID, SOURCE, *self.delivery).key

    @property
    def outcome(self) -> str:
        """The name of its outcome in the ledger."""
        return f"outcomes/echo/{self.key}"


SECONDS = st.sampled_from([0, 0.25, 5, 20, 30, 61])


class ExactlyOnce(RuleBasedStateMachine):
    cluster: Cluster | None = None
    once_per: ParsedResult | None = None
    deliveries_to_end = DELIVERIES_TO_END

    def __init__(self) -> None:
        super().__init__()
        self.monkeypatch = pytest.MonkeyPatch()
        self.monkeypatch.setattr(Handled, "log", lambda *_: None)
        self.services = Services(START_WITHIN, self.monkeypatch)
        self.services.storage.create_bucket(BUCKET)
        self.services.storage.create_bucket(LEDGER)
        self.events: list[Happened] = []
        self.running: dict[Attempt, Happened] = {}
        self.acknowledged: set[str] = set()
        self.sent: Counter[str] = Counter()
        self.stranded: set[str] = set()
        self.refused: set[str] = set()
        self.recorded: dict[str, Object] = {}
        self.attempts = 0

    # --- what can happen -------------------------------------------------------------------------------------------

    @initialize()
    def first_event(self) -> None:
        self.event(wrong=False)

    @precondition(lambda self: len(self.events) - len(self.ledger()) < MOST_UNDECIDED)
    @rule(wrong=st.sampled_from([False, False, False, True]))
    def event(self, *, wrong: bool) -> None:
        """A file is dropped, and the first message about it arrives."""
        name = f"incoming/{len(self.events)}"
        written = self.services.storage.write(BUCKET, name, b"\xff" if wrong else b"a.csv")
        self.events.append(Happened(name, push(written), wrong))
        self.start(self.events[-1], warm=False)

    @precondition(lambda self: len(self.running) < MOST_AT_ONCE)
    @rule(after=SECONDS, last=st.booleans(), warm=st.booleans())
    def delivery(self, after: float, *, last: bool, warm: bool) -> None:
        """Pub/Sub delivers one of the last two events, whatever became of its earlier deliveries."""
        self.services.clock.go_on(after)
        self.start(self.events[-1 if last else -2 % len(self.events)], warm=warm)

    @precondition(lambda self: len(self.running) < MOST_AT_ONCE - 1)
    @rule(after=SECONDS, last=st.booleans(), together=st.integers(1, 9))
    def two_deliveries(self, after: float, together: int, *, last: bool) -> None:
        """Pub/Sub delivers an event twice at once, and for a while the two go hand in hand."""
        self.services.clock.go_on(after)
        happened = self.events[-1 if last else -2 % len(self.events)]
        pair = [self.start(happened, warm=True) for _ in range(2)]
        for _ in range(together):
            for attempt in pair:
                if attempt.request:
                    self.meet(attempt, WELL)

    @precondition(lambda self: self.running)
    @rule(
        after=SECONDS,
        which=st.integers(0, MOST_AT_ONCE - 1),
        to=st.sampled_from([Point.POST, Point.OUTCOME, Point.EXPERIMENT, None]),
        delay=st.sampled_from([0, 1, 9, 11, 35, 70]),
        token=st.sampled_from([0, 0, 0, 20, 40]),
        data=st.data(),
    )
    def request(self, after: float, which: int, to: Point | None, delay: float, token: float, data: Any) -> None:
        """An attempt's next request, or the next of a kind, waits a while and meets its fate."""
        attempt = list(self.running)[which % len(self.running)]
        while to and attempt.request and attempt.point is not to:
            self.meet(attempt, WELL)
        self.services.clock.go_on(after)
        attempt.token_takes = token
        if attempt.request:
            done, undone = self.services.fates(attempt)
            self.meet(attempt, data.draw(st.sampled_from([WELL, *done]) | st.sampled_from(undone)), delay)

    @precondition(lambda self: self.launched())
    @rule()
    def file_is_moved(self) -> None:
        """As a pipeline does that has begun with it: what was launched stays launched."""
        name = self.launched()[0]
        self.tell(f"{name} is moved")
        self.services.storage.delete(BUCKET, name)

    @precondition(lambda self: not self.running and not self.stranded)
    @rule()
    def ledger_is_made_anew(self) -> None:
        """It remembers nothing: neither what was launched nor how often it was tried. What a server started and does
        not show, nobody can know then."""
        self.services.clock.go_on(10 * LEASE)
        self.tell("the ledger is made anew")
        for name in list(self.services.storage.buckets[LEDGER].objects):
            self.services.storage.delete(LEDGER, name)
        self.recorded, self.acknowledged, self.sent = {}, set(), Counter()

    # --- what never happens ----------------------------------------------------------------------------------------

    @invariant()
    def no_event_has_a_second_workflow(self) -> None:
        """Unless the server had started one of which it knows nothing, and then no third."""
        for key, started in self.workflows().items():
            assert started <= (MOST_POSTS if key in self.stranded else 1)

    @invariant()
    def no_event_has_a_third_post_that_leaves_anything_open(self) -> None:
        assert max(self.sent.values(), default=0) <= MOST_POSTS

    @invariant()
    def what_was_acknowledged_is_recorded(self) -> None:
        assert self.acknowledged <= self.ledger().keys()

    @invariant()
    def an_outcome_never_changes(self) -> None:
        found = self.ledger()
        assert self.recorded.items() <= found.items()
        self.recorded = found

    @invariant()
    def an_outcome_tells_the_truth(self) -> None:
        """Except where the endpoint refused one attempt and served the next: the first may stand still for longer
        than its lease and then record its refusal."""
        workflows = self.workflows()
        for outcome in self.ledger().values():
            record = json.loads(outcome.body)
            told = record["doubt"] or bool(workflows[record["key"]]) == (record["outcome"] == "launched")
            assert told or (record["outcome"] == "rejected" and record["key"] in self.refused), record

    @invariant()
    def what_no_run_shows_is_said(self) -> None:
        """Of an event that is decided; before that its claim stands. With the exception of above."""
        for key, started in self.workflows().items():
            outcome = self.ledger().get(f"outcomes/echo/{key}")
            told = json.loads(outcome.body)["outcome"] if outcome else None
            if outcome and started > (told == "launched") and (told != "rejected" or key not in self.refused):
                assert json.loads(outcome.body)["doubt"], key
                assert outcome.resource()["metadata"]["doubt"], key

    # --- how it ends -----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if self.events:
                self.end_well()
        finally:
            for attempt in self.running:
                if attempt.request:  # one that has ended before it asked for anything would be waited for without end
                    attempt.kill()
            self.monkeypatch.undo()

    def end_well(self) -> None:
        """Without faults every event gets its outcome in a few deliveries, and who stood still until then breaks
        nothing."""
        stood_still = list(self.running)
        self.tell("the faults end")
        doubtful = {happened.key for happened in self.events if not self.deliver_until_it_ends(happened)}
        for attempt in stood_still:
            self.finish(attempt)
        self.services.clock.go_on(10 * LEASE)
        for promise in (
            self.no_event_has_a_second_workflow,
            self.no_event_has_a_third_post_that_leaves_anything_open,
            self.what_was_acknowledged_is_recorded,
            self.an_outcome_never_changes,
            self.an_outcome_tells_the_truth,
            self.what_no_run_shows_is_said,
        ):
            promise()
        for happened in self.events:
            if happened.key in doubtful and happened.outcome not in self.recorded:
                continue
            record = json.loads(self.recorded[happened.outcome].body)
            assert self.ended_rightly(happened, record), record

    def ended_rightly(self, happened: Happened, record: Mapping[str, Any]) -> bool:
        """A workflow that no run shows may have moved the file."""
        return record["outcome"] == "launched" or (
            record["outcome"] == "rejected" and bool(happened.wrong or record["doubt"])
        )

    def deliver_until_it_ends(self, happened: Happened) -> bool:
        """Whether an event gets an outcome. Else it is doubtful, for ever, and for the one reason that there is."""
        for _ in range(self.deliveries_to_end):
            if happened.outcome in self.acknowledged:
                return True
            attempt = self.start(happened, warm=False)
            self.finish(attempt)
            if attempt.handled and attempt.handled.outcome is Outcome.DOUBTFUL:
                assert self.claim(happened)["posts"] == str(MOST_POSTS)
                return False
            self.services.clock.go_on(LEASE / 2 + 1)
        assert happened.outcome in self.acknowledged, f"{happened.name} is left open"
        return True

    # --- how it is done --------------------------------------------------------------------------------------------

    def start(self, happened: Happened, *, warm: bool) -> Attempt:
        """Another process begins to work on an event; a ``warm`` one has found the experiment before."""
        trigger = Trigger(
            id=TRIGGER_ID,
            source=SOURCE,
            parameters={"filename": read_parameter("filename", "content")},
            content_limit=1000,
            ledger=LEDGER,
            lease_seconds=LEASE,
            target=KfpTarget(HOST, "access-token", "gcs-triggered", workflows=self.cluster),
            once_per=self.once_per,
        )
        launcher = Launcher(trigger, read_package(PACKAGE))
        endpoint = launcher._endpoint
        assert isinstance(endpoint, Endpoint)
        endpoint._experiment_id = next(iter(self.services.kfp.experiments.rows), None) if warm else None
        self.attempts += 1
        name = f"attempt {self.attempts} at {happened.name}"
        attempt = Attempt(name, launcher, happened.delivery, self.services.clock)
        self.running[attempt] = happened
        self.tell(f"{attempt.name} starts")
        return attempt

    def meet(self, attempt: Attempt, fate: Fate, delay: float = 0) -> None:
        """An attempt's request meets its fate, which may end the attempt."""
        self.tell(f"{attempt.name}: {attempt.point or 'read the file'}: {fate.name}, {delay} s")
        happened = self.running[attempt]
        if fate.rejects:
            happened.wrong = True
            self.refused.add(happened.key)
        if attempt.point is Point.POST and fate.leaves_open:
            self.sent[happened.key] += 1
        if fate.strands:
            self.stranded.add(happened.key)
        self.services.answer(attempt, fate, delay)
        if attempt.request:
            return
        del self.running[attempt]
        if handled := attempt.handled:
            self.tell(f"{attempt.name} ends: {handled.outcome}, {handled.reason}")
            assert handled.stack is None, handled.stack
            if handled.status == 200:
                self.acknowledged.add(happened.outcome)

    def finish(self, attempt: Attempt) -> None:
        """Nothing goes wrong any more."""
        while attempt.request:
            self.meet(attempt, WELL)

    def workflows(self) -> Counter[str]:
        """How many workflows were started for each launch key."""
        keys = {run_id(happened.key): happened.key for happened in self.events}
        return Counter(keys[workflow.run_id] for workflow in self.services.kfp.workflows)

    def launched(self) -> list[str]:
        """The files that are still there of events with a workflow."""
        workflows, there = self.workflows(), self.services.storage.buckets[BUCKET].objects
        return [happened.name for happened in self.events if workflows[happened.key] and happened.name in there]

    def claim(self, happened: Happened) -> Mapping[str, str]:
        """What the claim on an event says."""
        found = self.services.storage.buckets[LEDGER].objects[f"claims/echo/{happened.key}"]
        said: Mapping[str, str] = found.resource()["metadata"]
        return said

    def ledger(self) -> dict[str, Object]:
        """The outcomes that stand in the ledger."""
        stored = self.services.storage.buckets[LEDGER].objects
        return {name: stored[name] for name in stored if name.startswith("outcomes/")}

    def tell(self, what: str) -> None:
        """For whoever reads a failure."""
        note(f"{self.services.clock.now - 1_800_000_000:8.2f} {what}")


class ExactlyOnceWithALook(ExactlyOnce):
    """The launcher may look into the cluster, where workflows end, and KFP removes those without a row."""

    cluster = Cluster(CLUSTER, "kubeflow")
    deliveries_to_end = (
        DELIVERIES_TO_END + 5
    )  # of a workflow that is removed after 1.6 leases, and looked at each lease

    def __init__(self) -> None:
        super().__init__()
        self.services.kfp.kubernetes.cleans_up_after = 1.6 * LEASE

    @precondition(lambda self: self.running)
    @rule(
        which=st.integers(0, MOST_AT_ONCE - 1),
        fate=st.sampled_from(STRANDED),
        after=st.sampled_from([1, 62, 62, 100]),
        look=st.sampled_from([WELL, *CLUSTER_FATES]),
        delay=st.sampled_from([0, 9, 11]),
    )
    def workflow_loses_its_row(self, which: int, fate: Fate, after: float, look: Fate, delay: float) -> None:
        """An attempt asks for a run, comes to nothing, and its event is delivered again; the next looks into the
        cluster, if it gets so far, and that look meets its fate."""
        attempt = list(self.running)[which % len(self.running)]
        happened = self.running[attempt]
        if self.go_to(attempt, Point.POST):
            self.meet(attempt, fate)
            self.finish(attempt)
            self.services.clock.go_on(after)
            following = self.start(happened, warm=True)
            if self.go_to(following, Point.LOOK):
                self.meet(following, look, delay)

    def go_to(self, attempt: Attempt, point: Point) -> bool:
        """Lets all go well until an attempt's next request of a kind; whether there is one."""
        while attempt.request and attempt.point is not point:
            self.meet(attempt, WELL)
        return attempt.request is not None

    @precondition(lambda self: self.services.kfp.rowless)
    @rule(which=st.integers(0, 3), removed=st.booleans())
    def workflow_without_a_row_ends(self, which: int, *, removed: bool) -> None:
        """It succeeds, or KFP was quick to remove it."""
        names = list(self.services.kfp.rowless)
        name, kubernetes = names[which % len(names)], self.services.kfp.kubernetes
        if kubernetes.stored[name].until is None and name not in kubernetes.ended:
            self.tell(f"{name} {'is removed' if removed else 'succeeds'}")
            if removed:
                kubernetes.remove(name)
            else:
                kubernetes.ended[name] = "Succeeded"

    @invariant()
    def no_workflow_is_started_beside_another(self) -> None:
        """Nor while one is there that has succeeded."""
        assert not self.services.kfp.kubernetes.beside()


class OncePerValue(ExactlyOnce):
    """All files say the same, and one run for what they say is wanted."""

    once_per = read_expression("once_per", "content")

    def ledger_is_made_anew(self) -> None:
        """Not here: what the ledger forgets may be launched again."""

    @invariant()
    def of_all_events_with_a_value_one_has_a_workflow(self) -> None:
        """Unless the endpoint refused one attempt at an event, so that the value was free, and served the next."""
        assert len(self.workflows().keys() - self.refused) <= 1

    @invariant()
    def what_is_skipped_has_no_workflow(self) -> None:
        for outcome in self.ledger().values():
            record = json.loads(outcome.body)
            assert record["outcome"] != "skipped" or not self.workflows()[record["key"]]

    def end_well(self) -> None:
        """Whoever has the value comes first: the others wait for what becomes of it."""
        stored = self.services.storage.buckets[LEDGER].objects
        owners = [stored[name].resource()["metadata"]["key"] for name in stored if name.startswith("once/")]
        self.events.sort(key=lambda happened: happened.key not in owners)
        super().end_well()
        records = [json.loads(outcome.body) for outcome in self.ledger().values()]
        skipped = [record for record in records if record["outcome"] == "skipped"]
        assert not skipped or any(record["outcome"] == "launched" or record["doubt"] for record in records)

    def deliver_until_it_ends(self, happened: Happened) -> bool:
        first = self.events[0]
        if happened is not first and first.outcome not in self.acknowledged:
            return False  # of one that is doubtful for ever, nobody knows whether it was launched
        return super().deliver_until_it_ends(happened)

    def ended_rightly(self, happened: Happened, record: Mapping[str, Any]) -> bool:
        return record["outcome"] == "skipped" or super().ended_rightly(happened, record)


@pytest.mark.parametrize("machine", [ExactlyOnce, ExactlyOnceWithALook, OncePerValue])
def test_an_event_starts_one_workflow_and_is_never_lost_whatever_befalls_any_request(
    machine: type[ExactlyOnce],
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

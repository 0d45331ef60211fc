"""What would become of an event: the launcher's own steps, without a cloud and without starting anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from function_src.launcher import kfp, vertex
from function_src.launcher.document import Documents
from function_src.launcher.event import Event, check_size, read_event
from function_src.launcher.launch import WRONG_FOR_EVER
from function_src.launcher.ledger import Ledger
from function_src.launcher.mapping.condition import holds
from function_src.launcher.mapping.expression import evaluate
from function_src.launcher.mapping.fitting import show
from function_src.launcher.mapping.parameters import ABSENT, UNMAPPED, run_parameters
from function_src.launcher.once import WHAT, value_of
from function_src.launcher.package import FENCE, Input
from function_src.launcher.run import Run
from function_src.launcher.settings import VertexTarget
from function_src.launcher.sources import GcsSource
from function_src.launcher.targets import Endpoint
from ops.errors import OperationError
from ops.findings import Status
from ops.trying.given import Given
from ops.trying.planned import PlannedTrigger
from ops.trying.recorder import Recorder
from rehearsal.google.log_filter import UnsupportedFilterError

Outcome = Literal["launched", "skipped", "rejected", "not delivered"]


@dataclass(frozen=True)
class Step:
    """What one part of a trigger says of an event."""

    part: str
    status: Status
    what: str


@dataclass(frozen=True)
class Mapped:
    """One run parameter: its type, where its value comes from, and that value, or why there is none that fits."""

    name: str
    type: str
    comes_from: str
    value: Any = None
    problem: str = ""


@dataclass
class Attempt:
    """What would become of an event, and what its run would be asked for.

    ``run`` has its name, id, key and url; ``request`` is what would be sent. Both are empty where none would start.
    """

    trigger: str
    event: str = ""
    outcome: Outcome = "launched"
    reason: str = ""
    steps: list[Step] = field(default_factory=list)
    document: Mapping[str, Any] = field(default_factory=dict)
    parameters: list[Mapped] = field(default_factory=list)
    run: dict[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    made_up: str = ""

    @property
    def sent(self) -> dict[str, Any]:
        """The parameters that the run would be given."""
        return {mapped.name: mapped.value for mapped in self.parameters if mapped.value is not None}


def try_event(trigger: PlannedTrigger, given: Given) -> Attempt:
    """Takes an event through a trigger, up to the request that would start its run.

    Raises:
        OperationError: an expression reads what stands in the object, and nobody gave it.
    """
    attempt = Attempt(trigger.name, made_up=given.made_up)
    with contextlib.suppress(_EndedError):
        _Trial(trigger, given, attempt).go()
    return attempt


class _EndedError(Exception):
    """A part of the trigger said no."""


class _GivenObject:
    """In the place of Cloud Storage: what a person gave as an object's content."""

    def __init__(self, trigger: str, given: Given) -> None:
        self._trigger, self._given = trigger, given

    def content(self, _bucket: str, _name: str, _generation: str, limit: int) -> Mapping[str, Any]:
        if self._given.content is None:
            raise OperationError(f"trigger {self._trigger} reads what stands in its files; give that with --file")
        return self._given.content(limit)


class _Trial:
    """The steps of :class:`function_src.launcher.launch.Launcher`, but for claim, POST and record."""

    def __init__(self, trigger: PlannedTrigger, given: Given, attempt: Attempt) -> None:
        self._trigger, self._given, self._attempt = trigger, given, attempt
        self._launcher = trigger.launcher
        self._documents = Documents(_GivenObject(trigger.name, given), trigger.launcher, trigger.schema)

    def go(self) -> None:
        event = self._read()
        self._before_the_launcher(event)
        self._take_up(event)
        self._ask_when(event)
        self._map(event)
        self._ask_for_run(event)

    def _read(self) -> Event:
        with self._part("delivery"):
            check_size(self._given.body, self._launcher.content_limit)
            event = read_event(self._launcher.id, self._launcher.source, self._given.headers, self._given.body)
        self._attempt.event, self._attempt.document = event.subject, event.document
        self._say("delivery", "ok", f"is an event: {event.subject}")
        return event

    def _before_the_launcher(self, event: Event) -> None:
        """What Cloud Logging, Cloud Storage and Pub/Sub decide."""
        if self._trigger.sink is not None:
            try:
                if reason := self._trigger.exports(event.document["log"]):
                    self._end("sink", "not delivered", reason)
                self._say("sink", "ok", f"the filter selects it: {self._trigger.sink['filter']}")
            except UnsupportedFilterError as error:
                self._say("sink", "could not check", str(error))
        if (start := self._trigger.announced) and not event.object["name"].startswith(start):
            self._end("notification", "not delivered", f"Cloud Storage announces only names that start with {start}")
        if text := self._trigger.subscription_filter:
            if not self._trigger.passes_filter(event.document["message"].get("attributes", {})):
                self._end("filter", "not delivered", f"the subscription's filter does not let it through: {text}")
            self._say("filter", "ok", f"the subscription's filter lets it through: {text}")

    def _take_up(self, event: Event) -> None:
        source = self._launcher.source
        if isinstance(source, GcsSource) and self._trigger.own_bucket:
            source = replace(source, bucket=event.object["bucket"])
        with self._part("source"):
            reason = source.check(event.document)
        if reason:
            self._end("source", "skipped", reason)
        if isinstance(source, GcsSource):
            glob = f", and its name matches {source.glob.text}" if source.glob else ""
            self._say("source", "ok", f"it is below gs://{source.bucket}/{source.prefix}{glob}")

    def _ask_when(self, event: Event) -> None:
        when = self._launcher.when
        if when is None:
            return
        with self._part("content"):
            self._attempt.document = self._documents.for_when(event)
        with self._part("when"):
            wanted = holds(when, self._attempt.document)
        if not wanted:
            self._end("when", "skipped", "when is false for this event", f": {when.expression}")
        self._say("when", "ok", f"is true: {when.expression}")

    def _map(self, event: Event) -> None:
        with self._part("content"):
            self._attempt.document = self._documents.for_parameters(event, self._attempt.document)
        with self._part("schema"):
            self._documents.check(self._attempt.document)
        if self._trigger.schema:
            self._say("schema", "ok", "the content fits it")
        self._attempt.parameters = [self._mapped(name, spec) for name, spec in self._trigger.package.inputs.items()]
        problems = [mapped.problem for mapped in self._attempt.parameters if mapped.problem]
        if problems:
            self._end("parameters", "rejected", "; ".join(problems))
        self._say("parameters", "ok", f"fit the pipeline {self._trigger.package.name}")
        if once := self._launcher.once_per:
            with self._part(WHAT):
                value = value_of(once, self._attempt.document)
            self._say(WHAT, "ok", f"is {show(value)}: launched unless another event with that value was")

    def _mapped(self, name: str, spec: Input) -> Mapped:
        """One parameter by itself, so that each is shown and all problems are said at once."""
        own = {name: found} if (found := self._launcher.parameters.get(name)) else {}
        try:
            given = run_parameters(own, {name: spec}, self._attempt.document, self._launcher.target.kind)
            return Mapped(name, spec.type, self._comes_from(name, spec), given.get(name))
        except WRONG_FOR_EVER as error:
            expression = own[name].expression if own else None
            return Mapped(name, spec.type, expression.expression if expression else "", None, str(error))

    def _comes_from(self, name: str, spec: Input) -> str:
        parameter = self._launcher.parameters.get(name, UNMAPPED)
        expression = parameter.expression
        if expression and evaluate(name, expression, self._attempt.document) is not None:
            return str(expression.expression)
        if parameter.default not in (ABSENT, None):
            return (
                f"the default, for {expression.expression} gives nothing" if expression else "the stack file's value"
            )
        return "the package's runtimeConfig" if spec.value is not None else "the pipeline's own default"

    def _ask_for_run(self, event: Event) -> None:
        package, target, key = self._trigger.package, self._launcher.target, event.key
        recorder = Recorder(target.api_endpoint if isinstance(target, VertexTarget) else target.host)
        endpoint: Endpoint = (
            vertex.Endpoint(recorder, target, self._trigger.name)
            if isinstance(target, VertexTarget)
            else kfp.Endpoint(recorder, target)
        )
        ledger = Ledger(recorder, self._launcher.ledger, self._launcher.name, self._launcher.lease_seconds)
        fence = {FENCE: ledger.fence(key)} if package.fenced else {}
        run_id = endpoint.run_id(key)
        run = Run(
            run_id, self._launcher.id, event.subject, event.label, key, package, {**self._attempt.sent, **fence}
        )
        with self._part("target"):
            endpoint.start(run, lambda: True)
        self._attempt.run = {"name": run.name, "id": run_id, "key": key, "url": endpoint.run_url(run_id)}
        self._attempt.request = recorder.posted

    @contextlib.contextmanager
    def _part(self, part: str) -> Iterator[None]:
        """What is wrong with the event itself in this part rejects it."""
        try:
            yield
        except WRONG_FOR_EVER as error:
            self._end(part, "rejected", str(error))

    def _say(self, part: str, status: Status, what: str) -> None:
        self._attempt.steps.append(Step(part, status, what))

    def _end(self, part: str, outcome: Outcome, reason: str, more: str = "") -> None:
        """The launcher's own words, and ``more`` for who asks."""
        self._say(part, "problem", reason + more)
        self._attempt.outcome, self._attempt.reason = outcome, reason
        raise _EndedError

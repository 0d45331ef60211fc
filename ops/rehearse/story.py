"""The story of a trigger: what happens to it in production, told as it happens here."""

from __future__ import annotations

import itertools
import json
import os
import queue
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from ops.errors import OperationError
from ops.launches.rehearsed import replay_dead_letter
from ops.rehearse.files import named_beside, named_in
from ops.rehearse.occasions import occasion
from ops.rehearse.telling import Step, Teller
from ops.trying.samples import SAMPLES
from rehearsal.environment import Environment, Happening, LogLine, RunningTrigger
from rehearsal.google.pubsub import ACKNOWLEDGED, Attempt
from rehearsal.kfp.runs import RunChange
from rehearsal.program import ROOT
from rehearsal.runs.executor import NOT_EXECUTED, Outputs

SECONDS_OF_SILENCE = 300  # a component may install packages first
LINES_PRINTED = 20
PATIENCE = 12  # deliveries of one event that end in `retry`
LOGGED = ("event", "key", "outcome", "run_id", "reason")  # what is told of the launcher's line beside its message
T = TypeVar("T", Attempt, LogLine, RunChange)


class Story:
    """What happens to a trigger in production, played one after the other."""

    def __init__(self, environment: Environment, trigger: RunningTrigger, file: Path | None, teller: Teller) -> None:
        self._environment = environment
        self._trigger = trigger
        self._teller = teller
        self._say = teller.say
        self._seen: list[Happening] = []
        self._quiet = False
        self._file = file
        self._occasion = occasion(environment, trigger, file, self._say)

    def play(self, *, to_the_end: bool, happy: bool = False) -> list[Step]:
        """Plays all of it and returns how each step came out; only the first if that is asked for (``happy``), or if
        the event itself is no good.

        The end is long, and the same for every trigger: an outage that outlasts all attempts.
        """
        self._provide_objects()
        first, line = self._first()
        if happy or not first.as_expected:
            return [first]
        steps = [first, self._delivered_twice(line), *self._passed_over(), self._bad_event()]
        if "once_per" in self._trigger.settings:
            steps.append(self._another())
            if steps[-1].outcome == "skipped":  # as would be all that follow
                return steps
        steps.append(self._endpoint_outage())
        return [*steps, self._outage_that_lasts()] if to_the_end else steps

    def _provide_objects(self) -> None:
        """Lets files beside a sample stand in for the objects that it names: data.csv for gs://b/x/data.csv.

        A schedule takes no sample: what its payload names is looked for in samples/STACK/TRIGGER/.
        """
        found: Iterable[tuple[str, str, Path]] = ()
        if self._file:
            found = named_beside(self._file)
        elif self._trigger.kind == "schedule":
            payload, _ = self._environment.firing(self._trigger.subscription.topic)
            directory = ROOT / SAMPLES / self._environment.plan.stack / self._trigger.name
            found = named_in(payload.decode(), directory)
        for bucket, name, neighbour in found:
            self._environment.upload(bucket, name, neighbour.read_bytes())
            beside = self._file.name if self._file else f"{self._trigger.name}'s samples"
            self._say("storage", f"{neighbour.name}, beside {beside}, stands in for gs://{bucket}/{name}")

    def _first(self) -> tuple[Step, LogLine]:
        title = self._occasion.title
        self._headline(title.capitalize())
        line = self._until_logged(self._occasion.happen())
        return self._step(title, "launched", line), line

    def _delivered_twice(self, first: LogLine) -> Step:
        attempt = self._until_acknowledged(first)
        self._headline("The same event is delivered again, as at-least-once delivery may")
        self._occasion.repeat(attempt.message)
        line = self._until_logged(str(first.entry["event"]))
        self._until_acknowledged(line)
        return self._step("the same event is delivered again", "duplicate", line)

    def _passed_over(self) -> list[Step]:
        if not self._occasion.pass_over:
            return []
        title = "a file lands that the glob does not match"
        self._headline(title.capitalize())
        line = self._until_logged(self._occasion.pass_over())
        self._until_acknowledged(line)
        return [self._step(title, "skipped", line)]

    def _bad_event(self) -> Step:
        title = self._occasion.bad
        self._headline(title.capitalize())
        through_pubsub = self._occasion.go_wrong()
        line = self._until(LogLine)
        if through_pubsub:
            self._until_acknowledged(line)
        return self._step(title, "rejected", line)

    def _another(self) -> Step:
        title = "another event comes, and once_per decides"
        self._headline(title.capitalize())
        line = self._until_logged(self._occasion.happen_again())
        self._until_acknowledged(line)
        return self._step(title, "launched" if line.entry["outcome"] == "launched" else "skipped", line)

    def _endpoint_outage(self) -> Step:
        self._headline("The endpoint is down when the next event comes, then comes back")
        self._trigger.endpoint.outage = True
        subject = self._occasion.happen_again()
        self._until(Attempt, lambda attempt: attempt.number == 2)
        self._trigger.endpoint.outage = False
        self._say("endpoint", "is back")
        return self._step("the endpoint is down for a while", "launched", self._until_logged(subject))

    def _outage_that_lasts(self) -> Step:
        self._headline("The endpoint stays down until Pub/Sub gives up; later somebody replays the dead letter")
        self._trigger.endpoint.outage = self._environment.pubsub.hurries = self._quiet = True
        self._occasion.happen_again()
        last = self._trigger.subscription.max_delivery_attempts
        self._until(Attempt, lambda attempt: attempt.number == last)
        self._trigger.endpoint.outage = self._environment.pubsub.hurries = self._quiet = False
        self._say("pub/sub", f"attempt {last} was the last: the event is a dead letter")
        self._seen.clear()
        letter = replay_dead_letter(self._environment, self._trigger.name)
        self._say("operator", f"{letter.event} is listed as {letter.state}, and replayed")
        title = "the endpoint stays down, and the dead letter is replayed"
        return self._step(title, "launched", self._until_logged(letter.event))

    def _until_logged(self, subject: str) -> LogLine:
        """Waits for the final outcome of an event, or for one `retry` too many."""
        retries = itertools.count(1)

        def settled(line: LogLine) -> bool:
            mine = line.entry.get("event") == subject
            return mine and (line.entry["outcome"] != "retry" or next(retries) > PATIENCE)

        return self._until(LogLine, settled)

    def _until_acknowledged(self, line: LogLine) -> Attempt:
        """Waits for the answer that a line was logged with; for any if the message could not be read."""
        message_id = line.entry.get("message_id")
        return self._until(
            Attempt, lambda attempt: attempt.status in ACKNOWLEDGED and message_id in (None, attempt.message.id)
        )

    def _until_run_ends(self, run_id: str) -> RunChange:
        ended = ("SUCCEEDED", "FAILED", "CANCELED")
        return self._until(RunChange, lambda change: change.run_id == run_id and change.state in ended)

    def _until(self, kind: type[T], wanted: Callable[[T], bool] = lambda _: True) -> T:
        """Shows what happens until the wanted thing has, be it since the last headline: threads race to report."""

        def is_it(happening: Happening) -> TypeGuard[T]:
            return isinstance(happening, kind) and self._is_mine(happening) and wanted(happening)

        for happening in self._seen:
            if is_it(happening):
                return happening
        while True:
            try:
                happening = self._environment.happenings.get(timeout=SECONDS_OF_SILENCE)
            except queue.Empty:
                raise OperationError(
                    f"nothing has happened for {SECONDS_OF_SILENCE} s; the rehearsal hangs"
                ) from None
            self._seen.append(happening)
            if not self._quiet:
                self._show(happening)
            if is_it(happening):
                return happening

    def _is_mine(self, happening: Happening) -> bool:
        """Another trigger may have the same events."""
        if isinstance(happening, LogLine):
            return happening.trigger == self._trigger.name
        return not isinstance(happening, Attempt) or happening.subscription == self._trigger.subscription.name

    def _step(self, title: str, expected: str, line: LogLine) -> Step:
        """Sums a step up; a launched run is followed to its end first.

        An event can be launched, and its delivery given up before that was answered: then the next one finds the run.
        """
        outcome = str(line.entry["outcome"])
        run_id, reason = line.entry.get("run_id"), line.entry.get("reason")
        if expected == "launched" and outcome == "duplicate" and run_id:
            outcome = "launched"
        if outcome != "launched":
            details = [f"run {run_id} is there already; no second one started"] if outcome == "duplicate" else []
            return Step(title, expected, outcome, (*details, *filter(None, [reason])))
        run = self._until_run_ends(str(run_id))
        outputs = self._trigger.endpoint.outputs(run.run_id)
        became = "was started" if run.error.startswith(NOT_EXECUTED) else run.state.lower()
        ended = ": ".join([f"run {run.run_id} {became}", *run.error.splitlines()[:1]])
        given = _given_line(self._trigger.endpoint.parameters(run.run_id))
        details = [ended, given, *map(_outputs_line, outputs, outputs.values())]
        return Step(title, expected, outcome if run.state == "SUCCEEDED" else "run failed", tuple(details))

    def _show(self, happening: Happening) -> None:
        match happening:
            case Attempt(message=message, number=number, status=status):
                then = "acknowledged" if status in ACKNOWLEDGED else "will be delivered again"
                what = f"attempt {number} answered {status or 'by nobody in time'}: {then}"
                self._say("pub/sub", what, message_id=message.id, attempt=number, status=status)
            case LogLine(entry=entry):
                facts = {name: entry[name] for name in LOGGED if name in entry}
                self._say("launcher", str(entry["message"]), **facts)
            case RunChange(run_id=run_id, task=task, outputs=outputs, printed=printed) if task:
                for line in _last_lines(printed):
                    self._say("pipeline", f"task {task} prints: {line}", run_id=run_id, task=task, printed=line)
                self._say("pipeline", _outputs_line(task, outputs), run_id=run_id, task=task, outputs=outputs)
            case RunChange(run_id=run_id, state=state, error=error):
                what = f"run {run_id} is {state}" + (f": {error}" if error else "")
                self._say("pipeline", what, run_id=run_id, state=state)
                if state == "PENDING":
                    given = self._trigger.endpoint.parameters(run_id)
                    self._say("pipeline", _given_line(given), run_id=run_id, parameters=given)

    def _headline(self, text: str) -> None:
        self._seen.clear()
        self._teller.scene(text)


def _given_line(parameters: Mapping[str, Any]) -> str:
    return f"given {_listed(parameters)}" if parameters else "given no parameters"


def _outputs_line(task: str, outputs: Outputs) -> str:
    return f"task {task}: {_listed(outputs) or 'done'}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_show(value)}" for name, value in sorted(values.items()))


def _show(value: Any) -> str:
    """A parameter as it is, an artifact by where it is kept and by what is said of it, such as metrics."""
    if isinstance(value, dict) and "uri" in value:
        said = f" {json.dumps(value['metadata'], sort_keys=True)}" if value.get("metadata") else ""
        return (os.path.relpath(value["uri"]) if Path(value["uri"]).is_absolute() else value["uri"]) + said
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _last_lines(printed: str) -> list[str]:
    """What a task printed, the end of it if it is much."""
    lines = printed.strip("\n").splitlines()
    more = [f"({len(lines) - LINES_PRINTED} lines before)"] if len(lines) > LINES_PRINTED else []
    return [*more, *lines[-LINES_PRINTED:]]

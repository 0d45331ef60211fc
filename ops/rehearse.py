"""Rehearses a stack on this machine and tells the story as it happens."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.errors import OperationError
from rehearsal.environment import Environment, Happening, LogLine, RunningTrigger
from rehearsal.function import FunctionError
from rehearsal.kfp_runs import RunChange
from rehearsal.program import evaluate, read_stack
from rehearsal.pubsub import ACKNOWLEDGED, Attempt
from rehearsal.runs import Outputs

SECONDS_OF_SILENCE = 300  # a component may install packages first
PATIENCE = 12  # deliveries of one event that end in `retry`
SAMPLE_FILE = "hello.txt"
SAMPLE_TEXT = b"Hello from the rehearsal.\n"
COLOURS = {"launched": "green", "duplicate": "cyan", "skipped": "cyan", "rejected": "red", "retry": "yellow"}
T = TypeVar("T", Attempt, LogLine, RunChange)
GS_URI = re.compile(r"gs://([^/\s\"']+)/([^\s\"']+)")


@dataclass(frozen=True)
class Step:
    """One step of the story and how it came out; ``details`` are lines for people."""

    title: str
    expected: str
    outcome: str
    details: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether the environment did what it promises."""
        return self.outcome == self.expected


def rehearse_stack(stack: str, file: Path | None, console: Console) -> int:
    """Rehearses every trigger of a stack; returns the exit status, 0 if all came out as promised.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: the file is missing, or the environment does not stand up.
    """
    if file and not file.is_file():
        raise OperationError(f"there is no file {file}; give the path of a local file")
    try:
        with contextlib.ExitStack() as running:
            with console.status("Evaluating the program") as status:
                plan = evaluate(*read_stack(stack))
                environment = running.enter_context(Environment(plan, say=status.update))
            return _tell(environment, stack, file, console)
    except FunctionError as error:
        raise OperationError(str(error)) from None


def _tell(environment: Environment, stack: str, file: Path | None, console: Console) -> int:
    told: dict[str, list[Step]] = {}
    for trigger in environment.triggers:
        if trigger.reads_content and not file:
            raise OperationError(
                f"trigger {trigger.name} reads what stands in its files; give one: "
                f"make rehearse STACK={stack} FILE=..."
            )
        console.rule(f"trigger [bold]{trigger.name}[/]")
        told[trigger.name] = Story(environment, trigger, console).play(file)
    for name, steps in told.items():
        console.print()
        console.print(_summary(name, steps))
    return 0 if all(step.as_expected for steps in told.values() for step in steps) else 1


class Story:
    """Four things that happen to a trigger in production, played one after the other."""

    def __init__(self, environment: Environment, trigger: RunningTrigger, console: Console) -> None:
        self._environment = environment
        self._trigger = trigger
        self._console = console
        self._started = time.monotonic()
        self._seen: list[Happening] = []

    def play(self, file: Path | None) -> list[Step]:
        """Plays all four and returns how each came out; only the first, if the file itself is no good."""
        name, body = (file.name, file.read_bytes()) if file else (SAMPLE_FILE, SAMPLE_TEXT)
        if file:
            self._provide_neighbours(file)
        first, attempt = self._file_arrives(name, body)
        if not first.as_expected:
            return [first]
        return [first, self._delivered_twice(attempt), self._bad_event(), self._endpoint_outage(name, body)]

    def _provide_neighbours(self, file: Path) -> None:
        """Lets files beside the trigger file stand in for the objects that it names: data.csv for gs://b/x/data.csv."""
        for bucket, name in GS_URI.findall(file.read_text(errors="ignore")):
            neighbour = file.with_name(Path(name).name)
            if neighbour.is_file():
                self._environment.upload(bucket, name, neighbour.read_bytes())
                self._say("storage", f"{neighbour.name}, beside {file.name}, stands in for gs://{bucket}/{name}")

    def _file_arrives(self, name: str, body: bytes) -> tuple[Step, Attempt]:
        self._headline("A file lands in the trigger bucket")
        line = self._until_logged(self._upload(name, body))
        attempt = self._until(Attempt)
        return self._step("a file lands in the trigger bucket", "launched", line), attempt

    def _delivered_twice(self, attempt: Attempt) -> Step:
        self._headline("The same event is delivered again, as at-least-once delivery may")
        self._publish(attempt.message.data, attempt.message.attributes)
        line = self._until(LogLine)
        self._until_acknowledged()
        return self._step("the same event is delivered again", "duplicate", line)

    def _bad_event(self) -> Step:
        if self._trigger.reads_content:
            title = "a file arrives that is not text"
            self._headline(title.capitalize())
            line = self._until_logged(self._upload("not-text.bin", b"\xff\xfe\x00"))
        else:
            title = "someone publishes to the topic by hand"
            self._headline(title.capitalize())
            self._publish(b"hello?", {})
            line = self._until(LogLine)
        self._until_acknowledged()
        return self._step(title, "rejected", line)

    def _endpoint_outage(self, name: str, body: bytes) -> Step:
        self._headline("The endpoint is down when the next file lands, then comes back")
        self._trigger.endpoint.outage = True
        subject = self._upload(f"during-the-outage-{name}", body)
        self._until(Attempt, lambda attempt: attempt.number == 2)
        self._trigger.endpoint.outage = False
        self._say("endpoint", "is back")
        return self._step("the endpoint is down for a while", "launched", self._until_logged(subject))

    def _publish(self, data: bytes, attributes: Mapping[str, str]) -> None:
        environment, topic = self._environment, self._trigger.subscription.topic
        environment.loopback.call(environment.pubsub.publish, topic, data, attributes)

    def _upload(self, name: str, body: bytes) -> str:
        subject = self._environment.upload(self._trigger.bucket, self._trigger.prefix + name, body)
        self._say("storage", f"{subject} is written")
        return subject

    def _until_logged(self, subject: str) -> LogLine:
        """Waits for the final outcome of an event, or for one `retry` too many."""
        retries = itertools.count(1)

        def settled(line: LogLine) -> bool:
            mine = line.entry.get("event") == subject
            return mine and (line.entry["outcome"] != "retry" or next(retries) > PATIENCE)

        return self._until(LogLine, settled)

    def _until_acknowledged(self) -> Attempt:
        return self._until(Attempt, lambda attempt: attempt.status in ACKNOWLEDGED)

    def _until_run_ends(self, run_id: str) -> RunChange:
        ended = ("SUCCEEDED", "FAILED", "CANCELED")
        return self._until(RunChange, lambda change: change.run_id == run_id and change.state in ended)

    def _until(self, kind: type[T], wanted: Callable[[T], bool] = lambda _: True) -> T:
        """Shows what happens until the wanted thing has, be it since the last headline: threads race to report."""
        for happening in self._seen:
            if isinstance(happening, kind) and wanted(happening):
                return happening
        while True:
            try:
                happening = self._environment.happenings.get(timeout=SECONDS_OF_SILENCE)
            except queue.Empty:
                raise OperationError(
                    f"nothing has happened for {SECONDS_OF_SILENCE} s; the rehearsal hangs"
                ) from None
            self._seen.append(happening)
            self._show(happening)
            if isinstance(happening, kind) and wanted(happening):
                return happening

    def _step(self, title: str, expected: str, line: LogLine) -> Step:
        """Sums a step up; a launched run is followed to its end first."""
        outcome = str(line.entry["outcome"])
        run_id, reason = line.entry.get("run_id"), line.entry.get("reason")
        if outcome != "launched":
            details = [f"run {run_id} is there already; no second one started"] if outcome == "duplicate" else []
            return Step(title, expected, outcome, (*details, *filter(None, [reason])))
        run = self._until_run_ends(str(run_id))
        outputs = self._trigger.endpoint.outputs(run.run_id)
        details = [f"run {run.run_id} {run.state.lower()}", *map(_outputs_line, outputs, outputs.values())]
        return Step(title, expected, outcome if run.state == "SUCCEEDED" else "run failed", tuple(details))

    def _show(self, happening: Happening) -> None:
        match happening:
            case Attempt(number=number, status=status):
                then = "acknowledged" if status in ACKNOWLEDGED else "will be delivered again"
                self._say("pub/sub", f"attempt {number} answered {status or 'by nobody in time'}: {then}")
            case LogLine(entry=entry):
                colour = COLOURS.get(entry.get("outcome", ""), "white")
                self._say("launcher", f"[{colour}]{escape(str(entry['message']))}[/]", markup=True)
            case RunChange(task=task, outputs=outputs) if task:
                self._say("pipeline", _outputs_line(task, outputs))
            case RunChange(run_id=run_id, state=state, error=error):
                self._say("pipeline", f"run {run_id} is {state}" + (f": {error}" if error else ""))

    def _headline(self, text: str) -> None:
        self._seen.clear()
        self._console.print(f"\n[bold]{text}[/]")

    def _say(self, actor: str, text: str, *, markup: bool = False) -> None:
        seconds = time.monotonic() - self._started
        line = text if markup else escape(text)
        self._console.print(f"[dim]{seconds:6.2f} s[/]  [bold]{actor:<9}[/] {line}", soft_wrap=True, highlight=False)


def _outputs_line(task: str, outputs: Outputs) -> str:
    return f"task {task}: " + ", ".join(f"{name} = {_show(value)}" for name, value in sorted(outputs.items()))


def _show(value: object) -> str:
    """A parameter as it is, an artifact by its URI."""
    if isinstance(value, dict) and "uri" in value:
        value = value["uri"]
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _summary(trigger: str, steps: list[Step]) -> Table:
    table = Table(title=f"trigger {trigger}", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=len("✓ duplicate"))
    table.add_column(overflow="fold")
    for step in steps:
        mark = "[green]✓[/]" if step.as_expected else "[red]✗[/]"
        details = "".join(f"\n[dim]{escape(detail)}[/]" for detail in step.details)
        table.add_row(f"{mark} [bold]{step.outcome}[/]", step.title + details)
    return table

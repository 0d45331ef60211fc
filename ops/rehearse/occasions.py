"""What makes each kind of source send an event, for the story of a rehearsal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import requests

from function_src.launcher.mapping.glob import Glob
from infra.configuration.attribute_filter import read_filter
from ops.errors import OperationError
from ops.rehearse.samples import matching_name, takes
from ops.trying.given import read_message, said_beside
from rehearsal.environment import Environment, RunningTrigger
from rehearsal.google.log_filter import UnsupportedFilterError, example_entry, read_log_filter
from rehearsal.google.pubsub import Message

SAMPLE_FILE = "hello.txt"
SAMPLE_TEXT = b"Hello from the rehearsal.\n"
LATER = "during-the-outage"
NO_TEXT = b"\x89PNG\r\n"
OF_THE_RESOURCE = {"content_type": "contentType", "metadata": "metadata"}

Say = Callable[[str, str], None]


class Occasion(Protocol):
    """A trigger's source. Titles begin in lower case; methods that cause an event return its subject."""

    title: str
    bad: str
    pass_over: Callable[[], str] | None  # causes an event that the source does not take up

    def happen(self) -> str:
        """Causes an event."""

    def happen_again(self) -> str:
        """Causes another one, each time."""

    def repeat(self, message: Message) -> None:
        """Has the event of a message delivered once more."""

    def go_wrong(self) -> bool:
        """Causes what is no event; returns whether it comes through Pub/Sub."""


def occasion(environment: Environment, trigger: RunningTrigger, file: Path | None, say: Say) -> Occasion:
    """The source of a trigger, with a file as its sample: the file that lands, the message, the entry."""
    kinds: Mapping[str, Callable[[Environment, RunningTrigger, Path | None, Say], Occasion]] = {
        "gcs": FileLands,
        "pubsub": MessageComes,
        "log": EntryIsLogged,
        "schedule": ClockStrikes,
    }
    return kinds[trigger.kind](environment, trigger, file, say)


class _Occasion:
    """What all have in common."""

    pass_over: Callable[[], str] | None = None  # what most sources do not want, Google Cloud filters

    def __init__(self, environment: Environment, trigger: RunningTrigger, file: Path | None, say: Say) -> None:
        self._environment = environment
        self._trigger = trigger
        self._file = file
        self._say = say
        self._later = (f"{LATER}-{number}" for number in itertools.count(1))

    def repeat(self, message: Message) -> None:
        """The very message comes again."""
        self._say("pub/sub", f"message {message.id} is delivered once more")
        environment = self._environment
        environment.loopback.call(environment.pubsub.redeliver, self._trigger.subscription, message)

    def _publish(self, data: bytes, attributes: Mapping[str, str]) -> str:
        environment, topic = self._environment, self._trigger.subscription.topic
        return environment.loopback.call(environment.pubsub.publish, topic, data, attributes)

    def _call_with_nonsense(self) -> bool:
        requests.post(self._trigger.function.url, data=b"[]", timeout=60)
        return False


class FileLands(_Occasion):
    """A file lands in the trigger bucket, under a name that the trigger takes."""

    title = "a file lands in the trigger bucket"

    def __init__(self, environment: Environment, trigger: RunningTrigger, file: Path | None, say: Say) -> None:
        super().__init__(environment, trigger, file, say)
        self._body = file.read_bytes() if file else SAMPLE_TEXT
        said = said_beside(file) if file else {}
        self._attributes = {ours: said[name] for name, ours in OF_THE_RESOURCE.items() if name in said}
        self._wanted = file.name if file else SAMPLE_FILE
        self._name = str(said.get("name") or matching_name(trigger, self._wanted))
        beside = f"{self._name.rpartition('/')[0]}/part-00000".lstrip("/")
        if _is_announced(trigger, beside) and not takes(trigger, beside):
            self.pass_over = partial(self._upload, beside, b"data\n")
        self.bad = (
            "a file arrives that is not text" if trigger.reads_content else "someone publishes to the topic by hand"
        )

    def happen(self) -> str:
        """The file lands."""
        return self._upload(self._name, self._body)

    def happen_again(self) -> str:
        """A second one lands; under the same name where no other fits, which is another event too."""
        later = f"{self._trigger.prefix}{next(self._later)}-{self._wanted}"
        return self._upload(later if takes(self._trigger, later) else self._name, self._body)

    def repeat(self, message: Message) -> None:
        """Another message says the same, as Cloud Storage may."""
        self._publish(message.data, message.attributes)

    def go_wrong(self) -> bool:
        """A file that is not text where text is needed, else a message by hand."""
        if self._trigger.reads_content:
            self._upload(matching_name(self._trigger, "not-text.bin"), NO_TEXT)
        else:
            self._publish(b"hello?", {})
        return True

    def _upload(self, name: str, body: bytes) -> str:
        subject = self._environment.upload(self._trigger.bucket, name, body, **self._attributes)
        self._say("storage", f"{subject} is written")
        return subject


class MessageComes(_Occasion):
    """A message is published, with attributes that the subscription's filter lets through."""

    title = "a message is published"
    bad = "the launcher is called with what is no message"

    def __init__(self, environment: Environment, trigger: RunningTrigger, file: Path | None, say: Say) -> None:
        super().__init__(environment, trigger, file, say)
        wanted = read_filter(trigger.subscription.filter)
        self._data, attributes = read_message(file.read_bytes()) if file else (SAMPLE_TEXT, {})
        self._attributes = {**wanted.example, **attributes}
        if not wanted.matches(self._attributes):
            raise OperationError(
                f"trigger {trigger.name}: no message was found that {trigger.subscription.filter!r} lets through; "
                'give one as FILE: {"attributes": {...}, "data": ...}'
            )

    def happen(self) -> str:
        """It is published."""
        return self._send(self._attributes)

    def happen_again(self) -> str:
        """A second one is, with a launch key of its own where the first has one."""
        key = self._attributes.get("launch_key")
        return self._send(self._attributes | ({"launch_key": f"{key}-{next(self._later)}"} if key else {}))

    def go_wrong(self) -> bool:
        """Every message is an event; what is none cannot come from Pub/Sub."""
        return self._call_with_nonsense()

    def _send(self, attributes: Mapping[str, str]) -> str:
        message_id = self._publish(self._data, attributes)
        self._say("publisher", f"message {message_id} is published")
        key = attributes.get("launch_key")
        return f"pubsub:launch_key={key}" if key else f"pubsub:{message_id}"


class EntryIsLogged(_Occasion):
    """An entry is logged that the sink's filter selects."""

    title = "an entry is logged"
    bad = "someone publishes to the topic by hand"

    def __init__(self, environment: Environment, trigger: RunningTrigger, file: Path | None, say: Say) -> None:
        super().__init__(environment, trigger, file, say)
        sinks = environment.plan.of_type(":ProjectSink")
        [text] = [
            sink.inputs["filter"] for sink in sinks if sink.inputs["destination"].endswith(trigger.subscription.topic)
        ]
        try:
            wanted = read_log_filter(text)
            sample = json.loads(file.read_bytes()) if file else example_entry(wanted.example)
            self._entry: dict[str, Any] = {"logName": f"projects/{environment.plan.project}/logs/sample", **sample}
            matches = wanted.matches(self._entry)
        except (UnsupportedFilterError, ValueError, TypeError) as error:
            raise OperationError(f"trigger {trigger.name}: {error}") from None
        if not matches:
            raise OperationError(
                f"trigger {trigger.name}: its filter does not select the entry; give one that it does as FILE"
            )

    def happen(self) -> str:
        """It is logged."""
        return self._log("rehearsal")

    def happen_again(self) -> str:
        """A second one is."""
        return self._log(next(self._later))

    def repeat(self, message: Message) -> None:
        """The sink exports the entry twice."""
        self._publish(message.data, message.attributes)

    def go_wrong(self) -> bool:
        """A message by hand is no entry."""
        self._publish(b"hello?", {})
        return True

    def _log(self, insert_id: str) -> str:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        entry = {"timestamp": now, **self._entry, "insertId": f"{self._entry.get('insertId', '')}{insert_id}"}
        self._environment.log(entry)
        self._say("logging", f"entry {entry['insertId']} is logged")
        return f"log:{entry['logName']}#{entry['insertId']}"


class ClockStrikes(_Occasion):
    """The job fires."""

    title = "the schedule fires"
    bad = "the launcher is called with what is no message"

    def happen(self) -> str:
        """It is time."""
        message_id = self._environment.fire(self._trigger.subscription.topic)
        self._say("scheduler", f"message {message_id} is published")
        return f"schedule:{message_id}"

    def happen_again(self) -> str:
        """It is time again."""
        return self.happen()

    def go_wrong(self) -> bool:
        """Every message is a firing; what is none cannot come from Pub/Sub."""
        return self._call_with_nonsense()


def _is_announced(trigger: RunningTrigger, name: str) -> bool:
    """Whether Cloud Storage is told to announce an object of that name: not every one that a glob does not match."""
    glob = trigger.settings["source"].get("glob")
    return name.startswith(trigger.prefix) and name.startswith(Glob(glob).head if glob else "")

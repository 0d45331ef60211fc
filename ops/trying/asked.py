"""Which event a person asks about, by the options of `pipeline-trigger try`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ops.errors import OperationError
from ops.trying.given import (
    Given,
    content_of,
    given_deliveries,
    given_entries,
    given_firing,
    given_message,
    given_object,
    read_message,
)
from ops.trying.planned import PlannedTrigger

# By the kind of source: the options that say what an event is.
OPTIONS = {
    "gcs": ("--file", "--object", "--event", "--against"),
    "pubsub": ("--message", "--file", "--event"),
    "log": ("--log", "--file", "--event"),
    "schedule": ("--schedule", "--event"),
}


@dataclass(frozen=True)
class Asked:
    """The options that were given, by their names."""

    file: Path | None = None
    object: str | None = None
    message: str | None = None
    attribute: Sequence[str] = ()
    log: Path | None = None
    schedule: datetime | None = None
    event: Path | None = None
    against: str | None = None

    @property
    def given(self) -> list[str]:
        """The options that say what the event is."""
        return [f"--{name}" for name, value in vars(self).items() if value not in (None, ()) and name != "attribute"]


def read_asked(trigger: PlannedTrigger, asked: Asked) -> list[Given]:
    """The events that are asked about; none of --against, which is for another to read.

    Raises:
        OperationError: no event is, or one that the trigger's source cannot have.
    """
    _check(trigger, asked)
    if asked.against:
        return []
    if asked.event:
        content = content_of(asked.file.read_bytes()) if asked.file else None
        return [replace(given, content=content) for given in given_deliveries(asked.event.read_bytes())]
    match trigger.kind:
        case "gcs":
            return [given_object(trigger, asked.object, asked.file)]
        case "schedule":
            return [given_firing(trigger, asked.schedule or datetime.now(UTC))]
        case "log":
            path = asked.log or asked.file
            return [*given_entries(path.read_bytes(), str(path))] if path else []
    written, attributes = read_message(asked.file.read_bytes()) if asked.file else (b"", {})
    data = written if asked.message is None else asked.message.encode()
    return [given_message(data, {**attributes, **_attributes(asked.attribute)})]


def _check(trigger: PlannedTrigger, asked: Asked) -> None:
    possible, given = OPTIONS[trigger.kind], asked.given
    if wrong := [option for option in given if option not in possible]:
        raise OperationError(
            f"{wrong[0]} is no event of trigger {trigger.name}, whose source is {trigger.kind}: "
            f"give {' or '.join(possible)}"
        )
    if asked.attribute and trigger.kind != "pubsub":
        raise OperationError(
            f"--attribute is for messages, and the source of trigger {trigger.name} is {trigger.kind}"
        )
    if not given and not asked.attribute and trigger.kind != "schedule":
        raise OperationError(
            f"nothing says what the event of trigger {trigger.name} is: give {' or '.join(possible)}"
        )
    together = {option for option in given if not (option == "--file" and trigger.kind == "gcs")}
    if len(together) > 1 or ("--against" in together and asked.file):
        raise OperationError(f"{' and '.join(given)} are several events: give one of them")


def _attributes(written: Sequence[str]) -> Mapping[str, str]:
    """The attributes of ``KEY=VALUE``."""
    found = {}
    for text in written:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise OperationError(f"--attribute: {text} is no KEY=VALUE")
        found[key] = value
    return found

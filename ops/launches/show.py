"""Shows what became of events: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ops.launches.history import Launch
from ops.launches.words import State
from ops.printing import show_moment
from ops.tables import print_details, print_table, visible

SHOWN = ("reason", "again_because", "run_id", "run_url", "parameters", "package", "message_id", "attempt")
COLOURS = {
    State.LAUNCHED: "green",
    State.SKIPPED: "cyan",
    State.REJECTED: "red",
    State.DEAD_LETTERED: "red",
    State.OPEN: "yellow",
    State.MISSING: "yellow",
}
EXPLAINED = {
    State.DEAD_LETTERED: "It was tried too often and is kept in the dead-letter subscription. Once what was wrong is "
    "mended: pipeline-trigger replay {key}",
    State.OPEN: "It is being launched, or waits for its next delivery: an attempt died or was left in doubt.",
    State.MISSING: "The launcher never heard of it: it was there before the notification, or its event is still on "
    "its way. To launch it: pipeline-trigger replay --missing",
}


def as_json(launch: Launch, records: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """An event as scripts see it; times in UTC."""
    found = {
        "trigger": launch.trigger.name,
        "key": launch.key,
        "state": launch.state.value,
        "event": launch.event,
        "run_id": launch.run_id,
        "at": launch.at.isoformat(timespec="milliseconds"),
    }
    return found if records is None else {**found, "records": list(records)}


def print_launches(launches: Sequence[Launch], console: Console) -> None:
    """Prints events as a table."""
    rows = [(show_moment(one.at), one.trigger.name, _state(one), one.event, one.run_id or "") for one in launches]
    print_table(("at", "trigger", "state", "event", "run"), rows, console)


def print_records(launch: Launch, records: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Prints one event: where it is, which run it started, and if none, why."""
    console.print(Text.assemble((visible(launch.event), "bold"), " is ", _state(launch)))
    rows: list[tuple[str, object]] = [
        ("trigger", launch.trigger.id),
        ("key", launch.key),
        ("at", show_moment(launch.at)),
    ]
    for record in records[:1]:
        rows += [(name.replace("_", " "), record[name]) for name in SHOWN if record.get(name)]
    for record in records[1:]:
        moment = show_moment(datetime.fromisoformat(record["recorded_at"]))
        rows.append(("before", f"{record['outcome']} at {moment}: {record.get('reason') or 'no reason given'}"))
    if launch.state in EXPLAINED:
        rows.append(("why", EXPLAINED[launch.state].format(key=launch.key)))
    print_details([(name, value if isinstance(value, str) else json.dumps(value)) for name, value in rows], console)


def _state(launch: Launch) -> Text:
    return Text(launch.state, COLOURS[launch.state])

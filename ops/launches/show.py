"""Shows what became of events: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from ops.launches.absence import URI, Absence
from ops.launches.attempts import Attempts, log_url, next_attempt
from ops.launches.history import Launch
from ops.launches.replay import Replayed
from ops.launches.words import State, show_distance
from ops.printing import show_moment
from ops.tables import print_details, print_table, visible

SHOWN = ("reason", "doubt", "again_because", "replayed", "run_id", "parameters", "package", "message_id", "attempt")
COLOURS = {
    State.LAUNCHED: "green",
    State.SKIPPED: "cyan",
    State.REJECTED: "red",
    State.DOUBTFUL: "red",
    State.DEAD_LETTERED: "red",
    State.OPEN: "yellow",
    State.MISSING: "yellow",
    State.UNKNOWN: "yellow",
}
EXPLAINED = {
    State.DOUBTFUL: "No other POST is sent for it: a workflow that no run shows may be running. It counts as "
    "launched if the run turns up, and starts again only by: pipeline-trigger replay {key} --again --because REASON",
    State.DEAD_LETTERED: "It was tried too often and is kept in the dead-letter subscription. Once what was wrong is "
    "mended: pipeline-trigger replay {key}",
    State.OPEN: "It is being launched, or waits for its next delivery: an attempt died or was left in doubt.",
    State.MISSING: "The launcher never heard of it: it was there before the notification, or its event is still on "
    "its way. To launch it: pipeline-trigger replay {event}",
}
TRIED = (
    "No attempt started a run, and none is at work: Pub/Sub delivers it again until it launches or is a dead letter."
)
FORGOTTEN = "The endpoint deletes runs after {} days: that it has none any more does not mean that there was none."
OR_DEAD = "Or it is a dead letter: where those are kept, the ledger alone does not say."


@dataclass(frozen=True)
class Account:
    """All that is known of one event: the ledger's records, the latest first, and the log's attempts if it has no
    outcome."""

    launch: Launch
    records: Sequence[Mapping[str, Any]]
    attempts: Attempts | None

    @property
    def why(self) -> str | None:
        """Why it has no run, or none any more, where no record says so."""
        launch, kept = self.launch, self.launch.trigger.runs_retention_days
        if launch.state is State.LAUNCHED and kept and datetime.now(UTC) - launch.at > timedelta(days=kept):
            return FORGOTTEN.format(kept)
        if launch.state is State.MISSING and self.attempts and self.attempts.count:
            return TRIED
        if launch.why or launch.state not in EXPLAINED:
            return launch.why
        explained = EXPLAINED[launch.state].format(key=launch.key, event=shlex.quote(launch.event))
        return explained if launch.trigger.dead_letters else f"{explained} {OR_DEAD}"

    @property
    def last_error(self) -> str | None:
        """What went wrong last."""
        if self.attempts:
            return self.attempts.errors[0] if self.attempts.errors else None
        return str(self.records[0]["reason"]) if self.launch.state is State.REJECTED and self.records else None

    @property
    def links(self) -> dict[str, str]:
        """Pages of the run, of the object and of the lines in the log."""
        links = {
            "run": self.records[0].get("run_url") if self.records else None,
            "log": log_url(self.launch),
            "object": object_url(self.launch.event, self.launch.trigger.project),
        }
        return {name: url for name, url in links.items() if url}


def object_url(uri: str, project: str | None) -> str | None:
    """An object's page in the console; None for what is no object."""
    if not (found := URI.fullmatch(uri)):
        return None
    page = f"https://console.cloud.google.com/storage/browser/_details/{found['bucket']}/{quote(found['name'])}"
    return f"{page}?project={project}" if project else page


def as_json(launch: Launch) -> dict[str, Any]:
    """An event as scripts see it; times in UTC."""
    return {
        "trigger": launch.trigger.name,
        "key": launch.key,
        "state": launch.state.value,
        "event": launch.event,
        "run_id": launch.run_id,
        "at": _utc(launch.at),
        "doubt": launch.doubt,
    }


def account_as_json(account: Account) -> dict[str, Any]:
    """All that is known of an event, as scripts see it. ``next_attempt_at`` is an estimate."""
    attempts = account.attempts or Attempts()
    return {
        **as_json(account.launch),
        "age_seconds": int((datetime.now(UTC) - account.launch.at).total_seconds()),
        "why": account.why,
        "last_error": account.last_error,
        "failed_attempts": attempts.count if account.attempts and not attempts.unread else None,
        "last_attempt_at": _utc(attempts.last),
        "next_attempt_at": _utc(next_attempt(account.launch, attempts)),
        "log_unread": attempts.unread,
        "links": account.links,
        "records": list(account.records),
    }


def absence_as_json(absence: Absence) -> dict[str, Any]:
    """An object that was no event, as scripts see it."""
    name = absence.trigger.name if absence.trigger else None
    known = {"trigger": name, "key": None, "state": "no event", "event": absence.event, "run_id": None, "at": None}
    return {**known, "why": absence.why}


def replayed_as_json(replayed: Replayed) -> dict[str, Any]:
    """What came of an event's replay, as scripts see it."""
    return {**as_json(replayed.launch), "replayed_as": replayed.key, "refusal": replayed.refusal}


def print_replayed(replayed: Sequence[Replayed], console: Console) -> None:
    """Prints what came of replays, those that came to nothing first."""
    refused = [one for one in replayed if one.refusal]
    if refused:
        rows = [(one.launch.event, str(one.refusal)) for one in refused]
        print_table(("event", "not replayed, since"), rows, console)
    for one in replayed:
        if one.key not in (None, one.launch.key):
            console.print(f"one more run was asked for: pipeline-trigger launches show {one.key}")
    told = f"{len(replayed) - len(refused)} replayed" + (f", {len(refused)} not" if refused else "")
    console.print(f"{told}; pipeline-trigger launches list shows what becomes of them")


def print_launches(launches: Sequence[Launch], console: Console) -> None:
    """Prints events as a table."""
    rows = [(show_moment(one.at), one.trigger.name, _state(one), one.event, one.run_id or "") for one in launches]
    print_table(("at", "trigger", "state", "event", "run"), rows, console)


def print_doubts(launches: Sequence[Launch], console: Console) -> None:
    """Prints events of which a workflow that no run shows may be running, each with the reason."""
    for launch in launches:
        console.print(Text.assemble((visible(launch.event), "bold"), " is ", _state(launch)))
        rows = [("trigger", launch.trigger.id), ("key", launch.key), ("at", _with_distance(launch.at))]
        print_details([*rows, ("doubt", launch.doubt or "")], console)


def print_account(account: Account, console: Console) -> None:
    """Prints one event: where it is, which run it started, and if none, why."""
    launch, records = account.launch, account.records
    console.print(Text.assemble((visible(launch.event), "bold"), " is ", _state(launch)))
    rows: list[tuple[str, object]] = [
        ("trigger", launch.trigger.id),
        ("key", launch.key),
        ("at", _with_distance(launch.at)),
    ]
    for record in records[:1]:
        rows += [(name.replace("_", " "), record[name]) for name in SHOWN if record.get(name)]
    for record in records[1:]:
        moment = show_moment(datetime.fromisoformat(record["recorded_at"]))
        rows.append(("before", f"{record['outcome']} at {moment}: {record.get('reason') or 'no reason given'}"))
    if launch.state is State.DOUBTFUL and not records:
        rows.append(("doubt", launch.doubt))
    rows += _attempt_rows(launch, account.attempts) if account.attempts else []
    if account.why:
        rows.append(("why", account.why))
    rows += account.links.items()
    print_details([(name, value if isinstance(value, str) else json.dumps(value)) for name, value in rows], console)


def print_absence(absence: Absence, console: Console) -> None:
    """Prints why an object was no event."""
    console.print(Text.assemble((visible(absence.event), "bold"), " started no run"))
    rows = [("trigger", absence.trigger.id)] if absence.trigger else []
    print_details([*rows, ("why", absence.why)], console)


def _attempt_rows(launch: Launch, attempts: Attempts) -> Iterator[tuple[str, str]]:
    if attempts.unread:
        yield "last error", f"not known, since the log could not be read: {attempts.unread}"
        return
    if attempts.last is None:
        yield "attempts", "none that failed, as far as the log goes back"
        return
    allowed = f" of {launch.trigger.attempts}" if launch.trigger.attempts else ""
    yield "attempts", f"{attempts.count}{allowed} failed, the last at {_with_distance(attempts.last)}"
    yield from zip(("last error", "one before"), attempts.errors, strict=False)
    if launch.state is State.DEAD_LETTERED:
        yield "next attempt", "none, until it is replayed"
    elif due := next_attempt(launch, attempts):
        shortest, longest = launch.trigger.backoff or (0, 0)
        backoff = f"the subscription's backoff of {shortest} to {longest} s"
        yield "next attempt", f"about {_with_distance(due)}: an estimate by {backoff}, which Pub/Sub may exceed"
    else:
        yield "next attempt", "not known: the stack's outputs do not say its backoff until it is deployed once more"


def _with_distance(moment: datetime) -> str:
    return f"{show_moment(moment)} ({show_distance(moment)})"


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else None


def _state(launch: Launch) -> Text:
    return Text(launch.state, COLOURS[launch.state])

"""`pipeline-trigger launches` and `replay`: their arguments, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ops.errors import OperationError
from ops.launches.words import KnownState, State, read_moment
from ops.options import Json, Stack, Trigger
from ops.printing import open_console, print_json

if TYPE_CHECKING:  # Google's libraries take a second to import, which the other verbs can do without
    from ops.launches.cloud import Cloud
    from ops.launches.deployment import Deployment
    from ops.launches.history import Launch

launches = typer.Typer(help="Show what became of events, and which files no event told of.", no_args_is_help=True)
REFERENCE = "gs://BUCKET/NAME, with or without #GENERATION; a key; a run id."


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@launches.command("list")
def list_launches(
    stack: Stack = "dev",
    trigger: Trigger = None,
    state: Annotated[KnownState | None, typer.Option(help="Only events that are so.")] = None,
    since: Annotated[
        datetime | None, typer.Option(parser=_moment, metavar="MOMENT", help="90m, 24h, 7d or a date.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List events and where they are, the latest first; times in your zone."""
    from ops.launches import show
    from ops.launches.history import read_history

    with _connected(stack) as (cloud, deployment):
        found = [
            launch
            for launch in read_history(cloud, deployment, trigger)
            if state in (None, launch.state) and (since is None or launch.at >= since)
        ]
    if as_json:
        print_json([show.as_json(launch) for launch in found])
    elif found:
        show.print_launches(found, open_console())
    else:
        open_console().print("no such events")


@launches.command()
def show(
    reference: Annotated[str, typer.Argument(help=REFERENCE)],
    stack: Stack = "dev",
    as_json: Json = False,
) -> None:
    """Which run did this file start, and if none, why?"""
    from ops.launches import show as shown
    from ops.launches.history import read_records

    with _connected(stack) as (cloud, deployment):
        found = [(launch, read_records(cloud, deployment, launch)) for launch in _named(cloud, deployment, reference)]
    if as_json:
        print_json([shown.as_json(launch, records) for launch, records in found])
    else:
        for launch, records in found:
            shown.print_records(launch, records, open_console())


@launches.command()
def missing(stack: Stack = "dev", trigger: Trigger = None, as_json: Json = False) -> None:
    """Compare trigger buckets with the ledger: which files has the launcher never heard of?"""
    from ops.launches import show as shown
    from ops.launches.sweep import find_missing

    with _connected(stack) as (cloud, deployment):
        sweep = find_missing(cloud, deployment, trigger)
    console = open_console(stderr=as_json)
    if as_json:
        print_json([shown.as_json(launch) for launch in sweep.missing])
    elif sweep.missing:
        shown.print_launches(sweep.missing, console)
        console.print("What is minutes old may still be on its way. To launch: pipeline-trigger replay --missing")
    else:
        console.print("the launcher knows of every file")
    if sweep.too_old:
        console.print(
            f"{sweep.too_old} more are older than the {deployment.ledger_days} days that the ledger remembers; "
            "they may have been launched, and are left alone"
        )


def replay(
    references: Annotated[list[str] | None, typer.Argument(help=REFERENCE)] = None,
    stack: Stack = "dev",
    trigger: Trigger = None,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="All that were tried too often.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="All that were rejected.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="All files the launcher never heard of.")] = False,
    again: Annotated[bool, typer.Option("--again", help="One more run of an event that was launched.")] = False,
    because: Annotated[str, typer.Option(help="Why one more run; the ledger records it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; --json needs it.")] = False,
    as_json: Json = False,
) -> None:
    """Hand events to the launcher once more. What did launch meanwhile starts nothing, except with --again."""
    from ops.launches import show as shown
    from ops.launches.history import read_dead_letters, read_history
    from ops.launches.sweep import find_missing

    if bool(references) == (dead_letters or rejected or missing):
        raise OperationError("say what to replay: events by name, or --dead-letters, --rejected, --missing")
    if again != bool(because) or (again and not references):
        raise OperationError("--again goes with the names of events and with --because REASON")
    if as_json and not yes:
        raise typer.BadParameter("a script cannot be asked whether to replay; say --yes too", param_hint="--json")
    with _connected(stack) as (cloud, deployment):
        chosen = [found for reference in references or () for found in _named(cloud, deployment, reference, trigger)]
        if dead_letters:
            chosen += [found for one in deployment.choose(trigger) for found in read_dead_letters(cloud, one)]
        if rejected:
            history = read_history(cloud, deployment, trigger)
            chosen += [found for found in history if found.state is State.REJECTED]
        if missing:
            chosen += find_missing(cloud, deployment, trigger).missing
        console = open_console(stderr=as_json)
        if not chosen:
            console.print("nothing to replay")
        else:
            shown.print_launches(chosen, console)
            if not yes:
                typer.confirm(f"Replay {len(chosen)}?", abort=True)
        keys = _replayed(cloud, deployment, chosen, because, console) if chosen else []
    if as_json:
        events = zip(chosen, keys, strict=True)
        print_json([{**shown.as_json(launch), "replayed_as": key} for launch, key in events])


def _replayed(
    cloud: Cloud, deployment: Deployment, chosen: Sequence[Launch], because: str, console: Console
) -> Sequence[str]:
    """Replays events, or asks for one more run of each if there is a reason; returns the keys that they get."""
    from ops.launches.replay import launch_again, replay

    if not because:
        count = replay(cloud, deployment, chosen)
        console.print(f"{count} replayed; pipeline-trigger launches list shows what becomes of them")
        return [launch.key for launch in chosen]
    keys = []
    for launch in chosen:
        keys.append(launch_again(cloud, launch, because))
        console.print(f"one more run was asked for: pipeline-trigger launches show {keys[-1]}")
    return keys


@contextlib.contextmanager
def _connected(stack: str) -> Iterator[tuple[Cloud, Deployment]]:
    from ops.launches.cloud import Cloud, google_errors
    from ops.launches.deployment import read_deployment

    deployment = read_deployment(stack)
    with google_errors():
        yield Cloud.connect(deployment.project), deployment


def _named(cloud: Cloud, deployment: Deployment, reference: str, trigger: str | None = None) -> list[Launch]:
    """The events that a reference names; objects that no event told of included."""
    from ops.launches.history import read_history
    from ops.launches.sweep import find_missing

    known = read_history(cloud, deployment, trigger)
    found = [launch for launch in known if launch.is_named(reference)]
    if not found:
        found = [launch for launch in find_missing(cloud, deployment, trigger).missing if launch.is_named(reference)]
    if not found:
        raise OperationError(
            f"neither the ledger, the dead letters nor the trigger buckets of stack {deployment.stack} know "
            f"{reference}; pipeline-trigger launches list shows what they know"
        )
    return found

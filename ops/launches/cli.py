"""`pipeline-trigger launches` and `replay`: their arguments, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops.errors import OperationError
from ops.launches.words import KnownState, State, read_day, read_moment
from ops.options import Json, Stack, Trigger
from ops.printing import open_console, print_json

if TYPE_CHECKING:  # Google's libraries take a second to import, which the other verbs can do without
    from ops.launches.cloud import Cloud
    from ops.launches.deployment import Deployment
    from ops.launches.history import Launch

launches = typer.Typer(help="Show what became of events, and which files no event told of.", no_args_is_help=True)
REFERENCE = "gs://BUCKET/NAME, with or without #GENERATION; a key; the id of a run or message; a link; a log entry."


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _day(text: str) -> date:
    try:
        return read_day(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Ledger = Annotated[
    str | None,
    typer.Option(
        metavar="gs://BUCKET", help="The stack's ledger, in place of --stack: needs no Pulumi, and says less."
    ),
]
Since = Annotated[datetime | None, typer.Option(parser=_moment, metavar="MOMENT", help="90m, 24h, 7d or a date.")]
Day = Annotated[date | None, typer.Option(parser=_day, metavar="DAY", help="One day only: a date, today, yesterday.")]


@launches.command("list")
def list_launches(
    stack: Stack = "dev",
    ledger: Ledger = None,
    trigger: Trigger = None,
    state: Annotated[KnownState | None, typer.Option(help="Only events that are so.")] = None,
    since: Since = None,
    day: Day = None,
    as_json: Json = False,
) -> None:
    """List events and where they are, the latest first; times in your zone."""
    from ops.launches import show
    from ops.launches.history import read_history

    with _connected(stack, ledger) as (cloud, deployment):
        found = [
            launch
            for launch in read_history(cloud, deployment, trigger)
            if state in (None, launch.state) and _is_within(launch, since, day)
        ]
    if as_json:
        print_json([show.as_json(launch) for launch in found])
    elif found:
        show.print_launches(found, open_console())
    else:
        open_console().print("no such events")
    if ledger:
        note = "Dead letters are not among them: where those are kept, the ledger does not say."
        open_console(stderr=True).print(note)


@launches.command()
def show(
    reference: Annotated[str | None, typer.Argument(help=REFERENCE)] = None,
    by: Annotated[
        str | None, typer.Option(metavar="VALUE", help="The event that has this value of once_per, instead.")
    ] = None,
    stack: Stack = "dev",
    ledger: Ledger = None,
    trigger: Trigger = None,
    since: Since = None,
    day: Day = None,
    as_json: Json = False,
) -> None:
    """Which run did this file start, and if none, why?"""
    if (reference is None) == (by is None):
        raise typer.BadParameter("name one event, or the value of once_per that it has: --by VALUE")
    from ops.launches import show as shown
    from ops.launches.attempts import read_attempts
    from ops.launches.history import read_records
    from ops.launches.lookup import find, find_by_value

    with _connected(stack, ledger) as (cloud, deployment):
        named, look_up = (reference, find) if reference is not None else (str(by), find_by_value)
        found = look_up(cloud, deployment, named, trigger)
        accounts = [
            shown.Account(launch, read_records(cloud, deployment, launch), read_attempts(cloud, launch))
            for launch in found.launches
            if _is_within(launch, since, day)
        ]
    if as_json:
        told = [shown.account_as_json(account) for account in accounts]
        print_json(told + [shown.absence_as_json(absence) for absence in found.absences])
        return
    for account in accounts:
        shown.print_account(account, open_console())
    for absence in found.absences:
        shown.print_absence(absence, open_console())
    if not accounts and not found.absences:
        open_console().print("no such events")


@launches.command()
def missing(stack: Stack = "dev", trigger: Trigger = None, as_json: Json = False) -> None:
    """Compare trigger buckets with the ledger: which files has the launcher never heard of?"""
    from ops.launches import show as shown
    from ops.launches.sweep import find_missing

    with _connected(stack) as (cloud, deployment):
        sweep = find_missing(cloud, deployment, trigger)
    if as_json:
        print_json([shown.as_json(launch) for launch in (*sweep.missing, *sweep.unknown)])
        return
    console = open_console()
    if sweep.missing or sweep.unknown:
        shown.print_launches([*sweep.missing, *sweep.unknown], console)
    if sweep.missing:
        console.print("What is minutes old may still be on its way. To launch: pipeline-trigger replay --missing")
    if sweep.unknown:
        console.print(f"{len(sweep.unknown)} unknown, which --missing leaves alone: {sweep.unknown[0].why}")
    if not (sweep.missing or sweep.unknown):
        console.print("the launcher knows of every file")


@launches.command()
def doubtful(stack: Stack = "dev", trigger: Trigger = None, as_json: Json = False) -> None:
    """Of which events may a workflow be running that no run shows?"""
    from ops.launches import show as shown
    from ops.launches.history import read_history

    with _connected(stack) as (cloud, deployment):
        found = [launch for launch in read_history(cloud, deployment, trigger) if launch.doubt]
    if as_json:
        print_json([shown.as_json(launch) for launch in found])
    elif found:
        shown.print_doubts(found, open_console())
    else:
        open_console().print("no event is in doubt")


def replay(
    references: Annotated[list[str] | None, typer.Argument(help=REFERENCE)] = None,
    stack: Stack = "dev",
    ledger: Ledger = None,
    trigger: Trigger = None,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="All that were tried too often.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="All that were rejected.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="All files the launcher never heard of.")] = False,
    again: Annotated[bool, typer.Option("--again", help="One more run of an event that was launched.")] = False,
    because: Annotated[str, typer.Option(help="Why; the ledger records it. --again asks for it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; --json needs it.")] = False,
    as_json: Json = False,
) -> None:
    """Hand events to the launcher once more. What did launch meanwhile starts nothing, except with --again."""
    from ops.launches import show as shown
    from ops.launches.events import Asked
    from ops.launches.history import read_dead_letters, read_history
    from ops.launches.lookup import find_to_replay
    from ops.launches.replay import launch_again
    from ops.launches.replay import replay as replay_all
    from ops.launches.sweep import find_missing

    if bool(references) == (dead_letters or rejected or missing):
        raise OperationError("say what to replay: events by name, or --dead-letters, --rejected, --missing")
    if again and not (because and references):
        raise OperationError("--again goes with the names of events and with --because REASON")
    if as_json and not yes:
        raise typer.BadParameter("a script cannot be asked whether to replay; say --yes too", param_hint="--json")
    if ledger and (dead_letters or missing or again):
        raise OperationError(
            "the ledger says neither where dead letters are kept, nor which buckets and topics there are: leave out "
            "--ledger. With it, rejected events can be replayed"
        )
    with _connected(stack, ledger) as (cloud, deployment):
        chosen = [launch for text in references or () for launch in find_to_replay(cloud, deployment, text, trigger)]
        history = read_history(cloud, deployment, trigger) if dead_letters or rejected else []
        if dead_letters:
            chosen += [found for one in deployment.choose(trigger) for found in read_dead_letters(cloud, one)]
        if rejected:
            chosen += [found for found in history if found.state is State.REJECTED or found.replay_broke_off]
        if missing:
            chosen += find_missing(cloud, deployment, trigger).missing
        chosen = list({found.key: found for found in chosen}.values())  # a file, and its key
        in_doubt = {found.key for found in history if found.must_be_asked_for}
        found_first, chosen = len(chosen), [found for found in chosen if found.key not in in_doubt]
        console = open_console(stderr=as_json)
        if left := found_first - len(chosen):
            console.print(f"{left} left alone: pipeline-trigger launches doubtful shows them")
        if not chosen:
            console.print("nothing to replay")
        else:
            shown.print_launches(chosen, console)
            if not yes:
                typer.confirm(f"Replay {len(chosen)}?", abort=True)
        asked = Asked.now(cloud.caller, because)
        replayed = (launch_again if again else replay_all)(cloud, deployment, chosen, asked)
    if as_json:
        print_json([shown.replayed_as_json(one) for one in replayed])
    elif replayed:
        shown.print_replayed(replayed, console)
    if any(one.refusal for one in replayed):
        raise typer.Exit(1)


@contextlib.contextmanager
def _connected(stack: str, ledger: str | None = None) -> Iterator[tuple[Cloud, Deployment]]:
    from ops.launches.cloud import Cloud, google_errors
    from ops.launches.deployment import read_deployment, read_ledger

    deployment = None if ledger else read_deployment(stack)
    with google_errors():
        cloud = Cloud.connect(deployment.project if deployment else None)
        yield cloud, deployment or read_ledger(cloud, str(ledger))


def _is_within(launch: Launch, since: datetime | None, day: date | None) -> bool:
    return (since is None or launch.at >= since) and day in (None, launch.at.astimezone().date())

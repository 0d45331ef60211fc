"""`pipeline-trigger try`: its arguments, and nothing else."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.options import Json, Stack, Trigger
from ops.printing import open_console, print_json

if TYPE_CHECKING:
    from ops.trying.attempt import Attempt
    from ops.trying.planned import PlannedTrigger

schema = typer.Typer(help="JSON Schemas of content.", no_args_is_help=True)
NONE_STARTS = 3  # the exit code where an event would start no run


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time; write 2026-11-29T02:30, with Z or +01:00 or without"
        ) from None


def _file(what: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(help=what, exists=True, dir_okay=False, readable=True)
    return found


def try_one(
    stack: Stack = "dev",
    trigger: Trigger = None,
    file: Annotated[Path | None, _file("The file that lands in the bucket, or the message or log entry.")] = None,
    uri: Annotated[
        str | None,
        typer.Option("--object", metavar="gs://BUCKET/NAME", help="The object, or its name in the bucket."),
    ] = None,
    message: Annotated[str | None, typer.Option(help="The data of a Pub/Sub message.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An attribute of that message; may be repeated.")
    ] = None,
    log: Annotated[Path | None, _file("A log entry, as `gcloud logging read --format json` prints it.")] = None,
    schedule: Annotated[
        datetime | None, typer.Option(parser=_moment, metavar="MOMENT", help="When the schedule fires.")
    ] = None,
    event: Annotated[
        Path | None, _file("A delivery as it came: a push, a CloudEvent, a dead letter, an entry of rejected/.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="gs://BUCKET[/PREFIX]", help="Objects of a real bucket, which is read and not changed."),
    ] = None,
    newest: Annotated[int, typer.Option(min=1, help="How many of them, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what an event becomes: what each part of a trigger says of it, its parameters, and the run's request.

    Exits with 3 if an event would start no run. Starts nothing, and needs no cloud, but for --against.
    """
    from ops.trying.asked import Asked, read_asked  # these import Pulumi, which takes most of a second
    from ops.trying.attempt import try_event
    from ops.trying.planned import choose_trigger, plan_of
    from ops.trying.show import show_attempt, show_attempts

    chosen = choose_trigger(plan_of(stack), trigger)
    asked = Asked(file, uri, message, tuple(attribute or ()), log, schedule, event, against)
    givens = read_asked(chosen, asked)
    attempts = _against(chosen, against, newest) if against else [try_event(chosen, given) for given in givens]
    if as_json:
        print_json([asdict(attempt) for attempt in attempts])
    elif len(givens) == 1:
        show_attempt(attempts[0], givens[0].notes, open_console())
    else:
        show_attempts(attempts, open_console())
    sys.exit(0 if all(attempt.outcome == "launched" for attempt in attempts) else NONE_STARTS)


def _against(trigger: PlannedTrigger, uri: str, newest: int) -> list[Attempt]:
    from ops.launches.cloud import Cloud  # Google's libraries
    from ops.trying.against import try_against

    return [*try_against(trigger, uri, newest, Cloud.connect(trigger.project))]


@schema.command("infer")
def infer(
    samples: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="JSON files, or gzip of them.")],
    as_json: Json = False,
) -> None:
    """Draft a JSON Schema that all samples fit, to be read and made stricter: pipeline-trigger schema infer *.json"""
    from ops.trying.infer import as_text, infer_schema

    found = infer_schema(samples)
    if as_json:
        print_json(found)
    else:
        typer.echo(as_text(found), nl=False)

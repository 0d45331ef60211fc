"""The `pipeline-trigger` command. Each verb lives in a module of its own; here are only its arguments."""

from __future__ import annotations

import importlib.metadata
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import ConfigurationError
from ops.drift.cli import drift
from ops.endpoint.cli import connect, experiments, pipelines, runs
from ops.errors import OperationError, explain_os_error
from ops.iam.cli import iam
from ops.init.cli import init
from ops.launches.cli import launches, replay
from ops.options import Json, OneStack, Stack
from ops.printing import open_console, print_error, refuse
from ops.scripts import asked_for_json
from ops.trying.cli import schema, try_one

DISTRIBUTION = "event-triggered-pipelines"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
iam.command()(drift)
app.add_typer(iam, name="iam")
app.add_typer(launches, name="launches")
app.command()(replay)
app.command("try")(try_one)
app.add_typer(schema, name="schema")
app.command()(init)
app.command()(connect)
app.add_typer(runs, name="runs")
app.add_typer(pipelines, name="pipelines")
app.add_typer(experiments, name="experiments")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pipeline-trigger {importlib.metadata.version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Starts pipeline runs from events: rehearse an environment here, or stand it up on Google Cloud."""


@app.command()
def rehearse(
    stack: Stack = "dev",
    file: Annotated[
        Path | None,
        typer.Option(
            help="A sample event: the file, message or log entry, or a directory with one per trigger (TRIGGER.*)."
        ),
    ] = None,
    engine: Annotated[
        bool, typer.Option("--engine", help="Have Pulumi's own engine make the environment: a real `pulumi up`.")
    ] = False,
    happy: Annotated[bool, typer.Option("--happy", help="Let nothing go wrong: one event, and its run.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again after each change of pipelines/, the stack file or the sample.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stand the environment up on this machine and watch an event start a run. Needs no cloud account."""
    from ops.rehearse.rehearse import rehearse_stack  # imports kfp and Pulumi, which the other verbs can do without
    from ops.rehearse.telling import InJson, OnTerminal
    from ops.rehearse.watch import rehearse_on_change

    console = open_console(stderr=as_json)
    teller = InJson(console) if as_json else OnTerminal(console)
    once = partial(rehearse_stack, stack, file, teller, engine=engine, happy=happy)
    if watch:
        rehearse_on_change(stack, file, once, console)
    sys.exit(once())


@app.command()
def chaos(
    stack: Stack = "dev",
    events: Annotated[int, typer.Option(min=1, help="How many files land in the trigger bucket.")] = 2000,
    seed: Annotated[int, typer.Option(help="What goes wrong: the same seed, the same faults.")] = 1,
    rush: Annotated[bool, typer.Option("--rush", help="Let nothing go wrong, but all come at once.")] = False,
    as_json: Json = False,
) -> None:
    """Send events through the launcher while all that can go wrong does, and count the runs that they start."""
    from ops.rehearse.chaos import show_chaos  # as above

    sys.exit(show_chaos(stack, events, seed, open_console(stderr=as_json), as_json=as_json, rush=rush))


@app.command()
def doctor(
    stack: Stack = "dev",
    as_json: Json = False,
) -> None:
    """Look for what would make a first deployment fail, and say what mends it. Changes nothing."""
    from ops.doctor.diagnosis import show_diagnosis  # imports Pulumi, as above

    sys.exit(show_diagnosis(stack, open_console(stderr=as_json), as_json=as_json))


@app.command()
def cost(stack: Stack = "dev", as_json: Json = False) -> None:
    """Estimate what a stack costs a month, by its plan and list prices. Asks nobody."""
    from ops.cost.show import show_cost  # imports Pulumi, as above

    show_cost(stack, open_console(), as_json=as_json)


@app.command()
def verify(stack: OneStack = None, as_json: Json = False) -> None:
    """Look at what is yours: that stack files evaluate, pipelines compile and fit, rules hold, iam/ is current.

    Exits with 1 if there is a mistake.
    """
    from ops.verify.show import show_verdicts  # imports kfp and Pulumi, as above

    sys.exit(show_verdicts(stack, open_console(stderr=as_json), as_json=as_json))


@app.command()
def up(stack: Stack = "dev") -> None:
    """Stand the environment up on Google Cloud, after showing what will change."""
    _deploy("up", stack)


@app.command()
def preview(stack: Stack = "dev") -> None:
    """Show what `up` would change on Google Cloud, and change nothing."""
    _deploy("preview", stack)


@app.command()
def destroy(stack: Stack = "dev") -> None:
    """Take the environment down. Buckets that hold files stop it; services stay enabled."""
    _deploy("destroy", stack)


@app.command()
def recover(
    stack: Stack = "dev",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; --json needs it to do anything.")] = False,
    as_json: Json = False,
) -> None:
    """Put a stack right whose update was killed: lift its lock, adopt what it made, delete what no state knows."""
    from ops.deploy.show import show_recovery  # as above

    sys.exit(show_recovery(stack, open_console(stderr=as_json), yes=yes, as_json=as_json))


def _deploy(verb: str, stack: str) -> None:
    from ops.deploy.deploy import run_pulumi

    sys.exit(run_pulumi(verb, stack))


def main() -> None:
    """Runs the command. What a person can mend is one message and no traceback; with --json it is JSON."""
    as_json = asked_for_json(sys.argv[1:])
    give_up = partial(refuse, as_json=as_json)
    try:
        # Standing alone, typer tells people itself what it cannot read.
        status = app(prog_name="pipeline-trigger", standalone_mode=not as_json)
    except ConfigurationError as error:
        give_up("configuration", str(error), 1)
    except OperationError as error:
        give_up("operation", str(error), 1)
    except typer.TyperException as error:
        give_up("usage", error.format_message(), error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and (explanation := explain_os_error(error)):
            give_up("operation", explanation, 1)
        if as_json:
            print_error("internal", f"{type(error).__name__}: {error}", 1)
        raise
    sys.exit(status)

"""`pipeline-trigger iam`: its verbs and arguments."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ops.options import Stack
from ops.printing import open_console

iam = typer.Typer(help="The stack's permissions as a document, and what a change does to them.", no_args_is_help=True)
UP_TO_DATE = "the files in iam/ are up to date"
REACHED = 3  # the exit code of a diff that --fail-on stops


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


class FailOn(StrEnum):
    """What makes a diff fail: nothing; that anybody may do more, or high; high alone."""

    NEVER = "never"
    BROADENED = "broadened"
    HIGH = "high"


Written = Annotated[Format, typer.Option("--format", help="A table, Markdown for a pull request, or JSON.")]


@iam.command()
def show(
    stack: Stack = "dev",
    written: Written = Format.TABLE,
) -> None:
    """Show every permission that a stack gives: who, what, on what, why, and for which trigger."""
    from ops.iam import document, manifest  # these import Pulumi, which takes a second

    found = manifest.manifest_of(stack)
    if written is Format.TABLE:
        document.to_terminal(found, open_console())
    else:
        typer.echo(found.to_json() if written is Format.JSON else document.to_markdown(found), nl=False)


@iam.command()
def update() -> None:
    """Write the files in iam/: for every stack, the permissions that it gives, and those that deploying it takes."""
    from ops.iam import document  # as above

    written = document.update()
    typer.echo("\n".join(f"wrote {name}" for name in written) or UP_TO_DATE)


@iam.command()
def check() -> None:
    """Fail when a file in iam/ is not what the program gives, or what deploying it takes. Exits with 1 then."""
    from ops.iam import document  # as above

    document.check()
    typer.echo(UP_TO_DATE)


@iam.command()
def diff(
    before: Annotated[
        str, typer.Argument(help="`pulumi preview --json` (- reads it here), a manifest, or a revision.")
    ],
    after: Annotated[str | None, typer.Argument(help="A manifest or a revision; none is the working tree.")] = None,
    stack: Annotated[str | None, typer.Option(help="Of revisions, this stack alone.")] = None,
    written: Written = Format.TABLE,
    fail_on: Annotated[FailOn, typer.Option(help="What to exit with 3 for.")] = FailOn.NEVER,
) -> None:
    """Say of each permission whether a change broadens it, narrows it or moves it.

    Exits with 0, or with 1 where something cannot be read, 2 for wrong arguments, 3 for what --fail-on names.
    """
    from ops.iam import inputs, report  # as above

    found = inputs.compared(before, after, stack)
    if written is Format.TABLE:
        report.to_terminal(found, open_console())
    else:
        typer.echo(report.to_json(found) if written is Format.JSON else report.to_markdown(found).rstrip())
    if _reached(fail_on, broadened=any(c.broadened for c in found), high=any(c.high for c in found)):
        sys.exit(REACHED)


def _reached(fail_on: FailOn, *, broadened: bool, high: bool) -> bool:
    """High counts as broadened: an authoritative resource may broaden nothing and still take much away."""
    return {FailOn.NEVER: False, FailOn.BROADENED: broadened or high, FailOn.HIGH: high}[fail_on]

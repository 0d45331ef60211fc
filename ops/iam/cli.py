"""`pipeline-trigger iam`: its verbs and arguments."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from ops.options import Json, Stack
from ops.printing import open_console, print_json
from ops.tables import visible

iam = typer.Typer(help="The stack's permissions as a document, and what a change does to them.", no_args_is_help=True)
catalogue = typer.Typer(help="Which permissions a role holds, as it is pinned here.", no_args_is_help=True)
iam.add_typer(catalogue, name="catalogue")
UP_TO_DATE = "the files in iam/ are up to date"
REACHED = 3  # the exit code of a diff that --fail-on stops, and of a check that finds more access or a broken rule


class FailOn(StrEnum):
    """What makes a diff fail: nothing; that anybody may do more, or high; high alone."""

    NEVER = "never"
    BROADENED = "broadened"
    HIGH = "high"


Markdown = Annotated[bool, typer.Option("--markdown", help="For a comment on a pull request.")]


@iam.command()
def show(
    stack: Stack = "dev",
    as_markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Show every permission that a stack gives: who, what, on what, why, and for which trigger."""
    from ops.iam.kept import document, manifest  # these import Pulumi, which takes a second

    _check_one_way(as_markdown, as_json)
    found = manifest.manifest_of(stack)
    if as_json:
        typer.echo(found.to_json(), nl=False)
    elif as_markdown:
        typer.echo(document.to_markdown(found), nl=False)
    else:
        document.to_terminal(found, open_console())


@iam.command()
def update(as_json: Json = False) -> None:
    """Write the files in iam/: for every stack, the permissions that it gives, and those that deploying it takes."""
    from ops.iam.kept import document  # as above

    written = document.update()
    if as_json:
        print_json({"written": written})
    else:
        typer.echo("\n".join(f"wrote {name}" for name in written) or UP_TO_DATE)


@iam.command()
def check(
    base: Annotated[
        str | None,
        typer.Option("--no-new-access", metavar="REVISION", help="Fail if there is more than there."),
    ] = None,
    never: Annotated[
        str | None, typer.Option(metavar="FILE", help="Rules of what nobody may ever; iam/never.yaml if it is there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fail when a file in iam/ is not what the program gives, when there is more access, or a rule is broken.

    Exits with 1 for a stale file or what cannot be read, 2 for wrong arguments, 3 for access.
    """
    from ops.iam.comparing import report  # as above
    from ops.iam.kept import document  # as above
    from ops.iam.review import checking  # as above

    document.check()
    found = checking.held(base, never)
    if as_json:
        print_json({"stale": [], **json.loads(report.to_json(found.comparisons)), "never": found.broken})
    else:
        typer.echo(UP_TO_DATE)
        report.to_terminal(found.comparisons, open_console())
        typer.echo("".join(f"NEVER: {visible(said)}\n" for said in found.broken), nl=False)
    if not found.passes:
        sys.exit(REACHED)


@iam.command()
def explain(
    name: Annotated[str, typer.Argument(help="A principal or a resource: its name or address, or a part of it.")],
    stack: Stack = "dev",
    as_json: Json = False,
) -> None:
    """Say all that somebody may do, or who may do what to something: why, and by which path."""
    from ops.iam.kept import manifest  # as above
    from ops.iam.review import explain as explaining  # as above

    found = explaining.explain(manifest.manifest_of(stack), name)
    if as_json:
        print_json(explaining.to_json(found))
    else:
        explaining.to_terminal(found, open_console())


@catalogue.command("update")
def update_catalogue(
    roles: Annotated[list[str] | None, typer.Argument(help="roles/...; none is every role that is listed.")] = None,
    as_json: Json = False,
) -> None:
    """Ask Google, by gcloud, what roles hold, write that into the catalogue, and show what changed."""
    from ops.iam.catalogue.update import update as ask  # late, as above

    found = ask(roles or [])
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        signs = [f"+{name}" for name in one.added] + [f"-{name}" for name in one.removed]
        typer.echo(f"{one.role}: {' '.join(signs) or 'as it was'}")


@iam.command()
def diff(
    before: Annotated[
        str, typer.Argument(help="`pulumi preview --json` (- reads it here), a manifest, or a revision.")
    ],
    after: Annotated[str | None, typer.Argument(help="A manifest or a revision; none is the working tree.")] = None,
    stack: Annotated[str | None, typer.Option(help="Of revisions, this stack alone.")] = None,
    as_markdown: Markdown = False,
    fail_on: Annotated[FailOn, typer.Option(help="What to exit with 3 for.")] = FailOn.NEVER,
    as_json: Json = False,
) -> None:
    """Say of each permission whether a change broadens it, narrows it or moves it.

    Exits with 0, or with 1 where something cannot be read, 2 for wrong arguments, 3 for what --fail-on names.
    """
    from ops.iam.comparing import report  # as above
    from ops.iam.review import inputs  # as above

    _check_one_way(as_markdown, as_json)
    found = inputs.compared(before, after, stack)
    if as_json:
        typer.echo(report.to_json(found))
    elif as_markdown:
        typer.echo(report.to_markdown(found).rstrip())
    else:
        report.to_terminal(found, open_console())
    if _reached(fail_on, broadened=any(c.broadened for c in found), high=any(c.high for c in found)):
        sys.exit(REACHED)


def _check_one_way(as_markdown: bool, as_json: bool) -> None:
    if as_markdown and as_json:
        raise typer.BadParameter("choose one", param_hint=["--markdown", "--json"])


def _reached(fail_on: FailOn, *, broadened: bool, high: bool) -> bool:
    """High counts as broadened: an authoritative resource may broaden nothing and still take much away."""
    return {FailOn.NEVER: False, FailOn.BROADENED: broadened or high, FailOn.HIGH: high}[fail_on]

"""`pipeline-trigger init`: its arguments, what it asks on a terminal, and what it says in the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ops.options import Json
from ops.printing import open_console, print_json

if TYPE_CHECKING:
    from ops.init.answers import Question


def init(
    name: Annotated[str | None, typer.Argument(help="The stack's name; its file is Pulumi.NAME.yaml.")] = None,
    project: Annotated[str | None, typer.Option(help="The id of the Google Cloud project.")] = None,
    region: Annotated[str | None, typer.Option(help="Where functions and buckets are, as in us-central1.")] = None,
    source: Annotated[str | None, typer.Option(help="Where events come from: gcs, pubsub, log or schedule.")] = None,
    template: Annotated[
        str | None, typer.Option(help="The pipeline to start from: echo, validate_csv or train.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Where runs are started: kfp or vertex.")] = None,
    host: Annotated[str | None, typer.Option(help="Of kfp: the endpoint, https://HOST.")] = None,
    pipeline_root: Annotated[str | None, typer.Option(help="Of vertex: where jobs put their output.")] = None,
    service_account: Annotated[str | None, typer.Option(help="Of vertex: the account that jobs run as.")] = None,
    as_json: Json = False,
) -> None:
    """Make a new stack that is right from the start: its file, a pipeline, a sample, and what it permits.

    Asks on a terminal for what is not given. Overwrites nothing, and writes all or nothing.
    """
    from ops.init.answers import missing, read_answers  # these import pydantic, and Pulumi the next
    from ops.init.making import make_stack, next_commands
    from rehearsal.program import ROOT

    given = {
        "name": name,
        "project": project,
        "region": region,
        "source": source,
        "template": template,
        "target": target,
        "host": host,
        "pipeline_root": pipeline_root,
        "service_account": service_account,
    }
    if (options := missing(given, ROOT)) and (as_json or not asks()):
        raise typer.BadParameter("there is no terminal to ask on: give it", param_hint=options)
    try:
        answers = read_answers(given, _ask, ROOT)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = open_console(stderr=as_json)
    with console.status("Checking"):
        written = make_stack(answers)
    if as_json:
        print_json({"written": written, "next": next_commands(answers)})
        return
    for file in written:
        console.print(f"wrote {file}")
    console.print("\nNext:")
    for command in next_commands(answers):
        console.print(f"  {command}")


def asks() -> bool:
    """Whether there is somebody who could answer."""
    return sys.stdin.isatty()


def _ask(question: Question) -> str:
    """Asks until the answer can be."""

    def check(answer: str) -> str:
        try:
            return question.check(answer)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    answer: str = typer.prompt(question.text, default=question.default, value_proc=check)
    return answer

"""Shows what a recovery would do, and does it once it may."""

from __future__ import annotations

from functools import partial

import typer
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from rich.console import Console

from infra.configuration.stack_file import find_stack
from ops.deploy.recover import Step, steps_for
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.doctor.machine import check_cli
from ops.doctor.web import Web
from ops.errors import OperationError
from ops.google import LOGIN, default_credentials
from ops.printing import print_json
from ops.tables import Prose, print_table
from rehearsal.program import read_stack

SECONDS = 30.0
HEADINGS = ("", "what", Prose("why"))


def show_recovery(stack: str, console: Console, *, yes: bool, as_json: bool) -> int:
    """Shows the steps, asks, and takes them; returns the exit status, 1 if something is left for a person to decide.

    Raises:
        OperationError: it cannot be told what there is to do, or whether it may be done unasked; or a step failed.
        ConfigurationError: there is no such stack file.
    """
    name, config = read_stack(stack)
    if (found := check_cli()).status == "problem":
        raise OperationError(found.in_words)
    with console.status("Looking"):
        steps = steps_for(name, config, _apis(config.get("gcp:project", "")), find_stack(stack).resolve())
    if as_json:
        print_json([{"done": step.done, "what": step.what, "why": step.why} for step in steps])
    elif not steps:
        console.print(f"There is nothing to do for stack {name}: no lock, and nothing that its state does not know.")
    else:
        print_table(HEADINGS, [(step.done, step.what, step.why) for step in steps], console)
    if yes and (unsure := [step for step in steps if step.ask]):
        raise OperationError(
            f"stack {name}: {unsure[0].why}; then run it again without --yes, which is no answer to that"
        )
    if (todo := [step for step in steps if step.do]) and (yes or not as_json):
        if not yes:
            typer.confirm(f"Do {'this' if len(todo) == 1 else f'these {len(todo)}'}?", abort=True)
        for step in todo:
            _take(step)
            console.print(f"✓ {step.done} {step.what}", highlight=False, soft_wrap=True)
    return 1 if any(step.done == "leave" for step in steps) else 0


def _take(step: Step) -> None:
    try:
        if step.do:
            step.do()
    except RefusedError as refused:
        raise OperationError(f"{step.done} {step.what}: {refused}: {refused.fix}") from None


def _apis(project: str) -> GoogleApis:
    try:
        credentials = default_credentials()
        credentials.refresh(partial(Request(), timeout=SECONDS))
    except GoogleAuthError as error:
        raise OperationError(f"there are no Google Cloud credentials ({error.args[0]}): {LOGIN}") from None
    return GoogleApis(Web(credentials, seconds=SECONDS), project)

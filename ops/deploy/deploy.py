"""Runs the Pulumi CLI for a stack, after checking that it can do its work here, and says what came of it.

Everything that is missing is said at once, each with the command that mends it: a first deployment otherwise fails
once for the CLI, once for the login, once for the credentials and once for the sample project.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.configuration.stack_file import find_stack
from ops.deploy.aftermath import aftermath
from ops.deploy.child import run_child
from ops.deploy.events import read_events
from ops.deploy.leftovers import has_init_errors, leftovers_of
from ops.deploy.pulumi_cli import select
from ops.doctor.accounts import missing_accounts
from ops.doctor.configuration import check_configuration
from ops.doctor.machine import check_cli, find_credentials, preferred_credentials
from ops.errors import OperationError
from rehearsal.program import ROOT, read_stack

# A destroy runs the program too: without it the engine could not call the program's error hook.
ARGUMENTS = {"up": (), "preview": (), "destroy": ("--run-program",)}


def run_pulumi(verb: str, stack: str) -> int:
    """Runs `pulumi up`, `preview` or `destroy`; returns its exit status, or that of selecting the stack.

    Raises:
        OperationError: something is missing, or an update that was killed left something; the message lists it all.
        ConfigurationError: there is no such stack file.
    """
    name, config = read_stack(stack)
    _check(verb, name, config)
    file = find_stack(stack).resolve()
    if verb != "destroy" and (status := select(name, file)):
        return status
    if verb != "preview" and (left := leftovers_of(name)):
        raise OperationError(
            f"an update of stack {name} was killed, or is at work elsewhere: {left}; "
            f"look at it first with: pipeline-trigger recover --stack {stack}"
        )
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "events"
        command = ["pulumi", verb, "--stack", name, "--config-file", str(file), "--event-log", str(log)]
        refresh = ["--refresh"] if verb == "preview" and not has_init_errors(name) else []
        # The flag that keeps the events is one of those that the CLI has for who automates it.
        environment = {**os.environ, "PULUMI_DEBUG_COMMANDS": "true"}
        status = run_child([*command, *ARGUMENTS[verb], *refresh], ROOT, environment)
        if said := aftermath(verb, stack, status, read_events(log)):
            sys.stdout.flush()
            print(f"\n{said}", file=sys.stderr)
    return status


def _check(verb: str, name: str, config: Mapping[str, str]) -> None:
    found = [check_cli()]
    credentials = None
    if not preferred_credentials(config):
        credentials, finding = find_credentials()
        found.append(finding)
    if verb != "destroy":
        plan, findings = check_configuration(name, config)
        accounts = missing_accounts(plan, credentials) if plan and credentials else []
        found += findings + (accounts if verb == "up" else [])
        if verb == "preview":  # which can do without them
            for finding in accounts:
                print(f"{finding.check}: {finding.in_words}", file=sys.stderr)
    if missing := [finding for finding in found if finding.status == "problem"]:
        listed = "".join(f"\n- {finding.in_words}" for finding in missing)
        raise OperationError(f"`pulumi {verb}` of stack {name} needs this first:{listed}")

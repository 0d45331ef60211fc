"""Runs the Pulumi CLI for a stack, after checking that it can do its work here.

Everything that is missing is said at once, each with the command that mends it: a first deployment otherwise fails
once for the CLI, once for the login, once for the credentials and once for the sample project.
"""

from __future__ import annotations

import os
import signal
import subprocess

from infra.configuration.stack_file import find_stack
from ops.doctor.configuration import check_configuration
from ops.doctor.machine import check_cli, find_credentials, preferred_credentials
from ops.errors import OperationError
from rehearsal.program import ROOT, read_stack

# A destroy runs the program too: without it the engine could not call the program's error hook.
ARGUMENTS = {"up": (), "preview": (), "destroy": ("--run-program",)}


def run_pulumi(verb: str, stack: str) -> int:
    """Becomes `pulumi up`, `preview` or `destroy`; returns an exit status if there is no stack to do it to.

    Raises:
        OperationError: something is missing; the message lists all of it.
        ConfigurationError: there is no such stack file.
    """
    name, config = read_stack(stack)
    found = [check_cli()]
    if not preferred_credentials(config):
        found.append(find_credentials()[1])
    if verb != "destroy":
        found += check_configuration(name, config)[1]
    if missing := [finding for finding in found if finding.status == "problem"]:
        listed = "".join(f"\n- {finding.in_words}" for finding in missing)
        raise OperationError(f"`pulumi {verb}` of stack {name} needs this first:{listed}")
    file = ["--config-file", str(find_stack(stack).resolve())] if stack != name else []
    create = ["--create"] if verb != "destroy" else []
    selected = subprocess.run(["pulumi", "stack", "select", name, *create], cwd=ROOT, check=False)
    if selected.returncode:
        return selected.returncode
    # In place of this process: the CLI has its own way to end, and a Ctrl-C waits for what is being made.
    os.chdir(ROOT)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what it starts would too
    return os.execvp("pulumi", ["pulumi", verb, "--stack", name, *file, *ARGUMENTS[verb]])

"""A command that is told to end does so at once, without a traceback, at whatever it is."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from rehearsal.program import ROOT
from tests.plans import DEV

PATIENCE_SECONDS = 60
REHEARSE = ["rehearse", "--stack", str(DEV)]
SHOW_CURSOR = b"\x1b[?25h"
HIDE_CURSOR = b"\x1b[?25l"


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (REHEARSE, "typer"),
        (REHEARSE, "kfp.compiler"),
        (REHEARSE, "grpc"),
        (REHEARSE, "infra.resources.trigger"),  # the program is being evaluated
        (["chaos", "--stack", str(DEV)], "rehearsal.chaos.world"),
        (["iam", "show"], "ops.iam.kept.manifest"),
    ],
)
def test_ctrl_c_while_modules_are_imported_is_no_traceback(arguments: list[str], module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "ops", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr
        imported = re.compile(rf"\|\s+{re.escape(module)}$")
        assert any(imported.search(line) for line in process.stderr), f"{module} is not imported by {arguments}"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGINT
    assert not [line for line in said.splitlines() if not line.startswith("import time:")]


def test_a_script_is_told_in_json_that_its_command_was_ended() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "ops", *REHEARSE, "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr
        assert any("ops.rehearse" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGTERM
    error = {"kind": "interrupted", "message": "it was interrupted", "exit_status": 128 + signal.SIGTERM}
    assert json.loads(said) == {"error": error}


PROGRAM = """
import sys
from rehearsal.signals import end_at_once

end_at_once()
print("ready", flush=True)
try:
    sys.stdin.read()
except BaseException as error:
    print(repr(error))
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_command_dies_of_the_signal_and_no_code_can_swallow_it(end: signal.Signals) -> None:
    command = ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh", sys.executable, "-c", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(end)
        assert process.wait(PATIENCE_SECONDS) == -end
        assert (process.stdout.read(), process.stderr and process.stderr.read()) == ("", "")


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under nohup."""
    program = "import signal; from rehearsal.signals import end_at_once; end_at_once(); print(signal.getsignal(1))"
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("1", "Handlers.SIG_IGN")


def test_the_cursor_that_a_progress_display_hid_is_shown_again() -> None:
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ops", *REHEARSE], cwd=ROOT, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        while b"Evaluating" not in said:
            said += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGINT
        said += _rest(terminal)
    os.close(terminal)
    assert HIDE_CURSOR in said
    assert said.rstrip().endswith(SHOW_CURSOR)
    assert b"Traceback" not in said


def _rest(terminal: int) -> bytes:
    """What is left to read; that nobody is at the other end any more is an error on Linux, and the end on macOS."""
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
    except OSError:
        pass
    return said

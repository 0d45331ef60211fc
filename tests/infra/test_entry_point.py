"""The program as the Pulumi CLI starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.program import ROOT

START = f"""
import runpy, signal, sys
try:
    runpy.run_path({str(ROOT / "infra")!r}, run_name="__main__")
except BaseException:
    pass  # there is no engine here
print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
"""


def test_a_ctrl_c_is_the_engine_s_to_handle(tmp_path: Path) -> None:
    """Both get it, and the traceback of a program that ends by it buries what the engine says."""
    starter = tmp_path / "pulumi-language-python-exec"  # as the language host calls it
    starter.write_text(START)
    done = subprocess.run([sys.executable, "-u", str(starter)], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize(
    ("error", "heard"), [("Resource monitor has terminated, shutting down", False), ("oops", True)]
)
def test_what_fails_because_the_engine_has_ended_says_nothing(tmp_path: Path, error: str, *, heard: bool) -> None:
    """pulumi-language-python-exec tells the engine of it, which fails because it has ended, and is a traceback."""
    starter = tmp_path / "pulumi-language-python-exec"
    starter.write_text(f"""{START}
try:
    raise RuntimeError({error!r})
except RuntimeError:
    raise ConnectionError("there is nobody to tell")
""")
    done = subprocess.run([sys.executable, "-u", str(starter)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ("there is nobody to tell" in done.stderr) is heard
    assert heard or done.stderr == ""


def test_a_command_that_evaluates_the_program_keeps_its_own_ctrl_c() -> None:
    evaluate = (
        "import signal; from rehearsal.program import evaluate; from tests.plans import dev_config; "
        "evaluate('dev', dev_config()); print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    done = subprocess.run([sys.executable, "-c", evaluate], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

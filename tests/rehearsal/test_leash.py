"""What is on the leash of a process ends with it, however it ends, and is otherwise as if it were not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.leash import PROGRAM, leashed
from rehearsal.program import ROOT

PATIENCE_SECONDS = 60
OWNER = """
import subprocess
from rehearsal.leash import leashed, scratch

(scratch() / "kfp-run-1").mkdir()
(scratch() / "kfp-run-1" / "data.csv").write_text("a,b")
command, on_leash = leashed("sh", "-c", "sleep 200 & echo started; wait")
print(scratch(), flush=True)
subprocess.Popen(command, **on_leash).wait()
"""


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    line, on_leash = leashed(*command)
    # Ignored: by a mapping of options no overload of subprocess's can be chosen, and so no type be told.
    return subprocess.run(line, **on_leash, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGINT])
def test_however_a_process_is_ended_nothing_of_it_is_left_running_or_lying_about(
    end: signal.Signals, tmp_path: Path
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    scratch, started = owner.stdout.readline().strip(), owner.stdout.readline()
    assert started == "started\n"
    assert Path(scratch, "kfp-run-1", "data.csv").exists()
    owner.send_signal(end)
    owner.communicate(timeout=PATIENCE_SECONDS)  # to the end of both streams, which all that was started holds
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_by_itself_leaves_nothing_either(tmp_path: Path) -> None:
    program = "from rehearsal.leash import scratch; print(scratch())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_command_has_its_own_streams_and_exit_status() -> None:
    done = run("sh", "-c", "read -r line; echo $line; echo wrong >&2; exit 3", input="hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello\n", "wrong\n")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_dies_of_a_signal_is_seen_to(end: signal.Signals) -> None:
    assert run("sh", "-c", f"ulimit -c 0; kill -{end.value} $$").returncode == -end


def test_a_command_gets_the_signals_of_its_group_and_ends_as_it_likes() -> None:
    line, on_leash = leashed("sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    with subprocess.Popen(line, **on_leash, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGTERM)
        assert process.communicate(timeout=PATIENCE_SECONDS)[0] == "bye\n"
    assert process.returncode == 7


def test_a_command_is_not_handed_the_leash_nor_what_python_ignores() -> None:
    done = run("sh", "-c", "kill -PIPE $$; echo ignored")
    assert (done.returncode, done.stdout) == (-signal.SIGPIPE, "")
    (end,) = leashed("true")[1]["pass_fds"]
    assert "Bad file descriptor" in run(sys.executable, "-c", f"import os; os.fstat({end})").stderr


def test_a_command_that_is_not_there_is_named() -> None:
    done = run("/no/such/command")
    assert (done.returncode, done.stderr) == (1, "/no/such/command does not start: No such file or directory\n")


def test_it_does_not_kill_the_group_that_it_was_started_in() -> None:
    """A leash at its end, in a process that was not started as it has to be."""
    command = [sys.executable, str(PROGRAM), "0", "sleep", "1000"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "in a session of its own" in done.stderr

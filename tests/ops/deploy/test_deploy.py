"""`make up` says what is missing and the command that mends it, and else runs the Pulumi CLI."""

import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials

from infra.configuration.stack_file import find_stack
from infra.errors import ConfigurationError
from ops.deploy import deploy, pulumi_cli
from ops.errors import OperationError
from ops.findings import ok, problem
from rehearsal.program import ROOT, read_stack
from tests.ops.machines import install_cli
from tests.plans import DEV, STACKS

# Runs a child that counts its interrupts, presses Ctrl-C once, and prints the count.
AT_A_TERMINAL = r'''
import os, pty, sys
from pathlib import Path
from ops.deploy.child import run_child
count = """
import signal, time
signal.signal(signal.SIGINT, lambda *_: print("got", flush=True))
print("ready", flush=True)
end = time.monotonic() + 1
while time.monotonic() < end: time.sleep(0.01)
"""
child, terminal = pty.fork()
if child == 0:
    run_child([sys.executable, "-c", count], Path.cwd(), dict(os.environ))
    os._exit(0)
said = b""
while b"ready" not in said:
    said += os.read(terminal, 100)
os.write(terminal, b"\x03")
try:
    while some := os.read(terminal, 100):
        said += some
except OSError:
    pass
print(said.count(b"got"))
'''


def missing(stack: str) -> str:
    with pytest.raises(OperationError) as refused:
        deploy.run_pulumi("up", stack)
    return str(refused.value)


def test_all_that_is_missing_is_said_at_once_with_what_mends_it(machine: Path) -> None:
    first, cli, credentials, *samples = missing(str(DEV)).splitlines()
    assert first == "`pulumi up` of stack dev needs this first:"
    assert cli == "- the Pulumi CLI is not installed: curl -fsSL https://get.pulumi.com | sh"
    assert credentials.startswith("- there are no Google Cloud credentials (")
    assert credentials.endswith("): gcloud auth application-default login")
    assert samples == [
        "- Pulumi.dev.yaml still has the sample gcp:project, acme-ml-dev: put in yours",
        "- Pulumi.dev.yaml still has the sample target.host, 1234abcd-dot-us-central1: put in yours",
    ]


def test_an_old_cli(machine: Path, mine: str, log: Path) -> None:
    install_cli(machine, log, version="3.99.0")
    assert "the Pulumi CLI is 3.99.0, and 3.272.0 is needed" in missing(mine)


def test_a_cli_that_is_not_logged_in(machine: Path, mine: str, log: Path) -> None:
    install_cli(machine, log, whoami="exit 1")
    assert "you are not logged in to a Pulumi backend: pulumi login" in missing(mine)


def test_a_wrong_configuration_stops_it_before_the_cli_starts(machine: Path, mine: str, log: Path) -> None:
    install_cli(machine, log)
    Path(mine).write_text(Path(mine).read_text().replace("pipeline: echo", "pipeline: ecco"))
    assert "there is no pipelines/ecco.py" in missing(mine)
    assert not log.exists()


def test_a_stack_that_is_not_there(machine: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no stack file Pulumi\.nope\.yaml"):
        deploy.run_pulumi("up", "nope")


def test_a_credentials_file_that_is_not_there_is_named(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_cli(machine, log)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    assert "/nowhere.json was not found" in missing(mine)


def test_a_destroy_asks_only_for_what_it_needs(machine: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample project, or a pipeline that no longer compiles, must not keep anybody from taking a stack down."""
    install_cli(machine, log)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    monkeypatch.setattr(deploy, "read_stack", partial(read_stack, root=STACKS))
    monkeypatch.setattr(deploy, "find_stack", partial(find_stack, root=STACKS))
    assert deploy.run_pulumi("destroy", "dev") == 0
    *_, destroy = log.read_text().splitlines()
    file = STACKS / "Pulumi.dev.yaml"
    command = re.escape(f"{ROOT}: pulumi destroy --stack dev --config-file {file}")
    assert re.fullmatch(rf"{command} --event-log \S+ --run-program", destroy)


@pytest.mark.parametrize(("verb", "more"), [("up", ""), ("preview", " --refresh")])
def test_with_everything_there_the_cli_runs_in_the_project(
    machine: Path, mine: str, log: Path, verb: str, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_cli(machine, log)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    assert deploy.run_pulumi(verb, mine) == 0
    select, *_, last = log.read_text().splitlines()
    assert select == f"{ROOT}: pulumi stack select mine"
    command = re.escape(f"{ROOT}: pulumi {verb} --stack mine --config-file {mine}")
    assert re.fullmatch(rf"{command} --event-log \S+{more}", last)


def test_a_preview_does_not_refresh_away_that_a_build_has_failed(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state then says of a function that it is half-made, and a refresh takes it for whole."""
    state = '{"deployment": {"resources": [{"urn": "u", "initErrors": ["the build failed"]}]}}'
    install_cli(machine, log, state=state)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    deploy.run_pulumi("preview", mine)
    assert not log.read_text().splitlines()[-1].endswith("--refresh")


def test_what_a_killed_update_left_is_said_before_anything_starts(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = '{"deployment": {"pending_operations": [{"type": "creating", "resource": {"urn": "a::b::c::build"}}]}}'
    install_cli(machine, log, state=pending)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    assert missing(mine) == (
        "an update of stack mine was killed, or is at work elsewhere: half-made, perhaps: build; "
        f"look at it first with: pipeline-trigger recover --stack {mine}"
    )
    assert "pulumi up" not in log.read_text()


@pytest.mark.parametrize("name", ["mine", "acme/mine"])
def test_what_is_at_work_by_pulumi_cloud_s_word_is_not_started_beside(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the state is there, no lock can be read: only that an update has begun and not ended."""
    install_cli(machine, log, stacks=f'{{"name": "{name}", "updateInProgress": true}}')
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    said = missing(mine)
    assert "the lock of an update that Pulumi Cloud knows of, on another machine, where it may be at work" in said
    install_cli(machine, log, stacks='{"name": "other", "updateInProgress": true}, {"name": "mine"}')
    assert deploy.run_pulumi("up", mine) == 0


def test_a_stack_file_that_is_elsewhere_leaves_no_other_in_the_root(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The CLI writes a new stack's salt to where it expects the file."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(pulumi_cli, "ROOT", root)
    salt = 'echo "encryptionsalt: v1:x=" > Pulumi.mine.yaml'
    install_cli(machine, log, then=f'case "$*" in "stack select mine") exit 1 ;; *--create) {salt} ;; esac')
    before = read_stack(mine)
    assert pulumi_cli.select("mine", Path(mine)) == 0
    assert list(root.iterdir()) == []
    assert yaml.safe_load(Path(mine).read_text())["encryptionsalt"] == "v1:x="
    assert read_stack(mine) == before


def test_an_account_that_is_missing_is_said_before_anything_starts(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An `up` would wait for it, and fail half-way. A preview shows what it can, and says so too."""
    gone = problem("account a@b", "it does not exist", "gcloud app create")
    monkeypatch.setattr(deploy, "missing_accounts", lambda *_: [gone])
    monkeypatch.setattr(deploy, "find_credentials", lambda: (AnonymousCredentials(), ok("credentials", "yours")))
    install_cli(machine, log)
    assert missing(mine).endswith("\n- it does not exist: gcloud app create")
    assert not log.exists()
    assert deploy.run_pulumi("preview", mine) == 0
    assert "account a@b: it does not exist: gcloud app create" in capsys.readouterr().err


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_cli_ends_an_update_in_its_own_way(
    machine: Path, mine: str, log: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    """It finishes what it is making and writes down the state: killed, it would leave resources that nobody knows."""
    cancels = "trap 'echo cancelled; exit 255' INT TERM; echo updating; for i in $(seq 900); do sleep 0.1; done"
    install_cli(machine, log, then=f'[ "$1" = up ] || exit 0; {cancels}')
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a token")
    command = [sys.executable, "-m", "ops", "up", "--stack", mine]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "updating\n"
        process.send_signal(end)
        assert process.stdout.read() == "cancelled\n"
        assert process.stderr.read() == ""
    assert process.returncode == 255


def test_a_ctrl_c_on_the_terminal_reaches_the_cli_once(tmp_path: Path) -> None:
    """A second one makes it stop at once, in the middle of what it is making."""
    done = subprocess.run([sys.executable, "-c", AT_A_TERMINAL], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n", done.stderr

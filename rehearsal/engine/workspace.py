"""A place where the Pulumi CLI runs the program against the small cloud: a folder, a home and a state of its own.

The program runs in this process, as the Automation API runs an inline one: the CLI asks it to by gRPC (`--client`).
The provider is served by this process too, and the CLI attaches to it. So nothing is installed and nothing is asked
of any network, and both outlive an engine that is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.config import CONFIG
from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc

from rehearsal.engine.cloud import Cloud
from rehearsal.engine.provider import VERSION, SubstituteProvider
from rehearsal.program import ROOT, as_the_cli_runs_it, run_program

CALLS_AT_ONCE = 64  # a retry waits within a call of the program
LARGEST_MESSAGE = 400 * 1024 * 1024  # bytes; the engine's own limit
_one_program = threading.Lock()


@dataclass(frozen=True)
class Done:
    """How a command of the CLI ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All that it said."""
        return self.stdout + self.stderr


class Workspace:
    """Made in an empty folder. A context manager: it serves program and provider.

    ``stack_file`` is where the configuration of a stack is; the CLI writes to it.
    """

    def __init__(self, folder: Path, cloud: Cloud, cli: Path) -> None:
        self.cloud, self.cli, self.folder = cloud, cli, folder
        self.project, self.state, home = folder / "project", folder / "state", folder / "home"
        for new in (self.project, self.state, home / "plugins" / f"resource-gcp-v{VERSION}"):
            new.mkdir(parents=True)
        shutil.copy(ROOT / "Pulumi.yaml", self.project)
        (self.project / "infra").symlink_to(ROOT / "infra")
        # What the CLI looks for before it attaches to the one that runs.
        (home / "plugins" / f"resource-gcp-v{VERSION}" / "pulumi-resource-gcp").touch(mode=0o755)
        self._home = home
        self._exits = contextlib.ExitStack()
        self.environment: dict[str, str] = {}
        self._client = ""

    def __enter__(self) -> Workspace:
        language, provider = _server(), _server()
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(_run), language)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(SubstituteProvider(self.cloud), provider)
        ports = [server.add_insecure_port("127.0.0.1:0") for server in (language, provider)]
        for server in (language, provider):
            server.start()
            self._exits.callback(server.stop, None)
        self._client = f"127.0.0.1:{ports[0]}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PULUMI_HOME": str(self._home),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{ports[1]}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_PROXY": "127.0.0.1",
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def stack_file(self, stack: str) -> Path:
        """Where the CLI looks for a stack's configuration."""
        return self.project / f"Pulumi.{stack}.yaml"

    def run(self, *arguments: str) -> Done:
        """Runs a command of the CLI that does not run the program."""
        done = subprocess.run(
            [str(self.cli), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def operate(self, verb: str, stack: str, *arguments: str) -> Done:
        """Runs `up`, `preview`, `refresh` or `destroy`, each of which runs the program."""
        return self.run(*self._operation(verb, stack, arguments))

    @contextlib.contextmanager
    def operating(self, verb: str, stack: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The same, while it runs; at the end of the context it is killed if it still does."""
        command = [str(self.cli), *self._operation(verb, stack, arguments), "--non-interactive", "--color", "never"]
        with subprocess.Popen(
            command,
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)

    def _operation(self, verb: str, stack: str, arguments: Sequence[str]) -> list[str]:
        usual = {"up": ["--yes", "--skip-preview"], "preview": [], "refresh": ["--yes", "--skip-preview"]}
        usual["destroy"] = ["--yes", "--skip-preview", "--run-program"]
        client = ["--client", self._client, "--exec-kind", "auto.inline"]
        return [verb, "--stack", stack, *usual[verb], *client, *arguments]


def _run() -> None:
    """The program, with the configuration that the engine sent."""
    with _one_program, as_the_cli_runs_it(dict(CONFIG.get())):
        run_program()


def _server() -> grpc.Server:
    sizes = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.max_send_message_length", LARGEST_MESSAGE)]
    return grpc.server(ThreadPoolExecutor(max_workers=CALLS_AT_ONCE), options=sizes)

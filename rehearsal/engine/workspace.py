"""A place where the Pulumi CLI runs the program against the small cloud: a folder, a home and a state of its own.

This process serves the program and the provider, and the CLI attaches to both. So nothing is installed and nothing
is asked of any network, both outlive an engine that is killed, and any command of the CLI is what it is elsewhere: in
``environment``, and in the folder of the project.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc

from rehearsal.engine.cloud import Cloud
from rehearsal.engine.language import PythonHost
from rehearsal.engine.provider import VERSION, SubstituteProvider
from rehearsal.program import ROOT

CALLS_AT_ONCE = 64  # a retry waits within a call of the program
LARGEST_MESSAGE = 400 * 1024 * 1024  # bytes; the engine's own limit


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

    def __enter__(self) -> Workspace:
        language, provider = _server(), _server()
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(PythonHost(), language)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(SubstituteProvider(self.cloud), provider)
        ports = [server.add_insecure_port("127.0.0.1:0") for server in (language, provider)]
        for server in (language, provider):
            server.start()
            self._exits.callback(server.stop, None)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PULUMI_HOME": str(self._home),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_DEBUG_LANGUAGES": f"python:{ports[0]}",
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
        """Runs a command of the CLI. ``up``, ``destroy`` and ``refresh`` are done without a question."""
        with self.running(*arguments) as process:
            said, errors = process.communicate()
        return Done(process.returncode, said, errors)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The same, while it runs; at the end of the context it is killed if it still does."""
        unasked = ["--yes"] if arguments[0] in ("up", "destroy", "refresh") else []
        with subprocess.Popen(
            [str(self.cli), *arguments, *unasked, "--non-interactive", "--color", "never"],
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


def _server() -> grpc.Server:
    sizes = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.max_send_message_length", LARGEST_MESSAGE)]
    return grpc.server(ThreadPoolExecutor(max_workers=CALLS_AT_ONCE), options=sizes)

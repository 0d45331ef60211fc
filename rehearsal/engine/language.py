"""A language host for Python: it runs the program in this process, and policy packs in processes of their own.

The CLI attaches to it (PULUMI_DEBUG_LANGUAGES) in the place of `pulumi-language-python`, which is in the CLI's
releases and not in what `make engine` builds. So its commands are the same here as anywhere.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.config import CONFIG
from pulumi.runtime.proto import language_pb2

from rehearsal.program import as_the_cli_runs_it, run_program

_one_program = threading.Lock()
# One engine comes after the other here, and may have the port of one that is gone: gRPC would share what it knows of
# that port with the new channel, and say for a while that nobody is there.
_GRPC_CHANNEL_OPTIONS.append(("grpc.use_local_subchannel_pool", 1))


class PythonHost(LanguageServer):
    """Runs what is in `infra/`, wherever the project is that the CLI was started in."""

    def __init__(self) -> None:
        super().__init__(_run)
        self._engine = ""

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request: Any, context: Any) -> Any:
        """Runs the program. What it logs goes to the engine, whose address the Automation API has as an argument."""
        request.args[:] = [self._engine]
        return super().Run(request, context)  # type: ignore[no-untyped-call]  # Pulumi has no types here

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Runs a policy pack as `pulumi-language-python` does: its folder, with its own environment's Python."""
        folder = Path(request.info.program_directory)
        environment = folder / str(request.info.options.fields["virtualenv"].string_value)
        python = environment / "bin" / "python" if environment != folder else Path(sys.executable)
        with subprocess.Popen(
            [str(python), str(folder), *request.args],
            cwd=request.pwd,
            env=dict(entry.split("=", 1) for entry in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            context.add_callback(process.kill)
            said: queue.SimpleQueue[Any] = queue.SimpleQueue()
            streams = {"stdout": process.stdout, "stderr": process.stderr}
            for name, stream in streams.items():
                threading.Thread(target=_hand_on, args=(name, stream, said), daemon=True).start()
            for _ in streams:
                yield from iter(said.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.returncode)


def _hand_on(name: str, stream: IO[bytes] | None, to: queue.SimpleQueue[Any]) -> None:
    while stream and (some := stream.read1(1 << 16)):  # type: ignore[attr-defined]  # a pipe's stream has it
        to.put(language_pb2.RunPluginResponse(**{name: some}))
    to.put(None)


def _run() -> None:
    """The program, with the configuration that the engine sent. One at a time: its folder is this process's."""
    with _one_program, as_the_cli_runs_it(dict(CONFIG.get())):
        run_program()

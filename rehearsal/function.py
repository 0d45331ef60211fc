"""Runs the launcher as it is deployed: from the archive that the program built, in an environment made of the
archive's own requirements.txt, served by functions-framework."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi

from rehearsal.installing import InstallError
from rehearsal.installing import install as make_environment
from rehearsal.leash import leashed
from rehearsal.loopback import HOST

LISTENING = re.compile(r"Listening at: (http://\S+)")
LINES_KEPT = 40
SECONDS_TO_STOP = 5


class FunctionError(Exception):
    """The function cannot be installed or does not start."""


def unpack(archive: pulumi.AssetArchive, base: Path, directory: Path) -> None:
    """Writes an archive's files, as Cloud Build would see them; relative paths are from ``base``."""
    for name, asset in archive.assets.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(asset, pulumi.StringAsset):
            target.write_text(asset.text)
        elif isinstance(asset, pulumi.FileAsset):
            target.write_bytes((base / asset.path).read_bytes())


def install(source: Path, cache: Path) -> Path:
    """Makes a virtual environment of the archive's requirements.txt and of nothing else; returns its python.

    It is kept in ``cache`` under the hash of the requirements, and made anew when they change. Of several that need
    it at once, one makes it. Once it is there nothing is written: a checkout may be read-only.

    Raises:
        FunctionError: they cannot be installed.
    """
    requirements = source / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = cache / f"function-{digest}"
    python, complete = environment / "bin" / "python", environment / "complete"
    if complete.exists():
        return python
    cache.mkdir(exist_ok=True)
    with (cache / "function.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            try:
                make_environment(environment, requirements, anew=True)
            except InstallError as error:
                raise FunctionError(f"what the launcher requires is not installed: {error}") from None
            complete.touch()
    return python


class Function:
    """A running function, with ``url``. ``on_log`` hears each structured line that it prints."""

    def __init__(
        self,
        python: Path,
        source: Path,
        environment: Mapping[str, str],
        on_log: Callable[[dict[str, Any]], None],
    ) -> None:
        serve = ("-m", "functions_framework", "--target", "launch", "--host", HOST, "--port", "0")
        command, on_leash = leashed(python, *serve)
        self._on_log = on_log
        self._errors: deque[str] = deque(maxlen=LINES_KEPT)
        self._listening = threading.Event()
        self.url = ""
        # Nothing of our own environment but the path.
        self._process = subprocess.Popen(
            command,
            cwd=source,
            env={"PATH": os.environ["PATH"], "HOME": str(source), "GUNICORN_LOG_LEVEL": "info", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **on_leash,
        )
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_logs, self._read_errors)]
        for reader in self._readers:
            reader.start()
        try:
            self._listening.wait()
        except BaseException:
            self.stop()
            raise
        if not self.url:
            self.stop()
            raise FunctionError("the function does not start:\n" + "".join(self._errors))

    @property
    def pid(self) -> int:
        """The process group of the server and its workers."""
        return self._process.pid

    def stop(self) -> None:
        """Stops the server and its workers; kills what does not go."""
        for stop_signal in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, stop_signal)
                self._process.wait(SECONDS_TO_STOP)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        for reader in self._readers:
            reader.join()

    def _read_logs(self) -> None:
        for line in self._process.stdout or ():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"message": line.rstrip()}
            self._on_log(entry)

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._errors.append(line)
            if found := LISTENING.search(line):
                self.url = found[1]
                self._listening.set()
        self._listening.set()

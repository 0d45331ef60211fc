"""A function that is being served, by functions-framework as Cloud Run would, and what it takes of the machine."""

from __future__ import annotations

import http.client
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from benchmarks.contestants import Installed, Request

SERVE = ("-m", "functions_framework", "--target", "launch", "--host", "127.0.0.1", "--port", "0")
LISTENING = re.compile(r"Listening at: (http://\S+)")
SECONDS_TO_ANSWER = 60
SECONDS_TO_STOP = 5
SECONDS_BETWEEN_LOOKS = 0.05
PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


class BenchmarkError(Exception):
    """A function does not start, or does not do what is measured."""


class Server:
    """A function's processes, at ``url``; started, and asked once, when it is made: that took ``cold`` seconds."""

    def __init__(self, installed: Installed, told: Mapping[str, str], first: Request) -> None:
        began = time.monotonic()
        self._process = subprocess.Popen(
            [installed.python, *SERVE],
            cwd=installed.source,
            env={"HOME": str(installed.source), "GUNICORN_LOG_LEVEL": "info", **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        try:
            self.url = self._address()
            with self.caller() as call:
                call(first)
            self.cold = time.monotonic() - began
        except BaseException:
            self.stop()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @contextmanager
    def caller(self) -> Iterator[Caller]:
        """One who calls it, by one connection."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=SECONDS_TO_ANSWER)
        try:
            yield Caller(connection, self._said)
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def memory(self) -> float:
        """What its processes have, in MiB; what several share is counted once (Linux's proportional set size)."""
        rollups = (Path("/proc", pid, "smaps_rollup") for pid in self._processes())
        return sum(int(found[1]) for path in rollups if (found := PSS.search(path.read_text()))) / 1024

    def cpu(self) -> float:
        """How many seconds of a processor they have had, by each one's clock (Linux's clock_getcpuclockid, of which
        Python has that of threads only): /proc counts in hundredths of a second."""
        return sum(time.clock_gettime(~int(pid) << 3 | 2) for pid in self._processes())

    def _processes(self) -> list[str]:
        """The server and its workers, by their ids."""
        own = str(self._process.pid)
        stats = ((path.parent.name, _stat(path)) for path in Path("/proc").glob("[0-9]*/stat"))
        return [own, *(pid for pid, stat in stats if stat.rpartition(")")[2].split()[1:2] == [own])]

    def _address(self) -> str:
        for line in self._stderr():
            self._said.append(line)
            if found := LISTENING.search(line):
                return found[1]
        raise BenchmarkError("a function does not start:\n" + "".join(self._said[-40:]))

    def _read(self) -> None:
        """What it says is read, for a full pipe would stop it."""
        for line in self._stderr():
            self._said.append(line)
            del self._said[:-40]

    def _stderr(self) -> IO[str]:
        assert self._process.stderr is not None  # noqa: S101 it was asked for
        return self._process.stderr


class Caller:
    """Sends requests by one connection, and takes no answer but 200."""

    def __init__(self, connection: http.client.HTTPConnection, said: list[str]) -> None:
        self._connection, self._said = connection, said

    def __call__(self, request: Request) -> None:
        """Sends one and waits for its answer."""
        headers, body = request
        self._connection.request("POST", "/", body, dict(headers))
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise BenchmarkError(f"it answered {answer.status} {text[:300]!r}; it said:\n{''.join(self._said[-40:])}")


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """Looks at a server's memory again and again; the list's only number is the most that was seen, in MiB."""
    most, done = [server.memory()], threading.Event()

    def look() -> None:
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            most[0] = max(most[0], server.memory())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield most
    finally:
        done.set()
        looking.join()


def _stat(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""

"""Compiles a pipeline's file in processes of their own, twice, and tells two packages apart.

One file gives one package: so the process that compiles what is deployed orders the members of sets always in the
same way, and a second one compiles again under other circumstances (compile_step.py). A pipeline of which that makes
another package depends on more than its sources: it would be deployed anew at each `up`, and what a preview shows
would not be what is deployed. The processes stay for as long as this one, for importing kfp takes seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("compile_step.py")
# A seed for the order of sets each. Who compiles again is also somebody else.
FIRST = {"PYTHONHASHSEED": "0"}
AGAIN = {"PYTHONHASHSEED": "1", **dict.fromkeys(("USER", "LOGNAME", "USERNAME"), "somebody-else")}
MOST_PRINTED = 1024 * 1024  # bytes of what a pipeline prints while it compiles
SHOWN = 30  # letters of a value before and after the place where it differs

Answer = dict[str, Any]


class Compiler:
    """The two processes of an environment, given by its Python."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._lock = threading.Lock()  # kfp compiles one pipeline at a time
        self._processes: list[subprocess.Popen[str]] = []
        self._printed, self._shown = tempfile.TemporaryFile(), 0  # noqa: SIM115 for as long as this process is there

    def compile(self, path: Path) -> tuple[Answer, Answer]:
        """What each of the processes has to say of a file: see compile_step.py, and ``{"ended": CODE}`` of one that
        the pipeline has ended."""
        with self._lock:
            if any(process.poll() is not None for process in self._processes):
                self.close()
            self._processes = self._processes or [self._start(FIRST), self._start(AGAIN, "again")]
            for process in self._processes:
                with contextlib.suppress(BrokenPipeError):  # it has ended, as its answer says
                    print(path, file=process.stdin, flush=True)
            first, again = map(_read, self._processes)
            printed = os.pread(self._printed.fileno(), MOST_PRINTED, self._shown)  # where they write stays as it is
            self._shown += len(printed)
            print(printed.decode(errors="replace"), end="", file=sys.stderr)
            return first, again

    def close(self) -> None:
        """Ends the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self._processes = []

    def _start(self, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._python, "-P", str(PROGRAM), *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if arguments else self._printed,
            text=True,
        )


def _read(process: subprocess.Popen[str]) -> Answer:
    assert process.stdout  # noqa: S101 it was asked for
    line = process.stdout.readline()
    answer: Answer = json.loads(line) if line else {"ended": process.wait()}
    return answer


_compilers: dict[str, Compiler] = {}


def compiler_of(python: str = sys.executable) -> Compiler:
    """The compiler of an environment, the same one each time."""
    if python not in _compilers:
        _compilers[python] = Compiler(python)
        atexit.register(_compilers[python].close)
    return _compilers[python]


def difference(one: Any, other: Any, where: str = "") -> tuple[str, str, str] | None:
    """The first place in which two packages differ, and what stands there in each; None if they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if (name in one) != (name in other):
                return where or "the package", min({*one} - {*other}, default=""), min({*other} - {*one}, default="")
            if found := difference(one[name], other[name], f"{where}.{name}".lstrip(".")):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next((found for at, (a, b) in pairs if (found := difference(a, b, f"{where}[{at}]"))), None)
    return None if one == other else (where, *_excerpts(_as_text(one), _as_text(other)))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _excerpts(one: str, other: str) -> tuple[str, str]:
    """Two texts from a bit before the place in which they differ to a bit after it."""
    same = next((at for at, letters in enumerate(zip(one, other, strict=False)) if len({*letters}) > 1), len(one))
    start = max(0, same - SHOWN)
    excerpts = (" ".join(text[start : same + SHOWN].split()) for text in (one, other))
    first, second = (f"{'…' if start else ''}{excerpt}" for excerpt in excerpts)
    return first, second


def remedy(one: Any, other: Any) -> str:
    """What mends a difference between two packages, so far as what differs tells."""
    texts = [json.dumps(package, sort_keys=True) for package in (one, other)]
    if "/elsewhere/" in texts[1]:
        return "take out the paths of this machine"
    if len({tuple(sorted(re.findall(r"\w+", text))) for text in texts}) == 1:
        return "sort what has no order, such as a set, or the files of a directory"
    return (
        "take out the time, what is random, and who compiles; what differs from run to run is a parameter, "
        "as in {from: event.time}"
    )

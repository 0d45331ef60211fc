"""Prints what reading contents takes: ``python -m tests.launcher.memory``. Each is read in a process of its own.

Per content and size: the peak beside an idle process, in MiB, and what infra/configuration/capacity.py allows for it.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from function_src.launcher.content import MOST_VALUES, read_content
from infra.configuration.capacity import MEBIBYTE, OF_A_BYTE, OF_VALUES


def contents(size: int) -> dict[str, bytes]:
    """What takes the most: small values, as many as may be read; many lines; text that is no JSON."""
    filled = b" " * max(0, size - 8 * MOST_VALUES)
    return {
        "lists": b"[" + b"[]," * (MOST_VALUES // 2 - 2) + b"[]" + filled + b"]",
        "maps": b"[" + b'{"a":1},' * (MOST_VALUES // 2 - 2) + b"{}" + filled + b"]",
        "lines": b"a\n" * (size // 2),
        "text": b"x" * size,
    }


def peak(kind: str, size: int) -> float:
    """MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = read_content(contents(size)[kind])
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 if kept else 0.0


def main() -> None:
    """The table."""
    if len(sys.argv) > 1:
        print(f"{peak(sys.argv[1], int(sys.argv[2])):.0f}")
        return
    for size in (MEBIBYTE, 8 * MEBIBYTE, 32 * MEBIBYTE):
        for kind in contents(0):
            command = [sys.executable, "-m", "tests.launcher.memory", kind, str(size)]
            took = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            allowed = OF_VALUES + OF_A_BYTE * size // MEBIBYTE
            print(f"{size // MEBIBYTE:3} MiB of {kind:6} {took:>4} MiB, allowed {allowed}")


if __name__ == "__main__":
    main()

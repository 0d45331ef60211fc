"""Prints what reading contents takes: ``python -m tests.launcher.memory``. Each is read in a process of its own.

Per content and size, of a file and of a message: the peak beside an idle process, in MiB, and what
infra/configuration/capacity.py allows for it.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping

from function_src.launcher.event import Event, read_event
from function_src.launcher.mapping.content import MOST_LINES, MOST_VALUES, VIEWS, add_views, read_content
from function_src.launcher.sources import PubSubSource
from infra.configuration.capacity import MEBIBYTE, OF_A_BYTE, OF_A_MESSAGE, OF_VALUES


def fill(size: int, text: str) -> bytes:
    """A content of that size that starts so."""
    start = text.encode()
    return start + b" " * (size - len(start))


# What takes the most: as many small values, or lines, as may be read; text that is no JSON, and wide.
CONTENTS: Mapping[str, Callable[[int], bytes]] = {
    "lists": lambda size: fill(size, f"[{'[],' * (MOST_VALUES // 2 - 2)}[]]"),
    "maps": lambda size: fill(size, '[{"a":1},' + '{"a":1},' * (MOST_VALUES // 2 - 4) + "{}]"),
    "lines": lambda size: fill(size, "\u0101\n" * MOST_LINES),
    "wide lines": lambda size: f"\U0001f600{'x' * (size // MOST_LINES - 5)}\n".encode() * MOST_LINES,
    "wide text": lambda size: fill(size, "\U0001f600"),
    "text": lambda size: b"x" * size,
    "records": lambda size: fill(size, '{"a":1}\n' * (MOST_VALUES // 2 - 1)),
    "rows": lambda size: (
        f"{','.join(map(str, range(99)))}\n" + f"{'x' * (size // 990 - 110)}{',' * 98}\n" * 990
    ).encode(),
    "gzip": lambda size: gzip.compress(random.Random(1).randbytes(size // 2).hex().encode(), 1),
}


def peak(kind: str, size: int, carrier: str) -> float:
    """MiB."""
    content = CONTENTS[kind](size)
    if carrier == "message":
        content = json.dumps({"message": {"data": base64.b64encode(content).decode(), "messageId": "1"}}).encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - len(content) / 1024
    kept = read_event("t", PubSubSource("t"), {}, content) if carrier == "message" else read_content(content)
    read = kept.content(size) if isinstance(kept, Event) else kept
    seen = add_views(read, {kind} & VIEWS.keys())
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 if seen else 0.0


def main() -> None:
    """The table."""
    if len(sys.argv) > 1:
        print(f"{peak(sys.argv[1], int(sys.argv[2]), sys.argv[3]):.0f}")
        return
    for size in (MEBIBYTE, 8 * MEBIBYTE, 32 * MEBIBYTE):
        for kind in CONTENTS:
            for carrier, each in (("file", OF_A_BYTE), ("message", OF_A_BYTE + OF_A_MESSAGE)):
                command = [sys.executable, "-m", "tests.launcher.memory", kind, str(size), carrier]
                took = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
                allowed = OF_VALUES + each * size // MEBIBYTE
                print(f"{carrier:7} of {size // MEBIBYTE:2} MiB of {kind:10} {took:>4} MiB, allowed {allowed}")


if __name__ == "__main__":
    main()

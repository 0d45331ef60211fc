"""Measures all contestants, one after the other, in so many rounds: ``python -m benchmarks.measure ROUNDS``.

Prints what was measured as JSON, and how far it is to stderr. All that it starts is in its process group.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.contestants import (
    CONTESTANTS,
    OURS,
    PREFIX,
    Contestant,
    Installed,
    an_object,
    on_kfp,
    pushed,
    told,
    trigger,
)
from benchmarks.figures import percentile
from benchmarks.load import Took, closed, opened
from benchmarks.serving import BenchmarkError, Server, peak
from benchmarks.standins import BUCKET, LEDGER, Addresses
from rehearsal.function import FunctionError
from rehearsal.program import ROOT

LATENCY = 0.01  # seconds; none at a cold start, for what an endpoint takes is not the function's
WARMING_UP = 5  # events
ALONE = 40
TOGETHER = {8: 64, 32: 128}  # events, by callers
RATE, SECONDS = 8.0, 4  # of the open load
SIZES = {"1 kB": 1_000, "16 kB": 16_000, "256 kB": 256_000, "1 MiB": 2**20}
ENTRIES = (1_000, 10_000, 100_000, 1_000_000)
GROWING = 20  # events of each size
LONGEST = 600  # seconds that stand-ins take to be filled
Measured = dict[str, float]


@contextmanager
def stand_ins() -> Iterator[Addresses]:
    """The services, in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.standins"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 it was asked for
        assert process.stdin  # noqa: S101 it was asked for
        try:
            yield Addresses(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


def order(at: Addresses, verb: str, body: bytes = b"", **query: str | float) -> Any:
    """Has the stand-ins do something."""
    response = requests.post(f"{at.control}/{verb}", body, params=query, timeout=LONGEST)
    response.raise_for_status()
    return response.json() if response.content else None


def measure(contestant: Contestant, installed: Installed, at: Addresses) -> Measured:
    """One round of one contestant."""
    order(at, "fresh")
    order(at, "late", seconds=0)
    events = (contestant.event(an_object(f"{PREFIX}{number}.csv")) for number in range(10**6))

    def next_events(count: int) -> list[Any]:
        return [next(events) for _ in range(count)]

    server = Server(installed, contestant.told(at), next(events))
    try:
        found = {"cold": server.cold * 1000, "memory": server.memory()}
        order(at, "late", seconds=LATENCY)
        closed(server, next_events(WARMING_UP), 1)
        order(at, "asked")
        with peak(server) as most:
            before = server.cpu()
            alone = closed(server, next_events(ALONE), 1)
            found["cpu"] = (server.cpu() - before) * 1000 / ALONE
            found["requests"] = sum(order(at, "asked").values()) / ALONE
            found |= told_of("1", alone)
            for callers, count in TOGETHER.items():
                found |= told_of(str(callers), closed(server, next_events(count), callers))
            found |= told_of("open", opened(server, next_events(int(RATE * SECONDS)), RATE))
        found["peak"] = most[0]
    finally:
        server.stop()
    return found


def told_of(load: str, took: Took) -> Measured:
    """What a load comes to: events a second, and how long they took in milliseconds."""
    waited = {f"p{part} {load}": percentile(took.each, part) * 1000 for part in (50, 95, 99)}
    return {f"rate {load}": took.rate, **waited}


def grow(installed: Installed, at: Addresses, what: str) -> dict[str, Measured]:
    """What one more event takes, by how large its file is, or how much there is already."""
    order(at, "fresh")
    by_content = trigger(on_kfp(at), "content.name") if what == "file" else trigger(on_kfp(at))
    server = Server(installed, told(at, TRIGGER=by_content), pushed(an_object("elsewhere/1")))
    found = {}
    try:
        for name, size in steps(what):
            objects = [prepare(at, what, name, size, number) for number in range(GROWING + WARMING_UP)]
            closed(server, [pushed(one) for one in objects[:WARMING_UP]], 1)
            before = server.cpu()
            took = closed(server, [pushed(one) for one in objects[WARMING_UP:]], 1)
            cpu = (server.cpu() - before) * 1000 / GROWING
            found[name] = {"cpu": cpu, "p50": percentile(took.each, 50) * 1000, "memory": server.memory()}
    finally:
        server.stop()
    return found


def steps(what: str) -> Sequence[tuple[str, int]]:
    """The sizes that are gone through."""
    return [*SIZES.items()] if what == "file" else [(f"{count:,}", count) for count in ENTRIES]


def prepare(at: Addresses, what: str, name: str, size: int, number: int) -> Mapping[str, Any]:
    """Makes that much be there; returns the resource of one more object."""
    if what == "file":
        prefix = f"{PREFIX}{name}/{number}/"
        start = b'{"name": "a.csv", "rest": "'
        body = start + b"x" * (size - len(start) - 2) + b'"}'
        order(at, "put", body, bucket=BUCKET, name=prefix)
        return an_object(prefix, size)
    if number == 0:
        bucket, prefix = (LEDGER, "outcomes/echo/") if what == "ledger" else (BUCKET, PREFIX)
        order(at, "fill", b"{}", bucket=bucket, until=size, prefix=prefix)
    return an_object(f"{PREFIX}new/{name}/{number}")


def main() -> None:
    """Measures everything."""
    rounds = int(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, stand_ins() as at:
        say("Installing (minutes, the first time only)")
        installed = {c.name: c.install(Path(directory, str(number))) for number, c in enumerate(CONTESTANTS)}
        for contestant in CONTESTANTS:
            say(f"Once, so that what is read from the disk is in memory: {contestant.name}")
            measure(contestant, installed[contestant.name], at)
        results: dict[str, list[Measured]] = {contestant.name: [] for contestant in CONTESTANTS}
        growth: dict[str, list[dict[str, Measured]]] = {"file": [], "ledger": [], "prefix": []}
        for number in range(rounds):
            for contestant in CONTESTANTS:
                say(f"Round {number + 1} of {rounds}: {contestant.name}")
                results[contestant.name].append(measure(contestant, installed[contestant.name], at))
            for what, found in growth.items():
                say(f"Round {number + 1} of {rounds}: growth, {what}")
                found.append(grow(installed[OURS], at, what))
        sizes = {name: {"packages": one.packages, "size": one.mebibytes} for name, one in installed.items()}
        print(json.dumps({"rounds": results, "growth": growth, "installed": sizes}))


def say(what: str) -> None:
    """Tells who waits."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BenchmarkError, FunctionError) as error:
        sys.exit(f"error: {error}")

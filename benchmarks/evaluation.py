"""Prints what evaluating the program takes as a stack grows: ``python -m benchmarks.evaluation [ROUNDS]``.

Each evaluation is in a process of its own, as a preview's is, and what is told is all of it, from the start of Python
to its end: imports, the pipeline compiled twice, checks and resources. No engine and no provider: those are Pulumi's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

from rehearsal.program import ROOT, evaluate

TRIGGERS = (1, 10, 50, 200)
ROUNDS = 5


def config(triggers: int) -> dict[str, str]:
    """A stack of so many triggers, each with an endpoint of its own."""
    made: list[dict[str, Any]] = [
        {
            "name": f"files-{number}",
            "source": {"kind": "gcs", "prefix": "incoming/"},
            "pipeline": "echo",
            "parameters": {"filename": "object.uri"},
            "target": {"kind": "kfp", "host": f"https://{number}-dot-us-central1.pipelines.googleusercontent.com"},
        }
        for number in range(triggers)
    ]
    project = {"gcp:project": "acme-ml-bench", "gcp:region": "us-central1"}
    return {**project, "event-triggered-pipelines:triggers": json.dumps(made)}


def main() -> None:
    """The table; with a number and ``--once``, how many resources one evaluation has."""
    if "--once" in sys.argv:
        print(len(evaluate("bench", config(int(sys.argv[1]))).resources))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print("| triggers | resources | a process, s |\n|---|---|---|")
    for triggers in TRIGGERS:
        found = [_round(triggers) for _ in range(rounds)]
        seconds = sorted(taken for taken, _ in found)
        spread = f"{median(seconds):.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f})"
        print(f"| {triggers} | {found[0][1]} | {spread} |", flush=True)


def _round(triggers: int) -> tuple[float, int]:
    """The seconds and the resources of one evaluation."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.evaluation", str(triggers), "--once"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - start, int(done.stdout)


if __name__ == "__main__":
    main()

"""Plays many cases, and shows how much is done for longer and longer names.

`python -m tests.launcher.fuzz --cases 100000 --seed 1`
"""

from __future__ import annotations

import argparse
import sys
import time

from function_src.launcher.mapping.glob import Glob
from tests.launcher.fuzz.cases import KINDS
from tests.launcher.fuzz.compare import disagreements
from tests.launcher.fuzz.steps import HOSTILE, name_of, steps

GLOBS = 0.4  # of all cases; the functions share the others
SHOWN = 3  # disagreements of a kind
LENGTHS = [1024 * 2**doubled for doubled in range(5)]


def main() -> int:
    """Prints what came of it; returns 1 if anything disagrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.launcher.fuzz")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong = play(given.cases, given.seed)
    show_steps()
    return 1 if wrong else 0


def play(cases: int, seed: int) -> int:
    """Plays the cases of each kind; returns how many disagree."""
    wrong, each = 0, -(-int(cases * (1 - GLOBS)) // (len(KINDS) - 1))
    print(f"{'kind':12} {'cases':>7}  disagreements")
    for kind in KINDS:
        count = int(cases * GLOBS) if kind == "glob" else each
        found = list(disagreements(kind, count, seed))
        print(f"{kind:12} {count:7}  {len(found)}")
        for one in found[:SHOWN]:
            print(f"  {one.arguments!r} gives {one.given}; by the docs it is {one.documented}")
        wrong += len(found)
    return wrong


def show_steps() -> None:
    """Prints, for names of twice the length each, what is done and what time that takes."""
    for glob, letters in HOSTILE.items():
        print(f"\n{glob}\n{'letters':>8} {'steps':>9} {'to one':>7} {'ms':>8}")
        for length in LENGTHS:
            name, read = name_of(letters, length), Glob(glob)
            count = steps(glob, name)
            started = time.perf_counter()
            read.capture(name)
            passed = 1000 * (time.perf_counter() - started)
            print(f"{length:8} {count:9} {count / length:7.1f} {passed:8.1f}")


if __name__ == "__main__":
    sys.exit(main())

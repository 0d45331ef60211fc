"""`make bench`: measures all functions side by side, and prints the tables of docs/performance.md.

``--json FILE`` keeps what was measured, round by round, and ``--page`` writes the run into docs/performance.md and
its picture. All that is measured ends when this does, however that ends.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.picture import draw
from benchmarks.report import Results, page
from rehearsal.leash import leashed
from rehearsal.program import ROOT

PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"
START, END = "<!-- from here on: make bench -->\n", "<!-- to here -->\n"
FEWEST = 7


def main() -> None:
    """Measures and tells."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=FEWEST, help="how often each function is measured")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md and its picture anew")
    wanted = parser.parse_args()
    results = measured(wanted.rounds)
    if wanted.json:
        wanted.json.write_text(json.dumps(results, indent=1) + "\n")
    print(page(results))
    if wanted.page:
        PAGE.write_text(quoted(PAGE.read_text(), results))
        PICTURE.write_text(draw(results))


def measured(rounds: int) -> Results:
    """What a run of the benchmarks finds, and of which machine that is true."""
    command, on_leash = leashed(sys.executable, "-m", "benchmarks.measure", str(rounds))
    # As functions run: a surrounding that keeps Python from writing byte code would be measured too.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, **on_leash, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit("error: the benchmarks did not come to their end")
    python = f"Python {platform.python_version()}"
    machine = f"{os.cpu_count()} processors, {platform.system()} on {platform.machine()}, {python}"
    return {"when": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, **json.loads(done.stdout)}


def quoted(text: str, results: Results) -> str:
    """The page with another run in it."""
    before, rest = text.split(START)
    return f"{before}{START}\n{page(results)}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    main()

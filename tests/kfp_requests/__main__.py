"""`make compare-kfp HOST=http://localhost:8888`: where a real API server answers otherwise than the table says.

It starts runs of a pipeline that does nothing, makes experiments and pipelines, and deletes all of them at the end.
HOST is the API server itself (a port-forward to svc/ml-pipeline, port 8888), since the UI before it answers some
requests in its place. With KF_PIPELINES_TOKEN that is sent along. WORKFLOWS is a command that prints a line for each
Workflow of a run id, which stands in it as {}; without it they are not counted.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable

from rich.console import Console

from tests.kfp_requests.table import MARK, Server, cases, clean_up

LEFT = "Workflows without a row are left: kubectl get workflows -n kubeflow -L pipeline/runid | grep {}"


def main(host: str, workflows: str) -> int:
    """Prints each difference; returns how many there are, 100 at most."""
    token, console = os.environ.get("KF_PIPELINES_TOKEN"), Console(soft_wrap=True, highlight=False, markup=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    server = Server(host.rstrip("/"), headers, counting(workflows) if workflows else lambda _: None)
    table, different = list(cases()), 0
    try:
        for case in table:
            answer, expected = server.ask(case)
            found = answer.differences(expected)
            different += bool(found)
            for difference in found:
                console.print(f"{case.name}: {difference} ({case.source})")
    finally:
        clean_up(server)
    counted = "" if workflows else "; Workflows were not counted"
    console.print(f"{len(table)} requests, {different} answered otherwise{counted}")
    console.print(LEFT.format(MARK))
    return min(different, 100)


def counting(command: str) -> Callable[[str], int]:
    """Counts Workflows by the lines that a command prints."""

    def count(run_id: str) -> int:
        words = [word.replace("{}", run_id) for word in shlex.split(command)]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return len(printed.splitlines())

    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))

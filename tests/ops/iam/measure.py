"""How long `iam diff` takes on the preview of a stack with many triggers: `python -m tests.ops.iam.measure [50]`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rehearsal.program import ROOT, evaluate
from tests.ops.iam.planted import plain
from tests.ops.iam.previews import state, step
from tests.plans import TRIGGERS, dev_config


def preview(triggers: int) -> str:
    """A preview in which every resource of a stack is new."""
    (echo,) = json.loads(dev_config()[TRIGGERS])
    hosts = (f"https://{number}abcd-dot-us-central1.pipelines.googleusercontent.com" for number in range(triggers))
    targets = ({**echo["target"], "host": host} for host in hosts)
    named = [{**echo, "name": f"echo-{number}", "target": target} for number, target in enumerate(targets)]
    plan = evaluate("dev", {**dev_config(), TRIGGERS: json.dumps(named)})
    steps = [step("create", None, state(r.type, r.name, plain(r.inputs))) for r in plan.resources if r.in_cloud]
    return json.dumps({"config": {"gcp:project": "acme-ml-dev"}, "steps": steps})


def main(triggers: int) -> None:
    """Prints how long the command takes, as a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preview.json"
        file.write_text(preview(triggers))
        steps = len(json.loads(file.read_text())["steps"])
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "ops", "iam", "diff", file, "--fail-on", "broadened"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
    print(f"{triggers} triggers, {steps} steps: {seconds:.1f} s, exit status {done.returncode}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)

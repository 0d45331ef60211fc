"""Plays the jobs of preview.yml: their `run:` steps as they stand there, with stand-ins for pulumi and gh on PATH.

Each job has a machine of its own, as on GitHub: nothing goes from `evaluate` to `gate` but what is uploaded. What a
pull request's code does is a script, which runs wherever a step runs its code: in its Makefile, and in its program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.program import ROOT
from tests.test_workflows import WORKFLOWS

JOBS: Mapping[str, Any] = WORKFLOWS["preview"]["jobs"]
HEAD, BEFORE, BASE = "a" * 40, "b" * 40, "c" * 40
RECORDED = ROOT / "tests" / "ops" / "iam" / "recorded"
OF_BASE = (
    "ops",
    "policy",
    "infra",
    "rehearsal",
    "function_src",
    "pipelines",
    "connect",
    "pyproject.toml",
    "Makefile",
)
MAKE = """#!/bin/sh
[ "$1" = -C ] || exit 0
cd "$2" && [ ! -f evil.sh ] || sh evil.sh
"""
PULUMI = """#!/bin/sh
cat proposed/preview.json
cd proposed && [ ! -f evil.sh ] || sh evil.sh
"""
GH = """#!/bin/sh
exec "{python}" - "$@" << 'END'
import json, os, pathlib, sys
state = json.loads(pathlib.Path(os.environ["GITHUB_STATE"]).read_text())
if sys.argv[1] == "api":
    print(json.dumps(state["api"][sys.argv[2].split("?")[0]]))
else:
    body = pathlib.Path(sys.argv[sys.argv.index("--body-file") + 1]).read_text()
    pathlib.Path(os.environ["GITHUB_STATE"]).with_name("posted.md").write_text(body)
END
"""


def review(body: str = "iam-reviewed", **different: Any) -> dict[str, Any]:
    """An approval by somebody who may write."""
    user = {"login": different.pop("login", "olga"), "type": different.pop("type", "User")}
    return {"user": user, "state": "APPROVED", "commit_id": HEAD, "body": body, **different}


@dataclass
class Play:
    """A pull request, what its code does, and what GitHub says of it."""

    folder: Path
    preview: Path = RECORDED / "nothing.json"
    changes: tuple[str, ...] = ("Pulumi.dev.yaml",)
    moved_from: str = ""
    evil: str = ""
    reviews: tuple[Mapping[str, Any], ...] = ()
    pushed: str = HEAD
    base: str = "main"
    fork: bool = False
    more_files: int = 0
    labels: tuple[str, ...] = ()
    exits: dict[str, int] = field(default_factory=dict)

    def run(self) -> int:
        """Runs both jobs; what the gate's step `Judge` exits with."""
        (self.folder / "bin").mkdir(parents=True)
        for name, text in {"make": MAKE, "pulumi": PULUMI, "gh": GH.replace("{python}", sys.executable)}.items():
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)
        (self.folder / "github.json").write_text(json.dumps({"api": self._api()}))
        for job in JOBS:
            if not (self.fork and job == "evaluate"):
                self._run_job(job)
        return self.exits["Judge"]

    @property
    def comment(self) -> str:
        """What was posted."""
        return (self.folder / "posted.md").read_text()

    def _run_job(self, job: str) -> None:
        workspace = self._machine(job)
        values = self._values(workspace)
        for step in JOBS[job]["steps"]:
            settings = {key: _rendered(value, values) for key, value in step.get("with", {}).items()}
            match step.get("uses", "").partition("@")[0]:
                case "actions/checkout":
                    self._check_out(workspace, settings)
                case "actions/upload-artifact":
                    (self.folder / "artifact").mkdir()
                    shutil.copy(workspace / settings["path"], self.folder / "artifact", follow_symlinks=False)
                case "actions/download-artifact":
                    if (self.folder / "artifact").exists():
                        shutil.copytree(self.folder / "artifact", settings["path"], symlinks=True)
                case "":
                    environment = {**JOBS[job].get("env", {}), **step.get("env", {})}
                    name = step.get("name", step["run"])
                    self.exits[name] = self._run(step["run"], workspace, _all_rendered(environment, values))

    def _machine(self, job: str) -> Path:
        workspace = self.folder / job
        (workspace / ".venv" / "bin").mkdir(parents=True)
        (workspace / "temp").mkdir()
        python = workspace / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        return workspace

    def _check_out(self, workspace: Path, settings: Mapping[str, Any]) -> None:
        if settings["ref"] == BASE:
            for name in OF_BASE:
                _copy(ROOT / name, workspace / name)
            return
        proposed = workspace / settings["path"]
        proposed.mkdir()
        shutil.copy(self.preview, proposed / "preview.json")
        if self.evil:
            (proposed / "evil.sh").write_text(self.evil)

    def _run(self, script: str, workspace: Path, environment: Mapping[str, str]) -> int:
        inherited = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": "connect",
            "GITHUB_STATE": str(self.folder / "github.json"),
        }
        done = subprocess.run(
            ("bash", "-e", "-c", script), cwd=workspace, env={**inherited, **environment}, check=False
        )
        return done.returncode

    def _values(self, workspace: Path) -> Mapping[str, str]:
        return {
            "github.sha": BASE,
            "github.event.pull_request.head.sha": HEAD,
            "github.event.pull_request.number": "7",
            "github.event.repository.default_branch": "main",
            "github.repository": "acme/pipelines",
            "github.token": "a token",
            "runner.temp": str(workspace / "temp"),
            "vars.PREVIEW_STACK || 'dev'": "dev",
        }

    def _api(self) -> Mapping[str, Any]:
        path = "repos/acme/pipelines"
        files = [{"filename": name} for name in self.changes]
        if self.moved_from:
            files[0]["previous_filename"] = self.moved_from
        return {
            f"{path}/pulls/7": {
                "user": {"login": "mallory"},
                "head": {"sha": self.pushed},
                "base": {"ref": self.base},
                "labels": [{"name": name} for name in self.labels],
                "changed_files": len(files) + self.more_files,
            },
            f"{path}/pulls/7/files": [files],
            f"{path}/pulls/7/reviews": [list(self.reviews)],
            f"{path}/collaborators/olga/permission": {"permission": "write"},
            f"{path}/collaborators/reader/permission": {"permission": "read"},
        }


IGNORED = shutil.ignore_patterns(".venv", "__pycache__", "node_modules")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=IGNORED)
    else:
        shutil.copy(source, target)


def _rendered(value: Any, values: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values.get(found[1], ""), value)


def _all_rendered(environment: Mapping[str, Any], values: Mapping[str, str]) -> Mapping[str, str]:
    for expression in re.findall(r"\$\{\{ (.+?) \}\}", json.dumps(dict(environment))):
        assert expression in values or expression == "vars.PULUMI_BACKEND_URL", expression
    return {key: _rendered(value, values) for key, value in environment.items()}

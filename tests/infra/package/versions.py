"""Packages of every KFP SDK 2, sound and damaged, through what a preview makes of them.

`python -m tests.infra.package.versions [VERSION...]` compiles the pipelines of of_all_versions.py by each version, in
an environment of its own, and counts: a sound package that is refused is wrong, so is a damaged one that is taken.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from infra.errors import ConfigurationError
from infra.package.environments import digest_of, explain_pip, made_once
from infra.package.packaging import compile_pipeline
from rehearsal.program import ROOT

ENVIRONMENTS = ROOT / ".cache" / "versions"
PROGRAM = Path(__file__).with_name("of_all_versions.py")
VERSIONS = (
    *("2.0.0", "2.0.1", "2.1.3", "2.2.0", "2.3.0", "2.4.0", "2.5.0", "2.6.0", "2.7.0", "2.8.0", "2.9.0"),
    *("2.10.0", "2.10.1", "2.11.0", "2.12.1", "2.12.2", "2.13.0", "2.14.1", "2.14.6", "2.15.2", "2.16.1", "2.17.0"),
)
Package = dict[str, Any]


def main(versions: list[str]) -> int:
    """Prints a row for each version; returns 1 if a verdict is wrong."""
    table = Table("kfp", "packages", "taken", "damaged", "refused", title="Packages by what a preview makes of them")
    wrong, totals = [], [0, 0, 0, 0]
    for version in versions:
        try:
            counted, mistakes = judge(version)
        except ConfigurationError as error:
            table.add_row(version, str(error))
            continue
        wrong += mistakes
        totals = [a + b for a, b in zip(totals, counted, strict=True)]
        table.add_row(version, *map(str, counted))
    table.add_section()
    table.add_row("all", *map(str, totals))
    Console().print(table, *wrong, sep="\n", soft_wrap=True)
    return 1 if wrong else 0


def judge(version: str) -> tuple[list[int], list[str]]:
    """How many packages of a version there are, are taken, are damaged and then refused; and the wrong verdicts.

    Raises:
        ConfigurationError: the version cannot be installed here.
    """
    mistakes, counted = [], [0, 0, 0, 0]
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([_python_of(version), "-W", "ignore", PROGRAM, directory], check=True)
        for path in sorted(Path(directory).glob("*.yaml")):
            documents = list(yaml.safe_load_all(path.read_text()))
            refused = _refusal(path)
            counted[0] += 1
            counted[1] += refused is None
            if refused:
                mistakes.append(f"kfp {version}, {path.stem}: refused: {refused}")
            for what, damaged in damage(documents[0]):
                path.write_text(yaml.safe_dump_all([damaged, *documents[1:]]))
                counted[2] += 1
                counted[3] += _refusal(path) is not None
                if _refusal(path) is None:
                    mistakes.append(f"kfp {version}, {path.stem}: taken: {what}")
    return counted, mistakes


def _refusal(path: Path) -> str | None:
    try:
        compile_pipeline(str(path))
    except ConfigurationError as error:
        return str(error)
    return None


def _python_of(version: str) -> str:
    def fill(environment: Path, lock: int) -> None:
        python = str(environment / "bin" / "python")
        subprocess.run([python, "-m", "ensurepip"], check=True, capture_output=True)
        command = [python, "-m", "pip", "install", "--quiet", f"kfp=={version}"]
        done = subprocess.run(command, capture_output=True, pass_fds=[lock], text=True, check=False)
        if done.returncode:
            raise ConfigurationError(explain_pip(done.stdout + done.stderr))

    return str(made_once(ENVIRONMENTS / digest_of(version), fill) / "bin" / "python")


# --- damage ---------------------------------------------------------------------------------------------------------


def damage(package: Package) -> Iterator[tuple[str, Package]]:
    """A package with one thing in it that no server reads, in each way that it has a place for."""
    for name, change in DAMAGES.items():
        damaged = copy.deepcopy(package)
        try:
            change(damaged)
        except (KeyError, StopIteration):
            continue
        yield name, damaged


def _tasks(package: Package) -> Iterator[dict[str, Any]]:
    for component in (package["root"], *package["components"].values()):
        yield from component.get("dag", {}).get("tasks", {}).values()


def _sources(package: Package, key: str) -> Iterator[dict[str, Any]]:
    for task in _tasks(package):
        for kind in ("parameters", "artifacts"):
            yield from (one[key] for one in task.get("inputs", {}).get(kind, {}).values() if key in one)


def _first(package: Package) -> dict[str, Any]:
    return next(_tasks(package))


def _drop(mapping: dict[str, Any]) -> None:
    del mapping[next(iter(mapping))]


DAMAGES: dict[str, Callable[[Package], Any]] = {
    "a field that is none": lambda package: package.update(tasks={}),
    "a misspelt field of a task": lambda package: _first(package).update(
        componentref=_first(package)["componentRef"]
    ),
    "a task whose component is not there": lambda package: _first(package)["componentRef"].update(
        name="comp-nowhere"
    ),
    "a component that is gone": lambda package: _drop(package["components"]),
    "an executor that is gone": lambda package: _drop(package["deploymentSpec"]["executors"]),
    "an empty name": lambda package: package["pipelineInfo"].update(name=""),
    "no name": lambda package: package.update(pipelineInfo={}),
    "text for a map": lambda package: package["root"].update(dag="tasks"),
    "a list of tasks": lambda package: package["root"]["dag"].update(tasks=[]),
    "a type that is none": lambda package: next(
        iter(package["root"]["inputDefinitions"]["parameters"].values())
    ).update(parameterType="TEXT"),
    "a task that waits for nobody": lambda package: _first(package).update(dependentTasks=["nobody"]),
    "a task that waits for itself": lambda package: _first(package).update(
        dependentTasks=[next(iter(package["root"]["dag"]["tasks"]))]
    ),
    "an output of nobody": lambda package: next(_sources(package, "taskOutputParameter")).update(
        producerTask="nobody"
    ),
    "an output that is none": lambda package: next(_sources(package, "taskOutputArtifact")).update(
        outputArtifactKey="none"
    ),
    "an input that the pipeline has not": lambda package: next(
        one
        for one in package["root"]["dag"]["tasks"].values()
        for one in one.get("inputs", {}).get("parameters", {}).values()
        if "componentInputParameter" in one
    ).update(componentInputParameter="none"),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(VERSIONS)))

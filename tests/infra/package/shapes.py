"""Pipelines of every shape that decides what waits for what, compiled by the SDK."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl


def _tell(text: str) -> str:
    return text


def _sum_up(status: dsl.PipelineTaskFinalStatus) -> str:
    return str(status.state)


def _read(table: dsl.Input[dsl.Dataset]) -> str:
    return str(table.uri)


tell, sum_up, read = (
    dsl.component(step, base_image="python:3.11", install_kfp_package=False) for step in (_tell, _sum_up, _read)
)


def sequence(text: str) -> None:
    """Two at once, and one after both."""
    first, second = tell(text=text), tell(text="b")
    tell(text=first.output).after(second)


def condition(text: str) -> None:
    """One task for each of two cases, and what only one case leads to."""
    with dsl.If(text == "t"):
        tell(text=tell(text=text).output)
    with dsl.Else():
        tell(text="else")


def loop(text: str) -> None:
    """Loops within loops."""
    with dsl.ParallelFor(["a", "b"]) as one, dsl.ParallelFor(["c"]):
        tell(text=one)
    tell(text=text)


def exit_handler(text: str) -> None:
    """A task that runs at the end, whatever happened."""
    with dsl.ExitHandler(sum_up()):
        tell(text=tell(text=text).output)


def ignoring(text: str) -> None:
    """A task that does not mind if the one before it failed."""
    tell(text="after").after(tell(text=text)).ignore_upstream_failure()


def importer(text: str) -> None:
    """A step that has only an importer before it."""
    table = dsl.importer(artifact_uri="gs://b/o", artifact_class=dsl.Dataset, metadata={"text": text})
    read(table=table.output)


SHAPES: tuple[Callable[..., Any], ...] = (sequence, condition, loop, exit_handler, ignoring, importer)


def compiled(shape: Callable[..., Any]) -> dict[str, Any]:
    """A shape as a package."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "package.yaml")
        compiler.Compiler().compile(dsl.pipeline(shape, name=shape.__name__.replace("_", "-")), str(path))
        found: dict[str, Any] = yaml.safe_load(path.read_text())
        return found

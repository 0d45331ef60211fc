"""Pipelines that every KFP SDK 2 compiles, or says that it cannot. Run by versions.py in an environment of each.

Takes a directory from the command line, and writes a package into it for each.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from kfp import compiler, dsl

If = getattr(dsl, "If", dsl.Condition)  # which 2.4 renamed


@dsl.component
def tell(text: str, count: int = 1, ratio: float = 0.5, loud: bool = False) -> str:
    return text * count if loud else f"{text}{ratio}"


@dsl.component
def keep(items: list, settings: dict, table: dsl.Output[dsl.Dataset]) -> dict:
    return {"items": items, **settings, "path": table.path}


@dsl.component(packages_to_install=["pandas==2.2.3"])
def read(table: dsl.Input[dsl.Dataset], scores: dsl.Output[dsl.Metrics]) -> int:
    scores.log_metric("length", len(table.uri))
    return len(table.uri)


@dsl.component
def sum_up(status: dsl.PipelineTaskFinalStatus) -> None:
    print(status)


@dsl.container_component
def run() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="bash:5.2", command=["sh", "-c"], args=["echo done"])


def steps(text: str, count: int = 2) -> None:
    """Types, defaults and an order."""
    first = tell(text=text, count=count, ratio=0.25)
    tell(text=first.output, loud=True).after(first)


def artifacts(items: list = [1, 2], settings: dict = {"rows": 3}) -> None:  # noqa: B006 KFP takes them as defaults
    """A table from one step to the next."""
    read(table=keep(items=items, settings=settings).outputs["table"])


def condition(text: str) -> None:
    """What only one case leads to."""
    with If(tell(text=text).output == "a"):
        tell(text=text)


def loop(items: list) -> None:
    """One inside another."""
    with dsl.ParallelFor(items) as item, dsl.ParallelFor(["c", "d"]) as other:
        tell(text=item)
        tell(text=other)


def exit_handler(text: str) -> None:
    """A task that runs at the end, whatever happened."""
    with dsl.ExitHandler(sum_up()):
        tell(text=tell(text=text).output)


def importer(uri: str) -> None:
    """An artifact that is there already."""
    read(table=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, metadata={"of": uri}).output)


def container() -> None:
    """A container and its resources."""
    task = run().set_cpu_limit("1").set_memory_limit("1G").set_retry(2)
    task.set_caching_options(False).set_display_name("Runs").set_env_variable("A", "b")


inner = dsl.pipeline(steps, name="inner")


def nested(text: str) -> None:
    """A pipeline in a pipeline."""
    inner(text=text, count=3)


def optional(text: Optional[str] = None) -> None:  # noqa: UP045 KFP takes no other spelling
    """An input that need not be given."""
    tell(text="a", count=2)


PIPELINES: tuple[Callable[..., Any], ...] = (
    steps,
    artifacts,
    condition,
    loop,
    exit_handler,
    importer,
    container,
    nested,
    optional,
)


def main(directory: str) -> None:
    """Compiles each; one that this version cannot is said on stderr."""
    for pipeline in PIPELINES:
        name = pipeline.__name__.replace("_", "-")
        try:
            compiler.Compiler().compile(dsl.pipeline(pipeline, name=name), str(Path(directory, f"{name}.yaml")))
        except Exception as error:  # noqa: BLE001 whatever it has against it
            print(f"{name}: {type(error).__name__}: {error}"[:200], file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])

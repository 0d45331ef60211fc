"""What of a pipeline cannot be executed here: found in its package, before anything of it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Fields = Mapping[str, Any]
EXECUTOR = "kfp.dsl.executor_main"  # what runs a lightweight component: the function that stands in its command
IN_ITS_IMAGE = ["python3", "-m", EXECUTOR]  # a component whose function stands in its image
FENCE = ["python3", "-c"]  # a container component that asks for nothing but Python
OF_GOOGLE = "google-cloud-pipeline-components"
# Placeholders in a task's arguments that a pipeline writes as text: KFP's own launcher fills in more.
FILLED = re.compile(r"\{\{\$\.(inputs\.parameters\[|pipeline_|workspace_path)")
PLACEHOLDER = re.compile(r"\{\{\$.*?\}\}")


def unexecutable(package: Fields) -> str | None:
    """Why a pipeline is not executed here, in words, with the step; None if it is."""
    return next(_problems(package), None)


def _problems(package: Fields) -> Iterator[str]:
    components = package.get("components") or {}
    executors = (package.get("deploymentSpec") or {}).get("executors") or {}
    for where, task, component in _tasks(package.get("root") or {}, components, ""):
        if problem := _of_executor(executors.get(component.get("executorLabel", "")) or {}):
            yield f"step {where} {problem}"
        for name, source in ((task.get("inputs") or {}).get("parameters") or {}).items():
            text = str((source.get("runtimeValue") or {}).get("constant"))
            if odd := [found for found in PLACEHOLDER.findall(text) if not FILLED.match(found)]:
                yield f"step {where} is given {odd[0]} as {name!r}, which only a cluster's launcher fills in"
    for where, dag in _dags(package.get("root") or {}, components, ""):
        for name, output in ((dag.get("outputs") or {}).get("artifacts") or {}).items():
            if len(output.get("artifactSelectors") or ()) > 1:
                yield f"{where or 'the pipeline'} puts out artifact {name!r} of one of several branches (dsl.OneOf)"


def _of_executor(executor: Fields) -> str | None:
    if kind := next((kind for kind in ("customJob", "resolver") if kind in executor), None):
        return f"is a {kind}, which only Vertex AI runs"
    container = executor.get("container")
    if not container:
        return None
    image, command = container.get("image", ""), [*(container.get("command") or ()), *(container.get("args") or ())]
    if OF_GOOGLE in image:
        return f"is one of {OF_GOOGLE}, which works on Google Cloud"
    if command[: len(IN_ITS_IMAGE)] == IN_ITS_IMAGE:
        return f"is a component whose function stands in its image, {image}"
    if command[: len(FENCE)] != FENCE and not any(EXECUTOR in part for part in command):
        return f"is a container component: it runs what is in its image, {image}"
    return None


def _dags(component: Fields, components: Fields, where: str) -> Iterator[tuple[str, Fields]]:
    """Each graph, by the task that it is."""
    dag = component.get("dag") or {}
    yield where, dag
    for name, task in (dag.get("tasks") or {}).items():
        inner = _component_of(task, components)
        if "dag" in inner:
            yield from _dags(inner, components, f"{where}/{name}".lstrip("/"))


def _tasks(component: Fields, components: Fields, where: str) -> Iterator[tuple[str, Fields, Fields]]:
    """Each task, by the path to it, with its component."""
    for place, dag in _dags(component, components, where):
        for name, task in (dag.get("tasks") or {}).items():
            yield f"{place}/{name}".lstrip("/"), task, _component_of(task, components)


def _component_of(task: Fields, components: Fields) -> Fields:
    found: Fields = components.get((task.get("componentRef") or {}).get("name", "")) or {}
    return found

"""Reads a package as the server of KFP 2.17 does, which refuses at every run what it cannot read.

From kubeflow/pipelines: template/v2_template.go (protojson, where an unknown field is an error; the pipeline has a
name), v2/compiler/visitor.go (each task has its component, each component its executor) and argocompiler/dag.go (a
task waits for tasks that are there). What else is referred to would be missed by the driver, in the middle of a run.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import distribution
from types import ModuleType
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from function_src.launcher.package import SCHEMA

Fields = Mapping[str, Any]
SPEC, PLATFORM, DEPLOYMENT = "PipelineSpec", "PlatformSpec", "PipelineDeploymentConfig"
WELL_KNOWN = "google.protobuf."


class _UnlikeError(Exception):
    """A document is no message of its kind."""


def unreadable(spec: Fields, platform: Fields | None) -> str | None:
    """Where a pipeline's spec or that of a platform is none, and why; None if a server would read them."""
    if spec.get("schemaVersion") != SCHEMA:
        return None  # only Vertex AI takes it, which has its own idea of it
    try:
        read = _read(spec, SPEC)
        _read(read.get("deploymentSpec") or {}, DEPLOYMENT, lenient=True)
        if platform is not None:
            _read(platform, PLATFORM)
    except _UnlikeError as error:
        return str(error)
    return next(_problems(read), None)


def _read(document: Fields, message: str, *, lenient: bool = False) -> Fields:
    """A document as a message has it, whichever of their two names its fields have there.

    ``lenient``: the server passes over fields that it does not know.
    """
    kind = getattr(_messages(), message)
    if not lenient and (problem := next(_unknown(document, kind.DESCRIPTOR, ""), None)):
        raise _UnlikeError(problem)
    try:
        read: Fields = MessageToDict(ParseDict(document, kind(), ignore_unknown_fields=lenient))
    except (ParseError, TypeError, ValueError, AttributeError) as error:
        raise _UnlikeError(_in_words(str(error), message)) from None
    return read


def _messages() -> ModuleType:
    """The module of the messages alone. What kfp imports besides takes seconds."""
    file = distribution("kfp-pipeline-spec").locate_file("kfp/pipeline_spec/pipeline_spec_pb2.py")
    spec = importlib.util.spec_from_file_location("pipeline_spec_pb2", str(file))
    assert spec  # noqa: S101 it is a file of Python
    assert spec.loader  # noqa: S101 and so it can be loaded
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _in_words(said: str, message: str) -> str:
    """Where a value is none of its field's kind, and why, by what protobuf says: the fields on the way, or a path."""
    fields = ".".join(re.findall(r"Failed to parse (\w+) field", said))
    why, _, path = said.rpartition(": ")[2].strip(". ").partition(f" at {message}.")
    return f"{path.strip('. ') or fields or message} cannot be read: {why}"


def _unknown(document: Any, kind: Any, where: str) -> Iterator[str]:
    """The fields of a document that a message has not."""
    if not isinstance(document, Mapping) or kind.full_name.startswith(WELL_KNOWN):
        return
    known = {name: field for field in kind.fields for name in (field.json_name, field.name)}
    for name, value in document.items():
        field = known.get(name)
        if field is None:
            close = difflib.get_close_matches(str(name), [each.json_name for each in kind.fields], n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            yield f"{where.lstrip('.') or 'the package'} has {name!r}, which no server of KFP 2.17 takes{meant}"
        elif field.message_type is not None:
            yield from _unknown_inside(value, field, f"{where}.{name}")


def _unknown_inside(value: Any, field: Any, where: str) -> Iterator[str]:
    if field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"].message_type
        for key, item in value.items() if inner is not None and isinstance(value, Mapping) else ():
            yield from _unknown(item, inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, field.message_type, f"{where}[{number}]")
    else:
        yield from _unknown(value, field.message_type, where)


def _problems(spec: Fields) -> Iterator[str]:
    """What leads nowhere in a spec whose fields are in order."""
    if not (spec.get("pipelineInfo") or {}).get("name"):
        yield "pipelineInfo.name is empty"
    components: Fields = {**(spec.get("components") or {}), "root": spec.get("root") or {}}
    executors = (spec.get("deploymentSpec") or {}).get("executors") or {}
    if "root" in (spec.get("components") or {}):
        yield "components.root has a name that the server keeps for itself"
    for name, component in sorted(components.items()):  # a map of protobuf has no order
        where = name if name == "root" else f"components.{name}"
        yield from _of_component(where, component, components, executors)
    try:
        TopologicalSorter({name: {*_used(component)} for name, component in components.items()}).prepare()
    except CycleError as error:
        yield f"components.{error.args[1][0]} is part of itself"


def _used(component: Fields) -> Iterator[str]:
    for task in ((component.get("dag") or {}).get("tasks") or {}).values():
        yield (task.get("componentRef") or {}).get("name", "")


def _of_component(where: str, component: Fields, components: Fields, executors: Fields) -> Iterator[str]:
    label = component.get("executorLabel")
    if label and label not in executors:
        yield f"{where}.executorLabel is {label!r}, and deploymentSpec.executors has {_listed(executors)}"
    elif not label and not (component.get("dag") or {}).get("tasks"):
        yield f"{where} has neither an executor nor tasks"
    tasks = (component.get("dag") or {}).get("tasks") or {}
    inputs = component.get("inputDefinitions") or {}
    for name, task in sorted(tasks.items()):
        reference = (task.get("componentRef") or {}).get("name")
        if reference not in components or reference == "root":
            has = _listed(components, "root")
            yield f"{where}.dag.tasks.{name}.componentRef is {reference!r}, and components has {has}"
    for name, task in sorted(tasks.items()):
        yield from _of_task(f"{where}.dag.tasks.{name}", task, tasks, inputs, components)
    try:
        waits = {name: {*(task.get("dependentTasks") or [])} for name, task in tasks.items()}
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        yield f"{where}.dag.tasks.{error.args[1][0]} waits for itself"


def _of_task(where: str, task: Fields, tasks: Fields, inputs: Fields, components: Fields) -> Iterator[str]:
    for other in task.get("dependentTasks") or []:
        if other not in tasks:
            yield f"{where}.dependentTasks has {other!r}, and there are {_listed(tasks)}"
    items = [(task.get(iterator) or {}).get("itemInput") for iterator in ("parameterIterator", "artifactIterator")]
    for kind, from_parent, from_task, key in (
        ("parameters", "componentInputParameter", "taskOutputParameter", "outputParameterKey"),
        ("artifacts", "componentInputArtifact", "taskOutputArtifact", "outputArtifactKey"),
    ):
        for name, source in ((task.get("inputs") or {}).get(kind) or {}).items():
            place = f"{where}.inputs.{kind}.{name}"
            wanted = source.get(from_parent)
            if wanted and wanted not in (inputs.get(kind) or {}) and wanted not in items:
                yield f"{place} takes {wanted!r} of the pipeline, which has {_listed(inputs.get(kind) or {})}"
            elif output := source.get(from_task):
                yield from _of_output(place, output.get("producerTask"), output.get(key), kind, tasks, components)


def _of_output(where: str, task: str, key: str, kind: str, tasks: Fields, components: Fields) -> Iterator[str]:
    """What is wrong with taking an output of another task."""
    if task not in tasks:
        yield f"{where} takes an output of {task!r}, and there are {_listed(tasks)}"
        return
    component = components.get((tasks[task].get("componentRef") or {}).get("name", "")) or {}
    outputs = (component.get("outputDefinitions") or {}).get(kind) or {}
    if key not in outputs:
        yield f"{where} takes {key!r} of {task!r}, which has {_listed(outputs)}"


def _listed(names: Fields, but: str = "") -> str:
    found = sorted(name for name in names if name != but)
    return ", ".join(found[:5]) + (" and others" if len(found) > 5 else "") if found else "none"

"""Puts a fence before a package's work: of all workflows that are started for one event, one does any.

The fence is a task of its own (fence_step.py), and what would begin at once waits for it to succeed. What that takes
follows from what KFP makes of a graph (kubeflow/pipelines, v2/compiler/argocompiler/dag.go and importer.go):

- An importer waits for nobody, so what waits for importers alone waits for the fence as well.
- An exit task, or one that ignores failures upstream, becomes a hook of each task that it depends on and runs however
  that ended: no dependency keeps it behind the fence. So a pipeline that has one becomes, as it is, one task, which
  waits for the fence. A task that never begins has no hooks.

Pure: a package in, a package out, and the digest of a run is of what runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from function_src.launcher.package import FENCE
from infra.errors import ConfigurationError

TASK = "launch-fence"
PIPELINE = "fenced-pipeline"
# Plain Python, pinned; each node pulls it once.
IMAGE = "python:3.13.5-slim-bookworm"
STEP = Path(__file__).with_name("fence_step.py")
# A pod that is evicted is started again, and a duplicate that is tells the same once more.
RETRIES = {"maxRetryCount": 2, "backoffDuration": "5s", "backoffFactor": 2.0, "backoffMaxDuration": "60s"}
WHATEVER_HAPPENED = "ALL_UPSTREAM_TASKS_COMPLETED"

Fields = dict[str, Any]


def raise_fence(package: str) -> str:
    """The package, JSON, behind a fence.

    Raises:
        ConfigurationError: the pipeline has something of a name that the fence takes.
    """
    document = json.loads(package)
    outer = document.get("pipelineSpec", document)
    pipeline = outer.get("pipeline_spec", outer)
    _refuse_taken_names(pipeline)
    if any(map(_runs_whatever_happened, pipeline["root"]["dag"]["tasks"].values())):
        _make_one_task_of(pipeline)
    for task in _first_tasks(pipeline):
        task["dependentTasks"] = sorted({*task.get("dependentTasks", []), TASK})
    _add_fence(pipeline)
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _refuse_taken_names(pipeline: Fields) -> None:
    taken = {
        *pipeline["root"]["dag"]["tasks"],
        *(name.removeprefix("comp-") for name in pipeline.get("components", {})),
        *(name.removeprefix("exec-") for name in pipeline.get("deploymentSpec", {}).get("executors", {})),
    }
    if found := sorted(taken & {TASK, PIPELINE}):
        raise ConfigurationError(f"the pipeline has a task or component {found[0]!r}, as a fence has; rename it")


def _runs_whatever_happened(task: Fields) -> bool:
    return bool(task.get("triggerPolicy", {}).get("strategy") == WHATEVER_HAPPENED)


def _first_tasks(pipeline: Fields) -> Iterator[Fields]:
    """The tasks of the root that say they wait for nobody, or for importers alone.

    A task that waits for another by what it takes of it may wait for the fence as well.
    """
    tasks = pipeline["root"]["dag"]["tasks"]
    importers = {name for name, task in tasks.items() if _is_importer(pipeline, task)}
    for task in tasks.values():
        if not set(task.get("dependentTasks", [])) - importers:
            yield task


def _is_importer(pipeline: Fields, task: Fields) -> bool:
    label = pipeline["components"][task["componentRef"]["name"]].get("executorLabel")
    return "importer" in pipeline.get("deploymentSpec", {}).get("executors", {}).get(label, {})


def _add_fence(pipeline: Fields) -> None:
    text = {"parameterType": "STRING"}
    pipeline["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})[FENCE] = text
    pipeline["root"]["dag"]["tasks"][TASK] = {
        "cachingOptions": {},
        "componentRef": {"name": f"comp-{TASK}"},
        "inputs": {"parameters": {FENCE: {"componentInputParameter": FENCE}}},
        "retryPolicy": RETRIES,
        "taskInfo": {"name": TASK},
    }
    pipeline.setdefault("components", {})[f"comp-{TASK}"] = {
        "executorLabel": f"exec-{TASK}",
        "inputDefinitions": {"parameters": {FENCE: text}},
    }
    pipeline.setdefault("deploymentSpec", {}).setdefault("executors", {})[f"exec-{TASK}"] = {
        "container": {
            "image": IMAGE,
            "command": ["python3", "-c", STEP.read_text()],
            "args": [f"{{{{$.inputs.parameters['{FENCE}']}}}}"],
        }
    }


def _make_one_task_of(pipeline: Fields) -> None:
    """Makes the root a component, and a root that has it for its only task."""
    inner = pipeline["root"]
    outputs = inner.get("outputDefinitions", {})
    task: Fields = {"componentRef": {"name": f"comp-{PIPELINE}"}, "taskInfo": {"name": PIPELINE}}
    given = inner.get("inputDefinitions", {}).get("parameters", {})
    if given:
        task["inputs"] = {"parameters": {name: {"componentInputParameter": name} for name in given}}
    root: Fields = {"dag": {"tasks": {PIPELINE: task}}}
    if given:
        root["inputDefinitions"] = {"parameters": dict(given)}
    if outputs:
        root["outputDefinitions"] = outputs
        root["dag"]["outputs"] = {
            "parameters": {
                name: {"valueFromParameter": {"producerSubtask": PIPELINE, "outputParameterKey": name}}
                for name in outputs.get("parameters", {})
            },
            "artifacts": {
                name: {"artifactSelectors": [{"producerSubtask": PIPELINE, "outputArtifactKey": name}]}
                for name in outputs.get("artifacts", {})
            },
        }
    pipeline["components"][f"comp-{PIPELINE}"] = inner
    pipeline["root"] = root

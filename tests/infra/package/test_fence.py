"""Behind a fence: where the fence of a run fails, nothing else of its pipeline runs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from kfp import compiler, dsl
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from function_src.launcher.mapping.fitting import expanded
from function_src.launcher.package import FENCE, read_package
from infra.errors import ConfigurationError
from infra.package.fence import PIPELINE, STEP, TASK, raise_fence
from tests.infra.configuration.test_settings import refusal
from tests.infra.package.shapes import SHAPES, compiled, tell
from tests.plans import TRIGGERS, dev_config

WHATEVER_HAPPENED = "ALL_UPSTREAM_TASKS_COMPLETED"
RUNNER = "runner@acme-gke.iam.gserviceaccount.com"


def fenced(pipeline: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raise_fence(json.dumps(pipeline)))
    return found


# --- KFP, as far as it says which steps run -------------------------------------------------------------------------


def steps(pipeline: dict[str, Any], failing: str = "") -> set[str]:
    """The executors that KFP runs in the end, when one task of the root fails and all else is well.

    As argocompiler has it: an importer waits for nobody, and what runs whatever happened is a hook of each task that
    it depends on, so that any one of them that was begun brings it on.
    """
    return set(_steps(pipeline, pipeline["root"]["dag"]["tasks"], failing))


def _steps(pipeline: dict[str, Any], tasks: dict[str, Any], failing: str) -> Iterator[str]:
    begun: set[str] = set()
    while found := {name for name, task in tasks.items() if _begins(pipeline, task, begun, failing)} - begun:
        begun |= found
    for name in begun:
        component = pipeline["components"][tasks[name]["componentRef"]["name"]]
        if "dag" in component:
            yield from _steps(pipeline, component["dag"]["tasks"], "")
        else:
            yield component["executorLabel"]


def _begins(pipeline: dict[str, Any], task: dict[str, Any], begun: set[str], failing: str) -> bool:
    label = pipeline["components"][task["componentRef"]["name"]].get("executorLabel")
    waits = {*task.get("dependentTasks", [])}
    for source in task.get("inputs", {}).get("parameters", {}).values():
        waits |= {source["taskOutputParameter"]["producerTask"]} if "taskOutputParameter" in source else set()
    if label and "importer" in pipeline["deploymentSpec"]["executors"][label]:
        return True
    if task.get("triggerPolicy", {}).get("strategy") == WHATEVER_HAPPENED:
        return bool(waits & begun)
    return waits <= begun - {failing}


def importers(pipeline: dict[str, Any]) -> set[str]:
    return {name for name, executor in pipeline["deploymentSpec"]["executors"].items() if "importer" in executor}


# --- pipelines of all shapes ----------------------------------------------------------------------------------------


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """A pipeline of steps, importers and nested graphs, whose tasks depend on earlier ones in every way there is."""
    components: dict[str, Any] = {}
    executors: dict[str, Any] = {}

    def graph(depth: int) -> dict[str, Any]:
        tasks: dict[str, Any] = {}
        for _ in range(draw(st.integers(1, 4))):
            name = f"t{len(components)}"
            components[f"comp-{name}"] = {}
            kind = draw(st.sampled_from(("step", "importer", "graph") if depth < 2 else ("step", "importer")))
            if kind == "graph":
                components[f"comp-{name}"] = {"dag": {"tasks": graph(depth + 1)}}
            else:
                executors[f"exec-{name}"] = {"importer": {}} if kind == "importer" else {"container": {"image": "i"}}
                components[f"comp-{name}"] = {"executorLabel": f"exec-{name}"}
            task: dict[str, Any] = {"componentRef": {"name": f"comp-{name}"}, "taskInfo": {"name": name}}
            waits = draw(st.lists(st.sampled_from(sorted(tasks)), unique=True, max_size=2)) if tasks else []
            said = [earlier for earlier in waits if draw(st.booleans())]
            if said:
                task["dependentTasks"] = said
            if taken := {earlier: earlier for earlier in waits if earlier not in said}:
                task["inputs"] = {
                    "parameters": {
                        f"of-{earlier}": {"taskOutputParameter": {"producerTask": earlier, "outputParameterKey": "o"}}
                        for earlier in taken
                    }
                }
            if waits and draw(st.integers(0, 4)) == 0:
                task["triggerPolicy"] = {"strategy": WHATEVER_HAPPENED}
            tasks[name] = task
        return tasks

    return {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": graph(0)}},
        "components": components,
        "deploymentSpec": {"executors": executors},
    }


@given(pipelines())
def test_where_the_fence_fails_no_step_runs_and_where_it_holds_all_do(pipeline: dict[str, Any]) -> None:
    behind = fenced(pipeline)
    assert steps(behind, failing=TASK) - importers(pipeline) == {f"exec-{TASK}"}
    assert steps(behind) == steps(pipeline) | {f"exec-{TASK}"}


@given(pipelines())
def test_one_package_is_fenced_in_one_way_and_stays_a_pipeline(pipeline: dict[str, Any]) -> None:
    text = json.dumps(pipeline)
    assert raise_fence(text) == raise_fence(json.dumps(dict(reversed(pipeline.items()))))
    json_format.ParseDict(json.loads(raise_fence(text)), PipelineSpec())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_the_sdk_compiles_is_behind_the_fence_and_stays_a_pipeline(shape: Callable[..., Any]) -> None:
    pipeline = compiled(shape)
    behind = fenced(pipeline)
    json_format.ParseDict(behind, PipelineSpec())
    assert steps(behind, failing=TASK) - importers(pipeline) == {f"exec-{TASK}"}
    assert steps(behind) == steps(pipeline) | {f"exec-{TASK}"}


# --- the package ----------------------------------------------------------------------------------------------------


def test_a_fenced_package_says_so_and_keeps_its_inputs() -> None:
    text = json.dumps(compiled(SHAPES[0]))
    before, after = read_package(text.encode()), read_package(raise_fence(text).encode())
    assert (before.fenced, after.fenced) == (False, True)
    assert after.inputs == before.inputs
    assert after.digest != before.digest


def test_the_fence_itself_is_never_taken_from_the_cache() -> None:
    assert fenced(compiled(SHAPES[0]))["root"]["dag"]["tasks"][TASK]["cachingOptions"] == {}


def test_a_platform_spec_and_a_job_around_the_pipeline_are_kept() -> None:
    pipeline = compiled(SHAPES[0])
    platform: dict[str, Any] = {"platforms": {"kubernetes": {}}}
    with_platform = fenced({"pipeline_spec": pipeline, "platform_spec": platform})
    assert with_platform == {"pipeline_spec": fenced(pipeline), "platform_spec": platform}
    job = {"displayName": "d", "runtimeConfig": {"parameterValues": {"text": "t"}}}
    assert fenced({**job, "pipelineSpec": pipeline}) == {**job, "pipelineSpec": fenced(pipeline)}


def test_what_a_pipeline_puts_out_it_still_puts_out_as_one_task() -> None:
    root = compiled(SHAPES[0])
    tasks = root["root"]["dag"]["tasks"]
    next(iter(tasks.values()))["triggerPolicy"] = {"strategy": WHATEVER_HAPPENED}
    root["root"]["outputDefinitions"] = {"parameters": {"o": {"parameterType": "STRING"}}, "artifacts": {"a": {}}}
    outputs = fenced(root)["root"]["dag"]["outputs"]
    assert outputs["parameters"]["o"]["valueFromParameter"]["producerSubtask"] == PIPELINE
    assert outputs["artifacts"]["a"]["artifactSelectors"][0]["producerSubtask"] == PIPELINE


def test_the_program_of_the_fence_passes_kubernetes_and_argo_unchanged() -> None:
    assert expanded(STEP.read_text(), "kfp") is None


@pytest.mark.parametrize("name", [TASK, PIPELINE])
@pytest.mark.parametrize("place", ["task", "component", "executor"])
def test_a_pipeline_that_has_a_name_of_the_fence_is_refused(name: str, place: str) -> None:
    pipeline = compiled(SHAPES[0])
    match place:
        case "task":
            pipeline["root"]["dag"]["tasks"][name] = {}
        case "component":
            pipeline["components"][f"comp-{name}"] = {}
        case "executor":
            pipeline["deploymentSpec"]["executors"][f"exec-{name}"] = {}
    with pytest.raises(ConfigurationError, match=f"^the pipeline has a task or component '{name}', as a fence has"):
        fenced(pipeline)


# --- at preview -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"fence": True}, ": fence: true needs runner; set it to the service account of Google Cloud that the steps"),
        ({"runner": RUNNER}, ": runner is for the fence; set fence: true, or leave runner out"),
        (
            {"fence": True, "runner": "pipeline-runner"},
            ".runner: is 'pipeline-runner'; use a service account's e-mail",
        ),
    ],
    ids=["no runner", "no fence", "of Kubernetes"],
)
def test_a_fence_needs_the_account_that_steps_run_as(target: dict[str, Any], problem: str) -> None:
    changes = {f"target__{key}": value for key, value in target.items()}
    assert f"{TRIGGERS}[0].target{problem}" in refusal(dev_config(**changes))


def test_a_stack_for_production_lets_no_default_account_through_its_fence() -> None:
    account = "123456-compute@developer.gserviceaccount.com"
    config = dev_config(identity="dedicated", target__fence=True, target__runner=account)
    problem = f"{TRIGGERS}[0].target.runner: is {account}, a default account, and the stack is marked production"
    assert problem in refusal({**config, "event-triggered-pipelines:production": "true"})


@pytest.mark.parametrize("fence", [True, False])
def test_a_pipeline_with_the_fence_s_own_input_is_refused_with_a_fence_or_without(
    fence: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def pipeline(launch_fence: str) -> None:
        tell(text=launch_fence)

    path = tmp_path_factory.mktemp("package") / "p.yaml"
    compiler.Compiler().compile(dsl.pipeline(pipeline, name="p"), str(path))
    assert FENCE in yaml.safe_load(path.read_text())["root"]["inputDefinitions"]["parameters"]
    runner = {"target__fence": True, "target__runner": RUNNER} if fence else {}
    problem = f"{TRIGGERS}[0].pipeline: pipeline '{path}' has an input 'launch_fence', which is what a fence takes"
    assert problem in refusal(dev_config(pipeline=str(path), parameters={}, **runner))

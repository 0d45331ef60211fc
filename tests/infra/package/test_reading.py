"""A package that no server would read is refused at preview, with the place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.package import packaging
from infra.package.packaging import compile_pipeline
from infra.package.reading import unreadable
from tests.infra.configuration.test_settings import refusal as configuration_refusal
from tests.infra.package.shapes import SHAPES, compiled
from tests.infra.package.test_packaging import refusal
from tests.plans import TRIGGERS, dev_config

Package = dict[str, Any]
TEXT = {"parameterType": "STRING"}
SOUND: Package = {
    "pipelineInfo": {"name": "two-steps"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.9.0",
    "components": {
        name: {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": {"text": TEXT}},
            "outputDefinitions": {"parameters": {"Output": TEXT}},
        }
        for name in ("weigh", "tell")
    },
    "deploymentSpec": {"executors": {f"exec-{name}": {"container": {"image": "a"}} for name in ("weigh", "tell")}},
    "root": {
        "inputDefinitions": {"parameters": {"text": TEXT}},
        "dag": {
            "tasks": {
                "weigh": {
                    "componentRef": {"name": "weigh"},
                    "inputs": {"parameters": {"text": {"componentInputParameter": "text"}}},
                },
                "tell": {
                    "componentRef": {"name": "tell"},
                    "dependentTasks": ["weigh"],
                    "inputs": {
                        "parameters": {
                            "text": {"taskOutputParameter": {"producerTask": "weigh", "outputParameterKey": "Output"}}
                        }
                    },
                },
            }
        },
    },
}
TASKS = ("root", "dag", "tasks")
OUTPUT = (*TASKS, "tell", "inputs", "parameters", "text", "taskOutputParameter")


def changed(path: tuple[str, ...], value: Any) -> Package:
    package = copy.deepcopy(SOUND)
    inside = package
    for name in path[:-1]:
        inside = inside.setdefault(name, {})
    inside[path[-1]] = value
    return package


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("note",), 1, "the package has 'note', which no server of KFP 2.17 takes"),
        (
            (*TASKS, "weigh", "componentReff"),
            {},
            "root.dag.tasks.weigh has 'componentReff', which no server of KFP 2.17 takes; did you mean componentRef?",
        ),
        (
            (*TASKS, "weigh", "inputs", "parameters", "text", "componentInputParam"),
            "text",
            "has 'componentInputParam', which no server of KFP 2.17 takes; did you mean componentInputParameter?",
        ),
        ((*TASKS, "weigh", "dependentTasks"), "tell", "root.dag.tasks[weigh] cannot be read: "),
        (("pipelineInfo", "name"), "", "pipelineInfo.name is empty"),
        (("pipelineInfo", "name"), None, "pipelineInfo.name is empty"),
        (("pipelineInfo", "name"), 7, "pipelineInfo.name cannot be read: "),
        (
            ("root", "inputDefinitions", "parameters", "text", "parameterType"),
            "TEXT",
            "[text].parameterType cannot be read: Invalid",
        ),
        (
            (*TASKS, "weigh", "componentRef", "name"),
            "wiegh",
            "root.dag.tasks.weigh.componentRef is 'wiegh', and components has tell, weigh",
        ),
        ((*TASKS, "weigh", "componentRef"), {}, "root.dag.tasks.weigh.componentRef is None, and components has"),
        ((*TASKS, "weigh", "componentRef", "name"), "root", "root.dag.tasks.weigh.componentRef is 'root', and comp"),
        (
            ("components", "tell", "executorLabel"),
            "exec-told",
            "components.tell.executorLabel is 'exec-told', and deploymentSpec.executors has exec-tell, exec-weigh",
        ),
        (("components", "tell", "executorLabel"), "", "components.tell has neither an executor nor tasks"),
        (("components", "root"), {"executorLabel": "exec-tell"}, "components.root has a name that the server keeps"),
        (("root", "dag"), {}, "root has neither an executor nor tasks"),
        (
            ("deploymentSpec",),
            {},
            "components.tell.executorLabel is 'exec-tell', and deploymentSpec.executors has none",
        ),
        (
            ("components", "tell"),
            {"dag": {"tasks": {"again": {"componentRef": {"name": "tell"}}}}},
            "components.tell is part of itself",
        ),
        ((*TASKS, "weigh", "dependentTasks"), ["tell"], "waits for itself"),
        (
            (*TASKS, "weigh", "dependentTasks"),
            ["early"],
            "root.dag.tasks.weigh.dependentTasks has 'early', and there are tell, weigh",
        ),
        (
            (*OUTPUT, "producerTask"),
            "wait",
            "root.dag.tasks.tell.inputs.parameters.text takes an output of 'wait', and",
        ),
        (
            (*OUTPUT, "outputParameterKey"),
            "out",
            "tell.inputs.parameters.text takes 'out' of 'weigh', which has Output",
        ),
        (
            ("root", "inputDefinitions"),
            {},
            "root.dag.tasks.weigh.inputs.parameters.text takes 'text' of the pipeline, which has none",
        ),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_what_no_server_reads_is_named_with_its_place(path: tuple[str, ...], value: Any, problem: str) -> None:
    assert problem in (unreadable(changed(path, value), None) or "")


def test_a_sound_package_is_read_under_either_name_of_its_fields() -> None:
    assert unreadable(SOUND, None) is None
    snake = json.loads(json.dumps(SOUND).replace("componentRef", "component_ref").replace("executorL", "executor_l"))
    assert unreadable(snake, None) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_sdk_compiles_is_read(shape: Callable[..., Any]) -> None:
    assert unreadable(compiled(shape), None) is None


@pytest.mark.parametrize("sample", ["echo", "validate_csv"])
def test_the_samples_are_read(sample: str) -> None:
    package, _ = compile_pipeline(sample)
    assert unreadable(package.spec, None) is None


def test_the_server_knows_fields_of_a_deployment_that_are_none() -> None:
    assert unreadable(changed(("deploymentSpec", "executors", "exec-tell", "note"), 1), None) is None


@pytest.mark.parametrize(
    ("platform", "problem"),
    [
        ({"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-tell": {"any": 1}}}}}}, None),
        ({"platforms": {"kubernetes": {"deploymentSpecs": {}}}}, "platforms.kubernetes has 'deploymentSpecs', which"),
    ],
)
def test_the_platform_s_document_is_read_too(platform: Package, problem: str | None) -> None:
    found = unreadable(SOUND, platform)
    assert found is None if problem is None else problem in str(found)


def test_another_schema_is_not_judged_by_this_one() -> None:
    assert unreadable({**SOUND, "schemaVersion": "2.0.0", "note": 1}, None) is None


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packaging, "ROOT", tmp_path)
    return tmp_path


def test_preview_refuses_what_no_server_reads(root: Path) -> None:
    (root / "given.yaml").write_text(yaml.safe_dump(changed(("note",), 1)))
    assert refusal("given.yaml") == (
        "pipeline 'given.yaml': the package is damaged: the package has 'note', which no server of KFP 2.17 takes; "
        "compile it anew, with kfp 2.17 or older"
    )


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (["platforms: {kubernetes: {}}", SOUND], ""),
        ([SOUND, "platforms: {kubernetes: {}}", "platforms: {kubernetes: {}}"], "has 3 documents; a package has one"),
        ([SOUND, SOUND], "has 2 documents; a package has one, and one more for its platform"),
        (["name: a\nimplementation: {container: {image: a}}"], "is a component: use it in a pipeline in pipelines/"),
    ],
    ids=["platform first", "platform twice", "pipeline twice", "component"],
)
def test_a_file_of_several_documents_is_told_apart(root: Path, documents: list[Any], expected: str) -> None:
    texts = [document if isinstance(document, str) else yaml.safe_dump(document) for document in documents]
    (root / "given.yaml").write_text("\n---\n".join(texts))
    if expected:
        assert expected in refusal("given.yaml")
    else:
        assert set(compile_pipeline("given.yaml")[0].inputs) == {"text"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "https://europe-west4-kfp.pkg.dev/acme/templates/train/latest",
            "in a registry of templates; download the p",
        ),
        ("https://example.com/train.yaml", "is an address; download the package into the project and give its path"),
        ("gs://acme/train.yaml", "is an address; download"),
    ],
)
def test_an_address_is_refused_by_name(address: str, expected: str) -> None:
    assert expected in refusal(address)


@pytest.mark.parametrize("name", ["Two-Steps", "two steps", "-two", "two_steps"])
def test_a_name_that_kubernetes_does_not_take_is_refused_for_kfp(root: Path, name: str) -> None:
    (root / "given.json").write_text(json.dumps(changed(("pipelineInfo", "name"), name)))
    text = configuration_refusal(dev_config(pipeline="given.json", parameters={"text": "object.uri"}))
    assert text.startswith(
        f"{TRIGGERS}[0].pipeline: the pipeline is called {name!r}, of which Kubernetes makes no name"
    )

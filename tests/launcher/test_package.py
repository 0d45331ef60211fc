"""A pipeline package says what a run must be given; what is none is refused before anything depends on it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kfp import compiler, dsl

from function_src.launcher.package import BadPackageError, Input, read_package
from tests.launcher.deliveries import as_json


def show_text(text: str) -> None:
    print(text)


show = dsl.component(show_text, base_image="python:3.13")


def of_every_kind(text: str, count: int, ratio: float, fast: bool, tags: list[str], labels: dict[str, str]) -> None:
    show(text=text)


def with_defaults(count: int = 2, fast: bool = False, tags: list[str] = ["a"], text: str = "") -> None:  # noqa: B006
    show(text=text)


def with_optionals(text: Optional[str] = None, count: Optional[int] = None) -> None:  # noqa: UP045 (kfp reads no other)
    show(text="a")


def without_inputs() -> None:
    show(text="a")


def with_an_artifact(text: str, data: dsl.Input[dsl.Dataset]) -> None:
    show(text=text)


def with_an_optional_artifact(text: str, data: Optional[dsl.Input[dsl.Dataset]] = None) -> None:  # noqa: UP045
    show(text=text)


def required(kind: str) -> Input:
    return Input(kind, required=True)


def optional(kind: str) -> Input:
    return Input(kind, required=False)


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., list[Any]]:
    """Compiles a pipeline function to the YAML documents that kfp makes of it."""

    def compile_documents(function: Callable[..., None], **options: Any) -> list[Any]:
        path = tmp_path / "pipeline.yaml"
        compiler.Compiler().compile(dsl.pipeline(function, name="sample", **options), str(path))
        return list(yaml.safe_load_all(path.read_text()))

    return compile_documents


@pytest.mark.parametrize(
    ("pipeline", "inputs"),
    [
        (
            of_every_kind,
            {
                "text": required("STRING"),
                "count": required("NUMBER_INTEGER"),
                "ratio": required("NUMBER_DOUBLE"),
                "fast": required("BOOLEAN"),
                "tags": required("LIST"),
                "labels": required("STRUCT"),
            },
        ),
        (
            with_defaults,
            {
                "text": optional("STRING"),
                "count": optional("NUMBER_INTEGER"),
                "fast": optional("BOOLEAN"),
                "tags": optional("LIST"),
            },
        ),
        (with_optionals, {"text": optional("STRING"), "count": optional("NUMBER_INTEGER")}),
        (without_inputs, {}),
        (with_an_optional_artifact, {"text": required("STRING")}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_inputs_are_those_of_the_compiled_pipeline(
    compiled: Callable[..., list[Any]], pipeline: Callable[..., None], inputs: dict[str, Input]
) -> None:
    [spec] = compiled(pipeline)
    package = read_package(as_json(spec))
    assert (package.name, package.inputs, package.spec) == ("sample", inputs, spec)


def test_a_package_with_a_platform_spec_is_sent_whole(compiled: Callable[..., list[Any]]) -> None:
    workspace = dsl.WorkspaceConfig(size="1Gi", kubernetes=dsl.KubernetesWorkspaceConfig())
    spec, platform = compiled(of_every_kind, pipeline_config=dsl.PipelineConfig(workspace=workspace))
    package = read_package(as_json({"pipeline_spec": spec, "platform_spec": platform}))
    assert package.spec == {"pipeline_spec": spec, "platform_spec": platform}
    assert (package.name, package.inputs) == ("sample", read_package(as_json(spec)).inputs)


def test_an_artifact_that_is_needed_cannot_be_given_and_a_way_out_is_named(
    compiled: Callable[..., list[Any]],
) -> None:
    with pytest.raises(BadPackageError, match=r"takes an artifact \(data\) as input; .* dsl.importer"):
        read_package(as_json(compiled(with_an_artifact)[0]))


# --- packages written out ------------------------------------------------------------------------------------------


def spec(**changes: Any) -> dict[str, Any]:
    return {"pipelineInfo": {"name": "sample"}, "root": {}, "schemaVersion": "2.1.0"} | changes


def root(**parameters: Any) -> dict[str, Any]:
    return {"inputDefinitions": {"parameters": parameters}}


def test_the_digest_is_that_of_the_bytes() -> None:
    for data in (as_json(spec()), as_json(spec()) + b"\n"):
        assert read_package(data).digest == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_literals_are_part_of_an_input() -> None:
    package = read_package(as_json(spec(root=root(mode={"parameterType": "STRING", "literals": ["a", "b"]}))))
    assert package.inputs == {"mode": Input("STRING", required=True, literals=("a", "b"))}


def test_a_default_alone_makes_an_input_optional() -> None:
    package = read_package(as_json(spec(root=root(mode={"parameterType": "STRING", "defaultValue": ""}))))
    assert package.inputs == {"mode": optional("STRING")}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "the package is not JSON", id="empty"),
        pytest.param(b"pipelineInfo:\n  name: sample\n", "the package is not JSON", id="YAML"),
        pytest.param(b"\xff", "the package is not JSON", id="not text"),
        pytest.param(b"[" * 100_000, "the package is not JSON", id="deep nesting"),
        pytest.param(b"[]", "the package is not a JSON object", id="list"),
        pytest.param(b"null", "the package is not a JSON object", id="null"),
        pytest.param(
            as_json({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {}}),
            "not a compiled KFP v2 pipeline: it has no root and pipelineInfo",
            id="Argo workflow of KFP v1",
        ),
        pytest.param(
            as_json({"displayName": "tfx", "pipelineSpec": spec(), "runtimeConfig": {}}),
            "not a compiled KFP v2 pipeline: it has no root and pipelineInfo",
            id="PipelineJob",
        ),
        pytest.param(
            as_json({"pipeline_spec": "text"}), "not a compiled KFP v2 pipeline", id="pipeline_spec is text"
        ),
        pytest.param(
            as_json(spec(schemaVersion="2.0.0")),
            "schema version is '2.0.0'; KFP takes 2.1.0 only",
            id="older schema",
        ),
        pytest.param(as_json({"pipelineInfo": {"name": "a"}, "root": {}}), "schema version is None", id="no schema"),
        pytest.param(as_json(spec(pipelineInfo={})), "the package is damaged (KeyError: 'name')", id="no name"),
        pytest.param(as_json(spec(pipelineInfo=None)), "the package is damaged (TypeError", id="no pipelineInfo"),
        pytest.param(as_json(spec(root=[])), "the package is damaged (AttributeError", id="root is a list"),
        pytest.param(
            as_json(spec(root=root(a={"type": "STRING"}))),
            "the package is damaged (KeyError: 'parameterType')",
            id="type of the older schema",
        ),
    ],
)
def test_what_the_kfp_server_would_not_run_is_refused_and_the_reason_said(data: bytes, problem: str) -> None:
    with pytest.raises(BadPackageError) as refusal:
        read_package(data)
    assert problem in str(refusal.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "inputDefinitions", "parameters", "artifacts", "a"]), inner)
    ),
    max_leaves=8,
)


@given(info=json_values, root=json_values)
def test_any_json_is_a_package_or_refused(info: Any, root: Any) -> None:
    data = json.dumps(spec(pipelineInfo=info, root=root)).encode()
    try:
        package = read_package(data)
    except BadPackageError:
        return
    assert package.spec == json.loads(data)

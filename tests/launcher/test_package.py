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

from function_src.launcher.package import BadPackageError, Input, Package, read_package
from tests.launcher.deliveries import as_json


def show_text(text: str) -> None:
    print(text)


show = dsl.component(show_text, base_image="python:3.13")


def of_every_kind(text: str, count: int, ratio: float, fast: bool, tags: list[str], labels: dict[str, str]) -> None:
    show(text=text)


def with_defaults(count: int = 2, fast: bool = False, tags: list[str] = ["a"], text: str = "") -> None:  # noqa: B006 kfp reads the default, and nobody changes it
    show(text=text)


def with_optionals(text: Optional[str] = None, count: Optional[int] = None) -> None:  # noqa: UP045 (kfp reads no other)
    show(text="a")


def without_inputs() -> None:
    show(text="a")


def with_an_artifact(text: str, data: dsl.Input[dsl.Dataset]) -> None:
    show(text=text)


def with_an_optional_artifact(text: str, data: Optional[dsl.Input[dsl.Dataset]] = None) -> None:  # noqa: UP045 kfp reads Optional only
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
            "an Argo workflow, compiled with the KFP SDK 1: neither the v2 API of KFP nor Vertex AI runs it; port",
            id="Argo workflow of KFP v1",
        ),
        pytest.param(
            as_json({"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "PipelineVersion", "spec": {}}),
            "a Kubernetes resource; take out what stands in its spec.pipelineSpec and give that",
            id="Kubernetes resource",
        ),
        pytest.param(
            as_json({"displayName": "tfx", "pipelineSpec": {}, "runtimeConfig": {}}),
            "not a compiled KFP v2 pipeline: it has no root and pipelineInfo",
            id="empty PipelineJob",
        ),
        pytest.param(as_json({"pipelineSpec": "text"}), "not a compiled KFP v2 pipeline", id="pipelineSpec is text"),
        pytest.param(
            as_json({"pipelineSpec": spec(), "runtimeConfig": {"parameters": {"a": 1}}}),
            "the package is damaged, so that its inputs cannot be read; compile it anew",
            id="values without their types",
        ),
        pytest.param(
            as_json({"pipeline_spec": "text"}), "not a compiled KFP v2 pipeline", id="pipeline_spec is text"
        ),
        pytest.param(
            as_json(spec(schemaVersion="1.0")),
            "schema version is '1.0'; KFP takes 2.1.0, and Vertex AI 2.0.0 as well",
            id="another schema",
        ),
        pytest.param(as_json({"pipelineInfo": {"name": "a"}, "root": {}}), "schema version is None", id="no schema"),
        pytest.param(
            as_json(spec(pipelineInfo={})),
            "the package is damaged, so that its inputs cannot be read; compile it anew",
            id="no name",
        ),
        pytest.param(
            as_json(spec(pipelineInfo=None)),
            "the package is damaged, so that its inputs cannot be read; compile it anew",
            id="no pipelineInfo",
        ),
        pytest.param(
            as_json(spec(root=[])),
            "the package is damaged, so that its inputs cannot be read; compile it anew",
            id="root is a list",
        ),
        pytest.param(
            as_json(spec(root=root(a={"type": "STRING"}))),
            "the package is damaged, so that its inputs cannot be read; compile it anew",
            id="type of the older schema",
        ),
    ],
)
def test_what_nobody_would_run_is_refused_and_the_reason_said(data: bytes, problem: str) -> None:
    with pytest.raises(BadPackageError) as refusal:
        read_package(data)
    assert problem in str(refusal.value)


# --- packages of other SDKs ----------------------------------------------------------------------------------------

GIVEN = Path(__file__).parent.parent / "packages"


def given_package(name: str) -> tuple[Package, dict[str, Any]]:
    """A package from tests/packages, and what stands in its file."""
    data = (GIVEN / f"{name}.json").read_bytes()
    return read_package(data), json.loads(data)


@pytest.mark.parametrize(("name", "steps"), [("tfx-2.1.0", 1000), ("tfx-2.0.0", "1000")])
def test_a_tfx_package_has_the_inputs_of_its_pipeline_and_the_values_of_its_job(name: str, steps: Any) -> None:
    package, file = given_package(name)
    assert package.name == "taxi"
    assert package.inputs == {
        "data_root": Input("STRING", required=False, value="gs://acme-data/taxi"),
        "train_steps": Input("NUMBER_INTEGER", required=False, value=steps),
        "ratio": Input("NUMBER_DOUBLE", required=False, value=0.8),
        "run_note": required("STRING"),
    }
    assert package.spec == file["pipelineSpec"], "what goes to KFP is unwrapped"
    assert package.pipeline_root == "gs://acme-tfx/roots/taxi"


@pytest.mark.parametrize("name", ["tfx-2.1.0", "tfx-2.0.0", "kfp-1.8"])
def test_vertex_is_given_a_job_as_it_is_but_for_the_run_s_parameters(name: str) -> None:
    package, file = given_package(name)
    assert package.unfit_for("vertex") is None
    assert package.job({}) == file


def test_a_job_s_parameters_are_given_in_the_way_of_its_schema() -> None:
    new, old, kfp = (given_package(name)[0] for name in ("tfx-2.1.0", "tfx-2.0.0", "kfp-1.8"))
    taxi = {"run_note": "a", "train_steps": 7, "ratio": 0.5}
    assert new.job(taxi)["runtimeConfig"] == {
        "gcsOutputDirectory": "gs://acme-tfx/roots/taxi",
        "parameterValues": {"data_root": "gs://acme-data/taxi", "run_note": "a", "train_steps": 7, "ratio": 0.5},
    }
    assert old.job(taxi)["runtimeConfig"] == {
        "gcsOutputDirectory": "gs://acme-tfx/roots/taxi",
        "parameters": {
            "data_root": {"stringValue": "gs://acme-data/taxi"},
            "run_note": {"stringValue": "a"},
            "train_steps": {"intValue": 7},
            "ratio": {"doubleValue": 0.5},
        },
    }
    assert kfp.job({"uri": "gs://b/a"})["runtimeConfig"]["parameters"]["uri"] == {"stringValue": "gs://b/a"}


def test_what_the_older_schema_has_no_value_for_is_text_that_spells_it() -> None:
    """A package of the older schema with a newer type, as some of Google's own have."""
    inputs = root(tags={"type": "LIST"}, fast={"parameterType": "BOOLEAN"})
    package = read_package(as_json(spec(root=inputs, schemaVersion="2.0.0")))
    assert package.inputs == {"tags": required("LIST"), "fast": required("BOOLEAN")}
    values = package.job({"tags": ["a"], "fast": True})["runtimeConfig"]["parameters"]
    assert values == {"tags": {"stringValue": '["a"]'}, "fast": {"stringValue": "true"}}


def test_a_package_of_the_kfp_sdk_is_a_job_too() -> None:
    package = read_package(as_json(spec(root=root(a={"parameterType": "STRING"}))))
    assert package.pipeline_root is None
    assert package.job({"a": "b"}) == {"pipelineSpec": package.spec, "runtimeConfig": {"parameterValues": {"a": "b"}}}
    assert [package.unfit_for(target) for target in ("kfp", "vertex")] == [None, None]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("tfx-2.0.0", "compile it with KubeflowV2DagRunnerConfig(use_pipeline_spec_2_1=True)"),
        (
            "kfp-1.8",
            "compile it with the KFP SDK 2 (kfp.compiler.Compiler), which the pipeline may have to be ported to",
        ),
        ("no SDK", "compile the pipeline to schema 2.1.0"),
    ],
)
def test_kfp_does_not_take_the_older_schema_and_the_fix_is_the_sdk_s_own(name: str, fix: str) -> None:
    package = read_package(as_json(spec(schemaVersion="2.0.0"))) if name == "no SDK" else given_package(name)[0]
    assert package.unfit_for("kfp") == (
        f"the package's schema version is 2.0.0; KFP takes 2.1.0 only: {fix}, or choose target kind vertex"
    )


def test_vertex_does_not_take_a_platform_spec_which_it_would_leave_out() -> None:
    package = read_package(as_json({"pipeline_spec": spec(), "platform_spec": {"platforms": {"kubernetes": {}}}}))
    assert "compile the pipeline without kfp-kubernetes" in str(package.unfit_for("vertex"))
    assert package.unfit_for("kfp") is None


# --- any JSON ------------------------------------------------------------------------------------------------------

KEYS = ["name", "inputDefinitions", "parameters", "artifacts", "a", "type", "parameterType", "parameterValues"]
json_values = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@given(info=json_values, root=json_values, runtime=json_values, version=st.sampled_from(["2.0.0", "2.1.0"]))
def test_any_json_is_a_package_or_refused(info: Any, root: Any, runtime: Any, version: str) -> None:
    given = {"pipelineSpec": spec(pipelineInfo=info, root=root, schemaVersion=version), "runtimeConfig": runtime}
    try:
        package = read_package(as_json(given))
    except BadPackageError:
        return
    assert (package.spec, package.wrapper) == (given["pipelineSpec"], {"runtimeConfig": runtime})

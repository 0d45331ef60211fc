"""Reads a pipeline package: what the pipeline is called, which inputs it takes and where it runs.

A package is what the KFP SDK compiles (a PipelineSpec, alone or with a platform spec), or a PipelineJob, as the TFX
SDK and kfp.v2 of the 1.8 SDK write it: a PipelineSpec and, around it, the values and settings of a run.

Pure: the program that deploys checks a trigger with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = "2.1.0"  # the only one the KFP server takes: template/v2_template.go
OLD_SCHEMA = "2.0.0"  # what Vertex AI takes beside it: with types and values of its own
OLD_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE"}
OLD_VALUES = {"NUMBER_INTEGER": "intValue", "NUMBER_DOUBLE": "doubleValue", "STRING": "stringValue"}
FENCE = "launch_fence"  # the input of a package that is fenced: infra/package/fence.py puts it there
RECOMPILE = {
    "tfx": "compile it with KubeflowV2DagRunnerConfig(use_pipeline_spec_2_1=True)",
    "kfp": "compile it with the KFP SDK 2 (kfp.compiler.Compiler), which the pipeline may have to be ported to",
}


class BadPackageError(ValueError):
    """The file is not a pipeline package that KFP or Vertex AI would run."""


@dataclass(frozen=True)
class Input:
    """One run parameter of a pipeline. ``type`` is KFP's: STRING, NUMBER_INTEGER, LIST and so on.

    ``value`` is what the package itself gives it, for a run that gives nothing; None if it gives none.
    """

    type: str
    required: bool
    literals: tuple[Any, ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Package:
    """A compiled pipeline. ``spec`` is what goes into a run of KFP: a PipelineSpec, or one with its platform spec.

    ``wrapper`` is what a PipelineJob says beside its PipelineSpec: runtimeConfig, displayName, labels. ``fenced``:
    its runs take ``FENCE`` beside their inputs, where the first workflow of an event leaves its name.
    """

    name: str
    digest: str
    inputs: Mapping[str, Input]
    spec: Mapping[str, Any]
    wrapper: Mapping[str, Any]
    fenced: bool

    def unfit_for(self, target: str) -> str | None:
        """Why a kind of target (``kfp``, ``vertex``) does not take the package, and what to do; None if it does."""
        if target == "vertex" and "platform_spec" in self.spec:
            return (
                "the package has a platform spec (settings for Kubernetes), which Vertex AI would leave out; compile "
                "the pipeline without kfp-kubernetes, or choose target kind kfp"
            )
        if target == "kfp" and self._is_old:
            sdk = str(self._pipeline.get("sdkVersion")).partition("-")[0]
            fix = RECOMPILE.get(sdk, f"compile the pipeline to schema {SCHEMA}")
            return (
                f"the package's schema version is {OLD_SCHEMA}; KFP takes {SCHEMA} only: {fix}, "
                "or choose target kind vertex"
            )
        return None

    @property
    def pipeline_root(self) -> str | None:
        """Where a PipelineJob has the outputs of its runs; None if nothing is said of it."""
        root = (self.wrapper.get("runtimeConfig") or {}).get("gcsOutputDirectory")
        return str(root) if root else None

    def job(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a Vertex AI PipelineJob: the package's own, if it is one, with these parameters in it."""
        runtime = dict(self.wrapper.get("runtimeConfig") or {})
        if self._is_old:
            key, values = "parameters", {name: self._old_value(name, value) for name, value in parameters.items()}
        else:
            key, values = "parameterValues", dict(parameters)
        runtime[key] = {**(runtime.get(key) or {}), **values}
        return {**self.wrapper, "pipelineSpec": self._pipeline, "runtimeConfig": runtime}

    @property
    def _pipeline(self) -> Mapping[str, Any]:
        """The PipelineSpec, without a platform spec."""
        found: Mapping[str, Any] = self.spec.get("pipeline_spec", self.spec)
        return found

    @property
    def _is_old(self) -> bool:
        return bool(self._pipeline["schemaVersion"] == OLD_SCHEMA)

    def _old_value(self, name: str, value: Any) -> dict[str, Any]:
        """A parameter as schema 2.0.0 has it: a number or text; anything else is text that spells it."""
        kind = self.inputs[name].type
        return {OLD_VALUES[kind]: value} if kind in OLD_VALUES else {"stringValue": json.dumps(value)}


def read_package(data: bytes) -> Package:
    """Reads a package as JSON: the file ``pipeline.json`` beside ``main.py``.

    Raises:
        BadPackageError: it is not JSON, not KFP's IR, or of another schema version.
    """
    try:
        given = json.loads(data)
    except (ValueError, RecursionError):
        raise BadPackageError("the package is not JSON") from None
    if not isinstance(given, dict):
        raise BadPackageError("the package is not a JSON object")
    spec, wrapper = given, {}
    if "pipelineSpec" in given:
        spec = given["pipelineSpec"]
        wrapper = {key: value for key, value in given.items() if key != "pipelineSpec"}
    pipeline = spec.get("pipeline_spec", spec) if isinstance(spec, dict) else spec
    if not isinstance(pipeline, dict) or not {"root", "pipelineInfo"} <= pipeline.keys():
        raise BadPackageError(_what_else(given))
    version = pipeline.get("schemaVersion")
    if version not in (OLD_SCHEMA, SCHEMA):
        raise BadPackageError(
            f"the package's schema version is {version!r}; KFP takes {SCHEMA}, and Vertex AI {OLD_SCHEMA} as well"
        )
    try:
        name = pipeline["pipelineInfo"]["name"]
        inputs = _inputs(pipeline["root"].get("inputDefinitions", {}), version, _values(wrapper))
        fenced = inputs.pop(FENCE, None) is not None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, BadPackageError):
            raise
        raise BadPackageError("the package is damaged, so that its inputs cannot be read; compile it anew") from None
    return Package(name, f"sha256:{hashlib.sha256(data).hexdigest()}", inputs, spec, wrapper, fenced)


def _what_else(given: Mapping[str, Any]) -> str:
    """What was given in the place of a package, and what to give instead."""
    group = str(given.get("apiVersion")).partition("/")[0]
    if group == "argoproj.io":
        return (
            "the package is an Argo workflow, compiled with the KFP SDK 1: neither the v2 API of KFP nor Vertex AI "
            "runs it; port the pipeline to the KFP SDK 2 and compile it anew"
        )
    if group == "pipelines.kubeflow.org":
        return "the package is a Kubernetes resource; take out what stands in its spec.pipelineSpec and give that"
    return "the package is not a compiled KFP v2 pipeline: it has no root and pipelineInfo"


def _values(wrapper: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a PipelineJob gives to its pipeline's inputs, in either schema's way."""
    runtime = wrapper.get("runtimeConfig") or {}
    old = {name: next(iter(value.values()), None) for name, value in (runtime.get("parameters") or {}).items()}
    return old | dict(runtime.get("parameterValues") or {})


def _inputs(definitions: Mapping[str, Any], version: str, values: Mapping[str, Any]) -> dict[str, Input]:
    needed = [name for name, spec in definitions.get("artifacts", {}).items() if not spec.get("isOptional")]
    if needed:
        raise BadPackageError(
            f"the pipeline takes an artifact ({needed[0]}) as input; a run can be started with parameters only: "
            "pass its URI as a parameter and import it with dsl.importer"
        )
    return {
        name: Input(
            type=_type(spec, version),
            required=not spec.get("isOptional") and "defaultValue" not in spec and values.get(name) is None,
            literals=tuple(spec.get("literals", ())),
            value=values.get(name),
        )
        for name, spec in definitions.get("parameters", {}).items()
    }


def _type(spec: Mapping[str, Any], version: str) -> str:
    if version == OLD_SCHEMA and "parameterType" not in spec:
        return str(OLD_TYPES.get(spec["type"], spec["type"]))
    return str(spec["parameterType"])

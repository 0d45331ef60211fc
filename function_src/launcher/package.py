"""Reads a pipeline package: what the pipeline is called and which inputs it takes.

Pure: the program that deploys checks a trigger with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = "2.1.0"  # the only one the KFP server takes: template/v2_template.go


class BadPackageError(ValueError):
    """The file is not a pipeline package that the KFP API server would run."""


@dataclass(frozen=True)
class Input:
    """One run parameter of a pipeline. ``type`` is KFP's: STRING, NUMBER_INTEGER, LIST and so on."""

    type: str
    required: bool
    literals: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Package:
    """A compiled pipeline. ``spec`` is what goes into a run: a PipelineSpec, or one with its platform spec."""

    name: str
    digest: str
    inputs: Mapping[str, Input]
    spec: Mapping[str, Any]


def read_package(data: bytes) -> Package:
    """Reads a package as JSON: the file ``pipeline.json`` beside ``main.py``.

    Raises:
        BadPackageError: it is not JSON, not KFP's IR, or of another schema version.
    """
    try:
        spec = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadPackageError(f"the package is not JSON: {error}") from None
    if not isinstance(spec, dict):
        raise BadPackageError("the package is not a JSON object")
    pipeline = spec.get("pipeline_spec", spec)
    if not isinstance(pipeline, dict) or not {"root", "pipelineInfo"} <= pipeline.keys():
        raise BadPackageError("the package is not a compiled KFP v2 pipeline: it has no root and pipelineInfo")
    if pipeline.get("schemaVersion") != SCHEMA_VERSION:
        found = pipeline.get("schemaVersion")
        raise BadPackageError(f"the package's schema version is {found!r}; KFP takes {SCHEMA_VERSION} only")
    try:
        name, inputs = pipeline["pipelineInfo"]["name"], _inputs(pipeline["root"].get("inputDefinitions", {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadPackageError(f"the package is damaged ({type(error).__name__}: {error}); compile it anew") from None
    return Package(name, f"sha256:{hashlib.sha256(data).hexdigest()}", inputs, spec)


def _inputs(definitions: Mapping[str, Any]) -> dict[str, Input]:
    needed = [name for name, spec in definitions.get("artifacts", {}).items() if not spec.get("isOptional")]
    if needed:
        raise BadPackageError(
            f"the pipeline takes an artifact ({needed[0]}) as input; a run can be started with parameters only: "
            "pass its URI as a parameter and import it with dsl.importer"
        )
    return {
        name: Input(
            type=spec["parameterType"],
            required=not spec.get("isOptional") and "defaultValue" not in spec,
            literals=tuple(spec.get("literals", ())),
        )
        for name, spec in definitions.get("parameters", {}).items()
    }

"""Uploads a pipeline as a version that is named after its package: the same package, the same version."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp_server_api import ApiException

from function_src.launcher.package import Package
from infra.package.packaging import compile_pipeline
from kfp_connect import Client

ALREADY_EXISTS = 409
DIGITS = 12  # of a digest, as in the archive's name


@dataclass(frozen=True)
class Uploaded:
    """Where a package is at the endpoint; ``new`` says whether it was uploaded just now."""

    pipeline: str
    pipeline_id: str
    version: str
    version_id: str
    new: bool


def upload(client: Client, pipeline: str, name: str | None) -> Uploaded:
    """Uploads ``echo`` (pipelines/echo.py) or a compiled package by its path, unless it is there already.

    Raises:
        ConfigurationError: there is no such pipeline, or it does not compile.
    """
    package, text = compile_pipeline(pipeline)
    return upload_package(client, package, text, name or package.name)


def upload_package(client: Client, package: Package, text: str, name: str) -> Uploaded:
    """Uploads a package, given as JSON too, as a version of the pipeline of that name, unless it is there already.

    kfp's own upload of a new pipeline would call its first version after the pipeline, whatever is in it; hence the
    pipeline is made first, without any.
    """
    version = package.digest.replace(":", "-")[: len("sha256-") + DIGITS]
    pipeline_id = _find_or_make(
        lambda: client.get_pipeline_id(name),
        lambda: client.pipelines.pipeline_service_create_pipeline({"display_name": name}).pipeline_id,
    )
    there = _find_version(client, pipeline_id, version)
    version_id = there or _find_or_make(
        lambda: _find_version(client, pipeline_id, version),
        lambda: _upload_version(client, text, pipeline_id, version, package.digest),
    )
    return Uploaded(name, pipeline_id, version, version_id, new=not there)


def _find_or_make(find: Callable[[], str | None], make: Callable[[], str]) -> str:
    """Finds a thing by its name or makes it, also when somebody else makes it at the same moment."""
    found = find()
    if found:
        return found
    try:
        return make()
    except ApiException as error:
        found = find() if error.status == ALREADY_EXISTS else None
        if not found:
            raise
        return found


def _find_version(client: Client, pipeline_id: str, version: str) -> str | None:
    predicate = {"operation": "EQUALS", "key": "display_name", "string_value": version}
    answer = client.list_pipeline_versions(pipeline_id, filter=json.dumps({"predicates": [predicate]}))
    found = answer.pipeline_versions or []
    return found[0].pipeline_version_id if found else None


def _upload_version(client: Client, text: str, pipeline_id: str, version: str, digest: str) -> str:
    spec: Any = json.loads(text)
    documents = [spec["pipeline_spec"], spec["platform_spec"]] if "platform_spec" in spec else [spec]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "pipeline.yaml"
        path.write_text(yaml.safe_dump_all(documents))
        made = client.pipeline_uploads.upload_pipeline_version(
            str(path), name=version, pipelineid=pipeline_id, description=digest
        )
    return str(made.pipeline_version_id)

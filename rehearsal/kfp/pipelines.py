"""Uploaded pipelines and their versions at the KFP endpoint.

A pipeline's name is its own, and a version's within its pipeline. Uploading a pipeline makes its first version too,
of the pipeline's name (resource_manager.go, CreatePipelineAndPipelineVersion); a version's package never changes.
"""

from __future__ import annotations

import uuid
from email import message_from_bytes
from typing import Any

import yaml
from kfp_server_api import V2beta1Pipeline
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.kfp.lists import PIPELINE_KEYS, VERSION_KEYS, page
from rehearsal.kfp.requests import (
    ALREADY_EXISTS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Fields,
    present,
    read_body,
)
from rehearsal.kfp.runs import now

PIPELINES = "/apis/v2beta1/pipelines"
VERSIONS = f"{PIPELINES}/{{pipeline_id}}/versions"


class Pipelines:
    """The tables of pipelines and of versions, and the routes to them."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Fields] = {}
        self._versions: dict[str, Fields] = {}
        self.routes = [
            Route(f"{PIPELINES}/upload", self._upload, methods=["POST"]),
            Route(f"{PIPELINES}/upload_version", self._upload_version, methods=["POST"]),
            Route(PIPELINES, self._create, methods=["POST"]),
            Route(PIPELINES, self._list, methods=["GET"]),
            Route(f"{PIPELINES}/{{pipeline_id}}", self._get, methods=["GET"]),
            Route(VERSIONS, self._list_versions, methods=["GET"]),
            Route(f"{VERSIONS}/{{version_id}}", self._get_version, methods=["GET"]),
        ]

    def package_of(self, reference: Fields) -> Fields | None:
        """The package that a run refers to, of the newest version where it names none; None if there is none."""
        versions = self._versions_of(reference.get("pipeline_id", ""))
        wanted = reference.get("pipeline_version_id")
        found = [version for version in versions if wanted in (None, version["pipeline_version_id"])]
        package: Fields | None = found[-1]["pipeline_spec"] if found else None
        return package

    async def _create(self, request: Request) -> Response:
        body = await read_body(request, V2beta1Pipeline)
        return _answer(self._add(body.get("display_name", ""), body.get("description", "")))

    async def _upload(self, request: Request) -> Response:
        file_name, package = await _read_upload(request)
        name = request.query_params.get("name") or file_name
        pipeline = self._add(name, request.query_params.get("description", ""))
        self._add_version(pipeline["pipeline_id"], name, "", package)
        return _answer(pipeline)

    async def _upload_version(self, request: Request) -> Response:
        file_name, package = await _read_upload(request)
        query = request.query_params
        pipeline = self._find(query.get("pipelineid", ""))
        name, description = query.get("name") or file_name, query.get("description", "")
        return _answer(self._add_version(pipeline["pipeline_id"], name, description, package))

    async def _list(self, request: Request) -> Response:
        found, total, token = page(self._pipelines.values(), request.query_params, PIPELINE_KEYS, "pipeline_id")
        return _answer({"pipelines": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get(self, request: Request) -> Response:
        return _answer(self._find(request.path_params["pipeline_id"]))

    async def _list_versions(self, request: Request) -> Response:
        rows = self._versions_of(request.path_params["pipeline_id"])
        found, total, token = page(rows, request.query_params, VERSION_KEYS, "pipeline_version_id")
        return _answer({"pipeline_versions": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get_version(self, request: Request) -> Response:
        version_id = request.path_params["version_id"]
        if version_id not in self._versions:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: PipelineVersion {version_id} not found.")
        return _answer(self._versions[version_id])

    def _find(self, pipeline_id: str) -> Fields:
        if pipeline_id not in self._pipelines:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: Pipeline {pipeline_id} not found.")
        return self._pipelines[pipeline_id]

    def _versions_of(self, pipeline_id: str) -> list[Fields]:
        return [version for version in self._versions.values() if version["pipeline_id"] == pipeline_id]

    def _add(self, name: str, description: str) -> Fields:
        if not name:
            raise ApiError(INVALID_ARGUMENT, "Failed to create a pipeline: the name is empty")
        if any(row["display_name"] == name for row in self._pipelines.values()):
            raise ApiError(ALREADY_EXISTS, f"The name {name} already exists. Please specify a new name.")
        row = {"pipeline_id": str(uuid.uuid4()), **_named(name, description)}
        self._pipelines[row["pipeline_id"]] = row
        return row

    def _add_version(self, pipeline_id: str, name: str, description: str, package: Fields) -> Fields:
        if any(row["display_name"] == name for row in self._versions_of(pipeline_id)):
            raise ApiError(ALREADY_EXISTS, f"The name {name} already exists. Please specify a new name.")
        ids = {"pipeline_id": pipeline_id, "pipeline_version_id": str(uuid.uuid4())}
        row = {**ids, **_named(name, description), "pipeline_spec": package}
        self._versions[row["pipeline_version_id"]] = row
        return row


def _named(name: str, description: str) -> Fields:
    return {"display_name": name, "description": description, "created_at": now()}


async def _read_upload(request: Request) -> tuple[str, Fields]:
    """The file's name and the package in it. Two documents are a package and what is of one platform only."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + await request.body()).get_payload()
    files = [part for part in parts if part.get_param("name", header="content-disposition") == "uploadfile"]
    if not files:
        raise ApiError(INVALID_ARGUMENT, "Failed to read pipeline from file: no part is called uploadfile")
    try:
        documents = [document for document in yaml.safe_load_all(files[0].get_payload(decode=True)) if document]
        package, *platform = documents
        known = package["pipelineInfo"]["name"] and package["root"]
    except (yaml.YAMLError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ApiError(INVALID_ARGUMENT, "Failed to create a pipeline version: unknown template format")
    return files[0].get_filename(), {"pipeline_spec": package, "platform_spec": platform[0]} if platform else package


def _answer(message: Fields) -> JSONResponse:
    return JSONResponse(present(message))

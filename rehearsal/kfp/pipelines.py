"""Uploaded pipelines and their versions at the KFP endpoint.

A pipeline's name is its own, and a version's within its pipeline. Uploading a pipeline makes its first version too,
of the pipeline's name (resource_manager.go, CreatePipelineAndPipelineVersion); a version's package never changes.
What an upload comes to is no message of the API but one of its own, without a code (pipeline_upload_server.go).
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable
from email import message_from_bytes
from functools import partial
from typing import Any

import yaml
from kfp_server_api import V2beta1Pipeline
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rehearsal.kfp.database import Database, collated
from rehearsal.kfp.lists import PIPELINE_KEYS, VERSION_KEYS, page
from rehearsal.kfp.requests import (
    ALREADY_EXISTS,
    HTTP_STATUS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Fields,
    answer,
    present,
    read_body,
)
from rehearsal.kfp.runs import now

PIPELINES = "/apis/v2beta1/pipelines"
VERSIONS = f"{PIPELINES}/{{pipeline_id}}/versions"
LONGEST_NAME, LONGEST_VERSION = 128, 127
FORMATS = (".yaml", ".yml", ".json")


class Pipelines:
    """The tables of pipelines and of versions, and the routes to them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pipelines: dict[str, Fields] = {}
        self._versions: dict[str, Fields] = {}
        self.routes = [
            Route(f"{PIPELINES}/upload", partial(_told_otherwise, self._upload), methods=["POST"]),
            Route(f"{PIPELINES}/upload_version", partial(_told_otherwise, self._upload_version), methods=["POST"]),
            Route(PIPELINES, self._create, methods=["POST"]),
            Route(PIPELINES, self._list, methods=["GET"]),
            Route(f"{PIPELINES}/{{pipeline_id}}", self._get, methods=["GET"]),
            Route(f"{PIPELINES}/{{pipeline_id}}", self._delete, methods=["DELETE"]),
            Route(VERSIONS, self._list_versions, methods=["GET"]),
            Route(f"{VERSIONS}/{{version_id}}", self._get_version, methods=["GET"]),
            Route(f"{VERSIONS}/{{version_id}}", self._delete_version, methods=["DELETE"]),
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
        shown = body.get("display_name", "")
        return answer(self._add(_named(body.get("name") or shown, shown, body.get("description", ""))))

    async def _upload(self, request: Request) -> Response:
        file_name, package = await _read_upload(request)
        named = _named_by(request, file_name)
        if len(named["name"]) > LONGEST_NAME:
            return _too_long("Pipeline", LONGEST_NAME)
        pipeline = self._add(named)
        self._add_version(pipeline["pipeline_id"], named, package)
        return answer(pipeline)

    async def _upload_version(self, request: Request) -> Response:
        file_name, package = await _read_upload(request)
        named = _named_by(request, file_name)
        if len(named["name"]) > LONGEST_VERSION:
            return _too_long("PipelineVersion", LONGEST_VERSION)
        if (pipeline_id := request.query_params.get("pipelineid", "")) not in self._pipelines:
            raise UnreadError("Failed to create a pipeline version: Error reading namespace: not found")
        return answer(self._add_version(pipeline_id, named, package))

    async def _list(self, request: Request) -> Response:
        found, total, token = page(self._pipelines.values(), request.query_params, PIPELINE_KEYS, "pipeline_id")
        return answer({"pipelines": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get(self, request: Request) -> Response:
        return answer(self._find(request.path_params["pipeline_id"]))

    async def _delete(self, request: Request) -> Response:
        del self._pipelines[self._find(request.path_params["pipeline_id"])["pipeline_id"]]
        return answer({})

    async def _list_versions(self, request: Request) -> Response:
        rows = self._versions_of(request.path_params["pipeline_id"])
        found, total, token = page(rows, request.query_params, VERSION_KEYS, "pipeline_version_id")
        return answer({"pipeline_versions": [*map(present, found)], "total_size": total, "next_page_token": token})

    async def _get_version(self, request: Request) -> Response:
        return answer(self._find_version(request.path_params["version_id"]))

    async def _delete_version(self, request: Request) -> Response:
        del self._versions[self._find_version(request.path_params["version_id"])["pipeline_version_id"]]
        return answer({})

    def _find_version(self, version_id: str) -> Fields:
        if version_id not in self._versions:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: PipelineVersion {version_id} not found.")
        return self._versions[version_id]

    def _find(self, pipeline_id: str) -> Fields:
        if pipeline_id not in self._pipelines:
            raise ApiError(NOT_FOUND, f"ResourceNotFoundError: Pipeline {pipeline_id} not found.")
        return self._pipelines[pipeline_id]

    def _versions_of(self, pipeline_id: str) -> list[Fields]:
        return [version for version in self._versions.values() if version["pipeline_id"] == pipeline_id]

    def _add(self, named: Fields) -> Fields:
        if not named["name"]:
            raise ApiError(INVALID_ARGUMENT, "Failed to create a pipeline: the name is empty")
        self._store("pipeline", named, self._pipelines.values())
        row = {"pipeline_id": str(uuid.uuid4()), **named}
        self._pipelines[row["pipeline_id"]] = row
        return row

    def _add_version(self, pipeline_id: str, named: Fields, package: Fields) -> Fields:
        self._store("pipeline version", named, self._versions_of(pipeline_id))
        ids = {"pipeline_id": pipeline_id, "pipeline_version_id": str(uuid.uuid4())}
        row = {**ids, **named, "pipeline_spec": package}
        self._versions[row["pipeline_version_id"]] = row
        return row

    def _store(self, what: str, named: Fields, others: Iterable[Fields]) -> None:
        name = named["name"]
        if collated(name) in {collated(row["name"]) for row in others}:
            raise ApiError(ALREADY_EXISTS, f"The name {name} already exists. Please specify a new name.")
        self._database.insert(f"{what} {name}", {"Name": name, "DisplayName": named["display_name"]})


def _named(name: str, shown: str, description: str) -> Fields:
    return {"name": name, "display_name": shown, "description": description, "created_at": now()}


def _named_by(request: Request, file_name: str) -> Fields:
    query = request.query_params
    name = query.get("name") or query.get("display_name") or file_name
    return _named(name, query.get("display_name") or name, query.get("description", ""))


class UnreadError(ApiError):
    """What is wrong with an upload before anything is stored. The server calls these answers plain text."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_ARGUMENT, message)


async def _told_otherwise(upload: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """An upload, with its refusals in the words of the upload server. The details are a stack trace there."""
    try:
        return await upload(request)
    except ApiError as error:
        said = {"error_message": str(error), "error_details": f"{error}\ngithub.com/kubeflow/pipelines/backend/..."}
        refused = JSONResponse(said, HTTP_STATUS[error.code])
        if isinstance(error, UnreadError):
            refused.headers["Content-Type"] = "text/plain; charset=utf-8"
        return refused


def _too_long(what: str, longest: int) -> Response:
    return PlainTextResponse(f"{what}.Name length cannot exceed {longest}\n", 400)


async def _read_upload(request: Request) -> tuple[str, Fields]:
    """The file's name and the package in it. Two documents are a package and what is of one platform only."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + await request.body()).get_payload()
    files = [part for part in parts if part.get_param("name", header="content-disposition") == "uploadfile"]
    if not files:
        raise UnreadError("Failed to read pipeline from file: http: no such file")
    name = files[0].get_filename() or ""
    if not name.endswith(FORMATS):
        raise UnreadError(f"unexpected pipeline file format: {name}. Support .yaml and .json")
    try:
        documents = [document for document in yaml.safe_load_all(files[0].get_payload(decode=True)) if document]
        package, *platform = documents
        known = package["pipelineInfo"]["name"] and package["root"]
    except (yaml.YAMLError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ApiError(INVALID_ARGUMENT, "Failed to create a pipeline version: unknown template format")
    return name, {"pipeline_spec": package, "platform_spec": platform[0]} if platform else package

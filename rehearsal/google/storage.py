"""Stand-in for Cloud Storage: the part of its JSON API that Google's client and the launcher use.

Every handler is a coroutine on purpose. Starlette runs a plain function in a thread, and then a precondition and
its write would no longer be one step (see ``rehearsal.google.objects``).
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.google.errors import ConditionNotMetError, StorageError, invalid, not_found
from rehearsal.google.objects import (
    DEFAULT_CONTENT_TYPE,
    SERVICE,
    WRITABLE,
    Bucket,
    Conditions,
    Notification,
    Object,
    ObjectStore,
    Publish,
    rfc3339,
)
from rehearsal.google.uploads import Upload, read_content_range, read_json, read_parts

BUCKETS = "/storage/v1/b"
BUCKET = BUCKETS + "/{bucket}"
OBJECTS = BUCKET + "/o"
OBJECT = OBJECTS + "/{name}"
CONFIGS = BUCKET + "/notificationConfigs"
CONFIG = CONFIGS + "/{id}"
PUBSUB = "//pubsub.googleapis.com/"
DEFAULT_PAGE = 1000
BYTE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Storage(ObjectStore):
    """Stand-in for Cloud Storage's JSON API, to be served with ``Loopback.serve(storage.app)``.

    Publishes one message per notification configuration that an event matches, after the write and before the
    answer to it. Python callers have the methods of ObjectStore, with the same effects as requests.
    """

    def __init__(self, publish: Publish) -> None:
        super().__init__(publish)
        self._uploads: dict[str, Upload] = {}
        self.app = Starlette(
            routes=[
                Route(BUCKETS, self._insert_bucket, methods=["POST"]),
                Route(BUCKETS, self._list_buckets),
                Route(BUCKET, self._get_bucket),
                Route(BUCKET, self._delete_bucket, methods=["DELETE"]),
                Route(CONFIGS, self._insert_config, methods=["POST"]),
                Route(CONFIGS, self._list_configs),
                Route(CONFIG, self._get_config),
                Route(CONFIG, self._delete_config, methods=["DELETE"]),
                Route("/upload" + OBJECTS, self._upload, methods=["POST"]),
                Route("/upload" + OBJECTS, self._resume, methods=["PUT"]),
                Route(OBJECTS, self._list_objects),
                Route(OBJECT, self._get_object),
                Route("/download" + OBJECT, self._get_object),
                Route(OBJECT, self._patch_object, methods=["PATCH"]),
                Route(OBJECT, self._delete_object, methods=["DELETE"]),
            ],
            middleware=[Middleware(EncodedPath)],
            exception_handlers={StorageError: _refuse},  # type: ignore[dict-item]  # typed for any Exception
        )
        # An object request without a name must not be answered with the listing.
        self.app.router.redirect_slashes = False

    async def _insert_bucket(self, request: Request) -> Response:
        settings = read_json(await request.body())
        name = str(settings.get("name", ""))
        self.create_bucket(name, settings.get("location", "US"))
        return JSONResponse(_bucket_resource(self.bucket(name)))

    async def _list_buckets(self, request: Request) -> Response:
        prefix = request.query_params.get("prefix", "")
        found = [_bucket_resource(self.buckets[name]) for name in sorted(self.buckets) if name.startswith(prefix)]
        return JSONResponse({"kind": "storage#buckets", "items": found})

    async def _get_bucket(self, request: Request) -> Response:
        return JSONResponse(_bucket_resource(self._bucket_of(request)))

    async def _delete_bucket(self, request: Request) -> Response:
        self.delete_bucket(request.path_params["bucket"])
        return Response(status_code=204)

    async def _insert_config(self, request: Request) -> Response:
        wanted = read_json(await request.body())
        config = self.add_notification(
            request.path_params["bucket"],
            str(wanted.get("topic", "")).removeprefix(PUBSUB),
            prefix=wanted.get("object_name_prefix", ""),
            event_types=wanted.get("event_types", ()),
            payload_format=wanted.get("payload_format", ""),
        )
        return JSONResponse(_config_resource(config))

    async def _list_configs(self, request: Request) -> Response:
        found = [_config_resource(config) for config in self._bucket_of(request).notifications.values()]
        return JSONResponse({"kind": "storage#notifications", "items": found})

    async def _get_config(self, request: Request) -> Response:
        return JSONResponse(_config_resource(self._config_of(request)))

    async def _delete_config(self, request: Request) -> Response:
        del self._bucket_of(request).notifications[self._config_of(request).id]
        return Response(status_code=204)

    async def _upload(self, request: Request) -> Response:
        content = await request.body()
        kind = request.query_params.get("uploadType")
        metadata: Mapping[str, Any] = {}
        content_type = request.headers.get("content-type", DEFAULT_CONTENT_TYPE)
        if kind == "multipart":
            metadata, content_type, content = read_parts(content_type, content)
        elif kind == "resumable":
            metadata = read_json(content)
            content_type = request.headers.get("x-upload-content-type", DEFAULT_CONTENT_TYPE)
        elif kind != "media":
            raise invalid(f"Invalid upload type: {kind}")
        name = request.query_params.get("name") or str(metadata.get("name", ""))
        attributes = {"contentType": content_type, **{key: metadata[key] for key in WRITABLE if key in metadata}}
        upload = Upload(self._bucket_of(request).name, name, attributes, _conditions(request))
        if kind == "resumable":
            upload_id = uuid.uuid4().hex
            self._uploads[upload_id] = upload
            return Response(headers={"Location": str(request.url.include_query_params(upload_id=upload_id))})
        upload.add(0, content)
        return self._finish(request, upload)

    async def _resume(self, request: Request) -> Response:
        """Takes a chunk, or none to ask how far the upload got; the last byte makes the object."""
        upload = self._uploads.get(request.query_params.get("upload_id", ""))
        if upload is None:
            raise not_found("No such upload.")
        chunk = await request.body()
        first, total = read_content_range(request.headers.get("content-range"), chunk, len(upload.received))
        upload.add(first, chunk)
        if upload.written or len(upload.received) == total:
            return self._finish(request, upload)
        stored = {"Range": f"bytes=0-{len(upload.received) - 1}"} if upload.received else {}
        return Response(status_code=308, headers=stored)

    def _finish(self, request: Request, upload: Upload) -> Response:
        if upload.written is None:
            body = bytes(upload.received)
            upload.written = self.put(upload.bucket, upload.name, body, upload.attributes, upload.only)
        return _resource(request, upload.written)

    async def _list_objects(self, request: Request) -> Response:
        query = request.query_params
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        entries = self.listing(request.path_params["bucket"], prefix, delimiter, query.get("startOffset", ""))
        last = base64.urlsafe_b64decode(query.get("pageToken", "")).decode()
        rest = [(entry, obj) for entry, obj in entries.items() if entry > last]
        page = rest[: _integer(request, "maxResults") or DEFAULT_PAGE]
        answer: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [obj.resource(_service(request)) for _, obj in page if obj],
            "prefixes": [entry for entry, obj in page if not obj],
        }
        if len(page) < len(rest):
            answer["nextPageToken"] = base64.urlsafe_b64encode(page[-1][0].encode()).decode()
        return JSONResponse(answer)

    async def _get_object(self, request: Request) -> Response:
        found = self.get(*_address(request), _conditions(request))
        if request.query_params.get("alt") == "media":
            return _media(found, request.headers.get("range", ""))
        return _resource(request, found)

    async def _patch_object(self, request: Request) -> Response:
        changes = read_json(await request.body())
        return _resource(request, self.patch(*_address(request), changes, _conditions(request)))

    async def _delete_object(self, request: Request) -> Response:
        self.delete(*_address(request), _conditions(request))
        return Response(status_code=204)

    def _bucket_of(self, request: Request) -> Bucket:
        return self.bucket(request.path_params["bucket"])

    def _config_of(self, request: Request) -> Notification:
        config = self._bucket_of(request).notifications.get(request.path_params["id"])
        if config is None:
            raise not_found("No such notification configuration.")
        return config


class EncodedPath:
    """Routes on the path as it was sent: once decoded, a slash in an object's name looks like any other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Puts the raw path in the place of the decoded one; handlers decode what they take from it."""
        await self._app({**scope, "path": scope["raw_path"].decode()}, receive, send)


async def _refuse(request: Request, error: StorageError) -> Response:
    if isinstance(error, ConditionNotMetError) and error.unchanged and request.method == "GET":
        return Response(status_code=304)
    detail = {"message": error.message, "domain": "global", "reason": error.reason}
    return JSONResponse({"error": {"code": error.code, "message": error.message, "errors": [detail]}}, error.code)


def _integer(request: Request, parameter: str) -> int | None:
    value = request.query_params.get(parameter)
    try:
        return None if value is None else int(value)
    except ValueError as error:
        raise invalid(f"Invalid {parameter}: {value}") from error


def _conditions(request: Request) -> Conditions:
    return Conditions(
        _integer(request, "generation"),
        _integer(request, "ifGenerationMatch"),
        _integer(request, "ifGenerationNotMatch"),
        _integer(request, "ifMetagenerationMatch"),
        _integer(request, "ifMetagenerationNotMatch"),
    )


def _address(request: Request) -> tuple[str, str]:
    return request.path_params["bucket"], unquote(request.path_params["name"])


def _service(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _resource(request: Request, obj: Object) -> Response:
    return JSONResponse(obj.resource(_service(request)))


def _media(obj: Object, asked: str) -> Response:
    """The content, or the range of it that was asked for. A Range header that cannot be read is ignored."""
    size = len(obj.body)
    headers = {
        "Content-Type": obj.attributes["contentType"],
        "X-Goog-Generation": str(obj.generation),
        "X-Goog-Metageneration": str(obj.metageneration),
        "X-Goog-Hash": ",".join(f"{name}={value}" for name, value in obj.hashes.items()),
        "X-Goog-Stored-Content-Length": str(size),
    }
    match = BYTE_RANGE.fullmatch(asked)
    if match is None or match.groups() == ("", ""):
        return Response(obj.body, headers=headers)
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(obj.body[start:end], 206, headers)


def _bucket_resource(bucket: Bucket) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "selfLink": f"{SERVICE}{BUCKETS}/{bucket.name}",
        "name": bucket.name,
        "location": bucket.location.upper(),
        "storageClass": "STANDARD",
        "metageneration": "1",
        "timeCreated": rfc3339(bucket.created),
        "updated": rfc3339(bucket.updated or bucket.created),
    }


def _config_resource(config: Notification) -> dict[str, Any]:
    return {
        "kind": "storage#notification",
        "id": config.id,
        "topic": PUBSUB + config.topic,
        "object_name_prefix": config.prefix,
        "event_types": list(config.event_types),
        "payload_format": config.payload_format,
    }

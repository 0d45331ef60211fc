"""What Google Cloud has: by the resource that was to make it, or by where such things are listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.deploy.kinds import KINDS
from ops.doctor.google_apis import GoogleApis, RefusedError


@dataclass(frozen=True)
class Found:
    """A thing that is there, whether it is provably the stack's ``own``, and whether it ``holds`` images."""

    identifier: str
    own: bool
    service: str
    path: str
    holds: bool = False


def find(resource: Mapping[str, Any], stands: str | None, apis: GoogleApis) -> Found | None:
    """What an operation that was not finished has made, if it is not what stands in the state by now.

    Raises RefusedError.
    """
    inputs = resource["inputs"]
    if resource["type"].endswith(":Notification"):
        return _find_notification(inputs, stands, apis)
    kind = KINDS.get(resource["type"])
    if not kind or (identifier := kind.id_of(inputs)) == stands:
        return None
    path = kind.path(identifier)
    thing = _get(apis, kind.service, path)
    if thing is None or thing.get("deleted"):  # a role's name stays for a while, and is taken back
        return None
    return Found(identifier, kind.proves(inputs, thing), kind.service, path, holds=_size_of(thing) > 0)


def _size_of(thing: Mapping[str, Any]) -> int:
    """The bytes in a repository, which Artifact Registry says in text."""
    return int(thing.get("sizeBytes") or 0)


def _find_notification(inputs: Mapping[str, Any], stands: str | None, apis: GoogleApis) -> Found | None:
    """A notification to the trigger's own topic, which nobody else would make."""
    parent = f"/storage/v1/b/{inputs['bucket']}/notificationConfigs"
    for item in (_get(apis, "storage", parent) or {}).get("items", []):
        identifier = f"{inputs['bucket']}/notificationConfigs/{item['id']}"
        if str(item.get("topic", "")).endswith(f"/{inputs['topic']}") and identifier != stands:
            return Found(identifier, own=True, service="storage", path=f"{parent}/{item['id']}")
    return None


def holds_something(apis: GoogleApis, bucket: str) -> bool:
    """Whether a bucket has an object, or an old version of one. Raises RefusedError."""
    listed = _get(apis, "storage", f"/storage/v1/b/{bucket}/o?maxResults=1&versions=true") or {}
    return bool(listed.get("items"))


def listed(apis: GoogleApis, service: str, path: str, items: str) -> Iterator[Mapping[str, Any]]:
    """All the ``items`` at a path, page by page. Raises RefusedError."""
    page = ""
    while True:
        found = _get(apis, service, path, **({"pageToken": page} if page else {})) or {}
        yield from found.get(items, [])
        page = found.get("nextPageToken", "")
        if not page:
            return


def _get(apis: GoogleApis, service: str, path: str, **params: Any) -> Mapping[str, Any] | None:
    """What is at a path; None where nothing is, or where its API is not even enabled."""
    try:
        return apis.get(service, path, **params)
    except RefusedError as refused:
        if refused.status == 404 or refused.disabled:
            return None
        raise

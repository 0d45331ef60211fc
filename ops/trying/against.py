"""Runs the newest objects of a real bucket through a trigger: the question before every change of a mapping.

Read-only, with the credentials of whoever asks: objects are listed, and read where an expression needs what stands in
them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import NotFound

from function_src.launcher.storage import ObjectUnusableError
from ops.errors import OperationError
from ops.launches.cloud import Cloud, google_errors
from ops.launches.events import notification
from ops.trying.attempt import Attempt, try_event
from ops.trying.given import Content, Given, as_push, content_of
from ops.trying.planned import PlannedTrigger

if TYPE_CHECKING:
    from google.cloud.storage import Blob


def try_against(trigger: PlannedTrigger, uri: str, newest: int, cloud: Cloud) -> Iterator[Attempt]:
    """What would become of the newest objects below ``gs://BUCKET/PREFIX``, the newest first.

    Cloud Storage lists by name, so all are listed for it, a thousand in a request.

    Raises:
        OperationError: it is no such URI, the trigger takes no objects, or the bucket cannot be read.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not bucket:
        raise OperationError(f"--against: {uri} is no bucket; write gs://BUCKET or gs://BUCKET/PREFIX")
    if trigger.kind != "gcs":
        raise OperationError(f"--against: trigger {trigger.name} takes no objects: its source is {trigger.kind}")
    with google_errors():
        listed = cloud.storage.list_blobs(bucket, prefix=prefix)
        found = heapq.nlargest(newest, listed, key=lambda blob: (blob.time_created, blob.generation))
        for blob in found:
            yield try_event(trigger, Given(as_push({**notification(blob), "messageId": "1"}), content=_content(blob)))


def _content(blob: Blob) -> Content:
    """Reads an object in its generation, once an expression needs it."""

    def read(limit: int) -> Mapping[str, Any]:
        if (blob.size or 0) > limit:
            raise ObjectUnusableError(f"the object holds more than content_limit, {limit} bytes")
        try:
            return content_of(blob.download_as_bytes())(limit)
        except NotFound:
            raise ObjectUnusableError("the object is gone since it was listed") from None

    return read

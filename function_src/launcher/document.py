"""Event documents with as much of the content as expressions ask for. An object is read once at most."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from .event import Event
from .mapping.content import add_views
from .storage import Objects


class Documents:
    """Reads contents of at most ``limit`` bytes."""

    def __init__(self, objects: Objects, limit: int) -> None:
        self._objects = objects
        self._limit = limit

    def with_content(self, event: Event, document: Mapping[str, Any], wanted: Set[str]) -> Mapping[str, Any]:
        """The document of an event, with what is ``wanted`` of the content.

        Raises:
            BadDeliveryError, ObjectUnusableError, BadContentError: it is not to be had, and never will be.
            StorageUnavailableError: it is not to be had now.
        """
        if wanted and "content" not in document:
            document = {**document, **self._read(event)}
        return add_views(document, wanted)

    def _read(self, event: Event) -> Mapping[str, Any]:
        if event.data is not None:
            return event.content(self._limit)
        found = event.object
        return self._objects.content(found["bucket"], found["name"], found["generation"], self._limit)

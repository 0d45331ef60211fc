"""Event documents with as much of the content as a trigger asks for. An object is read once at most."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Protocol

from .event import Event
from .mapping.content import add_views
from .mapping.expression import read_of_content
from .mapping.parameters import needed_content
from .mapping.schema import Schema
from .settings import Trigger


class Objects(Protocol):
    """Where the contents of objects come from."""

    def content(self, bucket: str, name: str, generation: str, limit: int) -> Mapping[str, Any]:
        """``content`` and ``lines`` of one generation of an object, of at most so many bytes."""


class Documents:
    """Reads contents for a trigger, and holds those that parameters are taken from to its schema, if it has one."""

    def __init__(self, objects: Objects, trigger: Trigger, schema: Schema | None) -> None:
        self._objects = objects
        self._limit = trigger.content_limit
        self._schema = schema
        self._for_when = read_of_content(trigger.when)
        self.read_later = needed_content(trigger.parameters) | read_of_content(trigger.once_per)
        if schema:
            self.read_later |= {"content"}

    def for_when(self, event: Event) -> Mapping[str, Any]:
        """What ``when`` is asked of.

        Raises:
            BadDeliveryError, ObjectUnusableError, BadContentError: it is not to be had, and never will be.
            StorageUnavailableError: it is not to be had now.
        """
        return self._with_content(event, event.document, self._for_when)

    def for_parameters(self, event: Event, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """What parameters are mapped from, by the document that ``when`` was asked of. Raises as :meth:`for_when`."""
        return self._with_content(event, document, self.read_later)

    def check(self, document: Mapping[str, Any]) -> None:
        """Raises UnmappableError if the content does not fit the schema."""
        if self._schema:
            self._schema.check(document)

    def _with_content(self, event: Event, document: Mapping[str, Any], wanted: Set[str]) -> Mapping[str, Any]:
        if wanted and "content" not in document:
            document = {**document, **self._read(event)}
        return add_views(document, wanted)

    def _read(self, event: Event) -> Mapping[str, Any]:
        if event.data is not None:
            return event.content(self._limit)
        found = event.object
        return self._objects.content(found["bucket"], found["name"], found["generation"], self._limit)

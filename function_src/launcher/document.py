"""Event documents with as much of the content as a trigger asks for. An object is read once at most."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from .event import Event
from .mapping.content import add_views
from .mapping.expression import read_of_content
from .mapping.parameters import needed_content
from .mapping.schema import Schema
from .settings import Trigger
from .storage import Objects


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
        """What parameters are mapped from, by the document that ``when`` was asked of.

        Raises:
            UnmappableError: its content does not fit the schema. Beside that, as :meth:`for_when`.
        """
        document = self._with_content(event, document, self.read_later)
        if self._schema:
            self._schema.check(document)
        return document

    def _with_content(self, event: Event, document: Mapping[str, Any], wanted: Set[str]) -> Mapping[str, Any]:
        if wanted and "content" not in document:
            document = {**document, **self._read(event)}
        return add_views(document, wanted)

    def _read(self, event: Event) -> Mapping[str, Any]:
        if event.data is not None:
            return event.content(self._limit)
        found = event.object
        return self._objects.content(found["bucket"], found["name"], found["generation"], self._limit)

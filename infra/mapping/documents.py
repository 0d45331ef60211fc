"""The event document of each kind of source, field by field, so far as it is known before there is an event."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from function_src.launcher.mapping.glob import INT, Glob
from infra.errors import printable

Document = Mapping[str, Any]
TEXT, COUNT, MAP, LIST, ANY = "text", "a number", "a map", "a list", "anything"
TRUTH, NOTHING = "true or false", "nothing (null)"


class Loose(str):
    """Text that an input may take for a number, or for anything that it spells."""


class Texts(str):
    """A list of nothing but text."""


class Rows(str):
    """A list of maps of text, under names that are known when there is an event."""


class Partly(dict[str, Any]):
    """A map of which not all fields are known: another one is wrong only if it looks like one of those."""


class Row(str):
    """A map of text, whatever the name."""


DIGITS = Loose(ANY)
# Digits arrive as text. `content` can be any JSON.
COMMON: Document = {
    "message": {"id": DIGITS, "data": DIGITS, "attributes": MAP, "ordering_key": DIGITS, "publish_time": TEXT},
    "event": {"id": DIGITS, "kind": TEXT, "time": TEXT, "key": TEXT},
    "content": ANY,
    "lines": Texts(LIST),
    "records": LIST,
    "rows": Rows(LIST),
}
OBJECT: Document = {
    "uri": TEXT,
    "bucket": TEXT,
    "name": DIGITS,
    "folder": DIGITS,
    "stem": DIGITS,
    "generation": DIGITS,
    "metageneration": DIGITS,
    "size": COUNT,
    "content_type": TEXT,
    "storage_class": TEXT,
    "md5_hash": TEXT,
    "crc32c": TEXT,
    "time_created": TEXT,
    "metadata": MAP,
}
# docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry; a payload can be anything.
LOG_FIELDS = (
    *(
        "apphub",
        "errorGroups",
        "httpRequest",
        "insertId",
        "jsonPayload",
        "labels",
        "logName",
        "metadata",
        "operation",
    ),
    *(
        "protoPayload",
        "receiveTimestamp",
        "severity",
        "sourceLocation",
        "spanId",
        "split",
        "textPayload",
        "timestamp",
    ),
    *("trace", "traceSampled"),
)
LOG = Partly(resource=Partly(type=ANY, labels=ANY), **dict.fromkeys(LOG_FIELDS, ANY))
DOCUMENTS: Mapping[str, Document] = {
    "gcs": {"object": OBJECT, **COMMON},
    "pubsub": COMMON,
    "log": {"log": LOG, **COMMON},
    "schedule": COMMON,
}


def document_of(kind: str, payload: Any = None, glob: str | None = None) -> Document:
    """What an event of a kind of source holds. What each firing of a schedule carries stands in the stack file, and
    so does what a glob captures of a name."""
    captures = Glob(glob).captures if glob else {}
    return {
        **DOCUMENTS[kind],
        **({"content": _partly(payload)} if isinstance(payload, dict) else {}),
        **({"path": {name: COUNT if of == INT else DIGITS for name, of in captures.items()}} if captures else {}),
    }


def kind_at(path: Sequence[str], document: Document) -> str:
    """What kind of value stands at a path: one of the words above."""
    found, _ = look_up(path, document)
    return MAP if isinstance(found, Mapping) else str(found)


def look_up(path: Sequence[str], document: Document) -> tuple[Any, str | None]:
    """What stands at a path of the event document, and what is wrong with the path."""
    found: Any = document
    for depth, name in enumerate(path):
        if not isinstance(found, Mapping) and found in (ANY, MAP):
            return ANY, None
        inside, wrong = ".".join(path[:depth]) or "the event", f"{printable('.'.join(path))} does not exist; "
        if not isinstance(found, Mapping):
            return ANY, f"{wrong}{inside} is {found}"
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1)
            if isinstance(found, Partly) and not close:
                return ANY, None
            instead = ".".join([*path[:depth], *close, *path[depth + 1 :]])
            meant = f"did you mean {printable(instead)}? " if close else ""
            return ANY, f"{wrong}{meant}{inside} has: {', '.join(found)}"
        found = found[name]
    return found, None


def _partly(value: Any) -> Any:
    return Partly({name: _partly(item) for name, item in value.items()}) if isinstance(value, dict) else ANY

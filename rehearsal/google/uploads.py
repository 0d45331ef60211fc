"""How objects get into the Cloud Storage stand-in: the three kinds of upload, as they come over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from rehearsal.google.errors import StorageError, invalid
from rehearsal.google.objects import DEFAULT_CONTENT_TYPE, Conditions, Object

CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Upload:
    """An object on its way in. ``written`` answers a client that missed the answer to its last chunk."""

    bucket: str
    name: str
    attributes: Mapping[str, Any]
    only: Conditions
    received: bytearray = field(default_factory=bytearray)
    written: Object | None = None

    def add(self, first: int, chunk: bytes) -> None:
        """Appends what is new in a chunk that starts at byte ``first``: a client may send again what it sent."""
        if first > len(self.received):
            raise invalid(f"The chunk starts at byte {first}, but only {len(self.received)} bytes are stored.")
        self.received += chunk[len(self.received) - first :]


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty body is an empty object."""
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise StorageError(400, "parseError", f"Not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StorageError(400, "parseError", "Not a JSON object.")
    return document


def read_parts(content_type: str, body: bytes) -> tuple[dict[str, Any], str, bytes]:
    """Metadata, content type and content of a multipart/related body.

    Not read with the email package, which is made for text and may change line ends in the content.
    """
    envelope = Message()
    envelope["content-type"] = content_type
    parts = (b"\r\n" + body).split(f"\r\n--{envelope.get_boundary()}".encode())
    if len(parts) != 4:
        raise invalid("A multipart upload is two parts: JSON metadata, then content.")
    _, metadata, media, _ = (part.partition(b"\r\n\r\n") for part in parts)
    headers = BytesHeaderParser().parsebytes(media[0].lstrip())
    return read_json(metadata[2]), headers.get("content-type", DEFAULT_CONTENT_TYPE), media[2]


def read_content_range(header: str | None, chunk: bytes, stored: int) -> tuple[int, int | None]:
    """Where a chunk starts, and the size of the whole if the client knows it. Without a header: all that is left."""
    if header is None:
        return stored, stored + len(chunk)
    match = CONTENT_RANGE.fullmatch(header)
    if match is None:
        raise invalid(f"Invalid Content-Range: {header}")
    first, last, total = match.groups()
    start = stored if first is None else int(first)
    if len(chunk) != (0 if first is None else int(last) + 1 - start):
        raise invalid(f"Content-Range is {header}, but the chunk has {len(chunk)} bytes.")
    return start, None if total == "*" else int(total)

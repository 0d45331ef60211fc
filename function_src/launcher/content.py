"""What stands in a file or a message, as expressions see it. Pure."""

from __future__ import annotations

import io
import json
from typing import Any, NoReturn


def read_content(body: bytes) -> dict[str, Any]:
    """Returns ``content`` (JSON if it parses, else text) and ``lines``.

    Raises:
        UnicodeDecodeError: it is not UTF-8 text.
    """
    text = body.decode("utf-8-sig")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        content = text
    return {"content": content, "lines": [line.rstrip("\r\n") for line in io.StringIO(text)]}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is Python's, not JSON's")

"""What a run's values may be so that KFP's server, its database and its pods take them.

The server creates the workflow first and stores the run second, so what its table refuses has been started all the
same. Whatever is refused here would be refused there, at every attempt. Pure: the program that deploys checks the
values in a stack file with this same code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

UTF8MB4 = "utf8mb4"
LARGEST_ARGUMENT = 128 * 1024  # bytes of one argument of a process: MAX_ARG_STRLEN of Linux
AROUND_PARAMETERS = 1024  # of it, for what the server puts around them
QUESTIONABLE = re.compile("[\0\x7f\ud800-\udfff\U00010000-\U0010ffff]")  # half a surrogate pair among them
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")


def unstorable(parameters: Mapping[str, Any], database: str | None) -> str | None:
    """Why KFP would not start a run with these parameters, or start it and be unable to store it; None if it does.

    ``database`` is the character set of the server's connection to its database, where it is not the stock one.
    """
    size = len(json.dumps(parameters, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > LARGEST_ARGUMENT - AROUND_PARAMETERS:
        return (
            f"the parameters take {size} bytes, and KFP hands all of them to its driver as one argument, which Linux "
            f"bounds at {LARGEST_ARGUMENT}; write them to a file and pass its URI"
        )
    for name, value in parameters.items():
        if letter := bad_letter(value, database):
            return f"parameter {name!r} holds {letter}"
    return None


def bad_letter(value: Any, database: str | None) -> str | None:
    """The first letter in a value that KFP does not take, and why; None if there is none."""
    return next((problem for text in _texts(value) if (problem := _in_text(text, database))), None)


def printable(text: str, longest: int) -> str:
    """Text in printable ASCII, all else and ``%`` percent-encoded, cut to a length."""
    encoded = quote(text, safe=PRINTABLE.replace("%", ""), errors="replace")
    return CUT_ESCAPE.sub("", encoded[:longest]) if len(encoded) > longest else encoded


def _in_text(text: str, database: str | None) -> str | None:
    for found in QUESTIONABLE.finditer(text):
        letter = found[0]
        if letter in "\0\x7f" or not letter.isprintable():
            return f"U+{ord(letter):04X}, of which KFP's server would make invalid JSON; take it out"
        if database != UTF8MB4:
            return (
                f"U+{ord(letter):04X}, which a stock KFP server cannot store and starts all the same; if the "
                "database of yours takes it, say database: utf8mb4 in the target"
            )
    return None


def _texts(value: Any) -> Iterator[str]:
    """All text in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)

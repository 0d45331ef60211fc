"""What may be sent a token: an origin, read strictly.

Pure: the program that deploys checks a target's host with this same code. Strict because readers of URLs disagree:
``https://evil.example\\.x.googleusercontent.com`` is one host to urllib.parse and another to urllib3, which connects.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

HIGHEST_PORT = 65_535
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
URL = re.compile(rf"(?:(https?)://|(?!https?:))({LABEL}(?:\.{LABEL})*|\[::1\])(:[0-9]{{1,5}})?(.*)", re.DOTALL)


class BadOriginError(ValueError):
    """The text is no origin, or none that a token may travel to."""


def read_origin(value: str) -> str:
    """Returns ``scheme://host[:port]``, put together from what was understood and never the input itself.

    Raises:
        BadOriginError: it is not https (loopback excepted), or there is more or less than an origin.
    """
    found = URL.fullmatch(value.lower())
    if not found:
        raise BadOriginError(f"is {value!r}; write https://HOST, or http://localhost:PORT")
    scheme, host, port, rest = found[1], found[2], found[3] or "", found[4]
    if _is_here(host) and not scheme:
        raise BadOriginError(f"is {value!r}; start it with http://")
    if scheme != "https" and not _is_here(host):
        raise BadOriginError(f"is {value!r}; start it with https://: a token must not travel in the clear")
    if int(port[1:] or 0) > HIGHEST_PORT:
        raise BadOriginError(f"is {value!r}; use a port up to {HIGHEST_PORT}, or none")
    origin = f"{scheme}://{host}{port}"
    if rest not in ("", "/"):
        fix = f"leave out what follows the host: {origin}" if rest[0] in "/?#" else f"write {scheme}://HOST"
        raise BadOriginError(f"is {value!r}; {fix}")
    return origin


def is_loopback(origin: str) -> bool:
    """Whether an origin, as :func:`read_origin` returns it, is on this machine."""
    found = URL.fullmatch(origin)
    return bool(found and _is_here(found[2]))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

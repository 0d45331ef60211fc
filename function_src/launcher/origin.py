"""What may be sent a token: an origin, or an endpoint at one, read strictly.

Pure: the program that deploys checks a target's host with this same code. Strict because readers of URLs disagree:
``https://evil.example\\.x.googleusercontent.com`` is one host to urllib.parse and another to urllib3, which connects.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

HIGHEST_PORT = 65_535
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
URL = re.compile(
    rf"(?:(https?)://|(?!https?:))({LABEL}(?:\.{LABEL})*|\[::1\])(:[0-9]{{1,5}})?(.*)",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[\w.~-]+)*", re.ASCII)  # nothing that one reader of URLs would write anew
HOSTED_SUFFIX = ".pipelines.googleusercontent.com"
DASHBOARD = "/_/"  # under which Kubeflow's dashboard shows a page of what it frames
API = "/apis/"


class BadOriginError(ValueError):
    """The text is no origin, or none that a token may travel to."""


def read_origin(value: str) -> str:
    """Returns ``scheme://host[:port]``, put together from what was understood and never the input itself.

    Raises:
        BadOriginError: it is not https (loopback excepted), or there is more or less than an origin.
    """
    origin, rest = _read(value)
    if rest not in ("", "/"):
        raise BadOriginError(f"is {value!r}; leave out what follows the host: {origin}")
    return origin


def read_endpoint(value: str) -> str:
    """Returns an origin, as :func:`read_origin` does, and the path below which it serves the KFP API, if there is
    one: ``https://HOST/pipeline`` of a whole Kubeflow.

    What a browser's address bar adds is refused with the endpoint that is meant.

    Raises:
        BadOriginError: it is none, or only looks like one of Google's.
    """
    origin, rest = _read(value)
    page = re.split(r"[?#]", rest, maxsplit=1)[0] + "/"
    path = page.replace(DASHBOARD, "/", 1).partition(API)[0].rstrip("/")
    if "googleusercontent" in f"{origin}{path}".lower() and not is_hosted(origin):
        raise BadOriginError(f"is {value!r}, which only looks like a hosted endpoint; those end in {HOSTED_SUFFIX}")
    if is_hosted(origin) or not path:
        return read_origin(value)
    if not PATH.fullmatch(path):
        raise BadOriginError(f"is {value!r}; in its path use letters, digits and - . _ ~")
    if rest not in (path, f"{path}/"):
        raise BadOriginError(f"is {value!r}; write {origin}{path}")
    return origin + path


def is_hosted(endpoint: str) -> bool:
    """Whether an endpoint, as :func:`read_endpoint` returns it, is behind Google's inverting proxy, which wants an
    access token."""
    found = URL.fullmatch(endpoint)
    return bool(found and found[2].endswith(HOSTED_SUFFIX) and not found[3])


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint, as :func:`read_endpoint` returns it, is on this machine."""
    found = URL.fullmatch(endpoint)
    return bool(found and _is_here(found[2]))


def _read(value: str) -> tuple[str, str]:
    """The origin at the beginning of a URL, and the rest of it."""
    found = URL.fullmatch(value)
    if not found:
        raise BadOriginError(f"is {value!r}; write https://HOST, or http://localhost:PORT")
    scheme, host, port, rest = (found[1] or "").lower(), found[2].lower(), found[3] or "", found[4]
    if _is_here(host) and not scheme:
        raise BadOriginError(f"is {value!r}; start it with http://")
    if scheme != "https" and not _is_here(host):
        raise BadOriginError(f"is {value!r}; start it with https://: a token must not travel in the clear")
    if int(port[1:] or 0) > HIGHEST_PORT:
        raise BadOriginError(f"is {value!r}; use a port up to {HIGHEST_PORT}, or none")
    if rest and rest[0] not in "/?#":
        raise BadOriginError(f"is {value!r}; write {scheme}://HOST")
    return f"{scheme}://{host}{port}", rest


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

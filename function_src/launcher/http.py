"""One HTTP request to one API, with everything that could surprise turned off, and what is read of its answer."""

from __future__ import annotations

import html
import json
import math
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urlsplit

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

if TYPE_CHECKING:  # which sends requests by this
    from .credentials import Tokens

LONGEST_TO_CONNECT = 5  # seconds
MOST_KEPT = 100  # connections of one origin; a thousand would take 2 ms to make room for, at each start
ALWAYS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
LONGEST_ERROR = 2**20  # bytes of an answer that refuses: what is longer gives no reason
LONGEST_WORDS = 20_000  # characters of it that are looked at
CHUNK = 64 * 1024
SHORTEST_SECRET = 8
HIDDEN = "(hidden)"
# What a service may repeat of a request, or hand out: whole headers, tokens, the query of a signed URL, values.
SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"((?:authorization|cookie|x-goog-iap-jwt-assertion)[\"']?\s{0,9}[:=]).*", re.I),
        rf"\1 {HIDDEN}",
    ),
    (re.compile(r"(bearer|basic)[ +]+(?=\S*[\d_]|\S{24})[^\s\"',;]+", re.I), rf"\1 {HIDDEN}"),
    (re.compile(r"ya29\.[\w.~-]*|eyJ[\w-]{8,}(?:\.[\w-]*)*", re.I), HIDDEN),
    (re.compile(r"\?[\w.~%-]{1,100}=[^\s\"'<>]*"), f"?{HIDDEN}"),
    (
        re.compile(
            r"((?:token|secret|password|signature|credential|session|assertion|api_?key|oauth2?_proxy)[\w.-]{0,64}"
            r"(?:=|[\"']\s{0,9}:\s{0,9}[\"']))[^\s&;\"']+",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
)
QUOTED = re.compile(r"\\{1,64}([rn\"'])")  # ends of lines, and quotes, in what somebody has quoted before, and again
PAGE = "a page"
TITLE = re.compile(r"<(?:title|h1|pre|message)\b[^>]{0,500}>([^<]{1,500})", re.I)


class TooLateError(Exception):
    """The request was not sent: who wanted it did not want it any more when it could be."""


class Response:
    """What was answered, as it came; urllib3's own would be another for each way to make one.

    ``sent`` is the token that the request had, which may come back.
    """

    def __init__(self, raw: BaseHTTPResponse, sent: str = "") -> None:
        self.status_code, self.headers, self.sent = raw.status, raw.headers, sent
        self._raw = raw
        self._body: bytes | None = None

    def read(self, most: float = math.inf) -> bytes | None:
        """The body, decoded as Content-Encoding says; None if it has more than ``most`` bytes.

        Raises:
            HTTPError: it broke off, or is not what it is said to be. Once it has been read, none.
        """
        if self._body is None:
            body = bytearray()
            for chunk in self._raw.stream(CHUNK):
                body += chunk
                if len(body) > most:
                    self.close()
                    return None
            self._body = bytes(body)
        return self._body if len(self._body) <= most else None

    def json(self) -> Any:
        """What the body holds. Raises ValueError if that is no JSON."""
        return json.loads(self.read() or b"")

    def close(self) -> None:
        """Leaves what has not been read, and the connection with it."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Api:
    """Sends requests to one origin, or below a path of one, and the token to nowhere else.

    No redirects: KFP's proxies redirect to a login page, and a redirected POST would carry the token along.
    No retries: a request is sent once, so the caller knows what may have happened. No cookies: the login page
    sets some. No proxies or netrc from the surroundings. A 401 renews the token and sends again, once: what was
    refused was not executed. ``timeout`` is in seconds, for each wait on the server; ``patience`` is that of what is
    sent ``patiently``. Safe to use from several threads, each of which gets a connection for itself.

    By urllib3 and not by requests, which sends by it: that would be a fifth of a cold start, and adds what is
    turned off here.
    """

    def __init__(self, base: str, tokens: Tokens | None, timeout: float, patience: float = 0) -> None:
        self._path = urlsplit(base).path
        self._pool = _open(base)
        self._tokens = tokens
        self._timeout, self._patience = timeout, patience or timeout
        self._to_connect = min(timeout, LONGEST_TO_CONNECT)

    def send(
        self,
        method: str,
        path: str,
        *,
        may_send: Callable[[], bool] = lambda: True,
        patiently: bool = False,
        **options: Any,
    ) -> Response:
        """Sends one request; ``path`` starts with a slash.

        ``options`` are ``params``, ``headers``, ``json`` or ``data``, and ``stream``: not to read the body yet.
        ``may_send`` is asked last of all, with the token in hand: one may be long in coming, and others wait for it.
        It is asked again before the request is sent again after a 401.

        Raises:
            TokenUnavailableError: the request was not sent.
            TooLateError: nor then, for it may not be any more.
            HTTPError: as urllib3 does.
        """
        options["timeout"] = Timeout(self._to_connect, self._patience if patiently else self._timeout)
        token = self._tokens.get() if self._tokens else ""
        if not may_send():
            raise TooLateError
        response = self._send(method, path, options, token)
        if self._tokens and response.status_code == HTTPStatus.UNAUTHORIZED:
            response.close()
            renewed = self._tokens.get(refused=token)
            if may_send():
                response = self._send(method, path, options, renewed)
        return response

    def _send(self, method: str, path: str, options: Mapping[str, Any], token: str = "") -> Response:
        headers, body = {**ALWAYS, **options.get("headers", {})}, options.get("data")
        if "json" in options:
            headers["Content-Type"], body = "application/json", json.dumps(options["json"], allow_nan=False).encode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        query = f"?{urlencode(options['params'])}" if options.get("params") else ""
        raw = self._pool.urlopen(
            method,
            f"{self._path}{path}{query}",
            body,
            headers,
            retries=False,
            redirect=False,
            timeout=options["timeout"],
            preload_content=False,
        )
        response = Response(raw, token)
        if not options.get("stream"):
            response.read()
        return response


def _open(base: str) -> HTTPConnectionPool:
    """The connections to an origin."""
    trust = {"ssl_context": _trusted()} if base.startswith("https:") else {}
    return connection_from_url(base, maxsize=MOST_KEPT, **trust)


@cache
def _trusted() -> ssl.SSLContext:
    """Who is believed to be who they are: whom certifi's authorities know, whatever the image and its surroundings
    have. One for all connections: to read the authorities for each would take longer than a request."""
    return ssl.create_default_context(cafile=certifi.where())


def never_sent(error: HTTPError) -> bool:
    """Whether a request failed before anything of it could arrive."""
    return isinstance(error, NewConnectionError | ConnectTimeoutError)


def clean(text: str, secret: str = "") -> str:
    """Words of a service as they may be logged: on one line, without letters that print nothing, and without tokens.

    ``secret`` is what the request had, which may come back, whole or cut off.
    """
    text = QUOTED.sub(lambda found: found[1] if found[1] in "\"'" else "\n", text[:LONGEST_WORDS])
    if len(secret) >= SHORTEST_SECRET:
        text = re.sub(re.escape(secret[:12]) + r"[\w.~+/%=-]*", HIDDEN, text, flags=re.I)
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


@dataclass(frozen=True)
class Answer:
    """What a service answered.

    ``body`` is its JSON object, if it is one. ``words`` are the reason that it gives, for people, and ``code`` and
    ``marks`` for programs. Where there is no ``code``, it may be a proxy that speaks.
    """

    status: int
    body: Mapping[str, Any] | None = None
    words: str = ""
    code: str = ""
    marks: str = ""
    secret: str = field(default="", repr=False)

    def clean(self, text: object) -> str:
        """What stands in the body, as it may be logged."""
        return clean(str(text), self.secret)


def read_answer(response: Response) -> Answer:
    """Reads an answer, to its end if it is none that refuses. Never raises: what cannot be read gives no reason."""
    text, secret = _text(response), response.sent
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    body = found if isinstance(found, dict) else None
    code, marks, words = _reason(body) if body is not None else ("", "", _for_people(response, text))
    if response.status_code < 300 and not words.startswith(
        PAGE
    ):  # what was asked for, or a part of it, is nothing to log
        words = ""
    return Answer(response.status_code, body, clean(words, secret), clean(code, secret), clean(marks, secret), secret)


def _text(response: Response) -> str:
    try:
        body = response.read(math.inf if response.status_code == HTTPStatus.OK else LONGEST_ERROR)
    except HTTPError:
        return ""
    return (body or b"").decode(errors="replace")


def _reason(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """The code, the marks and the words of an error: Google's, KFP's, Kubernetes', or of OAuth's kind."""
    error = body.get("error")
    if isinstance(error, dict):
        return str(error.get("status") or ""), " ".join(_marks(error)), str(error.get("message") or "")
    code = body.get("code")
    said = (body.get(key) for key in ("message", "error_description", "error_message", "error"))
    return "" if code is None else str(code), str(body.get("reason") or ""), str(next(filter(None, said), ""))


def _marks(error: Mapping[str, Any]) -> Iterator[str]:
    """The words for programs in an error of Google's."""
    yield str(error.get("status") or "")
    for item in (*_maps(error.get("errors")), *_maps(error.get("details"))):
        yield str(item.get("reason") or "")
        yield from (str(violation.get("type") or "") for violation in _maps(item.get("violations")))


def _maps(found: Any) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def _for_people(response: Response, text: str) -> str:
    """Where a redirect leads, the title of a page, or a line of text."""
    text = text.strip()
    if 300 <= response.status_code < 400:
        return f"it leads to {_place(response.headers.get('Location', ''))}"
    if text.startswith("<"):
        title = TITLE.search(text)
        return f"{PAGE}: {html.unescape(title[1])}" if title else PAGE
    return "" if text.startswith(("{", "[")) else text


def _place(url: str) -> str:
    """A URL without its query, in which a login keeps its state."""
    try:
        found = urlsplit(url)
        place = f"{found.hostname or ''}{found.path}"
    except ValueError:
        place = ""
    return place or "nowhere"

"""Objects of the ledger's bucket: written over nothing or over one generation, and told apart from what is no answer.

Each kind has a directory, and in it each trigger: ``KIND/TRIGGER/KEY``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from .answers import Service, explain
from .credentials import MISREAD
from .http import Api, Response, read_answer

BOUNDARY = "--part-of-an-object--"


class LedgerUnavailableError(Exception):
    """Cloud Storage did not do what was asked, or did not say whether it did."""


class Records:
    """One trigger's objects in the ledger; ``directory`` keeps triggers apart."""

    def __init__(self, api: Api, bucket: str, directory: str) -> None:
        self._api = api
        self._bucket = bucket
        self._upload = f"/upload/storage/v1/b/{bucket}/o"
        self._directory = directory

    def outcome(self, key: str) -> Mapping[str, Any] | None:
        """An event's outcome, if it has one."""
        response = self._send("GET", self._path("outcomes", key), params={"alt": "media"})
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        with understood():
            return object_of(expect_ok(response))

    def _write(self, kind: str, key: str, metadata: Mapping[str, str], body: str, over: str) -> Response:
        parts = (
            f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{json.dumps({'metadata': metadata})}\r\n"
            f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{body}\r\n--{BOUNDARY}--\r\n"
        )
        return self._send(
            "POST",
            self._upload,
            params={"uploadType": "multipart", "name": self._name(kind, key), "ifGenerationMatch": over},
            data=parts.encode(),
            headers={"Content-Type": f"multipart/related; boundary={BOUNDARY}"},
        )

    def _name(self, kind: str, key: str) -> str:
        return f"{kind}/{self._directory}/{key}"

    def _path(self, kind: str, key: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{quote(self._name(kind, key), safe='')}"

    def _send(self, method: str, path: str, **options: Any) -> Response:
        try:
            return self._api.send(method, path, **options)
        except HTTPError as error:
            raise LedgerUnavailableError(f"{type(error).__name__} at the ledger") from None


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """What cannot be read of an answer says nothing: of what stands, or of whether it was written."""
    try:
        yield
    except MISREAD as error:
        raise LedgerUnavailableError(f"the ledger answered what is none ({type(error).__name__})") from None


def object_of(response: Response) -> Mapping[str, Any]:
    """The JSON object that was answered. What is none it raises as MISREAD."""
    found = response.json()
    if not isinstance(found, dict):
        raise TypeError
    return found


def moment_of(response: Response) -> datetime:
    """When it was sent, by Cloud Storage's clock."""
    return parsedate_to_datetime(response.headers["Date"])


def expect_ok(response: Response) -> Response:
    """Raises LedgerUnavailableError, with what was said, for any answer but 200."""
    if response.status_code != HTTPStatus.OK:
        raise LedgerUnavailableError(explain(Service.LEDGER, read_answer(response), "its bucket").told)
    return response

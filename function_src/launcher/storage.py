"""Reads the trigger file's content from Cloud Storage, by the JSON API.

Not google-cloud-storage: it costs 0.26 s and 17 MiB of every cold start, and one GET is all there is to do.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from urllib3.exceptions import DecodeError, HTTPError

from .answers import Service, explain
from .credentials import AccessTokens
from .http import Api, Response, read_answer
from .mapping.content import BadContentError, read_content
from .origin import BadOriginError, is_loopback, read_origin

EMULATOR = "STORAGE_EMULATOR_HOST"
ORIGIN = "https://storage.googleapis.com"
STORED_LENGTH = "X-Goog-Stored-Content-Length"  # docs: storage/docs/xml-api/reference-headers; of every download


class ObjectUnusableError(ValueError):
    """The object is gone, nobody's to read, too large or not text, and that will not change: a generation is
    immutable."""


class StorageUnavailableError(Exception):
    """Cloud Storage did not answer as it should; the object may be there all the same."""


def storage_api(tokens: AccessTokens, timeout: float) -> Api:
    """Cloud Storage's JSON API. Honours STORAGE_EMULATOR_HOST, as Google's own clients do, if it is on this machine.

    Raises:
        BadOriginError: it is elsewhere, where every token and every record would go.
    """
    if EMULATOR not in os.environ:
        return Api(ORIGIN, tokens, timeout)
    origin = read_origin(os.environ[EMULATOR])
    if not is_loopback(origin):
        raise BadOriginError(f"{EMULATOR} is {origin}, which is not on this machine; unset it")
    return Api(origin, tokens, timeout)


class Objects:
    """What stands in Cloud Storage objects."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def content(self, bucket: str, name: str, generation: str, limit: int) -> dict[str, Any]:
        """Returns ``content`` (JSON if it parses, else text) and ``lines`` of one generation of an object.

        Raises:
            ObjectUnusableError: that generation is gone, encrypted with a key that nobody has here, holds more than
             ``limit`` bytes, or nothing that read_content reads.
            StorageUnavailableError: anything else went wrong.
        """
        path = f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
        try:
            with self._api.send(
                "GET", path, params={"alt": "media", "generation": generation}, stream=True
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    meaning = explain(Service.STORAGE, read_answer(response), f"gs://{bucket}")
                    kind = ObjectUnusableError if meaning.for_ever else StorageUnavailableError
                    raise kind(meaning.told)
                return read_content(_read(response, limit), limit)
        except UnicodeDecodeError:
            raise ObjectUnusableError("the object is not UTF-8 text") from None
        except BadContentError as error:
            raise ObjectUnusableError(str(error)) from None
        except DecodeError:
            raise ObjectUnusableError("the object is said to be compressed (Content-Encoding), and is not") from None
        except HTTPError as error:
            raise StorageUnavailableError(f"{type(error).__name__} when the object was read") from None


def _read(response: Response, limit: int) -> bytes:
    body = response.read(limit)
    if body is None:
        raise ObjectUnusableError(f"the object holds more than content_limit, {limit} bytes")
    stored = response.headers.get(STORED_LENGTH)
    if stored and "Content-Encoding" not in response.headers and stored != str(len(body)):
        raise StorageUnavailableError(f"{len(body)} of the {stored} bytes of the object came")
    return body

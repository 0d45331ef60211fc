"""Cloud Storage, Pub/Sub and Cloud Logging as the person at the keyboard, with Application Default Credentials.

STORAGE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST lead to stand-ins, as they do in Google's own libraries; no credentials
are used then. LOGGING_EMULATOR_HOST, which those do not know, leads to one of the log; without it none is read there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from google.api_core.exceptions import Forbidden, GoogleAPICallError
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

from ops.errors import OperationError
from ops.google import LOGIN, default_credentials, who_asks

PUBSUB = "https://pubsub.googleapis.com"
STORAGE = "https://storage.googleapis.com"
LOGGING = "https://logging.googleapis.com"
EMULATED = ("PUBSUB", "STORAGE", "LOGGING")
SECONDS_TO_WAIT = 30
PULLED_AT_ONCE = 100
EMPTY_PULLS = 3  # Pub/Sub may answer a pull with nothing although there is something


@dataclass(frozen=True)
class Pulled:
    """A message from a pull subscription: ``data`` (base64), ``attributes``, ``messageId``, ``publishTime``."""

    ack_id: str
    message: Mapping[str, Any] = field(hash=False)


class Cloud:
    """The services, at their URLs. Without ``logging`` there is no log to read. ``caller`` is who asks them."""

    def __init__(
        self, project: str | None, credentials: Credentials, pubsub: str, storage_url: str, logging: str | None
    ) -> None:
        self.storage = storage.Client(project, credentials, client_options={"api_endpoint": storage_url})
        self._session = AuthorizedSession(credentials)
        self._pubsub = pubsub
        self._logging = logging
        self.caller = who_asks(credentials)

    @classmethod
    def connect(cls, project: str | None = None) -> Cloud:
        """With the credentials of whoever runs this.

        Raises:
            OperationError: there are none.
        """
        pubsub, storage_url, logging = (os.environ.get(f"{name}_EMULATOR_HOST") for name in EMULATED)
        if pubsub and storage_url:
            log = f"http://{logging}" if logging else None
            return cls(project, AnonymousCredentials(), f"http://{pubsub}", storage_url, log)
        try:
            credentials = default_credentials(project)
        except DefaultCredentialsError:
            raise OperationError(f"there are no Google Cloud credentials: {LOGIN}") from None
        return cls(project, credentials, PUBSUB, STORAGE, LOGGING)

    @classmethod
    def on_stand_ins(cls, project: str | None, pubsub: str, storage_url: str) -> Cloud:
        """With no credentials, and no log."""
        return cls(project, AnonymousCredentials(), pubsub, storage_url, None)

    def topic_of(self, subscription: str) -> str:
        """The topic, ``projects/P/topics/T``, of a subscription."""
        response = self._session.get(f"{self._pubsub}/v1/{subscription}", timeout=SECONDS_TO_WAIT)
        return str(_answer(f"Pub/Sub refuses to get {subscription}", response)["topic"])

    def log_entries(self, project: str, query: str, at_most: int) -> list[Mapping[str, Any]]:
        """Entries of a project's log that a query finds, the latest first.

        Raises:
            OperationError: there is no log to read, the caller may not read it, or it does not answer in time.
        """
        if self._logging is None:
            raise OperationError("there is no log among the stand-ins")
        found: list[Mapping[str, Any]] = []
        page: str | None = ""
        while page is not None and len(found) < at_most:  # a page may be empty and still not the last
            request = {
                "resourceNames": [f"projects/{project}"],
                "filter": query,
                "orderBy": "timestamp desc",
                "pageSize": at_most,
                "pageToken": page,
            }
            try:
                response = self._session.post(
                    f"{self._logging}/v2/entries:list", json=request, timeout=SECONDS_TO_WAIT
                )
            except requests.RequestException as error:
                raise OperationError(f"{type(error).__name__} at Cloud Logging") from None
            answer = _answer("Cloud Logging refuses to list entries", response)
            found += answer.get("entries", [])
            page = answer.get("nextPageToken")
        return found

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Publishes a message, ``data`` (base64) and ``attributes``, to ``projects/P/topics/T``."""
        self._call(topic, "publish", messages=[message])

    def pull(self, subscription: str) -> Iterator[Pulled]:
        """Takes messages until there seem to be no more. They come again unless acknowledged."""
        empty = 0
        while empty < EMPTY_PULLS:
            answer = self._call(subscription, "pull", maxMessages=PULLED_AT_ONCE, returnImmediately=True)
            received = answer.get("receivedMessages", [])
            empty = 0 if received else empty + 1
            yield from (Pulled(item["ackId"], item["message"]) for item in received)

    def acknowledge(self, subscription: str, message: Pulled) -> None:
        """Takes a message off its subscription for good."""
        self._call(subscription, "acknowledge", ackIds=[message.ack_id])

    def put_back(self, subscription: str, messages: Sequence[Pulled]) -> None:
        """Lets messages be pulled again at once."""
        for start in range(0, len(messages), PULLED_AT_ONCE):
            ack_ids = [message.ack_id for message in messages[start : start + PULLED_AT_ONCE]]
            self._call(subscription, "modifyAckDeadline", ackIds=ack_ids, ackDeadlineSeconds=0)

    def _call(self, resource: str, verb: str, **request: Any) -> Mapping[str, Any]:
        url = f"{self._pubsub}/v1/{resource}:{verb}"
        response = self._session.post(url, json=request, timeout=SECONDS_TO_WAIT)
        return _answer(f"Pub/Sub refuses to {verb} {resource}", response)


def _answer(refusal: str, response: requests.Response) -> Mapping[str, Any]:
    if not response.ok:
        raise OperationError(f"{refusal}: {_message(response)}")
    answer: Mapping[str, Any] = response.json()
    return answer


def _message(response: requests.Response) -> str:
    try:
        return f"{response.status_code}: {response.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"it answered {response.status_code}"


@contextlib.contextmanager
def google_errors() -> Iterator[None]:
    """Says in one line what Google Cloud says in many.

    Raises:
        OperationError: credentials, network or Google Cloud itself said no.
    """
    try:
        yield
    except Forbidden as error:
        raise OperationError(f"{error.message}; docs/replay.md says which roles this needs") from None
    except GoogleAPICallError as error:
        raise OperationError(f"Cloud Storage answered {error.code}: {error.message}") from None
    except GoogleAuthError as error:
        raise OperationError(f"the credentials do not work: {error}; {LOGIN}") from None
    except requests.RequestException as error:
        raise OperationError(f"Google Cloud cannot be reached ({type(error).__name__}); try again") from None

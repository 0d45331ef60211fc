"""One run per value: of several events that have one value of ``once_per``, one is launched.

``once/TRIGGER/HASH`` in the ledger, where HASH is of the value, names the event that has it. It is created only if
nobody was there, and taken over only with its generation, so that whatever the interleaving one event has the value.
An event takes it last before its run is asked for: what is skipped or rejected has none, so that a file which is
mended and comes again is launched. Events keep their own keys, run ids and outcomes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from jmespath.parser import ParsedResult

from .http import Api
from .ledger import ClaimedError
from .mapping.expression import UnmappableError, evaluate, for_want_of_data
from .records import LedgerUnavailableError, Records, expect_ok, moment_of, object_of, understood

WHAT, KIND = "once_per", "once"


class TakenError(Exception):
    """Another event with the value was launched."""


class Once(Records):
    """Whose the values are. After ``within`` a value is anybody's again; None: when the ledger forgets it."""

    def __init__(self, api: Api, bucket: str, directory: str, within: timedelta | None) -> None:
        super().__init__(api, bucket, directory)
        self._within = within

    def take(self, value: Any, key: str, event: str) -> None:
        """Takes a value for an event, by its launch key and its subject; again, if it has it already.

        Raises:
            TakenError: it is another's, which was launched.
            ClaimedError: it is another's, of which nobody knows yet whether it will be.
            LedgerUnavailableError: there is no telling whose it is.
        """
        name, about = hash_of(value), {"key": key, "event": event}
        if self._own(name, about, over="0"):
            return
        found, moment = self._read(name)
        with understood():
            owner, generation = found["metadata"], str(found["generation"])
            whose = str(owner["event"])
            is_old = self._within is not None and moment - datetime.fromisoformat(found["updated"]) > self._within
        # Its own it writes anew as well: who has read in the meantime that it was rejected must not take it over now.
        if owner["key"] != key and not is_old:
            outcome = self.outcome(owner["key"])
            if outcome is None:
                raise ClaimedError(f"{whose} has the same value of once_per, and no outcome yet")
            if _may_have_run(outcome):
                raise TakenError(f"{whose} has the same value of once_per, and was launched")
        if not self._own(name, about, over=generation):
            raise ClaimedError("another event has just taken the same value of once_per")

    def _own(self, name: str, about: Mapping[str, str], over: str) -> bool:
        response = self._write(KIND, name, about, "", over)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            return False
        expect_ok(response)
        return True

    def _read(self, name: str) -> tuple[Mapping[str, Any], datetime]:
        response = self._send("GET", self._path(KIND, name))
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise LedgerUnavailableError("the ledger has just forgotten who had the value of once_per")
        with understood():
            return object_of(expect_ok(response)), moment_of(response)


def value_of(expression: ParsedResult, document: Mapping[str, Any]) -> Any:
    """The value of an event.

    Raises:
        UnmappableError: it has none, or one that JSON cannot hold.
    """
    value = evaluate(WHAT, expression, document, of_data=True)
    if value is None:
        raise UnmappableError(f"{WHAT} gives nothing (null) for this event{for_want_of_data(expression, document)}")
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise UnmappableError(f"{WHAT} gives what JSON cannot hold") from None
    return value


def hash_of(value: Any) -> str:
    """What a value is called in the ledger. 7 and 7.0 are one, as in JSON; 7 and '7' are two."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _may_have_run(outcome: Mapping[str, Any]) -> bool:
    return outcome.get("outcome") == "launched" or bool(outcome.get("doubt"))

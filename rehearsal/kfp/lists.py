"""How the KFP API server filters, sorts and pages a list (list_request_util.go, filter/filter.go, list/list.go).

MySQL's surprises are kept, and the server's own. The filter is URL-unescaped a second time, so a ``+`` in it
becomes a space and a lone ``%`` is an error. Text compares without regard to case and accents, a part of a text is
a pattern of LIKE, and what is compared with a number is one: its leading digits. And times are whole seconds, so
rows of one second are in the order of their ids.
"""

from __future__ import annotations

import base64
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from kfp_server_api import V2beta1Filter

from rehearsal.kfp.database import collated
from rehearsal.kfp.requests import INVALID_ARGUMENT, ApiError, Fields, read_message

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 200
LEADING_DIGITS = re.compile(r"\s*-?\d+")
BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
# The numbers are those of the proto, which has no 4. kfp.Client writes numbers, people write names.
OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
COMPARISONS: dict[str, Callable[[Any, Any], object]] = {
    "EQUALS": operator.eq,
    "NOT_EQUALS": operator.ne,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_EQUALS": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_EQUALS": operator.le,
    "IN": lambda column, values: column in values,
    "IS_SUBSTRING": lambda column, part: _like(part).search(column),
}


def _like(part: str) -> re.Pattern[str]:
    """What LIKE finds in the middle of a text, by a pattern of its own: ``%`` is anything and ``_`` any letter."""
    return re.compile("".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in part), re.DOTALL)


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else int((LEADING_DIGITS.match(value) or [0])[0])


def _seconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())


VALUES: dict[str, Callable[[Any], int | str | list[Any]]] = {
    "string_value": collated,
    "int_value": int,
    "long_value": int,
    "timestamp_value": _seconds,
    "string_values": lambda message: [collated(text) for text in message.get("values", [])],
    "int_values": lambda message: [int(number) for number in message.get("values", [])],
    "long_values": lambda message: [int(number) for number in message.get("values", [])],
}


def _keys(*fields: str, **aliases: str) -> dict[str, str]:
    return {field: field for field in fields} | aliases


RUN_KEYS = _keys(
    *("run_id", "display_name", "description", "namespace", "experiment_id", "recurring_run_id", "storage_state"),
    *("state", "created_at", "scheduled_at", "finished_at"),
    id="run_id",
    name="display_name",
    status="state",
)
EXPERIMENT_KEYS = _keys(
    *("experiment_id", "display_name", "description", "namespace", "storage_state"),
    *("created_at", "last_run_created_at"),
    id="experiment_id",
    name="display_name",
)
_PIPELINE_COLUMNS = ("display_name", "description", "namespace", "created_at")
PIPELINE_KEYS = _keys("pipeline_id", *_PIPELINE_COLUMNS, id="pipeline_id", name="display_name")
VERSION_KEYS = _keys("pipeline_version_id", *_PIPELINE_COLUMNS, id="pipeline_version_id", name="display_name")


def page(
    rows: Iterable[Fields], query: Mapping[str, str], keys: Mapping[str, str], row_id: str
) -> tuple[list[Fields], int, str]:
    """The rows of one page, how many there are in all, and the token of the next page (empty after the last).

    ``keys`` are the names that a client may sort and filter by and the fields they stand for; ``row_id`` is the field
    that decides between rows that are otherwise equal. The token names the next page's first row, so a row that is
    added in between shifts nothing.
    """
    size = _page_size(query.get("page_size", ""))
    criteria, first = _criteria(query, keys)
    field, descending = criteria["sort"], criteria["descending"]

    def position(row: Fields) -> list[Any]:
        return [_column(row, field), row[row_id]]

    found = [row for row in rows if all(_holds(row, *predicate) for predicate in criteria["predicates"])]
    found.sort(key=position, reverse=descending)
    reached = operator.le if descending else operator.ge
    rest = [row for row in found if first is None or reached(position(row), first)]
    following = _token(criteria, position(rest[size])) if len(rest) > size else ""
    return rest[:size], len(found), following


def _page_size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, f"parsing field page_size: {error}") from error
    if size < 0:
        raise ApiError(INVALID_ARGUMENT, f"The page size should be greater than 0. Got {size}")
    return min(size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _criteria(query: Mapping[str, str], keys: Mapping[str, str]) -> tuple[Fields, list[Any] | None]:
    """What to sort and filter by, and where to begin. A token brings its own; what is asked beside it must agree."""
    sort_by, filter_text = query.get("sort_by", ""), query.get("filter", "")
    field, descending = _sorting(sort_by, keys)
    asked = {"sort": field, "descending": descending, "predicates": _predicates(filter_text, keys)}
    if not (text := query.get("page_token", "")):
        return asked, None
    try:
        token = json.loads(base64.b64decode(text, validate=True))
        criteria, first = token["criteria"], token["first"]
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(INVALID_ARGUMENT, f"Invalid package token: {error}") from error
    if (sort_by or filter_text) and criteria != asked:
        raise ApiError(INVALID_ARGUMENT, "page token does not match the supplied sort by and/or filtering criteria.")
    return criteria, first


def _token(criteria: Fields, first: list[Any]) -> str:
    return base64.b64encode(json.dumps({"criteria": criteria, "first": first}).encode()).decode()


def _sorting(sort_by: str, keys: Mapping[str, str]) -> tuple[str, bool]:
    words = sort_by.lower().split() or ["created_at"]
    if len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
        raise ApiError(INVALID_ARGUMENT, f'Received invalid sort by format "{sort_by}"')
    if words[0] not in keys:
        raise ApiError(INVALID_ARGUMENT, f'Invalid sorting field: "{words[0]}"')
    return keys[words[0]], words[1:] == ["desc"]


def _predicates(text: str, keys: Mapping[str, str]) -> list[list[Any]]:
    """A filter as a list of ``[operation, field, value]``, all of which must hold."""
    if not text:
        return []
    if BAD_ESCAPE.search(text):
        raise ApiError(INVALID_ARGUMENT, f"failed to parse valid filter from {text!r}: invalid URL escape")
    predicates = read_message(unquote_plus(text), V2beta1Filter).get("predicates", [])
    return [_predicate(predicate, keys) for predicate in predicates]


def _predicate(predicate: Fields, keys: Mapping[str, str]) -> list[Any]:
    key = predicate.get("key", "")
    if key not in keys:
        raise ApiError(INVALID_ARGUMENT, f'no support for filtering on unrecognized field "{key}"')
    operation = OPERATIONS.get(predicate.get("operation", 0), predicate.get("operation"))
    if operation not in COMPARISONS:
        raise ApiError(INVALID_ARGUMENT, f"invalid predicate operation: {operation}")
    value = _value(predicate)
    kind = list if operation == "IN" else str if operation == "IS_SUBSTRING" else (int, str)
    if not isinstance(value, kind):
        raise ApiError(INVALID_ARGUMENT, f"cannot use operator {operation} on value {value!r}")
    return [operation, keys[key], value]


def _value(predicate: Fields) -> int | str | list[Any]:
    given = predicate.keys() & VALUES.keys()
    if len(given) != 1:
        raise ApiError(INVALID_ARGUMENT, "a predicate needs exactly one value")
    name = given.pop()
    try:
        return VALUES[name](predicate[name])
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, f"failed to parse valid filter: {error}") from error


def _holds(row: Fields, operation: str, field: str, value: Any) -> bool:
    column = _column(row, field)
    if isinstance(value, int | str) and type(column) is not type(value):
        column, value = _number(column), _number(value)
    return bool(COMPARISONS[operation](column, value))


def _column(row: Fields, field: str) -> int | str:
    text = row.get(field, "")
    return _seconds(text) if field.endswith("_at") else collated(str(text))

"""Whether an event launches: a trigger's ``when``, a JMESPath predicate over the event document.

Pure: the program that deploys checks it with this same code, so preview and run time cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmespath.parser import ParsedResult

from .expression import UnmappableError, evaluate, for_want_of_data, read_expression, reads_event
from .fitting import describe, show


def read_condition(text: Any) -> ParsedResult:
    """Reads a trigger's ``when``.

    Raises:
        BadMappingError: it is not JMESPath, or calls a function as JMESPath has none.
    """
    return read_expression("when", text)


def holds(condition: ParsedResult, document: Mapping[str, Any]) -> bool:
    """Whether an event is to be launched: only ``true`` launches it, and only ``false`` skips it.

    JMESPath's own notion of truth would launch on the text "false" and on 0, and skip without a word where a field is
    missing or two values cannot be compared (null).

    Raises:
        UnmappableError: the predicate fails on this event, or gives neither.
    """
    found = evaluate("when", condition, document, of_data=True)
    if not isinstance(found, bool):
        in_words = describe if reads_event(condition) else show
        given = "nothing (null)" if found is None else in_words(found)
        reason = for_want_of_data(condition, document) or "; compare it with something"
        raise UnmappableError(f"when gives {given}, which is neither true nor false{reason}")
    return found

"""Whether an event launches: only ``true`` does, only ``false`` skips, and all else is said to be wrong."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from function_src.launcher.mapping.condition import holds, read_condition
from function_src.launcher.mapping.content import read_content
from function_src.launcher.mapping.expression import BadMappingError, UnmappableError
from tests.launcher.test_parameters import DOCUMENT, documents, expressions


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("`true`", True),
        ("`false`", False),
        ("object.uri == 'gs://b/a.csv'", True),
        ("ends_with(object.uri, '.csv') && object.size > `12`", False),
        ("object.metadata.owner == 'ann'", False),
        ("content.fast", True),
        ("!(content.nothing)", True),
        ("contains(content.tags, 'a') || content.nowhere", True),
        ("not_null(content.nothing, `0`) >= `1`", False),
    ],
)
def test_true_launches_and_false_skips(condition: str, held: bool) -> None:
    assert holds(read_condition(condition), DOCUMENT) is held


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("content.nothing", "when gives nothing (null), which is neither true nor false; compare it with something"),
        ("content.nothing > `1`", "when gives nothing (null), which is neither true nor false"),
        ("!content.nothing", "when gives nothing (null)"),  # JMESPath reads (!content).nothing
        ("object.size", "when gives 12, which is neither true nor false"),
        ("`0`", "when gives 0, which is neither true nor false"),
        ("'false'", "when gives 'false', which is neither true nor false"),
        ("content.tags", "when gives a list of length 1, which is neither true nor false"),
        ("content.text", "when gives text of length 700, which is neither true nor false"),
        (
            "starts_with(object.size, '1')",
            "when: the expression fails on this event: starts_with() takes text, not a number",
        ),
        (
            "object.size < content.text",
            "when: the expression fails on this event: it compares or joins values of different types",
        ),
    ],
)
def test_anything_else_is_said_and_not_taken_for_a_no(condition: str, problem: str) -> None:
    with pytest.raises(UnmappableError) as refusal:
        holds(read_condition(condition), DOCUMENT)
    assert str(refusal.value).startswith(problem)
    assert "secret" not in str(refusal.value), "logs must not carry what stands in a file"


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("", "when: '' is not JMESPath: it is empty"),
        ("object.name ==", "when: 'object.name ==' is not JMESPath: it breaks off at its end"),
        ("matches(object.name, '.*')", "when: \"matches(object.name, '.*')\": there is no function matches()"),
        ("starts_with(object.name)", "when: 'starts_with(object.name)': starts_with() takes 2 arguments, not 1"),
        (True, "when: true is not JMESPath, which is text; put it in quotes"),
        ({"from": "a"}, 'when: {"from": "a"} is not JMESPath, which is text'),
    ],
    ids=str,
)
def test_a_predicate_that_is_wrong_for_every_event_is_refused(condition: Any, problem: str) -> None:
    with pytest.raises(BadMappingError) as refusal:
        read_condition(condition)
    assert str(refusal.value).startswith(problem)


@given(condition=expressions, document=documents)
def test_any_predicate_on_any_event_is_true_or_false_or_refused(condition: str, document: Mapping[str, Any]) -> None:
    try:
        held = holds(read_condition(condition), document)
    except (BadMappingError, UnmappableError):
        return
    assert held in (True, False)
    assert isinstance(held, bool)


@pytest.mark.parametrize("text", ["complete", "status: complete", ""])
def test_a_condition_on_fields_refuses_text_that_has_none(text: str) -> None:
    """It may be written by then, and would be skipped for ever."""
    document = read_content(text.encode())
    with pytest.raises(UnmappableError, match="of the content, and the content is text, and no JSON"):
        holds(read_condition("content.status == 'complete'"), document)


@pytest.mark.parametrize(
    ("when", "content"),
    [
        ("content.status == 'complete'", b'{"status": "draft"}'),
        ("content.status == 'complete'", b'"a string of JSON"'),
        ("content.status == 'complete'", b"[]"),
        ("type(content) == 'object' && content.status == 'complete'", b"plain text"),
        ("content == 'complete'", b"not yet"),
    ],
)
def test_a_file_that_can_be_read_may_say_no(when: str, content: bytes) -> None:
    assert holds(read_condition(when), read_content(content)) is False

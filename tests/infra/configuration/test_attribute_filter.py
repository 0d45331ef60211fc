"""Pub/Sub's filters are read at preview as Pub/Sub will read them, and mean here what they mean there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.configuration.attribute_filter import BadFilterError, read_filter

ATTRIBUTES = {"type": "order", "region": "eu-west", "iana.org/lang": "nl"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ('attributes.type = "order"', True),
        ('attributes.type="orders"', False),
        ('attributes.type != "refund"', True),
        ('attributes.missing != "x"', True),
        ("attributes:type", True),
        ("attributes:missing", False),
        ('attributes:"iana.org/lang"', True),
        ('attributes."iana.org/lang" = "nl"', True),
        ('hasPrefix(attributes.region, "eu-")', True),
        ('hasPrefix(attributes.missing, "")', False),
        ("NOT attributes:missing", True),
        ("-attributes:type", False),
        ("NOT NOT attributes:type", True),
        ('attributes.type = "order" AND attributes:region', True),
        ('attributes.type = "refund" OR attributes:region', True),
        ('attributes.type = "refund" AND (attributes:region OR attributes:missing)', False),
        ('NOT (attributes.type = "order" AND attributes:missing)', True),
        ('attributes.type = "a\\"b"', False),
    ],
)
def test_a_filter_lets_through_what_it_describes(text: str, passes: bool) -> None:
    assert read_filter(text).matches(ATTRIBUTES) is passes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type = order", "has 'type' where 'attributes' is due"),
        ("attributes.type = order", "has 'order' where a text such as"),
        ('attributes.type == "order"', "has '=' where a text such as"),
        ('attributes.= "order"', "has '=' where the name of an attribute is due"),
        ('attributes.type = "order" attributes:x', "where AND, OR or its end is due"),
        ('attributes.type = "order" and attributes:x', "has 'and' where AND, OR or its end is due"),
        ("attributes:a AND attributes:b OR attributes:c", "mixes AND and OR; put parentheses"),
        ("attributes.type", "has its end where '=' or '!=' is due"),
        ('attributes.type > "a"', "cannot be read from"),
        ('hasSuffix(attributes.type, "x")', "has 'hasSuffix' where 'attributes' is due"),
        ("(attributes:a", "has its end where ')' is due"),
        ("attributes:a AND", "has its end where 'attributes' is due"),
        ('attributes.a = "' + "é" * 130 + '"', "has 277 bytes; Pub/Sub takes 256 at most"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_place_and_the_fix(text: str, problem: str) -> None:
    with pytest.raises(BadFilterError, match=re.escape(problem)):
        read_filter(text)


keys = st.sampled_from("abc")
conditions = st.one_of(
    st.builds('attributes.{} = "{}"'.format, keys, keys),
    st.builds('attributes.{} != "{}"'.format, keys, keys),
    st.builds("attributes:{}".format, keys),
    st.builds('hasPrefix(attributes.{}, "{}")'.format, keys, keys),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("NOT ({})".format, inner),
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
    ),
    max_leaves=5,
)


@given(text=filters, attributes=st.dictionaries(keys, keys))
def test_a_filter_and_its_negation_never_agree(text: str, attributes: dict[str, str]) -> None:
    if len(text) < 240:
        assert read_filter(text).matches(attributes) is not read_filter(f"NOT ({text})").matches(attributes)


@given(text=st.text(max_size=40) | st.text(st.sampled_from('attributes.:"=!()-ANDORT '), max_size=40))
def test_any_text_at_all_is_a_filter_or_refused(text: str) -> None:
    try:
        read_filter(text).matches(ATTRIBUTES)
    except BadFilterError:
        return


@pytest.mark.parametrize(
    "text",
    [
        'attributes.type = "order" AND NOT attributes:test',
        'hasPrefix(attributes.a, "x") AND attributes:b',
        "-attributes:a",
    ],
)
def test_an_example_of_what_passes_is_found_for_the_usual_filters(text: str) -> None:
    found = read_filter(text)
    assert found.matches(found.example)

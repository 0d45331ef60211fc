"""What KFP cannot store or run is refused before it is started, and what is ours is always storable."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.storable import AROUND_PARAMETERS, LARGEST_ARGUMENT, printable, unstorable

EMOJI, TAG, PRIVATE = "\U0001f600", "\U000e0067", "\U000f0000"


@pytest.mark.parametrize(
    "value", [f"gs://b/{EMOJI}.csv", [EMOJI], {"a": {EMOJI: 1}}, {"a": [[{"b": EMOJI}]]}], ids=repr
)
def test_a_letter_that_a_stock_database_refuses_is_refused_wherever_it_stands(value: Any) -> None:
    assert unstorable({"text": value}, None) == (
        "parameter 'text' holds U+1F600, which a stock KFP server cannot store and starts all the same; if the "
        "database of yours takes it, say database: utf8mb4 in the target"
    )


def test_a_database_that_has_all_letters_takes_it() -> None:
    assert unstorable({"text": EMOJI}, "utf8mb4") is None


@pytest.mark.parametrize("letter", ["\0", "\x7f", "\ud800", TAG, PRIVATE, "\U0010ffff"], ids=ascii)
@pytest.mark.parametrize("database", [None, "utf8mb4"])
def test_a_letter_of_which_the_server_makes_invalid_json_is_refused_at_any_database(
    letter: str, database: str | None
) -> None:
    problem = unstorable({"ok": "a", "text": f"a{letter}"}, database)
    wrong = f"U+{ord(letter):04X}, of which KFP's server would make invalid JSON"
    assert problem == f"parameter 'text' holds {wrong}; take it out"


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_characters="\0\x7f", exclude_categories=["Cs"])))
def test_all_other_text_is_left_alone(text: str) -> None:
    assert unstorable({"text": [text, {text: text}]}, None) is None


@pytest.mark.parametrize("value", [1, 2.5, True, None, [1, None], {"a": False}])
def test_what_is_no_text_is_left_alone(value: Any) -> None:
    assert unstorable({"value": value}, None) is None


def test_parameters_that_no_process_could_be_given_are_refused() -> None:
    """All of them are one argument of the driver (argocompiler/dag.go), and bytes are counted, not letters."""
    fits = (LARGEST_ARGUMENT - AROUND_PARAMETERS - len('{"a": "", "b": "é"}'.encode())) * "x"
    assert unstorable({"a": fits, "b": "é"}, None) is None
    problem = unstorable({"a": fits, "b": "éé"}, None)
    assert problem
    assert "write them to a file and pass its URI" in problem


@given(st.text(), st.integers(0, 400))
def test_what_is_ours_is_printable_ascii_of_the_length_that_fits(text: str, longest: int) -> None:
    found = printable(text, longest)
    assert found.isascii()
    assert found.isprintable()
    assert len(found) <= longest


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_it_can_be_read_back(text: str) -> None:
    assert unquote(printable(text, 12 * len(text))) == text


def test_it_is_legible_and_no_escape_is_cut_in_two() -> None:
    assert printable("event=gs://b/orders 7.csv#12", 99) == "event=gs://b/orders 7.csv#12"
    assert [printable("aé", longest) for longest in range(2, 8)] == ["a", "a", "a%C3", "a%C3", "a%C3", "a%C3%A9"]
    assert printable("100%", 99) == "100%25"

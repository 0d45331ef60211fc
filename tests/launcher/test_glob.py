"""A glob decides which objects are events, by the whole name, and quickly whatever the name."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.glob import BadGlobError, Glob


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("**/*.json", ["a.json", "x/a.json", "x/y/.json"], ["a.jsonl", "json", "a.json/b"]),
        ("*.manifest.json", ["a.manifest.json", ".manifest.json"], ["x/a.manifest.json", "manifest.json"]),
        ("**/_SUCCESS", ["_SUCCESS", "x/_SUCCESS", "x/y/_SUCCESS"], ["x_SUCCESS", "_SUCCESS/part", "x/not_SUCCESS"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a//b"], ["ab", "a/xb", "b", "a/b/c"]),
        ("in/day-?.csv", ["in/day-1.csv", "in/day-é.csv"], ["in/day-.csv", "in/day-10.csv", "in/day-/.csv"]),
        ("in/[0-9a][!x].csv", ["in/0y.csv", "in/aa.csv"], ["in/0x.csv", "in/by.csv", "in/0/.csv"]),
        ("a**b", ["ab", "a/b", "axx/yb"], ["a", "ab/"]),
        ("**", ["a", "a/b"], []),
        ("a.b+(c)|d", ["a.b+(c)|d"], ["axb+(c)|d", "a.bb(c)"]),
        ("[[]x[*]", ["[x*"], ["[xy"]),
        ("a\nb*", ["a\nb", "a\nb\n"], ["a b"]),
    ],
)
def test_a_glob_matches_whole_names(glob: str, matching: list[str], others: list[str]) -> None:
    assert [name for name in matching if not Glob(glob).matches(name)] == []
    assert [name for name in others if Glob(glob).matches(name)] == []


@pytest.mark.parametrize(
    ("glob", "problem"),
    [
        ("", "start without a slash"),
        ("/a", "start without a slash"),
        ("gs://b/*", "without gs://BUCKET/"),
        ("*.{json,csv}", "'{' is not understood"),
        ("a\\*", "is not understood"),
        ("a[bc", "'[' has no ']'"),
        ("a[]", "'[' has no ']'"),
        ("a[!]", "holds no character"),
        ("a[z-a]", "runs backwards: z-a"),
    ],
)
def test_what_is_no_glob_is_refused(glob: str, problem: str) -> None:
    with pytest.raises(BadGlobError, match=re.escape(problem)):
        Glob(glob)


@pytest.mark.parametrize(
    ("glob", "start", "possible"),
    [
        ("**/_SUCCESS", "batches/", True),
        ("batches/*.json", "batches/", True),
        ("b*/x", "batches/", True),
        ("batches/2026/*", "batches/", True),
        ("*.json", "batches/", False),
        ("orders/*", "batches/", False),
        ("*", "", True),
    ],
)
def test_whether_a_glob_can_match_anything_under_a_prefix(glob: str, start: str, possible: bool) -> None:
    assert Glob(glob).can_follow(start) is possible


@pytest.mark.parametrize(("glob", "head"), [("in/a*", "in/a"), ("**", ""), ("in/x", "in/x"), ("in/[a]", "in/")])
def test_every_name_that_matches_starts_with_the_glob_s_head(glob: str, head: str) -> None:
    assert Glob(glob).head == head


names = st.text(st.sampled_from("ab./"), max_size=12)


@given(
    glob=st.text(st.sampled_from("ab.*?"), min_size=1, max_size=8).filter(lambda text: "**" not in text), name=names
)
def test_without_slashes_it_means_what_it_means_everywhere(glob: str, name: str) -> None:
    assert Glob(glob).matches(name) is ("/" not in name and fnmatch.fnmatchcase(name, glob))


@given(
    glob=st.text(st.sampled_from("ab/*?"), min_size=1, max_size=10).filter(lambda text: text[0] != "/"), name=names
)
def test_what_matches_starts_as_the_glob_says(glob: str, name: str) -> None:
    if Glob(glob).matches(name):
        assert name.startswith(Glob(glob).head)
        assert all(Glob(glob).can_follow(name[:length]) for length in range(len(name) + 1))


def test_a_hostile_name_takes_no_longer_than_its_length() -> None:
    """A regular expression tries some of these over and over: this one would not end in a lifetime."""
    assert not Glob("**/" * 12 + "*a" * 12 + "x").matches("a/" * 500 + "a" * 24)

"""A glob decides which objects are events, by the whole name, and quickly whatever the name."""

import fnmatch
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from function_src.launcher.mapping.glob import BadGlobError, Glob


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


# --- captures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "name", "captured"),
    [
        ("sales/dt={day}/{region}/*.csv", "sales/dt=2026-11-22/eu/a.csv", {"day": "2026-11-22", "region": "eu"}),
        ("sales/dt={day}/{region}/*.csv", "sales/dt=2026-11-22/eu/west/a.csv", None),
        ("sales/dt={day}/*.csv", "sales/dt=/a.csv", None),  # at least a letter
        ("{name}-{n:int}.csv", "a-b-003.csv", {"name": "a-b", "n": 3}),
        ("{name}-{n:int}.csv", "a-b.csv", None),
        ("{a}-{b}", "x-y-z", {"a": "x", "b": "y-z"}),
        ("{a}{b}", "xyz", {"a": "x", "b": "yz"}),
        ("**/{last}/*", "a/b/c", {"last": "b"}),
        ("**/{first}/**", "a/b/c", {"first": "a"}),
        ("**/{day:date}.json", "in/2026-02-28.json", {"day": "2026-02-28"}),
        ("**/{day:date}.json", "in/2026-02-30.json", None),
        ("**/{day:date}.json", "in/2026-2-28.json", None),
        ("{n:int}.csv", "9" * 20 + ".csv", {"n": "9" * 20}),  # no whole number that JSON is sure to keep
        ("{n:int}.csv", "٣.csv", None),
        ("{tenant}/[ab]?/{file}.csv", "acme/a1/é.csv", {"tenant": "acme", "file": "é"}),
        ("*.csv", "a.csv", {}),
    ],
)
def test_a_capture_takes_a_part_of_a_name(glob: str, name: str, captured: dict[str, object] | None) -> None:
    assert Glob(glob).capture(name) == captured
    assert Glob(glob).matches(name) is (captured is not None)


@pytest.mark.parametrize(
    ("glob", "problem"),
    [
        ("{day}/{day}", "{day} stands in it twice"),
        ("{day:week}", "{day:week} has the kind 'week'; use {day}, {day:int} or {day:date}"),
        ("{Day}", "'{' is not understood"),
        ("{}", "'{' is not understood"),
        ("a}", "'}' is not understood"),
        ("[{n:int}]", "'{' is not understood"),
    ],
)
def test_a_capture_that_is_none_is_refused(glob: str, problem: str) -> None:
    with pytest.raises(BadGlobError) as refused:
        Glob(glob)
    assert problem in str(refused.value)


def every_way(tokens: list[str], name: str) -> Iterator[dict[str, str]]:
    """All that captures could take, what stands first taking as little as it can first: slowly, by trying."""
    if not tokens:
        if not name:
            yield {}
        return
    token, *rest = tokens
    if token in ("*", "**", "{a}", "{b}", "{c:int}"):
        for length in range(token[0] == "{", len(name) + 1):
            taken = name[:length]
            if (token != "**" and "/" in taken) or (token == "{c:int}" and not set(taken) <= set("012")):
                break
            for others in every_way(rest, name[length:]):
                yield {**({token[1]: taken} if token[0] == "{" else {}), **others}
    elif name.startswith(token):
        yield from every_way(rest, name[len(token) :])


PARTS = st.sampled_from(["*", "**", "-", "/", "a", "1"])


@settings(max_examples=500)
@given(
    tokens=st.lists(PARTS, max_size=4).flatmap(lambda parts: st.permutations([*parts, "{a}", "{b}", "{c:int}"])),
    name=st.text("a1-/", max_size=9),
)
def test_captures_take_what_trying_every_way_finds_first(tokens: list[str], name: str) -> None:
    glob = "".join(tokens)
    assume(not any(one[0] == two[0] == "*" for one, two in pairwise(tokens)))
    assume("**/" not in glob and not glob.startswith("/"))
    first = next(every_way(tokens, name), None)
    found = Glob(glob).capture(name)
    assert found == (None if first is None else {**first, "c": int(first["c"])})

"""A stack file is read as Pulumi reads it, or refused in words: the line, what is wrong there, and what to write."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.configuration.stack_file import find_stack, read_stack, stack_names
from infra.errors import ConfigurationError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stacks")


def read(folder: Path, content: str | bytes) -> dict[str, str]:
    path = folder / "Pulumi.mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    name, config = read_stack(str(path))
    assert name == "mine"
    return config


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(folder, content)
    text = str(refused.value)
    assert text.startswith("Pulumi.mine.yaml:\n  ")
    return text.removeprefix("Pulumi.mine.yaml:\n  ")


# --- as Pulumi reads it (seen with its own loader, sdk 3.274.1) -----------------------------------------------------


@pytest.mark.parametrize(
    ("content", "config"),
    [
        ("", {}),
        ("# nothing", {}),
        ("~", {}),
        ("encryptionsalt: v1:abc", {}),
        ("config:", {}),
        ("\ufeffconfig: {a:b: 1}", {"a:b": "1"}),
        ("config: {a:b: , a:c: ~}", {"a:b": "", "a:c": ""}),
        ("config: {a:b: {c: ~}}", {"a:b": '{"c": null}'}),
        ("config: {triggers: 7}", {"event-triggered-pipelines:triggers": "7"}),
        ("config: {gcp:config:project: a}", {"gcp:project": "a"}),
        ("config: {a:b: {day: '2026-11-22', is: =}}", {"a:b": '{"day": "2026-11-22", "is": "="}'}),
        (
            "config: {a:b: {is: on, not: no, at: 12:30, y: yes}}",
            {"a:b": '{"is": "on", "not": "no", "at": "12:30", "y": "yes"}'},
        ),
        ("config: {a:b: {on: {off: 1}}}", {"a:b": '{"on": {"off": 1}}'}),
        ("config: {a:b: yes, a:c: 190:20:30}", {"a:b": "yes", "a:c": "190:20:30"}),
        (
            "config: {a:b: [1.0, -0.0, 1_000, 0x1F, 0b11, 0451, 1.0e+3, !!float 5]}",
            {"a:b": "[1, 0, 1000, 31, 3, 297, 1000, 5]"},
        ),
        ("config: {a:b: {1.0: x, true: y}}", {"a:b": '{"1": "x", "true": "y"}'}),
        ("config: {a:b: [! 5, ! '5', !!str 089, !!int 0x1F]}", {"a:b": '[5, "5", "089", 31]'}),
        ("config: {a:b: {1: x}}", {"a:b": '{"1": "x"}'}),
        ("own: &own {x: 1}\nconfig: {a:b: *own, a:c: *own}", {"a:b": '{"x": 1}', "a:c": '{"x": 1}'}),
    ],
    ids=str,
)
def test_what_pulumi_reads_in_a_file(folder: Path, content: str, config: dict[str, str]) -> None:
    assert read(folder, content) == config


# --- what stands twice ----------------------------------------------------------------------------------------------

TWICE = "; take one of them out"
ITEM = f"{TWICE}, or start another item of the list with a dash"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("config: {a:b: 1}\nconfig: {a:c: 2}", f"line 2: config stands in line 1 already{TWICE}"),
        ("config:\n  gcp:project: a\n\n  gcp:project: a\n", f"line 4: gcp:project stands in line 2 already{TWICE}"),
        ("config:\n  triggers: 1\n  event-triggered-pipelines:triggers: 2", "line 3: event-triggered-pipelines:trig"),
        ("config:\n  gcp:project: a\n  gcp:config:project: b\n", "line 3: gcp:config:project stands in line 2"),
        (
            "config:\n  a:b:\n    - name: a\n      x: 1\n      name: b\n",
            f"line 5: name stands in line 3 already{ITEM}",
        ),
        ("config:\n  a:b: [{c: {kind: x, kind: y}}]\n", f"line 2: kind stands in line 2 already{TWICE}"),
        ("config:\n  a:b: {1: x, '1': y}\n", f"line 2: 1 stands in line 2 already{TWICE}"),
        ("config:\n  a:b: {1: x, 0x1: y}\n", f"line 2: 0x1 stands in line 2 already{TWICE}"),
        (
            "own: &own\n  x: 1\n  x: 2\nconfig:\n  a:b: *own\n  a:c: *own\n",
            f"line 3: x stands in line 2 already{TWICE}",
        ),
        ("config:\n  a:b:\n    <<: {x: 1, x: 2}\n", f"line 3: x stands in line 3 already{TWICE}"),
        ("config:\n  a:b:\n    <<: {x: 1}\n    <<: {y: 2}\n", f"line 4: << stands in line 3 already{TWICE}"),
        ("config:\n  a:b:\n    &x y: 1\n    *x : 2\n", f"line 3: y stands in line 3 already{TWICE}"),
    ],
    ids=str,
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(folder: Path, content: str, problem: str) -> None:
    text = refusal(folder, content)
    assert problem in text
    assert "\n" not in text


def test_every_key_that_stands_twice_is_said_at_once_in_the_order_of_the_file(folder: Path) -> None:
    content = "config:\n  a:b:\n    - {x: 1,\n       x: 2}\n    - y: 1\n      y: 2\n      y: 3\n  a:b: 2\n"
    assert [line.split(";")[0].strip() for line in refusal(folder, content).splitlines()] == [
        "line 8: a:b stands in line 2 already",
        "line 4: x stands in line 3 already",
        "line 6: y stands in line 5 already",
        "line 7: y stands in line 5 already",
    ]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("own: &own {x: 1, y: 1}\nconfig:\n  a:b:\n    <<: *own\n    x: 2\n", {"x": 2, "y": 1}),
        ("own: &own {x: 1}\nconfig:\n  a:b:\n    <<: [*own, {x: 2, y: 2}]\n", {"x": 1, "y": 2}),
        ("one: &one {x: 1}\ntwo: &two {<<: *one, x: 2}\nconfig:\n  a:b: {<<: *two, x: 3}\n", {"x": 3}),
    ],
)
def test_a_key_beside_a_merge_overrides_it(folder: Path, content: str, value: dict[str, int]) -> None:
    assert yaml.safe_load(read(folder, content)["a:b"]) == value


plain = st.recursive(
    st.integers(-(2**53), 2**53)
    | st.booleans()
    | st.none()
    | st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def blocks_in(value: Any) -> list[dict[str, Any]]:
    """The blocks in a value that have a key, itself first."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value] if isinstance(value, dict) and value else []
    return [*own, *(found for item in inside for found in blocks_in(item))]


@given(config=st.dictionaries(st.sampled_from(["a:b", "a:c"]), plain, min_size=1), data=st.data())
def test_of_any_file_a_key_written_once_more_is_found_and_without_it_nothing_is(
    folder: Path, config: dict[str, Any], data: st.DataObject
) -> None:
    def write(value: Any, mark: object) -> str:
        if isinstance(value, dict):
            pairs = [f'"{key}": {write(inner, mark)}' for key, inner in value.items()]
            return "{" + ", ".join([*pairs, *(pairs[:1] if value is mark else [])]) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(write(inner, mark) for inner in value) + "]"
        return "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()

    read(folder, f"config: {write(config, None)}")
    marked = data.draw(st.sampled_from(blocks_in(config)))
    assert "stands in line 1 already" in refusal(folder, f"config: {write(config, marked)}")


# --- what is no stack file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("config: [1]", "it is not a stack file; write a block `config:` with NAMESPACE:KEY: VALUE in it"),
        ("- 1", "it is not a stack file; write a block `config:`"),
        ("text", "it is not a stack file; write a block `config:`"),
        ("confg: {gcp:project: a}", "confg: unknown block; did you mean config?"),
        ("Config: {gcp:project: a}", "Config: unknown block; did you mean config?"),
        ("config:\ngcp:project: a", "gcp:project: stands beside config, where nobody reads it; indent it"),
        ("config:\ntriggers: [a]", "triggers: stands beside config, where nobody reads it; indent it"),
        ("config: {confg:gcp:project: a}", "confg:gcp:project: is no NAMESPACE:KEY; did you mean gcp:project?"),
        ("config: {a:b:c:d: a}", "a:b:c:d: is no NAMESPACE:KEY; write it as gcp:project is written"),
        ('config: {"a:b:c:d\\n": 1}', r"a:b:c:d\n: is no NAMESPACE:KEY"),
        (b"config:\n  a:b: \xff", "line 2: a character that is not UTF-8; save the file as UTF-8"),
        ("config:\n  a:b: \x07", "line 2: U+0007, which YAML does not take; take it out"),
        ("config:\n\ta:b: 1", "line 2, column 1: a tab; indent with spaces"),
        ("config: {a:b: 1", "line 1, column 9: a bracket that is not closed, or lacks a comma"),
        ("config:\n  a:b: **/*.csv", "line 2, column 9: text that starts with * or &; put it in quotes"),
        (
            "config:\n  a:b: *csv",
            "line 2, column 8: there is no &csv above it; put text that starts with * in quotes",
        ),
        ("config:\n  a:b: @csv", "line 2, column 8: text that starts with @; put it in quotes"),
        ("config:\n  a:b: 'csv\n", "line 2, column 8: a quotation mark without its other; close it"),
        ('config:\n  a:b: "\\d"\n', "line 2, column 10: a backslash that means nothing in double quotes; use single"),
        ("config:\n  a:b: c: d", "line 2, column 9: a colon where none can be; put text with one in quotes"),
        ("config:\n  a:b: - c", "line 2, column 8: a dash where no list can start; start the list on a line"),
        ("config:\n  a:b: 1\n  c\n", "line 3, column 3: a key without its colon; write KEY: VALUE"),
        ("config:\n  a:b:\n    x: 1\n   y: 2", "line 4, column 4: belongs to nothing above it; indent it as"),
        ("config: 1\n---\nconfig: 2", "line 2, column 1: a second document starts here; keep one"),
        ("a: &x 1\nb: &x 2", "line 2, column 4: an anchor (&) whose name is taken; give it a name of its own"),
        ("config:\n  a:b: {{x}}", "line 2, column 9: a key that is a list or a map; put text that starts"),
        ("config:\n  a:b: {<<: 1}", "line 2, column 13: << takes a map, or a list of maps; give it one"),
        (
            "config:\n  a:b: !secret x",
            "line 2, column 8: starts with !, which YAML keeps for itself; put it in quotes",
        ),
        (
            "config:\n  a:b: !!set {x}",
            "line 2, column 8: starts with !, which YAML keeps for itself; put it in quotes",
        ),
        ('config:\n  a:b: "\\ud800"', "line 2, column 8: half a character; write the whole one"),
        ("config:\n  a:b: !!int x", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!bool x", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!bool yes", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!int 1.0", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!int 089", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!null x", "line 2, column 8: no such number, or true or false; put it in quotes"),
        ("config:\n  a:b: !!binary aGk=", "line 2, column 8: starts with !, which YAML keeps for itself; put it in"),
        ("config:\n  a:b: !!timestamp 2026-11-22", "line 2, column 8: starts with !, which YAML keeps for itself"),
        (
            "config:\n  a:b: {'<<': {x: 1}}",
            "line 2, column 9: <<, which Pulumi takes for the merge that it is without",
        ),
        ("config:\n  a:b: 'x' y", "line 2, column 12: belongs to nothing above it"),
        ("config:\n  a:b: ]", "line 2, column 8: what follows is not YAML"),
        ("config:\n  a:b: &x [*x]", "an alias (*) stands within what it names; take it out"),
        ("config: " + "[" * 3000, "it nests too deeply; take levels out"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_no_stack_file(folder: Path, content: str | bytes, problem: str) -> None:
    text = refusal(folder, content)
    assert text.startswith(problem)
    assert "\n" not in text


# --- what one reader takes for one thing, and another for another ---------------------------------------------------

QUOTES = "put it in quotes"
LOST = f"is a whole number beyond 2^53, of which the Pulumi CLI or others lose digits; {QUOTES}"
TIME = f"to the Pulumi CLI, and a date to others; {QUOTES}"


def number(value: str, others: str = "text") -> str:
    return f"is the number {value} to the Pulumi CLI, and {others} to others; {QUOTES}, or write {value}"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("2026-11-25", f"is the text 2026-11-25 00:00:00 +0000 UTC {TIME}"),
        ("2026-11-25T10:00:00Z", f"is the text 2026-11-25 10:00:00 +0000 UTC {TIME}"),
        ("2026-11-25 10:00:00.50", f"is the text 2026-11-25 10:00:00.5 +0000 UTC {TIME}"),
        ("2026-1-2T3:04:05+02:00", f"is the text 2026-01-02 03:04:05 +0200 +0200 {TIME}"),
        ("089", number("89")),
        ("-08", number("-8")),
        ("1e3", number("1000")),
        ("1.0e3", number("1000")),
        ("1e-6", number("0.000001")),
        ("+.5", number("0.5")),
        ("0o17", number("15")),
        ("0X1F", number("31")),
        ("12345678901234567890", LOST),
        ("9007199254740993", LOST),
        ("-9007199254740994.0", LOST),
        ("1e21", f"is the number 1000000000000000000000 to the Pulumi CLI, and text to others; {QUOTES}"),
        (
            "0x1ffffffffffffffff",
            f"is text to the Pulumi CLI, and the number 36893488147419103231 to others; {QUOTES}",
        ),
        (".inf", f"is a number that the Pulumi CLI refuses; {QUOTES}, or leave it out"),
        (".nan", f"is a number that the Pulumi CLI refuses; {QUOTES}, or leave it out"),
    ],
)
def test_what_not_everybody_reads_alike_is_refused_with_what_each_makes_of_it(
    folder: Path, written: str, problem: str
) -> None:
    for place, content in {
        "a:b": f"config:\n  a:b: {written}",
        "a:b[1].c.d": f"config: {{a:b: [x, {{c: {{d: {written}}}}}]}}",
        "a:b.c": f"own: &own {{c: {written}}}\nconfig:\n  a:b:\n    <<: *own\n    d: 1",
        "a:b[0]": f"own: &own {written}\nconfig: {{a:b: [*own]}}",
    }.items():
        assert refusal(folder, content) == f"{place}: {written} {problem}"
    assert refusal(folder, f"config:\n  a:b:\n    ? {written}\n    : x") == f"a:b: a key {written} {problem}"
    assert read(folder, f"config:\n  a:b: '{written}'") == {"a:b": written}


def test_what_is_long_is_shown_in_part(folder: Path) -> None:
    assert refusal(folder, f"config:\n  a:b: {'9' * 5000}").startswith(f"a:b: {'9' * 40}… is text to the Pulumi CLI")


def test_every_such_value_is_said_at_once_and_none_outside_the_configuration(folder: Path) -> None:
    content = "own: {x: 2026-11-25, y: 1e3}\nconfig: {a:b: [1e3, {~: 0o17}]}"
    assert [line.strip().split(" ")[0] for line in refusal(folder, content).splitlines()] == [
        "a:b[0]:",
        "a:b[1]:",
        "a:b[1].null:",
    ]


# --- what the file alone does not say -------------------------------------------------------------------------------

WRITE = "write it into the file as it is, or run pulumi itself"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("config: {gcp:project: {secure: v1:a:b}}", f"gcp:project: is a secret, which only Pulumi can read; {WRITE}"),
        (
            "config: {triggers: [{name: a, target: {host: {secure: v1:a:b}}}]}",
            f"event-triggered-pipelines:triggers[0].target.host: is a secret, which only Pulumi can read; {WRITE}",
        ),
    ],
)
def test_a_secret_is_called_one(folder: Path, content: str, problem: str) -> None:
    assert refusal(folder, content) == problem


def test_a_secret_of_somebody_else_is_passed_over(folder: Path) -> None:
    secret = "{secure: v1:a:b}"
    assert read(folder, f"config: {{other:token: {secret}, other:more: {{a: {secret}}}}}")


@pytest.mark.parametrize(("written", "named"), [("[dev, net]", "dev, net"), ("{values: {}}", "its own")])
def test_a_key_that_an_environment_may_hold_is_not_called_missing(folder: Path, written: str, named: str) -> None:
    text = refusal(folder, f"environment: {written}\nconfig: {{gcp:project: a, triggers: [1]}}")
    said = f"may come from the file's environment ({named}), which only Pulumi can read"
    assert text == f"gcp:region: {said}; {WRITE}"
    assert len(refusal(folder, f"environment: {written}").splitlines()) == 3
    assert read(folder, f"environment: {written}\nconfig: {{gcp:project: a, gcp:region: b, triggers: [1]}}")


@pytest.mark.parametrize("shared", ["gcp:region: b", "gcp:region: {value: b}", "ledger_days: 7"])
def test_a_key_that_the_project_s_file_holds_is_said_to_be_there(tmp_path: Path, shared: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: event-triggered-pipelines\nconfig: {{project: b, triggers: {{type: array}}, {shared}}}"
    )
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    with pytest.raises(
        ConfigurationError,
        match=r"^Pulumi\.dev\.yaml:\n  [\w:-]+: stands in Pulumi\.yaml, and the stack file alone is read here",
    ):
        read_stack("dev", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config: {gcp:project: a, gcp:region: c, triggers: [1], ledger_days: 9}"
    )
    assert read_stack("dev", tmp_path)


def test_a_file_that_nobody_may_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (folder / "Pulumi.mine.yaml").touch()
    with pytest.raises(ConfigurationError, match=r"^Pulumi\.mine\.yaml:\n  it cannot be read: Permission denied$"):
        read_stack(str(folder / "Pulumi.mine.yaml"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two stacks, seen from a directory in it."""
    for name in ("Pulumi.dev.yaml", "Pulumi.my.own.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    return tmp_path


@pytest.mark.parametrize("stack", ["dev", "Pulumi.dev", "Pulumi.dev.yaml", "../Pulumi.dev.yaml"])
def test_a_stack_is_found_however_it_is_called(checkout: Path, stack: str) -> None:
    assert find_stack(stack, checkout).resolve() == checkout / "Pulumi.dev.yaml"
    assert read_stack(stack, checkout) == ("dev", {})


def test_a_path_means_the_file_that_is_there(checkout: Path) -> None:
    (checkout / "docs" / "Pulumi.dev.yaml").touch()
    assert find_stack("Pulumi.dev.yaml", checkout).resolve() == checkout / "docs" / "Pulumi.dev.yaml"
    assert find_stack("Pulumi.dev", checkout) == checkout / "Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("stack", "problem"),
    [
        ("", "the stack's name is empty; choose one of dev, my.own, or give a file's path"),
        (" ", "the stack's name is empty; choose one of dev, my.own, or give a file's path"),
        ("prod", "there is no stack file Pulumi.prod.yaml; choose one of dev, my.own, or give a file's path"),
        ("Pulumi.prod", "there is no stack file Pulumi.prod.yaml; choose one of dev, my.own, or give a file's path"),
        ("x/prod.yaml", "there is no stack file x/prod.yaml; choose one of dev, my.own, or give a file's path"),
    ],
)
def test_a_stack_that_is_not_there(checkout: Path, stack: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_stack(stack, checkout)
    assert str(refused.value) == problem


def test_where_there_are_no_stacks_none_is_offered(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no stack file Pulumi\.dev\.yaml; give a file's path"):
        find_stack("dev", tmp_path)
    assert stack_names(tmp_path) == []

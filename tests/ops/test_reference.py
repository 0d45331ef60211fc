"""What is said of a stack file's keys is what the settings' models say, and editors can check stack files by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import yaml
from pydantic import Field

from infra.configuration.model import Model
from ops import reference
from ops.reference import PAGE, SCHEMA, TROUBLES, answers, stack_schema, tables, write_page, write_schema
from tests.plans import DEV, STACK_FILES


def test_the_page_and_the_schema_are_current() -> None:
    fix = "write it anew with: make golden"
    assert PAGE.read_text() == write_page(PAGE.read_text(), tables(stack_schema())), fix
    assert SCHEMA.read_text() == write_schema(stack_schema()), fix
    assert TROUBLES.read_text() == write_page(TROUBLES.read_text(), answers()), fix


def test_what_a_person_wrote_around_the_tables_stays() -> None:
    page = f"before\n{reference.START}\nwhat was there\n{reference.END}\nafter\n"
    written = write_page(page, tables(stack_schema()))
    assert written.startswith(f"before\n{reference.START}\n")
    assert written.endswith(f"{reference.END}\nafter\n")
    assert "what was there" not in written
    assert write_page(written, tables(stack_schema())) == written


def keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Every key of a stack file: where it stands, what is said of it and whether it must be there."""
    blocks = {"config": schema["properties"]["config"], **schema["$defs"]}
    for where, block in blocks.items():
        for name, field in block["properties"].items():
            yield f"{where}.{name}", field, name in block.get("required", ())


@pytest.mark.parametrize(
    ("field", "required"), [pytest.param(field, needed, id=where) for where, field, needed in keys(stack_schema())]
)
def test_every_key_is_described_and_has_an_example(field: Mapping[str, Any], required: bool) -> None:
    assert field.get("description"), "say what it means: Field(description=...)"
    if "$ref" not in json.dumps(field):  # a block is described by its own keys
        assert {"examples", "const"} & field.keys() or field.get("default"), "give Field(examples=[...])"


def test_every_example_is_what_the_schema_allows() -> None:
    schema = stack_schema()
    for _, field, _ in keys(schema):
        for example in field.get("examples", ()):
            jsonschema.validate(example, {**field, "$defs": schema["$defs"]})


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_every_stack_file_passes_in_an_editor_that_knows_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), stack_schema())
    [schema] = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", path.read_text(), re.MULTILINE)
    assert (path.parent / schema).resolve() == SCHEMA


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"event-triggered-pipelines:trigers": []}, "False schema does not allow"),
        ({"event-triggered-pipelines:ledger_days": "93"}, "is not of type 'integer'"),
        ({"gcp:region": None}, "is not of type 'string'"),
        ({"sorce": {}}, "Additional properties are not allowed"),
        ({"source": {"kind": "ftp"}}, "was expected|is not valid under any"),
        ({"target": {"kind": "kfp"}}, "is a required property|was expected"),
        ({"parameters": {"filename": {"form": "a"}}}, "is not valid under any of the given schemas"),
        ({"when": True}, "is not valid under any of the given schemas"),
        ({"delivery": {"attempts": 3}}, "is less than the minimum of 5"),
    ],
    ids=str,
)
def test_the_schema_marks_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    file = yaml.safe_load(DEV.read_text())
    for key, value in changes.items():
        (file["config"] if ":" in key else file["config"]["event-triggered-pipelines:triggers"][0])[key] = value
    with pytest.raises(jsonschema.ValidationError, match=problem):
        jsonschema.validate(file, stack_schema())


class One(Model):
    """The first kind."""

    kind: Annotated[Literal["one"], Field(description="first")]
    limit: Annotated[int | str, Field(description="a|b", examples=["50%"])] = 5


class Two(Model):
    """The second kind."""

    kind: Annotated[Literal["two"], Field(description="second")]
    names: Annotated[list[str] | None, Field(description="names", examples=[["a", "b"]])] = None


class Stack(Model):
    """A stack with a block that has kinds."""

    stack: str
    things: Annotated[list[Annotated[One | Two, Field(discriminator="kind")]], Field(description="all")]


def test_each_kind_of_a_block_has_a_table_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "StackSettings", Stack)
    assert [line for line in tables(stack_schema()).splitlines() if line and "---" not in line] == [
        "| key | type | default | example | meaning |",
        "| `event-triggered-pipelines:things` | list of blocks | required | see below | all |",
        "### `things` of kind `one`",
        "The first kind.",
        "| key | type | default | example | meaning |",
        "| `kind` | `one` | required | `one` | first |",
        "| `limit` | whole number or text | `5` | `50%` | a\\|b |",
        "### `things` of kind `two`",
        "The second kind.",
        "| key | type | default | example | meaning |",
        "| `kind` | `two` | required | `two` | second |",
        "| `names` | list | none | `[a, b]` | names |",
    ]

"""A schema is held to what the function understands, and a mapping to the schema, at preview."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.errors import ConfigurationError
from infra.mapping.schemas import read_content_schema
from rehearsal.program import Plan
from tests.infra.configuration.test_settings import refusal
from tests.plans import TRIGGERS, dev_config, plan

ORDER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "rows", "customer", "tags", "maybe"],
    "properties": {
        "id": {"type": "string"},
        "rows": {"type": "integer"},
        "note": {"type": "string"},
        "maybe": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "customer": {"$ref": "#/definitions/customer"},
    },
    "definitions": {
        "customer": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "vat": {"type": "string"}},
        }
    },
}
FILE = "schemas/order.json"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "schemas").mkdir()
    write(tmp_path, ORDER)
    read = read_content_schema
    monkeypatch.setattr("infra.check.read_content_schema", lambda file: read(file, tmp_path))
    return tmp_path


def write(project: Path, schema: Any) -> None:
    (project / FILE).write_text(schema if isinstance(schema, str) else json.dumps(schema))


def config(filename: Any = "content.id", **changes: Any) -> dict[str, str]:
    return dev_config(schema=FILE, parameters={"filename": filename}, **changes)


def archive_of(planned: Plan) -> Any:
    [function] = planned.of_type(":Function")
    return planned.archive_of(function)


@pytest.mark.parametrize(
    ("filename", "problem"),
    [
        ("content.ident", "content.ident does not exist; content has: id, rows, note, maybe, tags, customer"),
        ("content.rows", "content.rows is a number, which never fits STRING"),
        ("content.customer", "content.customer is a map, which never fits STRING"),
        (
            "content.note",
            "content.note may be missing or null by schemas/order.json, and the pipeline requires 'filename'",
        ),
        ("content.maybe", "content.maybe may be missing or null"),
        ("content.customer.vat", "content.customer.vat may be missing or null"),
        ("content.customer.name[0]", "is text, and an index takes a part of a list"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_mapping_that_the_schema_does_not_bear_is_refused(filename: str, problem: str) -> None:
    text = refusal(config(filename))
    assert f"{TRIGGERS}[0].parameters.filename: " in text
    assert problem in text


@pytest.mark.parametrize(
    "filename",
    [
        "content.id",
        "content.customer.name",
        {"from": "content.note", "default": "none"},
        "not_null(content.note, 'none')",
        "content.tags[0]",
        "object.uri",
    ],
)
@pytest.mark.usefixtures("project")
def test_a_mapping_that_it_bears_passes_and_the_launcher_may_read_files(filename: Any) -> None:
    planned = plan(schema=FILE, parameters={"filename": filename})
    assert any("objectViewer" in grant.inputs["role"] for grant in planned.of_type(":BucketIAMMember"))
    assert json.loads(archive_of(planned).assets["schema.json"].text) == ORDER


def test_another_schema_is_another_archive_and_none_is_the_same_as_before(project: Path) -> None:
    def name() -> str:
        [source] = plan(schema=FILE).of_type(":BucketObject")
        return str(source.inputs["name"])

    first = name()
    assert name() == first
    write(project, {**ORDER, "title": "an order"})
    assert name() != first
    assert "schema.json" not in archive_of(plan()).assets


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{", "schemas/order.json is not JSON: "),
        ("[]", "schemas/order.json is no schema, which is a map"),
        ({"type": "objekt"}, "schemas/order.json is no JSON Schema: "),
        ({"prefixItems": []}, "/prefixItems is of a later draft than 7, and the function would not look at it"),
        (
            {"properties": {"a": {"items": [{"unevaluatedProperties": False}]}}},
            "/properties/a/items/0/unevaluatedProperties",
        ),
        ({"$ref": "https://example.org/order.json"}, "/$ref leads to another file, which the function would fetch"),
        ({"allOf": [{"$ref": "other.json#/x"}]}, "/allOf/0/$ref leads to another file"),
    ],
)
def test_a_schema_that_the_function_would_not_understand_is_refused(project: Path, schema: Any, problem: str) -> None:
    write(project, schema)
    text = refusal(config())
    assert f"{TRIGGERS}[0].schema: " in text
    assert problem in text


def test_names_of_fields_are_no_keywords(project: Path) -> None:
    write(project, {"type": "object", "properties": {"prefixItems": {"type": "string"}, "minContains": {}}})
    assert set(read_content_schema(FILE, project).kind) == {"prefixItems", "minContains"}


def test_a_schema_that_is_not_there_is_said(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^there is no schemas/x\.json; give the schema's path"):
        read_content_schema("schemas/x.json", project)


def test_a_schema_that_refers_to_itself_has_a_kind(project: Path) -> None:
    write(
        project,
        {
            "$ref": "#/definitions/n",
            "definitions": {"n": {"type": "object", "properties": {"n": {"$ref": "#/definitions/n"}}}},
        },
    )
    kind = read_content_schema(FILE, project).kind
    assert set(kind) == {"n"}


def test_the_key_is_suggested_by_its_name() -> None:
    assert f"{TRIGGERS}[0].schemas: unknown key; did you mean schema? known: " in refusal(dev_config(schemas=FILE))

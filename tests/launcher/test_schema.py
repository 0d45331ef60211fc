"""Content that does not fit a trigger's schema is rejected with the place, and without what stands there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.condition import read_condition
from function_src.launcher.mapping.expression import UnmappableError
from function_src.launcher.mapping.schema import Schema
from function_src.launcher.package import read_package
from function_src.launcher.sources import PubSubSource
from tests.launcher.deliveries import TRIGGER_ID, Delivery, as_json, message
from tests.launcher.world import PACKAGE, World

SECRET = "ann@example.org"
ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["id", "rows"],
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]+$"},
        "rows": {"type": "integer", "minimum": 1},
        "lines": {"type": "array", "items": {"$ref": "#/definitions/line"}},
        "a/b~c": {"enum": ["x", "y"]},
    },
    "definitions": {
        "line": {"type": "object", "additionalProperties": False, "properties": {"sku": {"type": "string"}}}
    },
}
GOOD = {"id": "A", "rows": 3}


def said(content: Any) -> str:
    with pytest.raises(UnmappableError) as raised:
        Schema(ORDER).check({"content": content, "lines": []})
    assert SECRET not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "the top lacks id, rows"),
        ({"rows": 1}, "the top lacks id"),
        ([], "the top breaks type: 'object'"),
        (SECRET, "the top breaks type: 'object'"),
        ({**GOOD, "rows": SECRET}, "/rows breaks type: 'integer'"),
        ({**GOOD, "rows": 0}, "/rows breaks minimum: 1"),
        ({**GOOD, "id": SECRET}, "/id breaks pattern: '^[A-Z]+$'"),
        ({**GOOD, "lines": [{}, {"sku": 1}]}, "/lines/1/sku breaks type: 'string'"),
        ({**GOOD, "lines": [{SECRET: 1}]}, "/lines/0 breaks additionalProperties: false"),
        ({**GOOD, "a/b~c": "z"}, '/a~1b~0c breaks enum: ["x", "y"]'),
    ],
)
def test_where_content_does_not_fit_is_said_by_a_pointer(content: Any, what: str) -> None:
    assert said(content) == f"the content does not fit the schema: {what}"


def test_content_that_fits_passes_and_is_not_changed() -> None:
    document = {"content": dict(GOOD), "lines": []}
    Schema({**ORDER, "properties": {**ORDER["properties"], "more": {"default": 1}}}).check(document)
    assert document["content"] == GOOD


def test_half_written_json_is_called_that() -> None:
    with pytest.raises(UnmappableError, match=r"^the content is not JSON: line 1, column 8"):
        Schema(ORDER).check({"content": '{"id": ', "lines": ['{"id": ']})


@pytest.mark.parametrize("definition", [{"type": "objekt"}, {"type": 7}, {"pattern": "("}, {"required": 7}])
def test_what_is_no_schema_is_refused(definition: Any) -> None:
    with pytest.raises(ValueError, match="is no JSON Schema: "):
        Schema(definition)


def launcher(world: World, **changes: Any) -> Launcher:
    trigger = world.launcher("content.id", **changes)._trigger
    return Launcher(trigger, read_package(PACKAGE), Schema(ORDER))


def test_an_event_that_does_not_fit_is_rejected_and_one_that_does_is_launched(world: World) -> None:
    bad = world.handle(launcher(world), world.upload(as_json({**GOOD, "rows": "3"})))
    assert (bad.outcome, bad.reason) == (
        "rejected",
        "the content does not fit the schema: /rows breaks type: 'integer'",
    )
    assert world.outcomes(launcher(world), world.upload(as_json(GOOD))) == ["launched"]
    assert [workflow.parameters for workflow in world.kfp.workflows] == [{"filename": "A"}]


def test_a_message_is_held_to_it_too(world: World) -> None:
    deliveries: list[Delivery] = [
        ({}, as_json(message(as_json(content), str(number)))) for number, content in enumerate([GOOD, {}])
    ]
    assert world.outcomes(launcher(world, source=PubSubSource(TRIGGER_ID)), *deliveries) == ["launched", "rejected"]


def test_what_when_does_not_want_need_not_fit(world: World) -> None:
    when = read_condition("content.kind == 'order'")
    assert world.outcomes(launcher(world, when=when), world.upload(b'{"kind": "note"}')) == ["skipped"]


def test_content_is_read_for_the_schema_alone(world: World) -> None:
    trigger = world.launcher("object.uri")._trigger
    held = Launcher(trigger, read_package(PACKAGE), Schema(ORDER))
    assert world.outcomes(held, world.upload(b"{}")) == ["rejected"]
    assert len(world.reads()) == 1


def test_the_validator_is_imported_only_for_a_schema() -> None:
    program = (
        "import sys, launcher.launch, launcher.mapping.schema as s; before = 'fastjsonschema' in sys.modules; "
        "s.Schema({}); print(before, 'fastjsonschema' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd="function_src", capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_a_schema_says_the_same_as_the_reference_implementation() -> None:
    """Of jsonschema, which is strict and too slow to start for a function."""
    validator = jsonschema.Draft7Validator(ORDER)
    contents: list[Any] = [
        GOOD,
        {},
        [],
        None,
        1,
        "A",
        {**GOOD, "rows": True},
        {**GOOD, "rows": 1.0},
        {**GOOD, "rows": 1.5},
    ]
    lines: list[Any] = [[], [{}], [{"sku": "s"}], [{"sku": 1}], [{"x": 1}], {}, ""]
    contents += [{**GOOD, "lines": line} for line in lines]
    for content in contents:
        fits = validator.is_valid(content)
        try:
            Schema(ORDER).check({"content": content, "lines": [json.dumps(content)]})
        except UnmappableError:
            assert not fits, content
        else:
            assert fits, content

"""A trigger is checked against its pipeline at preview, by the code that runs in the function."""

from typing import Any

import pytest

from function_src.launcher.package import Input
from infra.contract import check_parameters
from infra.errors import ConfigurationError
from tests.infra.test_settings import refusal
from tests.plans import TRIGGERS, dev_config

INPUTS = {
    "uri": Input("STRING", required=True),
    "rows": Input("NUMBER_INTEGER", required=False),
    "ratio": Input("NUMBER_DOUBLE", required=False),
    "tags": Input("LIST", required=False),
    "labels": Input("STRUCT", required=False),
    "fast": Input("BOOLEAN", required=False),
    "mode": Input("STRING", required=False, literals=("a", "b")),
}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"filname": "object.uri"}, ".filname: the pipeline has no such parameter; did you mean filename?"),
        ({}, ": the pipeline requires 'filename' (STRING) and nothing maps it; add filename: EXPRESSION"),
        ({"filename": "object..uri"}, ".filename: parameter 'filename': 'object..uri' is not JMESPath: Expecting"),
        ({"filename": "object.url"}, ".filename: object.url does not exist; object has: uri, bucket, name"),
        ({"filename": "objekt.uri"}, ".filename: objekt.uri does not exist; the event has: object, message"),
        ({"filename": "object.size"}, ".filename: object.size is a number, which never fits STRING"),
        ({"filename": 3}, ".filename: parameter 'filename' is 3; write an expression, {from: EXPRESSION"),
        ({"filename": {"value": 3}}, ".filename: parameter 'filename' is 3, which is no STRING"),
    ],
)
def test_a_mapping_that_does_not_fit_the_pipeline(parameters: dict[str, Any], expected: str) -> None:
    assert f"{TRIGGERS}[0].parameters{expected}" in refusal(dev_config(parameters=parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"rows": "object.uri"},
        {"tags": "object.metadata"},
        {"labels": "lines"},
        {"fast": "object.size"},
        {"ratio": "event.time"},
        {"rows": {"from": "content.rows", "default": 2.5}},
        {"mode": {"value": "c"}},
    ],
)
def test_a_type_that_can_never_fit(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=rf"^p\.{next(iter(parameters))}: "):
        check_parameters("p", {"uri": "object.uri", **parameters}, INPUTS)


@pytest.mark.parametrize(
    ("parameters", "reads_content"),
    [
        ({"rows": "object.size", "ratio": "object.size"}, False),
        ({"rows": "object.generation"}, False),
        ({"mode": {"value": "a"}, "fast": {"value": True}}, False),
        ({"uri": "join('/', [object.bucket, object.name])"}, False),
        ({"labels": "object.metadata", "mode": "object.metadata.mode"}, False),
        ({"rows": {"from": "content.rows", "default": 3}}, True),
        ({"tags": "lines"}, True),
    ],
)
def test_a_mapping_that_can_fit_passes_and_says_whether_it_reads_content(
    parameters: dict[str, Any], reads_content: bool
) -> None:
    assert check_parameters("p", {"uri": "object.uri", **parameters}, INPUTS) is reads_content

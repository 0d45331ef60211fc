"""What the KFP API server reads and what it refuses, with the codes of the real one.

The server answers in gRPC codes, and some are not what one would guess: a run without a name, a package it cannot
read and a pipeline version it does not know are *internal* errors (500), not bad requests. So 500 is not always worth
a retry (resource_manager.go CreateRun, api_converter.go toModelRun, template/v2_template.go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import kfp_server_api
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, ABORTED, UNIMPLEMENTED, INTERNAL = 3, 5, 6, 10, 12, 13
HTTP_STATUS = {INVALID_ARGUMENT: 400, NOT_FOUND: 404, ALREADY_EXISTS: 409, ABORTED: 409}
HTTP_STATUS |= {UNIMPLEMENTED: 501, INTERNAL: 500}
SCHEMA_VERSION = "2.1.0"
UNREADABLE = "Failed to create a new run: InternalServerError: Failed to create a run due to error fetching manifest"
RUN_ID = re.compile(r"\[\[RunUUID\]\]|\{\{workflow\.uid\}\}")
RUN_TIME = re.compile(r"\[\[CurrentTime[^\]]*\]\]|\{\{\$\.currentTime[^}]*\}\}")
# Go writes these as \x7f and \U000e0067 where they are not printable, for which JSON has no form.
GO_MAY_ESCAPE = re.compile("[\x7f\U00010000-\U0010ffff]")
# Of the placeholders that Argo knows, a component's own are resolved at once, and not to what the server can read.
COMPONENTS_OWN = re.compile(r"\{\{\s*inputs\.")
JSON_KINDS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "NUMBER_INTEGER": ("double or integer", (int, float)),
    "NUMBER_DOUBLE": ("double or integer", (int, float)),
    "STRING": ("string", str),
    "BOOLEAN": ("bool", bool),
    "LIST": ("list", list),
    "STRUCT": ("struct", dict),
}

Fields = dict[str, Any]
"""A message of the API, by its snake_case field names. What is absent is not in it."""


class ApiError(Exception):
    """An answer of the API server other than 2xx, by its gRPC code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def api_error(_: Request, error: Exception) -> Response:
    """The body that the server's gateway makes of an error: the message twice, and a shorter one for people."""
    code, message = getattr(error, "code", INTERNAL), str(error)
    summary = "Internal Server Error" if code == INTERNAL else message
    details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": summary}]
    body = {"error": message, "code": code, "message": message, "details": details}
    return JSONResponse(body, HTTP_STATUS[code])


def present(message: Fields) -> Fields:
    """A message as the server's gateway writes it: without the fields that are empty."""
    return {name: value for name, value in message.items() if value not in ("", 0, [], {})}


def answer(message: Fields) -> JSONResponse:
    """The answer to a request that was carried out."""
    return JSONResponse(present(message))


async def read_body(request: Request, model: Any) -> Fields:
    """The body of a request as one of ``kfp_server_api``'s models: unknown fields are refused, as by the server."""
    return read_message(await request.body(), model)


def read_message(text: bytes | str, model: Any) -> Fields:
    """A message from JSON, as strict as protojson: Python reads ``NaN``, half a letter, and one name twice."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
        json.dumps(value, ensure_ascii=False).encode()  # which half a letter cannot be
    except (ValueError, RecursionError) as error:
        raise ApiError(INVALID_ARGUMENT, f"proto: syntax error: {error}") from error
    return _message(value, model)


def read_package(run: Fields, package_of: Callable[[Fields], Fields | None]) -> Fields:
    """The pipeline package of a run, which may stand alone or beside a ``platform_spec``.

    ``package_of`` finds the one that a reference means.
    """
    given = run.get("pipeline_spec", {})
    if reference := run.get("pipeline_version_reference"):
        found = package_of(reference)
        if found is None:
            version = reference.get("pipeline_version_id") or f"of pipeline {reference.get('pipeline_id')}"
            raise ApiError(INTERNAL, f"{UNREADABLE}: ResourceNotFoundError: PipelineVersion {version} not found.")
        given = found
    package: Fields = given.get("pipeline_spec", given)
    if not package.get("pipelineInfo") or not package.get("root"):
        raise ApiError(INTERNAL, f"{UNREADABLE}: InvalidInputError: no pipeline spec is provided")
    if (version := package.get("schemaVersion")) != SCHEMA_VERSION:
        problem = f"KFP only supports schema version {SCHEMA_VERSION}, but the pipeline spec has version {version}"
        raise ApiError(INTERNAL, f"{UNREADABLE}: InvalidInputError: {problem}")
    if not package["pipelineInfo"].get("name"):
        raise ApiError(INTERNAL, f"{UNREADABLE}: InvalidInputError: invalid v2 pipeline spec: name is empty")
    try:
        json_format.ParseDict(package, PipelineSpec())
    except json_format.ParseError as error:  # a field, say, that a newer SDK writes
        raise ApiError(INTERNAL, f"{UNREADABLE}: InvalidInputError: invalid v2 pipeline spec: {error}") from error
    return package


def check_workflow(name: str, package: Fields, parameters: Fields) -> None:
    """Refuses what makes a Workflow that Argo cannot read: its texts are quoted as Go quotes, which is not JSON."""
    texts = json.dumps([name, package, parameters], ensure_ascii=False)
    odd = any(letter == "\x7f" or not letter.isprintable() for letter in GO_MAY_ESCAPE.findall(texts))
    if odd or COMPONENTS_OWN.search(json.dumps(parameters)):
        reason = "cannot finish template replacement because the result was invalid JSON"
        raise ApiError(INTERNAL, f"Failed to validate workflow for ({package['pipelineInfo']['name']}): {reason}")


def expand(parameters: Fields, run_id: str) -> Fields:
    """The parameters as the server hands them to Argo: it fills in placeholders in texts, and in no other value."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    texts = {name: value for name, value in parameters.items() if isinstance(value, str)}
    return parameters | {name: RUN_TIME.sub(now, RUN_ID.sub(run_id, text)) for name, text in texts.items()}


def check_parameters(package: Fields, parameters: Fields) -> None:
    """Refuses what ``validatePipelineJobInputs`` refuses, which is less than one wants: 2.5 passes for an integer."""
    inputs: Fields = package["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, definition in inputs.items():
        if name in parameters:
            _check_value(name, parameters[name], definition)
        elif not definition.get("isOptional") and definition.get("defaultValue") is None:
            _invalid_input(f"parameter {name} is not optional, yet has neither default value nor user provided value")
    if extra := sorted(parameters.keys() - inputs.keys()):
        _invalid_input(f"parameter(s) provided are not required by pipeline: {', '.join(extra)}")


def _check_value(name: str, value: Any, definition: Fields) -> None:
    kind = definition.get("parameterType", "")
    if kind not in JSON_KINDS:
        _invalid_input(f"input parameter {name} requires type unknown")
    wanted, types = JSON_KINDS[kind]
    # In Python, unlike in JSON, true is a number.
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "BOOLEAN"):
        _invalid_input(f"input parameter {name} requires type {wanted}, but the parameter value is not of that type")
    literals = definition.get("literals", [])
    if literals and value not in literals:
        _invalid_input(f"input parameter {name} must be one of {literals}, but the parameter value is {value!r}")


def _invalid_input(message: str) -> NoReturn:
    raise ApiError(INVALID_ARGUMENT, f"Failed to generate the ExecutionSpec: invalid pipeline job inputs: {message}")


def _message(value: Any, model: Any) -> Fields:
    if not isinstance(value, dict):
        raise ApiError(INVALID_ARGUMENT, f"proto: unexpected token {json.dumps(value)}")
    # Either spelling of a name is right, and null is the same as absent.
    spellings = {spelling: name for name in model.openapi_types for spelling in (name, _camel_case(name))}
    if unknown := sorted(value.keys() - spellings.keys()):
        raise ApiError(INVALID_ARGUMENT, f'proto: unknown field "{unknown[0]}"')
    present = {spellings[key]: item for key, item in value.items() if item is not None}
    return {name: _field(name, item, model.openapi_types[name]) for name, item in present.items()}


def _field(name: str, value: Any, kind: str) -> Any:
    """One field, by the type that the published schema gives it: ``str``, ``list[V]``, a model, ..."""
    if kind.startswith("list["):
        item_kind = kind.removeprefix("list[").removesuffix("]")
        return [_field(name, item, item_kind) for item in _expect(name, value, list)]
    model = getattr(kfp_server_api, kind, None)
    if model is None:
        return _expect(name, value, {"str": str, "datetime": str, "int": int}.get(kind, dict))
    # A model without fields is an enumeration, which may be written as a number too.
    return _message(value, model) if model.openapi_types else _expect(name, value, (str, int))


def _expect(name: str, value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind):
        raise ApiError(INVALID_ARGUMENT, f"proto: invalid value for field {name}: {json.dumps(value)}")
    return value


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> Fields:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("duplicate field")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid value {name}")

"""Has kfp.local hand values on as KFP's driver and launcher do on a cluster.

kfp.local keeps numbers as protobuf does, all of them floats, and cannot hand on that there is no value. On a cluster
a step reads its inputs from JSON that Go writes, where 3 is 3; a number in the middle of a text has neither exponent
nor `.0`; and an optional input without a value is left out, so that the task falls back on its own default. Sources,
in kubeflow/pipelines: v2/component/launcher_v2.go (getPlaceholders), v2/driver/resolve.go (ErrResolvedParameterNull).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from kfp.local import executor_input_utils, executor_output_utils, placeholder_utils
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

EXPONENT_FROM = 1e21  # from here on Go's JSON writes an exponent, which Python reads as a float
ESCAPED = {letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}  # by Go's JSON, in what becomes text


def compute_like_a_cluster() -> None:
    """Replaces what kfp.local does with values, in this process."""
    executor_output_utils.pb2_value_to_python = from_protobuf
    executor_input_utils.executor_input_to_dict = executor_input_as_json
    _write_numbers_in_texts()
    _leave_out_what_has_no_value()


def executor_input_as_json(executor_input: Message, component_spec: Message) -> Any:  # noqa: ARG001 so it is called
    """What a step is given, as it reads it from JSON."""
    return whole(json_format.MessageToDict(executor_input))


def from_protobuf(value: Value) -> Any:
    """A value as a step reads it from JSON; None for none."""
    return whole(json_format.MessageToDict(value))


def whole(value: Any) -> Any:
    """A value in which each number that is whole is an int."""
    match value:
        case float() if value.is_integer() and abs(value) < EXPONENT_FROM:
            return int(value)
        case list():
            return [whole(item) for item in value]
        case dict():
            return {name: whole(item) for name, item in value.items()}
    return value


def as_text(value: Any) -> str:
    """A value as it becomes part of a text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{Decimal(repr(value)):f}"
        case None:
            return "null"
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _write_numbers_in_texts() -> None:
    resolve = placeholder_utils.resolve_io_placeholders

    def resolve_texts(executor_input: Mapping[str, Any], command: str) -> str:
        inputs = executor_input.get("inputs", {})
        texts = {name: as_text(value) for name, value in inputs.get("parameterValues", {}).items()}
        resolved: str = resolve({**executor_input, "inputs": {**inputs, "parameterValues": texts}}, command)
        return resolved

    placeholder_utils.resolve_io_placeholders = resolve_texts


def _leave_out_what_has_no_value() -> None:
    make, join = OrchestratorUtils.make_task_arguments, OrchestratorUtils.join_user_inputs_and_defaults

    def make_arguments(*given: Any, **named: Any) -> dict[str, Any]:
        return {name: value for name, value in make(*given, **named).items() if value is not None}

    def join_inputs(dag_arguments: Mapping[str, Any], dag_inputs_spec: Any) -> dict[str, Any]:
        optional = {name: None for name, spec in dag_inputs_spec.artifacts.items() if spec.is_optional}
        return {**optional, **join(dag_arguments=dag_arguments, dag_inputs_spec=dag_inputs_spec)}

    OrchestratorUtils.make_task_arguments = make_arguments
    OrchestratorUtils.join_user_inputs_and_defaults = join_inputs

"""What a KFP server can neither store nor run, whatever the event, is found at preview."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.configuration.test_settings import refusal, vertex
from tests.plans import TRIGGERS, dev_config, plan

EMOJI = "\U0001f600"
PACKAGE = {
    "pipelineInfo": {"name": "echo"},
    "root": {
        "dag": {"tasks": {"show": {"componentRef": {"name": "comp-show"}}}},
        "inputDefinitions": {"parameters": {"filename": {"parameterType": "STRING"}}},
    },
    "components": {"comp-show": {"executorLabel": "exec-show"}},
    "deploymentSpec": {"executors": {"exec-show": {"container": {"image": "python:3.13"}}}},
    "schemaVersion": "2.1.0",
}


def package(path: Path, **more: Any) -> str:
    """A compiled package's path."""
    file = path / "echo.json"
    file.write_text(json.dumps({**PACKAGE, **more}))
    return str(file)


@pytest.mark.parametrize(
    "filename", [{"value": EMOJI}, {"from": "object.uri", "default": EMOJI}], ids=["value", "default"]
)
def test_a_value_of_the_stack_file_that_a_stock_server_cannot_store(filename: dict[str, Any]) -> None:
    changes = {"parameters": {"filename": filename}}
    assert refusal(dev_config(**changes)).startswith(
        f"{TRIGGERS}[0].parameters: parameter 'filename' holds U+1F600, which a stock KFP server cannot store"
    )
    assert plan(**changes, target__database="utf8mb4")
    assert plan(**changes, **vertex())


def test_a_package_that_a_stock_server_cannot_store(tmp_path: Path) -> None:
    changes = {"pipeline": package(tmp_path, sdkVersion=EMOJI)}
    assert refusal(dev_config(**changes)).startswith(f"{TRIGGERS}[0].pipeline: the package holds U+1F600, which")
    assert plan(**changes, target__database="utf8mb4")


def test_a_package_that_kubernetes_cannot_store(tmp_path: Path) -> None:
    text = refusal(dev_config(pipeline=package(tmp_path, sdkVersion="x" * 2**21)))
    assert text.startswith(f"{TRIGGERS}[0].pipeline: the package takes 2097")
    assert text.endswith("move code or data that is embedded in it to an image or a file")


def test_values_that_no_process_could_be_given() -> None:
    text = refusal(dev_config(parameters={"filename": {"value": "x" * 2**17}}))
    assert "[0].parameters: the parameters take 131" in text
    assert "write them to a file and pass its URI" in text


def test_what_the_launcher_must_know_of_its_server_is_in_its_environment() -> None:
    changes = {"target__database": "utf8mb4", "target__runs_retention_days": 30, "function__timeout_seconds": 120}
    [function] = plan(**changes).of_type(":Function")
    trigger = json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])
    assert (trigger["target"]["database"], trigger["target"]["runs_retention_days"]) == ("utf8mb4", 30)
    assert trigger["timeout_seconds"] == 120
    exported = plan(**changes).exports["triggers"]["echo"]
    assert exported["runs_retention_days"] == 30, "for pipeline-trigger launches show"

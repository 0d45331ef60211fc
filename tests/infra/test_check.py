"""A mistake in a stack file hides no other: what can be read of a trigger is checked, whatever the rest is."""

import json
from typing import Any

import pytest

from infra.check import check_stack
from infra.errors import ConfigurationError
from tests.plans import TRIGGERS, dev_config

NO_PARAMETER = ".parameters.nope: the pipeline has no such parameter"


def problems(config: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        check_stack("dev", config)
    head, *listed = str(refused.value).splitlines()
    assert head == "Pulumi.dev.yaml:"
    return [line.removeprefix(f"  {TRIGGERS}[0]") for line in listed]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"target": {"kind": "ftp"}}, ".target.kind: is 'ftp'"),
        ({"target": None}, ".target: is missing"),
        ({"source__prefx": "in/"}, ".source.prefx: unknown key"),
        ({"identity": "nobody"}, ".identity: "),
        ({"delivery": {"attempts": 1}}, ".delivery.attempts: "),
    ],
)
def test_a_trigger_s_mapping_is_checked_though_something_else_of_it_is_wrong(wrong: Any, problem: str) -> None:
    first, *others = problems(dev_config(**wrong, parameters={"filename": "object.uri", "nope": "object.uri"}))
    assert first.startswith(problem)
    assert [other.split(";")[0] for other in others] == [NO_PARAMETER]


def test_a_trigger_s_pipeline_is_compiled_though_its_target_cannot_be_read() -> None:
    _, other = problems(dev_config(target=[], pipeline="ecco"))
    assert other.startswith(".pipeline: pipeline 'ecco': there is no pipelines/ecco.py")


def test_what_is_wrong_with_the_stack_hides_no_trigger() -> None:
    config = dev_config(pipeline="ecco") | {"gcp:project": "NO"}
    first, second = problems(config)
    assert first.strip().startswith("gcp:project: ")
    assert second.startswith(".pipeline: ")


@pytest.mark.parametrize(
    "trigger",
    [
        "echo",
        {"pipeline": 5},
        {"pipeline": "echo", "source": "gcs"},
        {"pipeline": "echo", "source": {"kind": "ftp"}},
        {"pipeline": "echo", "source": {"kind": "gcs"}, "parameters": []},
        {"pipeline": "echo", "source": {"kind": "gcs"}, "parameters": {"filename": "object.uri"}, "when": True},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_one_problem_and_no_traceback(trigger: Any) -> None:
    keys = [problem.split(": ")[0] for problem in problems(dev_config() | {TRIGGERS: json.dumps([trigger])})]
    assert keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("triggers", ["", "[", "{}", '"echo"', "null"])
def test_neither_are_triggers_that_are_no_list(triggers: str) -> None:
    assert problems(dev_config() | {TRIGGERS: triggers})

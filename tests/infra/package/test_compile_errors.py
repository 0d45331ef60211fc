"""A pipeline that does not compile is told the cause and the fix, where KFP's words name something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.package import packaging
from tests.infra.package.test_packaging import refusal

PIPELINE = """{top}
from kfp import dsl

@dsl.component
def weigh(text: str{more}) -> {returned}:
    return text

@dsl.pipeline
def pipeline({inputs}):
    {body}
"""
TYPES = "KFP takes str, int, float, bool, list, dict and artifacts"
NO_VALUES = "while a pipeline compiles, its inputs and the outputs of its tasks have no values yet"


def said_of(pipelines: Path, **parts: str) -> str:
    usual = {"top": "", "more": "", "returned": "str", "inputs": "text: str", "body": "weigh(text=text)"}
    (pipelines / "mine.py").write_text(PIPELINE.format(**{**usual, **parts}))
    return refusal("mine")


@pytest.mark.parametrize(
    ("top", "annotation", "expected"),
    [
        ("", "str | None", "`str | None`; KFP takes Optional[str]"),
        ("", "None | int", "`None | int`; KFP takes Optional[int]"),
        ("", "int | str", f"`int | str`; {TYPES}, and one of them only"),
        ("from typing import Union", "Union[int, str]", f"`Union[int, str]`; {TYPES}, and one of them only"),
        ("import typing", "typing.Any", f"`typing.Any`; {TYPES}"),
        ("import datetime", "datetime.datetime", f"`datetime.datetime`; {TYPES}"),
        ("from decimal import Decimal", "Decimal", f"`Decimal`; {TYPES}"),
        ("import enum\nclass Size(enum.Enum):\n    BIG = 1\n", "Size", f"`Size`; {TYPES}"),
        ("from typing import Literal", "Literal['kg', 'lb']", "`Literal['kg', 'lb']`; this KFP cannot; take str"),
        ("from typing import Sequence", "Sequence[str]", f"`Sequence[str]`; {TYPES}"),
        ("", "bytes", f"`bytes`; {TYPES}"),
    ],
)
def test_a_type_that_kfp_does_not_have_is_named_with_its_parameter(
    pipelines: Path, top: str, annotation: str, expected: str
) -> None:
    of_step = said_of(pipelines, top=top, more=f", unit: {annotation} = None")
    of_pipeline = said_of(pipelines, top=top, inputs=f"text: str, unit: {annotation} = None")
    assert f"does not compile: parameter 'unit' of weigh has the type {expected}" in of_step
    assert f"does not compile: parameter 'unit' of pipeline has the type {expected}" in of_pipeline


def test_the_type_of_what_is_returned_is_named_too(pipelines: Path) -> None:
    assert f"what weigh returns has the type `complex`; {TYPES}" in said_of(pipelines, returned="complex")
    several = said_of(pipelines, top="from typing import Tuple", returned="Tuple[str, int]")
    assert "what weigh returns has the type `Tuple[str, int]`" in several
    assert several.endswith("several outputs are a NamedTuple")


def test_postponed_annotations_are_to_be_taken_out(pipelines: Path) -> None:
    text = said_of(pipelines, top="from __future__ import annotations")
    assert text.endswith("take out `from __future__ import annotations`: KFP reads the annotations themselves")


@pytest.mark.parametrize(
    "body",
    [
        "weigh(text=text.upper())",
        'weigh(text=text + "!")',
        "weigh(text=text[0])",
        'weigh(text=weigh(text=text).output + "!")',
        "[weigh(text=letter) for letter in text]",
        "[weigh(text='a') for _ in range(text)]",
        "weigh(text=str(len(text)))",
        "import json; weigh(text=json.dumps(text))",
        "import os; weigh(text=os.path.join(text, 'a'))",
        "exec(\"with dsl.If(text in ['a']):\\n    weigh(text=text)\")",
    ],
)
def test_what_has_no_value_while_it_compiles_is_explained(pipelines: Path, body: str) -> None:
    assert NO_VALUES in said_of(pipelines, body=body)


def test_a_task_in_the_place_of_its_output_is_explained(pipelines: Path) -> None:
    assert said_of(pipelines, body="weigh(text=weigh(text=text))").endswith(
        "hand on the task's output: TASK.output, or TASK.outputs['NAME']"
    )


@pytest.mark.parametrize(
    ("top", "body"),
    [
        ("from kfp.components import create_component_from_func", "weigh(text=text)"),
        ("from kfp import gcp", "weigh(text=text)"),
        ("import kfp.onprem", "weigh(text=text)"),
        ("", "dsl.ContainerOp(name='a', image='b')"),
        ("", "weigh(text=text).apply(print)"),
    ],
)
def test_what_was_in_another_sdk_is_named_so(pipelines: Path, top: str, body: str) -> None:
    assert "that was in the KFP SDK 1; write @dsl.component" in said_of(pipelines, top=top, body=body)


def test_a_package_that_is_missing_is_answered_with_the_file_that_names_it(pipelines: Path) -> None:
    text = said_of(pipelines, top="import scales_of_acme")
    assert "pipelines/mine.py, line 1 does not compile: ModuleNotFoundError: No module named 'scales_of_acme'" in text
    assert text.endswith("or name its package in pipelines/requirements.txt, with which pipelines are then compiled")


COMPONENT = "from kfp import components\nweigh_it = components.load_component_from_file({path})\n"


def test_a_file_beside_the_pipeline_is_found_by_its_path_alone(pipelines: Path) -> None:
    (pipelines / "weigh.yaml").write_text(
        "name: weigh\ninputs: [{name: text, type: String}]\n"
        "implementation: {container: {image: scales, command: [weigh], args: [{inputValue: text}]}}\n"
    )
    beside = COMPONENT.format(path="str(Path(__file__).with_name('weigh.yaml'))")
    assert 'write Path(__file__).with_name("FILE")' in said_of(pipelines, top=COMPONENT.format(path="'weigh.yaml'"))
    usual = {"more": "", "returned": "str", "inputs": "text: str", "body": "weigh_it(text=text)"}
    (pipelines / "mine.py").write_text(PIPELINE.format(top=f"from pathlib import Path\n{beside}", **usual))
    assert "weigh" in str(packaging.compile_pipeline("mine")[0].spec["components"])


def test_anything_else_is_said_in_its_own_words(pipelines: Path) -> None:
    assert said_of(pipelines, body="weigh()").endswith(
        "does not compile: TypeError: weigh() missing 1 required argument: text.; mend pipelines/mine.py"
    )

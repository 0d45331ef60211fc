"""A rehearsed run computes what it would compute on a cluster, or is not executed, and says why."""

# ruff: noqa: B006, UP006, UP045 kfp reads these annotations and defaults, and takes no others

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict, List, Optional  # noqa: UP035 which kfp reads

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kfp import compiler, dsl

from rehearsal.runs.executor import NOT_EXECUTED, Outcome, RunExecutor
from rehearsal.runs.graph import unexecutable
from rehearsal.runs.values import as_text, whole

Outputs = dict[str, Any]


def shown(value: str) -> str:
    return value


def show_all(settings: Dict[str, Any], sizes: List[Any], ratio: float, count: int, loud: bool) -> str:
    return repr([dict(sorted(settings.items())), sizes, ratio, count, loud])


def plan_epochs(of: str) -> Dict[str, int]:
    return {"epochs": len(of)}


def count_letters(of: str) -> int:
    return len(of)


def sum_up(counts: List[int]) -> str:
    return repr((counts, sum(counts)))


def tag(text: str, mark: Optional[str] = None) -> str:
    return f"{text}-{mark}"


def fall_back(text: str, mark: str = "own") -> str:
    return f"{text}-{mark}"


def length_of(table: Optional[dsl.Input[dsl.Dataset]] = None) -> str:
    return "none" if table is None else "one"


def component(function: Callable[..., Any]) -> Any:
    return dsl.component(function, base_image="python:3.11")


def compiled(pipeline: Callable[..., Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "package.yaml")
        compiler.Compiler().compile(dsl.pipeline(pipeline, name=pipeline.__name__.replace("_", "-")), str(path))
        found: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
        return found


def run(pipeline: Callable[..., Any], **parameters: Any) -> tuple[Outcome, dict[str, Outputs]]:
    """How a pipeline's run ended, and what each task put out."""
    tasks: dict[str, Outputs] = {}
    ran = RunExecutor().run(compiled(pipeline), parameters, lambda task, outputs, _: tasks.update({task: outputs}))
    return asyncio.run(ran), tasks


def output(pipeline: Callable[..., Any], task: str, **parameters: Any) -> Any:
    outcome, tasks = run(pipeline, **parameters)
    assert outcome.state == "SUCCEEDED", outcome.error
    return tasks[task]["Output"]


# --- whole numbers ------------------------------------------------------------------------------------------------


def numbers(
    settings: Dict[str, Any] = {"epochs": 3, "rate": 0.5, "deep": [{"n": 2}]},
    sizes: List[Any] = [8, 0.25, [1]],
    ratio: float = 2.0,
    count: int = 7,
    loud: bool = True,
) -> None:
    component(show_all)(settings=settings, sizes=sizes, ratio=ratio, count=count, loud=loud)


def constants() -> None:
    component(show_all)(settings={"n": 3}, sizes=[4, True], ratio=1.0, count=2, loud=False)


def train(settings: Dict[str, int]) -> str:
    return repr([*range(settings["epochs"])])


def numbers_of_a_task(text: str) -> None:
    component(train)(settings=component(plan_epochs)(of=text).output)


def collected(items: List[str] = ["a", "bcd"]) -> None:
    with dsl.ParallelFor(items) as item:
        counted = component(count_letters)(of=item)
    component(sum_up)(counts=dsl.Collected(counted.output))


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, "[{'deep': [{'n': 2}], 'epochs': 3, 'rate': 0.5}, [8, 0.25, [1]], 2, 7, True]"),
        (
            {"settings": {"a": 10**15}, "sizes": [-3, -0.0], "ratio": 1e22, "count": 0, "loud": False},
            "[{'a': 1000000000000000}, [-3, 0], 1e+22, 0, False]",
        ),
    ],
    ids=["defaults", "given"],
)
def test_a_step_reads_whole_numbers_where_go_writes_them(parameters: dict[str, Any], wanted: str) -> None:
    assert output(numbers, "show-all", **parameters) == wanted


def test_constants_of_tasks_stay_whole() -> None:
    assert output(constants, "show-all") == "[{'n': 3}, [4, True], 1, 2, False]"


def test_what_a_task_puts_out_stays_whole() -> None:
    assert output(numbers_of_a_task, "train", text="abc") == "[0, 1, 2]"


def test_what_a_loop_collects_stays_whole() -> None:
    assert output(collected, "sum-up") == "([1, 3], 4)"


# --- numbers in texts ---------------------------------------------------------------------------------------------


def in_texts(big: float, tiny: float, count: int, loud: bool, sizes: list, note: dict) -> None:  # type: ignore[type-arg]  # KFP's
    component(shown)(value=f"{big} {tiny} {count} {loud} {sizes} {note}")


def test_what_becomes_part_of_a_text_reads_as_kfp_s_launcher_writes_it() -> None:
    values = {"big": 1e22, "tiny": 1e-7, "count": 3, "loud": True, "sizes": [1, 2.5], "note": {"b": "<é>", "a": 4}}
    wanted = '10000000000000000000000 0.0000001 3 true [1,2.5] {"a":4,"b":"\\u003cé\\u003e"}'
    assert output(in_texts, "shown", **values) == wanted


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_a_number_in_a_text_is_that_number_without_an_exponent(number: float) -> None:
    text = as_text(whole(number))
    assert float(text) == number
    assert not {"e", "E"} & {*text}
    assert not text.endswith(".0")


@given(value=st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_a_value_stays_equal_when_its_numbers_become_whole(value: Any) -> None:
    assert whole(value) == value
    assert json.dumps(whole(whole(value))) == json.dumps(whole(value))


# --- no value -----------------------------------------------------------------------------------------------------


def inner(text: str, mark: Optional[str] = None) -> None:
    component(tag)(text=text, mark=mark)
    component(fall_back)(text=text, mark=mark)


def nested(text: str, mark: Optional[str] = None) -> None:
    dsl_inner(text=text, mark=mark)


dsl_inner = dsl.pipeline(inner, name="inner")


def in_a_loop(text: str, mark: Optional[str] = None) -> None:
    with dsl.ParallelFor(["a", "b"]) as item:
        component(tag)(text=item, mark=mark)


def in_a_condition(text: str, mark: Optional[str] = None) -> None:
    with dsl.If(text == "a"):
        component(tag)(text=text, mark=mark)


def of_an_artifact(table: Optional[dsl.Input[dsl.Dataset]] = None) -> None:
    component(length_of)(table=table)


def test_an_optional_input_without_a_value_is_left_out_wherever_it_is_handed_on() -> None:
    outcome, tasks = run(nested, text="a")
    assert outcome.state == "SUCCEEDED", outcome.error
    assert {name: found["Output"] for name, found in tasks.items()} == {"tag": "a-None", "fall-back": "a-own"}
    outcome, tasks = run(in_a_loop, text="a")
    assert outcome.state == "SUCCEEDED", outcome.error
    assert sorted(found["Output"] for found in tasks.values()) == ["a-None", "b-None"]
    assert list(run(in_a_condition, text="a")[1].values()) == [{"Output": "a-None"}]


def test_one_that_has_a_value_is_handed_on() -> None:
    _, tasks = run(nested, text="a", mark="b")
    assert {name: found["Output"] for name, found in tasks.items()} == {"tag": "a-b", "fall-back": "a-b"}


def test_an_optional_artifact_that_nobody_gives_is_left_out() -> None:
    assert output(of_an_artifact, "length-of") == "none"


# --- not executed -------------------------------------------------------------------------------------------------


@dsl.container_component  # type: ignore[untyped-decorator]  # kfp has no types
def ping() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="bash:5.2", command=["echo"], args=["a"])


@dsl.container_component  # type: ignore[untyped-decorator]  # kfp has no types
def of_google() -> dsl.ContainerSpec:
    image = "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.20.0"
    return dsl.ContainerSpec(image=image, command=["python3", "-u", "-m", "launcher"])


def with_a_container(text: str) -> None:
    component(shown)(value=text).after(ping())


def with_a_container_inside(text: str) -> None:
    with dsl.If(text == "a"):
        ping()


def with_google(text: str) -> None:
    of_google()


def with_its_image(text: str) -> None:
    dsl.component(shown, base_image="python:3.11", target_image="acme/shown")(value=text)


def with_the_executor_input(text: str) -> None:
    component(shown)(value="{{$}}")


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (with_a_container, "step ping is a container component: it runs what is in its image, bash:5.2"),
        (with_a_container_inside, "step condition-1/ping is a container component"),
        (with_google, "step of-google is one of google-cloud-pipeline-components, which works on Google Cloud"),
        (with_its_image, "step shown is a component whose function stands in its image, acme/shown"),
        (with_the_executor_input, "step shown is given {{$}} as 'value', which only a cluster's launcher fills in"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_only_a_cluster_can_do_is_said_before_anything_runs(pipeline: Callable[..., Any], why: str) -> None:
    outcome, tasks = run(pipeline, text="a")
    assert (outcome.state, tasks) == ("SUCCEEDED", {})
    assert outcome.error.startswith(f"{NOT_EXECUTED}: {why}")


@pytest.mark.parametrize("pipeline", [numbers, collected, nested, in_a_loop, in_texts, of_an_artifact])
def test_what_is_executed_here_is_not_refused(pipeline: Callable[..., Any]) -> None:
    assert unexecutable(compiled(pipeline)) is None

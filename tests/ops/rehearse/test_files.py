"""A sample that is given is used or refused, never passed over."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.errors import OperationError
from ops.rehearse.files import named_beside, named_in, samples_of
from rehearsal.program import ROOT

KINDS = {"orders": "gcs", "catalog": "pubsub", "nightly": "schedule"}


def plan(stack: str = "mine", **kinds: str) -> Any:
    def function(name: str, kind: str) -> Any:
        settings = {"TRIGGER": json.dumps({"source": {"kind": kind}})}
        return SimpleNamespace(
            inputs={"labels": {"trigger": name}, "serviceConfig": {"environmentVariables": settings}}
        )

    functions = [function(name, kind) for name, kind in (kinds or KINDS).items()]
    return SimpleNamespace(stack=stack, of_type=lambda _: functions)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A directory that has all that there can be."""
    (tmp_path / "orders.json").write_text('{"data": "gs://a/2026/november.csv"}')
    (tmp_path / "november.csv").write_text("a,b")
    (tmp_path / "catalog.json").write_text("{}")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "old").mkdir()
    return tmp_path


def refusal(file: Path, **kinds: str) -> str:
    with pytest.raises(OperationError) as refused:
        samples_of(plan(**kinds), file)
    return str(refused.value)


def test_of_a_directory_each_trigger_gets_the_file_that_is_called_like_it(samples: Path) -> None:
    assert samples_of(plan(), samples) == {"orders": samples / "orders.json", "catalog": samples / "catalog.json"}


def test_a_file_is_the_sample_of_every_trigger_that_takes_one(samples: Path) -> None:
    file = samples / "orders.json"
    assert samples_of(plan(), file) == {"orders": file, "catalog": file}


def test_without_a_file_those_of_the_stack_are_taken_as_far_as_they_go() -> None:
    """The examples are the product's, and a user's stack of that name may have other triggers."""
    assert samples_of(plan("prod", catalog="pubsub", mine="gcs"), None) == {
        "catalog": ROOT / "examples" / "prod" / "catalog.json"
    }
    assert samples_of(plan("no-examples"), None) == {}


def test_a_trigger_without_its_file_is_named_with_what_was_looked_for_and_what_is_there(samples: Path) -> None:
    (samples / "catalog.json").rename(samples / "catalogue.json")
    assert refusal(samples) == (
        f"{samples} has no sample for trigger catalog: catalog.* was looked for, and there is catalogue.json, "
        "november.csv, old, orders.json; is catalogue.json the one that should be called so?"
    )


def test_an_empty_directory_is_said_to_be_so(tmp_path: Path) -> None:
    assert refusal(tmp_path, echo="gcs").endswith("echo.* was looked for, and there is nothing")


@pytest.mark.parametrize("name", ["nightly.json", "returns.json", "december.csv"])
def test_a_file_that_nobody_takes_is_named(samples: Path, name: str) -> None:
    """Of a schedule, of no trigger, of no object that a sample names."""
    (samples / name).touch()
    assert refusal(samples) == (
        f"{samples / name} is no trigger's sample, and no sample names an object of that name; "
        "samples are looked for as orders.*, catalog.*, one for each"
    )


def test_of_two_files_for_one_trigger_the_second_is_not_passed_over(samples: Path) -> None:
    (samples / "orders.yaml").touch()
    assert refusal(samples).startswith(f"{samples}/orders.yaml is no trigger's sample")


def test_a_stack_of_schedules_takes_no_file(samples: Path) -> None:
    assert refusal(samples, nightly="schedule") == (
        f"stack mine has schedules only, which take no sample: leave {samples} out"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x") == f"there is no file {tmp_path}/x; give the path of a local file"


def test_what_a_sample_names_may_lie_beside_it_or_in_objects(samples: Path) -> None:
    """In `objects/`, for beside a sample in samples/STACK/TRIGGER/ every file is one."""
    (samples / "objects").mkdir()
    for name in ("a.csv", "objects/b.csv", "objects/c.csv"):
        (samples / name).touch()
    (samples / "orders.json").write_text('{"files": ["gs://x/y/a.csv", "gs://x/b.csv", "gs://x/d.csv"]}')
    found = [("x", "y/a.csv", samples / "a.csv"), ("x", "b.csv", samples / "objects" / "b.csv")]
    assert [*named_beside(samples / "orders.json")] == found
    assert [*named_in("gs://x/b.csv", samples)] == found[1:]
    assert [*named_in("gs://x/b.csv", samples / "nowhere")] == []

"""Samples beside a stack file are tests of its mappings: what is not as expected is said, with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ops.trying.samples import WrongSample, check_samples, has_samples
from ops.verify.stacks import Mistake, verify_file
from rehearsal.program import Plan
from tests.ops.trying.conftest import plan_of
from tests.ops.trying.test_try import ANNOUNCED, LOAD, SOURCES
from tests.plans import DEV, PROD, STACKS

MANIFEST = {"status": "complete", "data": "gs://acme/a.csv", "required_columns": ["id"]}
GIVEN: dict[str, dict[str, Any]] = {"parameters": {"csv_uri": "gs://acme/a.csv", "required_columns": ["id"]}}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def problems(root: Path, plan: Plan | None = None) -> list[tuple[str, str]]:
    return [(found.file, found.what) for found in check_samples(plan or plan_of(str(PROD)), root)]


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """The samples of trigger orders, of which there is one that is right."""
    directory = tmp_path / "samples" / "prod" / "orders"
    write(directory / "new.json", MANIFEST)
    write(directory / "new.json.expected.json", GIVEN)
    return directory


def test_a_sample_of_each_kind_of_source_that_is_as_expected(tmp_path: Path) -> None:
    root = tmp_path / "samples" / "sources"
    write(root / "orders" / "new.message.json", {"attributes": {"type": "order"}, "data": {"export": "gs://a/b"}})
    write(root / "orders" / "new.message.json.expected.json", {"parameters": {"filename": "gs://a/b"}})
    write(root / "orders" / "test.message.json", {"attributes": {"type": "order", "test": "1"}, "data": {}})
    write(root / "orders" / "test.message.json.expected.json", {"outcome": "not delivered", "reason": "filter"})
    shutil.copy(LOAD, root / "orders" / "old.event.json")
    write(root / "orders" / "old.event.json.expected.json", {"outcome": "rejected", "reason": "no Pub/Sub message"})
    (root / "loads").mkdir()
    shutil.copy(LOAD, root / "loads" / "done.log.json")
    entry = json.loads(LOAD.read_text())
    table = entry["protoPayload"]["metadata"]["jobChange"]["job"]["jobConfig"]["loadConfig"]["destinationTable"]
    write(root / "loads" / "done.log.json.expected.json", {"parameters": {"filename": table}})
    write(root / "nightly" / "winter.schedule.json", {"time": "2026-11-29T02:30"})
    expected = {"parameters": {"filename": "gs://acme-orders/2026-11-29T01:30:00.000Z"}}
    write(root / "nightly" / "winter.schedule.json.expected.json", expected)
    assert problems(tmp_path, plan_of(str(SOURCES))) == []


def test_of_a_bucket_a_sample_may_have_its_name_and_metadata_beside_it(orders: Path, tmp_path: Path) -> None:
    write(orders / "other.json", MANIFEST)
    write(orders / "other.json.meta.json", {"name": "manifests/deep/other.csv"})
    write(orders / "other.json.expected.json", {"outcome": "skipped", "reason": "its name does not match"})
    assert problems(tmp_path) == []


def test_a_delivery_as_it_came_is_a_sample(tmp_path: Path) -> None:
    echo = tmp_path / "samples" / "dev" / "echo"
    write(echo / "a.event.json", {"message": ANNOUNCED})
    write(echo / "a.event.json.expected.json", {"parameters": {"filename": "gs://b/incoming/a.csv"}})
    assert problems(tmp_path, plan_of(str(DEV))) == []


EXPECTED, NOTHING = "new.json.expected.json", "new.json.expected.json says nothing that can be expected"
URI = GIVEN["parameters"]["csv_uri"]


@pytest.mark.parametrize(
    ("name", "content", "file", "what"),
    [
        (EXPECTED, {"parameters": {"csv_uri": "x"}}, "new.json", f'parameter csv_uri is "{URI}", and was to be "x"'),
        (EXPECTED, {"parameters": {"csv_uri": URI}}, "new.json", 'is ["id"], and was to be left to the pipeline'),
        (EXPECTED, {"parameters": {"x": 1}}, "new.json", "parameter x is left to the pipeline, and was to be 1"),
        (EXPECTED, {"outcome": "skipped"}, "new.json", "it is launched, and was to be skipped"),
        ("new.json", {"status": "open"}, "new.json", "it is skipped (when is false for this event), and was to be"),
        (EXPECTED, {"parameters": []}, "new.json", NOTHING),
        (EXPECTED, {"outcome": "lost"}, "new.json", NOTHING),
        (EXPECTED, {"outcome": "skipped", "reason": 1}, "new.json", NOTHING),
        (EXPECTED, {"outcome": "skipped", "because": ""}, "new.json", NOTHING),
        (EXPECTED, "{", "new.json", "new.json.expected.json is not JSON: "),
        ("more.json", MANIFEST, "more.json", "there is no more.json.expected.json beside it"),
        ("a.json.expected.json", GIVEN, "a.json.expected.json", "there is no a.json that it stands beside"),
        ("a.json.meta.json", {}, "a.json.meta.json", "there is no a.json that it stands beside"),
        ("new.json.meta.json", {"nmae": "x"}, "new.json", "has other keys than name"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_as_expected_is_said(
    orders: Path, tmp_path: Path, name: str, content: Any, file: str, what: str
) -> None:
    write(orders / name, content)
    found = problems(tmp_path)
    assert found
    assert all(path == f"samples/prod/orders/{file}" for path, _ in found)
    assert any(what in said for _, said in found)


def test_true_is_not_one(orders: Path, tmp_path: Path) -> None:
    write(orders / "new.json", {**MANIFEST, "required_columns": [True]})
    write(orders / "new.json.expected.json", {"parameters": {**GIVEN["parameters"], "required_columns": [1]}})
    assert problems(tmp_path) == [
        ("samples/prod/orders/new.json", "parameter required_columns is [true], and was to be [1]")
    ]


def test_a_new_sample_is_told_what_comes_of_it(orders: Path, tmp_path: Path) -> None:
    write(orders / "more.json", MANIFEST)
    [found] = check_samples(plan_of(str(PROD)), tmp_path)
    assert found == WrongSample(
        "samples/prod/orders/more.json",
        "there is no more.json.expected.json beside it",
        f"write into it what comes of it now, if that is right: {json.dumps(GIVEN)}",
    )


def test_samples_of_what_is_no_trigger_are_not_passed_over(orders: Path, tmp_path: Path) -> None:
    orders.rename(orders.with_name("order"))
    [found] = check_samples(plan_of(str(PROD)), tmp_path)
    assert (found.file, found.fix) == ("samples/prod/order", "did you mean orders? it has: catalog, orders")


def test_verify_runs_the_samples_beside_a_stack_file(tmp_path: Path) -> None:
    shutil.copytree(STACKS, tmp_path, dirs_exist_ok=True)
    assert not has_samples("dev", tmp_path)
    echo = tmp_path / "samples" / "dev" / "echo"
    write(echo / "a.csv", "x")
    write(echo / "a.csv.expected.json", {"parameters": {"filename": "a.csv"}})
    verdict = verify_file(tmp_path / "Pulumi.dev.yaml", tmp_path)
    assert "samples" in verdict.looked_at
    [mistake] = verdict.mistakes
    assert isinstance(mistake, Mistake)
    assert mistake.in_words.startswith('samples/dev/echo/a.csv: parameter filename is "gs://echo-bucket/')
    assert mistake.in_words.endswith('and was to be "a.csv"; mend the mapping, or a.csv.expected.json')

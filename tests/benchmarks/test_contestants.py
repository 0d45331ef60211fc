"""What is measured is what is deployed, and all are measured under the same conditions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.contestants import CONTESTANTS, FLOOR, FUNCTIONS, OURS, OURS_ON_VERTEX, Contestant, an_object
from benchmarks.standins import Addresses
from function_src.launcher.settings import read_trigger
from infra.package.packaging import compile_pipeline, launcher_archive
from rehearsal.program import ROOT

AT = Addresses(*(f"http://127.0.0.1:{port}" for port in range(1, 6)))
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}


def pins(requirements: Path) -> dict[str, str]:
    lines = (line.split(" ")[0] for line in requirements.read_text().splitlines() if line[:1].isalpha())
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("name", [OURS, OURS_ON_VERTEX])
def test_the_launcher_is_measured_as_it_is_deployed(tmp_path: Path, name: str) -> None:
    archive = launcher_archive(compile_pipeline("echo")[1])
    BY_NAME[name].code(tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert written == {
        **{name: path.read_bytes() for name, path in archive.files.items()},
        **{name: text.encode() for name, text in archive.texts.items()},
    }


@pytest.mark.parametrize("name", [OURS, OURS_ON_VERTEX])
def test_the_launcher_reads_its_settings(name: str) -> None:
    assert read_trigger(BY_NAME[name].told(AT)).name == "echo"


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda contestant: contestant.name)
def test_all_serve_with_as_many_threads_against_the_same_stand_ins(contestant: Contestant) -> None:
    told = contestant.told(AT)
    assert (told["THREADS"], told["GCE_METADATA_HOST"], told["STORAGE_EMULATOR_HOST"]) == (
        "16",
        "127.0.0.1:1",
        "http://127.0.0.1:2",
    )


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda contestant: contestant.name)
def test_all_are_brought_the_same_event(contestant: Contestant) -> None:
    _, body = contestant.event(an_object("incoming/a.csv"))
    assert json.loads(body).keys() in ({"message", "subscription"}, an_object("x").keys())


@pytest.mark.parametrize("function", ["floor", "walkthrough", "vertex_sdk"])
def test_all_run_on_the_same_framework(function: str) -> None:
    ours = pins(ROOT / "function_src" / "requirements.txt")
    theirs = pins(FUNCTIONS / function / "requirements.txt")
    shared = ("functions-framework", "gunicorn", "flask", "werkzeug", "cloudevents")
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


def test_the_floor_requires_the_framework_alone() -> None:
    lines = (FUNCTIONS / "floor" / "requirements.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["functions-framework"]
    assert FLOOR in BY_NAME

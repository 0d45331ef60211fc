"""A new stack is right from the start, and there is all of it or nothing."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from infra.configuration.locations import NOT_IN_VERTEX_AI
from infra.errors import ConfigurationError
from infra.package.packaging import compile_pipeline
from ops.errors import OperationError
from ops.init import making
from ops.init.answers import SOURCES, TEMPLATES, Answers
from ops.init.making import LEFT, make_stack, next_commands
from ops.init.texts import stack_text
from ops.rehearse.files import named_beside, named_in, samples_of
from ops.verify import stacks
from ops.verify.stacks import verify_file
from policy.rules import Violation
from rehearsal.program import ROOT, evaluate, read_stack
from tests.ops.init.test_answers import KFP, VERTEX

ALL = [*product(TEMPLATES, SOURCES, (KFP, VERTEX))]
EVERYTHING = ("configuration", "pipelines", "mappings", "rules", "samples", "manifests")
LAB = Answers(**KFP)


def files(project: Path) -> set[str]:
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("template", "source", "target"), ALL, ids=[f"{template}-{source}-{t['target']}" for template, source, t in ALL]
)
def test_a_new_stack_is_right_by_make_verify_and_its_sample_can_be_rehearsed(
    template: str, source: str, target: dict[str, str], project: Path
) -> None:
    before = files(project)
    answers = Answers(**{**target, "template": template, "source": source})
    written = make_stack(answers, project)
    assert files(project) - before == set(written)
    stack = project / "Pulumi.lab.yaml"
    found = verify_file(stack, project)
    assert (found.mistakes, found.advice, found.looked_at) == ((), (), EVERYTHING)
    command = next_commands(answers)[1]
    assert command.startswith("make rehearse STACK=lab")
    plan = evaluate(*read_stack(str(stack)))
    if source == "schedule":
        assert command.endswith("=lab"), "schedules take no file"
        (job,) = plan.of_type(":Job")
        payload = base64.b64decode(job.inputs["pubsubTarget"]["data"]).decode()
        named = [*named_in(payload, project / "samples" / "lab" / answers.trigger)]
    else:
        sample = project / command.rpartition("FILE=")[2]
        assert samples_of(plan, sample) == {answers.trigger: sample}
        named = [*named_beside(sample)]
    assert bool(named) is (source != "gcs"), "of a bucket the sample is the file; the others name one, which is there"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_a_pipeline_as_it_stands(template: str, project: Path) -> None:
    (project / "pipelines" / "mine.py").write_text((ROOT / f"ops/init/templates/{template}.py").read_text())
    package, _ = compile_pipeline("mine")
    assert package.inputs


def test_templates_come_with_the_command_and_none_is_left_out() -> None:
    assert {path.stem for path in (ROOT / "ops/init/templates").glob("*.py")} == {"__init__", *TEMPLATES}


@pytest.mark.parametrize(
    ("name", "value"),
    [("project", "example.com:acme-ml"), ("pipeline_root", "gs://acme/{x}#"), ("pipeline_root", "gs://acme/x:")],
)
def test_an_answer_stands_in_the_stack_file_as_it_was_given(name: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.lab.yaml"
    path.write_text(stack_text(Answers(**{**VERTEX, name: value})))
    _, config = read_stack(str(path))
    triggers = json.loads(config["event-triggered-pipelines:triggers"])
    assert value == (config["gcp:project"] if name == "project" else triggers[0]["target"][name])


# --- all or nothing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["Pulumi.lab.yaml", "pipelines/lab_echo.py", "samples/lab/echo/mine.txt", "iam/lab.json", "iam/lab.deployer.md"],
)
def test_what_is_there_is_named_and_nothing_is_written(name: str, project: Path) -> None:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("mine")
    before = files(project)
    with pytest.raises(OperationError) as refused:
        make_stack(LAB, project)
    said = "samples/lab/echo" if name.startswith("samples") else name
    assert str(refused.value).startswith(f"{said} is there already, and nothing is overwritten")
    assert files(project) == before
    assert (project / name).read_text() == "mine"


def test_what_comes_while_it_is_checked_stays_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project)
    checked = making._checked

    def somebody_else(answers: Answers, root: Path) -> dict[str, str]:
        texts = checked(answers, root)
        (project / "Pulumi.lab.yaml").write_text("theirs")
        return texts

    monkeypatch.setattr(making, "_checked", somebody_else)
    with pytest.raises(OperationError, match=r"^Pulumi\.lab\.yaml is there already"):
        make_stack(LAB, project)
    assert files(project) == {*before, "Pulumi.lab.yaml"}
    assert (project / "Pulumi.lab.yaml").read_text() == "theirs"
    assert not (project / "samples").exists()


def test_a_disk_that_is_full_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project)
    path_open = Path.open

    def full(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == "lab.json" and arguments == ("x",):
            raise OSError(28, "No space left on device", str(self))
        return path_open(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        make_stack(LAB, project)
    assert files(project) == before
    assert not (project / "samples").exists()


def test_a_stack_that_would_not_be_right_is_not_written(project: Path) -> None:
    before, region = files(project), min(NOT_IN_VERTEX_AI)
    with pytest.raises(ConfigurationError, match=f"location: is missing, and Vertex AI did not have '{region}'"):
        make_stack(Answers(**{**VERTEX, "region": region}), project)
    assert files(project) == before


def test_nor_is_one_that_breaks_a_rule(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project)
    monkeypatch.setattr(stacks, "violations", lambda *_, **__: [Violation("never", "is wrong; leave it")])
    with pytest.raises(ConfigurationError, match=r"^Pulumi\.lab\.yaml: .+: breaks the rule never: is wrong;"):
        make_stack(LAB, project)
    assert files(project) == before


def killed_after(count: int, project: Path) -> None:
    """Makes the stack in a process that dies without a word before it creates one more file."""
    program = f"""
import os, signal
from pathlib import Path
from infra.package.packaging import pipelines_in
from ops.init import making
from tests.ops.init.test_making import LAB

real, created = Path.open, []
def dying(self, *arguments, **options):
    if arguments == ("x",):
        created.append(self)
        if len(created) > {count}:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(self, *arguments, **options)
Path.open = dying
making.make_stack(LAB, Path({str(project)!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("count", [0, 3])
def test_of_a_run_that_was_killed_the_next_takes_back_what_was_made(count: int, project: Path) -> None:
    before = files(project)
    killed_after(count, project)
    assert "Pulumi.lab.yaml" not in files(project), "it comes last: until then there is no stack"
    written = make_stack(LAB, project)
    assert files(project) - before == set(written)
    assert verify_file(project / "Pulumi.lab.yaml", project).mistakes == ()


def left_behind(project: Path, texts: dict[str, str]) -> None:
    (project / LEFT).mkdir(parents=True)
    (project / LEFT / "lab.json").write_text(json.dumps(texts))


@pytest.mark.parametrize(
    ("there", "left"),
    [
        ({"a": "1234"}, []),  # all of a file
        ({"a": "12"}, []),  # half of it
        ({"a": "mine"}, ["a"]),
        ({"a": "1234", "Pulumi.lab.yaml": "stack"}, ["Pulumi.lab.yaml", "a"]),  # it had come to the end
        ({"a": "1234", "Pulumi.lab.yaml": "changed"}, ["Pulumi.lab.yaml", "a"]),
        ({"a": "1234", "Pulumi.lab.yaml": "st"}, []),
    ],
)
def test_only_what_nobody_has_changed_is_taken_back(there: dict[str, str], left: list[str], tmp_path: Path) -> None:
    left_behind(tmp_path, {"a": "1234", "Pulumi.lab.yaml": "stack"})
    for name, text in there.items():
        (tmp_path / name).write_text(text)
    making._take_back(tmp_path, "lab")
    assert sorted(files(tmp_path)) == left


def test_a_directory_that_is_empty_is_nobody_s(project: Path) -> None:
    """A run that was killed may have left one."""
    (project / "samples" / "lab" / "echo").mkdir(parents=True)
    assert make_stack(LAB, project)

"""An answer is checked as it is given, by the rules that a stack file is read with, and a bad one is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.init.answers import OF_TARGETS, Answers, Question, missing, questions, read_answers

HOSTED = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
KFP = {
    "name": "lab",
    "project": "acme-ml-dev",
    "region": "us-central1",
    "source": "gcs",
    "template": "echo",
    "target": "kfp",
    "host": HOSTED,
}
VERTEX = {
    **{name: value for name, value in KFP.items() if name != "host"},
    "target": "vertex",
    "pipeline_root": "gs://acme-runs/lab",
    "service_account": "runner@acme-ml-dev.iam.gserviceaccount.com",
}


def nobody(question: Question) -> str:
    raise AssertionError(question.name)


@pytest.mark.parametrize("given", [KFP, VERTEX], ids=["kfp", "vertex"])
def test_who_gives_all_answers_is_asked_nothing(given: dict[str, str], tmp_path: Path) -> None:
    assert missing(given, tmp_path) == []
    assert read_answers(given, nobody, tmp_path) == Answers(**given)


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("name", "Lab", "NAME is 'Lab'; use up to 30 lower-case letters"),
        ("name", "dev", "NAME is 'dev', and there is a Pulumi.dev.yaml; choose another name"),
        ("project", "My project", "--project is 'My project'; use the project's id"),
        ("region", "us-central1-a", "--region is 'us-central1-a'; use a region such as us-central1"),
        ("region", "us-centrall1", "--region is 'us-centrall1', which Google Cloud did not have in"),
        ("source", "ftp", "--source is 'ftp'; use gcs, pubsub, log or schedule"),
        ("template", "train.py", "--template is 'train.py'; use echo, validate_csv or train"),
        ("target", "airflow", "--target is 'airflow'; use kfp or vertex"),
        ("host", "http://kfp.acme.example", "--host is 'http://kfp.acme.example'; start it with https://"),
        ("host", f"{HOSTED}/#/runs", "--host is"),
        ("pipeline_root", "gs://a/b", "--pipeline-root does not go with --target kfp; leave it out"),
    ],
)
def test_a_bad_answer_is_named_with_what_to_write(name: str, answer: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").touch()
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        read_answers({**KFP, name: answer}, nobody, tmp_path)


@pytest.mark.parametrize(("name", "answer"), [("pipeline_root", "s3://a/b"), ("service_account", "runner")])
def test_so_is_one_about_vertex(name: str, answer: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} is '{answer}'; use a"):
        read_answers({**VERTEX, name: answer}, nobody, tmp_path)


def test_what_is_not_given_is_asked_for_and_of_the_target_only_what_it_takes(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(question: Question) -> str:
        asked.append(question.name)
        return VERTEX[question.name]

    assert read_answers({}, ask, tmp_path) == Answers(**VERTEX)
    assert asked == ["name", "project", "region", "source", "template", "target", "pipeline_root", "service_account"]
    assert missing({"target": "kfp"}, tmp_path) == [
        *("NAME", "--project", "--region", "--source", "--template", "--host"),
    ]


def test_a_default_is_an_answer_that_can_be(tmp_path: Path) -> None:
    defaults = [question for question in questions(tmp_path) if question.default]
    assert len(defaults) == 4
    assert all(question.check(str(question.default)) == question.default for question in defaults)


def test_an_endpoint_that_is_not_hosted_is_let_in_elsewhere() -> None:
    """A grant opens hosted ones alone."""
    assert Answers(**KFP).access == "service-account-user"
    assert Answers(**{**KFP, "host": "https://kfp.acme.example"}).access == "none"


def test_every_answer_has_a_question(tmp_path: Path) -> None:
    of_targets = {question.name for asked in OF_TARGETS.values() for question in asked}
    assert {question.name for question in questions(tmp_path)} | of_targets == set(Answers.__dataclass_fields__)

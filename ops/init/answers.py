"""What `init` asks, and what an answer may be: by the rules that the stack file is read with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, TypeAdapter, ValidationError

from function_src.launcher.origin import is_hosted, read_endpoint
from infra.configuration import place_rules, rules
from infra.configuration.stack_file import stack_names

Rule = Callable[..., str]
Given = Mapping[str, str | None]  # answers by their names
KFP, VERTEX = "kfp", "vertex"
SOURCES = ("gcs", "pubsub", "log", "schedule")
TEMPLATES = ("echo", "validate_csv", "train")


@dataclass(frozen=True)
class Question:
    """A question: the answer's name, which is its option's, what is asked, by which rule, and what is most likely."""

    name: str
    text: str
    rule: Rule
    default: str | None = None

    @property
    def option(self) -> str:
        """How the answer is given without being asked."""
        return "NAME" if self.name == "name" else f"--{self.name.replace('_', '-')}"

    def check(self, answer: str) -> str:
        """The answer as it will be written.

        Raises:
            ValueError: it cannot be; says what to write instead.
        """
        try:
            return str(TypeAdapter(Annotated[str, AfterValidator(self.rule)]).validate_python(answer.strip()))
        except ValidationError as error:
            raise ValueError(str(error.errors()[0]["ctx"]["error"])) from None


def _one_of(*choices: str) -> Rule:
    def choose(value: str) -> str:
        return rules.accept(value, "|".join(choices), f"use {', '.join(choices[:-1])} or {choices[-1]}")

    return choose


def _new_stack_name(root: Path) -> Rule:
    def check(value: str) -> str:
        if value in stack_names(root):
            raise ValueError(f"is {value!r}, and there is a Pulumi.{value}.yaml; choose another name")
        return rules.stack_name(value)

    return check


def questions(root: Path) -> tuple[Question, ...]:
    """What is asked whatever the target, for a stack in this project."""
    return (
        Question("name", "Name of the stack, as in dev", _new_stack_name(root)),
        Question("project", "Id of the Google Cloud project", rules.project_id),
        Question("region", "Region of functions and buckets", place_rules.region_name, "us-central1"),
        Question("source", f"Where events come from: {', '.join(SOURCES)}", _one_of(*SOURCES), "gcs"),
        Question("template", f"The pipeline to start from: {', '.join(TEMPLATES)}", _one_of(*TEMPLATES), "echo"),
        Question("target", "Where runs are started: kfp (an endpoint) or vertex", _one_of(KFP, VERTEX), KFP),
    )


# What is asked of a target, beside which it is.
OF_TARGETS: Mapping[str, tuple[Question, ...]] = {
    KFP: (Question("host", "The endpoint, https://HOST", read_endpoint),),
    VERTEX: (
        Question("pipeline_root", "Where jobs put their output, gs://BUCKET/...", rules.gcs_root),
        Question("service_account", "The service account that jobs run as", rules.service_account),
    ),
}


@dataclass(frozen=True)
class Answers:
    """All that a stack is made of."""

    name: str
    project: str
    region: str
    source: str
    template: str
    target: str
    host: str = ""
    pipeline_root: str = ""
    service_account: str = ""

    @property
    def trigger(self) -> str:
        """What the trigger is called."""
        return self.template.replace("_", "-")

    @property
    def pipeline(self) -> str:
        """What the pipeline and its file are called: two stacks can start from one template."""
        return f"{self.name.replace('-', '_')}_{self.template}"

    @property
    def access(self) -> str:
        """What opens the endpoint: grants open a hosted one, and for any other it is arranged elsewhere."""
        return "service-account-user" if is_hosted(self.host) else "none"


def missing(given: Given, root: Path) -> list[str]:
    """The options that would be asked for, as far as is known."""
    asked = (*questions(root), *OF_TARGETS.get(given.get("target") or "", ()))
    return [question.option for question in asked if given.get(question.name) is None]


def read_answers(given: Given, ask: Callable[[Question], str], root: Path) -> Answers:
    """Takes what was given, and asks for the rest.

    Raises:
        ValueError: an answer that was given cannot be; says which.
    """
    found: dict[str, str] = {}
    for question in questions(root):
        found[question.name] = _answer(question, given, ask)
    for question in OF_TARGETS[found["target"]]:
        found[question.name] = _answer(question, given, ask)
    asked = (question for of_target in OF_TARGETS.values() for question in of_target)
    if others := [q.option for q in asked if given.get(q.name) is not None and q.name not in found]:
        raise ValueError(f"{others[0]} does not go with --target {found['target']}; leave it out")
    return Answers(**found)


def _answer(question: Question, given: Given, ask: Callable[[Question], str]) -> str:
    answer = given.get(question.name)
    if answer is None:
        return ask(question)
    try:
        return question.check(answer)
    except ValueError as error:
        raise ValueError(f"{question.option} {error}") from None

"""What the documents show is true: examples are evaluated, keys are real, links lead somewhere."""

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ops.cli import app
from policy.rules import RULES
from rehearsal.program import ROOT, evaluate, read_stack
from tests.plans import DEV, EXAMPLES

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_README = 200


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for path in DOCS:
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)):
            yield f"{path.name}-{number}", block


# Recipes show parts of stack files, which tests/launcher/test_recipes.py puts to the test.
STACK_FILES = [(where, block) for where, block in blocks("yaml") if not where.startswith("recipes.md")]


@pytest.mark.parametrize(("where", "block"), STACK_FILES, ids=lambda value: value.split("\n")[0][:30])
def test_every_stack_file_in_the_documents_is_accepted(where: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.shown.yaml").write_text(block)
    assert evaluate(*read_stack(str(tmp_path / "Pulumi.shown.yaml"))).exports


def test_the_readme_shows_the_dev_stack_as_it_is() -> None:
    (_, shown), *_ = blocks("yaml")
    assert yaml.safe_load(shown) == yaml.safe_load(DEV.read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_stack_is_accepted(path: Path) -> None:
    assert evaluate(*read_stack(str(path))).exports


@pytest.mark.parametrize(("where", "block"), list(blocks("json")), ids=lambda value: value.split("\n")[0][:30])
def test_every_json_in_the_documents_parses(where: str, block: str) -> None:
    json.loads(block)


def test_every_link_between_the_documents_leads_somewhere() -> None:
    for path in DOCS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_verb_that_the_documents_show_is_in_the_makefile() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {verb for _, block in blocks("sh") for verb in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)}
    assert {"rehearse", "test", "up", "preview"} <= shown <= verbs


def commands() -> Iterator[list[str]]:
    for path in DOCS:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL):
            for line in block.replace("\\\n", "").splitlines():
                program, *arguments = shlex.split(line, comments=True) or [""]
                if program.endswith("pipeline-trigger"):
                    yield list(itertools.takewhile(lambda word: word not in ("|", ">"), arguments))


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_every_command_that_the_documents_show_is_one(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while commands := getattr(command, "commands", None):
        command = commands[arguments.pop(0)]
    command.make_context(command.name, arguments)  # parses, and runs nothing


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < LONGEST_README


def test_every_rule_is_documented_with_its_reason() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", (ROOT / "docs" / "policy.md").read_text(), re.MULTILINE)
    only = " Holds in production only."
    assert rows == [(rule.name, rule.description + (only if rule.production_only else "")) for rule in RULES]

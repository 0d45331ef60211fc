"""docs/recipes.md shows what a run is given: each recipe is checked as by a preview, and its file goes through it."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from function_src.launcher.event import read_event
from function_src.launcher.mapping.condition import holds, read_condition
from function_src.launcher.mapping.content import VIEWS, add_views, read_content
from function_src.launcher.mapping.expression import evaluate
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.sources import read_source
from infra.configuration.source_settings import GcsSource
from infra.mapping.contract import check_condition
from infra.mapping.documents import document_of
from infra.mapping.inference import infer
from rehearsal.program import ROOT
from tests.launcher.deliveries import OBJECT, TRIGGER_ID, push

SECTION = re.compile(r"^## (.+?)\n.*?```yaml\n(.*?)```.*?```json\n(.*?)```", re.MULTILINE | re.DOTALL)
RECIPES = {
    title: (yaml.safe_load(trigger), json.loads(example))
    for title, trigger, example in SECTION.findall((ROOT / "docs" / "recipes.md").read_text())
}
every_recipe = pytest.mark.parametrize("title", RECIPES)


def test_there_are_recipes_for_six_layouts() -> None:
    assert len(RECIPES) == 6


@every_recipe
def test_a_recipe_passes_a_preview(title: str) -> None:
    trigger, _ = RECIPES[title]
    source = GcsSource.model_validate(trigger["source"])
    document = document_of("gcs", glob=source.glob)
    check_condition("when", trigger.get("when"), document)
    for name, text in trigger["parameters"].items():
        expression = read_parameter(name, text).expression
        assert expression
        assert infer(expression.parsed, document)[1] == []


@every_recipe
def test_a_recipe_gives_what_it_shows(title: str) -> None:
    trigger, example = RECIPES[title]
    source = read_source({"bucket": "acme-incoming", "prefix": "", **trigger["source"]}, TRIGGER_ID)
    resource = {**OBJECT, "metadata": {}, "name": example["name"]}
    resource |= {"timeCreated": example["time_created"]} if "time_created" in example else {}
    event = read_event(TRIGGER_ID, source, *push(resource))
    assert source.check(event.document) is None
    content = example.get("content", "")
    body = content if isinstance(content, str) else json.dumps(content)
    read = {**event.document, **read_content(body.encode())}
    document = add_views(read, {view for view in VIEWS if view in str(trigger)})
    if "when" in trigger:
        assert holds(read_condition(trigger["when"]), document)
    expressions = {name: read_parameter(name, text).expression for name, text in trigger["parameters"].items()}
    given = {name: evaluate(name, found, document) for name, found in expressions.items() if found}
    assert given == example["parameters"]

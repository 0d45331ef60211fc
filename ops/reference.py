"""Writes what code says better than a person keeps up with: the tables of docs/configuration.md and a JSON schema for
editors, from the settings' models, and the table of docs/cost.md. Run by `make golden`; tests hold all to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from function_src.launcher.answers import TABLE, Row, Service
from function_src.launcher.run import (
    ExistsError,
    RefusedError,
    StrandedError,
    TwiceError,
    UnavailableError,
    UnknownError,
)
from infra.configuration.explain import GCP_KEYS, PROJECT
from infra.configuration.settings import StackSettings
from ops.cost.estimate import estimate
from ops.cost.show import BASIS, to_markdown
from rehearsal.program import evaluate, read_stack

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "configuration.md"
SCHEMA = ROOT / "docs" / "stack.schema.json"
TROUBLES = ROOT / "docs" / "troubleshooting.md"
COST = ROOT / "docs" / "cost.md"
SHOWN = ROOT / "examples" / "Pulumi.sources.yaml"
START, END = "<!-- Written by `make golden` from here -->", "<!-- to here -->"
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "map",
}
OUTCOMES = {
    RefusedError: "`rejected`",
    UnavailableError: "`retry`",
    UnknownError: "in doubt",
    TwiceError: "in doubt, twice",
    StrandedError: "`rejected`, a workflow is there",
    ExistsError: "`launched` before",
}
OWN = ("stack",)  # what is no key of a stack file but its name

Schema = Mapping[str, Any]


class Untitled(GenerateJsonSchema):
    """Pydantic's schema without titles of keys, which would say every name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 pydantic's own signature
        """Never."""
        return False


def stack_schema() -> dict[str, Any]:
    """The JSON schema of a stack file. What it cannot say, such as which parameters a pipeline has, preview says."""
    model = StackSettings.model_json_schema(schema_generator=Untitled)
    keys = {_key(name): schema for name, schema in model["properties"].items() if name not in OWN}
    own = "|".join(re.escape(key.partition(":")[2]) for key in keys if key.startswith(PROJECT))
    config = {
        "type": "object",
        "properties": keys,
        "patternProperties": {f"^{PROJECT}:(?!({own})$)": False},
        "required": [_key(name) for name in model["required"] if name not in OWN],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of event-triggered-pipelines",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": model["$defs"],
    }


def tables(schema: Schema) -> str:
    """Every key of a stack file, block by block."""
    return "\n".join(_sections(schema))


def _sections(schema: Schema) -> Iterator[str]:
    """The stack's table, and then those of the blocks in it, each after the one that it stands in."""
    waiting: list[tuple[str, Schema]] = [("", schema["properties"]["config"])]
    while waiting:
        where, block = waiting.pop(0)
        if where:
            yield f"### {where}\n\n{block['description']}\n"
        yield "| key | type | default | example | meaning |\n|---|---|---|---|---|"
        required = block.get("required", ())
        for name, field in block["properties"].items():
            yield f"| {' | '.join(_cells(name, field, name in required))} |"
        yield ""
        inside = [found for name, field in block["properties"].items() for found in _blocks(schema, name, field)]
        waiting = inside + waiting


def _blocks(schema: Schema, name: str, field: Schema) -> Iterator[tuple[str, Schema]]:
    """The blocks that a key may hold, each under its name and, if there are kinds of it, its kind."""
    for reference in re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(field)):
        block = schema["$defs"][reference]
        kind = block["properties"].get("kind", {}).get("const")
        yield f"`{name.rpartition(':')[2]}`" + (f" of kind `{kind}`" if kind else ""), block


def _cells(name: str, field: Schema, required: bool) -> Iterator[str]:
    holds_blocks, default = "$ref" in json.dumps(field), field.get("default")
    yield f"`{name}`"
    yield "list of blocks" if "items" in field else "block" if holds_blocks else _type(field)
    yield "required" if required else "see below" if holds_blocks else _code(default)
    examples = [*field.get("examples", ()), field.get("const"), default]
    yield "see below" if holds_blocks else _code(next((example for example in examples if example is not None), None))
    yield field["description"].replace("|", "\\|")


def _type(field: Schema) -> str:
    return " or ".join(_simple_type(one) for one in field.get("anyOf", [field]) if one.get("type") != "null")


def _simple_type(field: Schema) -> str:
    if choices := field.get("enum") or ([field["const"]] if "const" in field else None):
        return ", ".join(map(_code, choices))
    low, high = field.get("minimum"), field.get("maximum")
    return TYPES.get(field.get("type", ""), "anything") + (f", {low} to {high}" if None not in (low, high) else "")


def _code(value: Any) -> str:
    """A value as it stands in a stack file."""
    if value is None or value in ("", {}, []):
        return "none"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
    return f"`{text}`".replace("|", "\\|")


def _key(name: str) -> str:
    return f"gcp:{name}" if name in GCP_KEYS else f"{PROJECT}:{name}"


def costs() -> str:
    """What the stack of all sources costs a month."""
    return f"{to_markdown(estimate(evaluate(*read_stack(str(SHOWN)))))}\n\n{BASIS}\n"


def answers() -> str:
    """What the launcher takes a refusal for."""
    head = "| Who | Status | What stands in it | Outcome | What mends it |\n|---|---|---|---|---|\n"
    return head + "\n".join(f"| {' | '.join(_answer(row))} |" for row in TABLE) + "\n"


def _answer(row: Row) -> Iterator[str]:
    yield "anybody" if len(row.asked) == len(Service) else ", ".join(row.asked)
    yield "any other" if row.status == "..." else row.status.replace("..", "xx")
    words = [f"`{words}`" for words in row.words.split(" | ") if words]
    code = {"": [], "*": ["a code of its own"]}.get(row.code, [f"code `{row.code}`"])
    yield ", ".join([*code, " or ".join(words)] if words else code) or "anything"
    yield OUTCOMES[row.error]
    yield row.fix.replace("{place}", "…") or "nothing, if it passes"


def write_page(page: str, written: str) -> str:
    """The page with its tables anew; what a person wrote around them stays."""
    before, _, rest = page.partition(START)
    return f"{before}{START}\n\n{written}\n{END}{rest.partition(END)[2]}"


def write_schema(schema: Schema) -> str:
    """The schema as its file holds it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    found = stack_schema()
    PAGE.write_text(write_page(PAGE.read_text(), tables(found)))
    TROUBLES.write_text(write_page(TROUBLES.read_text(), answers()))
    COST.write_text(write_page(COST.read_text(), costs()))
    SCHEMA.write_text(write_schema(found))

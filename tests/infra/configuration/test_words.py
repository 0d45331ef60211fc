"""Whatever is wrong with a stack file is said in our own words, one line for each problem, and never a traceback."""

import copy
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from function_src.launcher.package import Input
from infra.configuration.settings import read_settings
from infra.configuration.stack_file import read_stack
from infra.errors import ConfigurationError
from infra.mapping.contract import check_condition, check_parameters
from infra.mapping.documents import document_of

# What pydantic, PyYAML, JMESPath, json and Python say, and what they call things.
LEAKS = re.compile(
    r"value error|input should|valid (string|integer|boolean|list|dictionary)|unable to parse|str of |string type|"
    r"unicode string|while (scanning|parsing|constructing)|mapping values|block (end|mapping)|could not find|"
    r"jmespath expression|parse error|expecting|(unknown|invalid) token|quoted_identifier|\beof\b|json serial|"
    r"array-(string|number)|\b(None|NoneType|True|False|dict|tuple|int|str|bool|float|bytes)\b|literal for|"
    r"set_int_max|extra (data|inputs)|object has no|object at 0x|traceback|recursion|codec|instances of|"
    r"line \d+ column|char \d+"
)
HOST = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
RUNNER = "runner@acme-ml.iam.gserviceaccount.com"
KFP = {"kind": "kfp", "host": HOST, "access": "viewer", "enable_caching": False, "pipeline_root": "gs://runs/a"}
VERTEX = {"kind": "vertex", "pipeline_root": "gs://runs/a", "service_account": RUNNER, "labels": {"team": "a"}}
TRIGGERS = [
    {
        "name": "files",
        "source": {"kind": "gcs", "prefix": "in/", "glob": "in/*.csv", "location": "EU", "soft_delete_days": 7},
        "pipeline": "echo",
        "parameters": {"uri": "object.uri", "rows": {"from": "content.rows", "default": 3}, "tags": {"value": ["a"]}},
        "when": "ends_with(object.name, '.csv')",
        "target": KFP,
        "function": {"memory": "1Gi", "cpu": "2", "timeout_seconds": 120},
        "delivery": {"retention_days": 14, "attempts": 50},
    },
    {
        "name": "firings",
        "source": {"kind": "schedule", "cron": "0 6 1-5/2 JAN *", "time_zone": "Etc/UTC", "payload": {"days": 7}},
        "pipeline": "echo",
        "parameters": {"uri": "content.days || event.time"},
        "target": VERTEX,
        "content_limit": 100,
    },
    {
        "name": "messages",
        "source": {"kind": "pubsub", "topic": "projects/acme-shop/topics/orders", "filter": 'attributes.a = "b"'},
        "pipeline": "echo",
        "parameters": {"uri": "message.attributes.uri", "rows": "length(lines)"},
        "target": KFP,
    },
    {
        "name": "entries",
        "source": {"kind": "log", "filter": 'severity="ERROR" AND (a=b OR c=d)'},
        "pipeline": "echo",
        "parameters": {"uri": "log.protoPayload.methodName"},
        "target": KFP,
    },
]
GOOD = {
    "config": {
        "gcp:project": "acme-ml-dev",
        "gcp:region": "us-central1",
        "event-triggered-pipelines:triggers": TRIGGERS,
        "event-triggered-pipelines:ledger_days": 93,
    }
}
INPUTS = {
    "uri": Input("STRING", required=True),
    "rows": Input("NUMBER_INTEGER", required=False),
    "tags": Input("LIST", required=False, literals=(["a"],)),
}
PIECES = [
    *("object", "content", "lines", "log", "event", ".uri", "urii", "'a'", "'b", "`", "`1`", '"a', "and", "length("),
    *"[]&|=-()*@é",
    *("[?a]", "{a:b}", "&&", "=="),
]
texts = (
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
    | st.text(max_size=6)
    | st.sampled_from(
        ["", " ", "x" * 300, "9" * 5000, "1-9/0", "** *", "@x", "2026-11-22", "٣", "a\nb", "\x00", "\ud800"]
    )
)
wrong = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, 1.5, float("inf"), float("nan")]) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: what holds it, and its key or number there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@st.composite
def bad_documents(draw: st.DrawFn) -> Any:
    """The good one with a few places changed: another value, another name, nothing, twice, or one level less."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        if not (found := [*places(document)]):
            break
        holder, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["value", "value", "name", "nothing", "list", "inside"])):
            case "value":
                holder[key] = draw(wrong)
            case "name" if isinstance(holder, dict):
                name = str(key)
                at = draw(st.integers(0, len(name)))
                holder[name[:at] + name[at + 1 :] + draw(st.sampled_from(["", "s", ":"]))] = holder.pop(key)
            case "list":
                holder[key] = [holder[key]]
            case "inside" if isinstance(holder[key], list) and holder[key]:
                holder[key] = holder[key][0]
            case _:
                del holder[key]
    return document


@st.composite
def bad_files(draw: st.DrawFn) -> str:
    """A stack file's text with a few characters put in or taken out."""
    text = yaml.safe_dump(draw(bad_documents() | st.just(GOOD)), sort_keys=False, allow_unicode=True)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        put_in = draw(st.sampled_from(["", "", *"\t:'\"[]{}#&*!|>%@`,?=-\n\x07é", "- ", "<<: ", "!!set ", "\n---\n"]))
        text = text[:at] + put_in + text[at + draw(st.integers(0, 3)) :]
    return text


def problems(path: Path) -> str:
    """What is said of a stack file, as `pulumi preview` would; nothing if it is accepted."""
    try:
        settings = read_settings(*read_stack(str(path)))
    except ConfigurationError as error:
        return str(error)
    said: list[str] = []
    for trigger in settings.triggers:
        document = document_of(trigger.source.kind, getattr(trigger.source, "payload", None))
        for check_one in (
            partial(check_parameters, "parameters", trigger.parameters, INPUTS, document, trigger.target.kind),
            partial(check_condition, "when", trigger.when, document),
        ):
            try:
                check_one()
            except ConfigurationError as error:
                said += str(error).split("\n")
    return "Pulumi.mine.yaml:" + "".join(f"\n  {problem}" for problem in said) if said else ""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stacks") / "Pulumi.mine.yaml"


def check(said: str) -> None:
    first, *lines = said.split("\n")
    assert first in ("", "Pulumi.mine.yaml:")
    for line in lines:
        assert line.startswith("  "), "one problem, one line"
        assert line.isprintable()
        assert not LEAKS.search(line), line
        assert ": " in line or "; " in line, "a problem comes with its fix"


def test_the_file_that_the_others_are_made_of_is_good(path: Path) -> None:
    path.write_text(yaml.safe_dump(GOOD, sort_keys=False))
    assert problems(path) == ""


@given(document=bad_documents())
def test_of_a_stack_file_with_wrong_values(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document))
    check(problems(path))


@given(text=bad_files())
def test_of_a_stack_file_that_is_hardly_one(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    check(problems(path))

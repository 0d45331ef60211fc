"""docs/events.md shows what the launcher makes of what arrives: each example is read, and compared."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from function_src.launcher.event import read_event
from function_src.launcher.sources import read_source
from infra.mapping.documents import DOCUMENTS
from rehearsal.program import ROOT
from tests.launcher.deliveries import as_json

TRIGGERS = {"gcs": "echo", "pubsub": "orders", "log": "loads", "schedule": "nightly"}
SHOWN_ABOVE = "…"


def examples() -> dict[str, tuple[Any, Any]]:
    """By kind of source: what arrives, and the document."""
    sections = re.split(r"^## (\w+)\n", (ROOT / "docs" / "events.md").read_text(), flags=re.MULTILINE)
    found = {}
    for kind, section in zip(sections[1::2], sections[2::2], strict=True):
        if kind in TRIGGERS:
            arrives, document = map(json.loads, re.findall(r"```json\n(.*?)```", section, re.DOTALL))
            found[kind] = arrives, document
    return found


def filled(shown: Any, actual: Any) -> Any:
    """What is shown, with what it leaves out because it stands above."""
    if shown == SHOWN_ABOVE:
        return actual
    if isinstance(shown, Mapping) and isinstance(actual, Mapping):
        return {name: filled(value, actual.get(name)) for name, value in shown.items()}
    return shown


def test_every_kind_of_source_has_an_example() -> None:
    assert examples().keys() == TRIGGERS.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("kind", TRIGGERS)
def test_the_document_of_an_example_is_what_the_launcher_makes_of_it(kind: str) -> None:
    arrives, shown = examples()[kind]
    data = json.dumps(arrives["message"]["data"]).encode()
    push = {**arrives, "message": {**arrives["message"], "data": base64.b64encode(data).decode()}}
    trigger_id = f"acme-ml-dev/dev/{TRIGGERS[kind]}"
    source = read_source({"kind": kind, "bucket": "acme-incoming", "prefix": "incoming/"}, trigger_id)

    event = read_event(trigger_id, source, {}, as_json(push))
    assert source.check(event.document) is None
    actual = {**event.document, **(event.content(1 << 20) if event.data is not None else {})}
    assert filled(shown, actual) == actual
    assert json.loads(actual["message"]["data"]) == arrives["message"]["data"]

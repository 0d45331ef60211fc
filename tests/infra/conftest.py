"""The plans that most tests look at, evaluated once; and evaluations in which Google Cloud answers otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest

from rehearsal import program
from rehearsal.program import Plan
from tests.plans import plan

Answering = Callable[..., None]


@pytest.fixture(scope="session")
def dev() -> Plan:
    """The plan of the dev stack."""
    return plan()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Overrides outputs by the end of a resource's type: ``answering(Function={"state": "FAILED"})``."""
    answers: dict[str, Mapping[str, Any]] = {}
    compute = program._Cloud.new_resource

    def new_resource(cloud: Any, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identifier, outputs = compute(cloud, args)
        return identifier, {**outputs, **answers.get(args.typ.rsplit(":", 1)[-1], {})}

    monkeypatch.setattr(program._Cloud, "new_resource", new_resource)
    return lambda **given: answers.update(given)

"""A launcher on stand-ins, to be compared with what `try` says; and plans, each evaluated once."""

from functools import cache

import pytest

from ops.trying import planned
from tests.launcher.conftest import identity, world

__all__ = ["identity", "world"]  # fixtures

plan_of = cache(planned.plan_of)


@pytest.fixture(autouse=True)
def evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "plan_of", plan_of)

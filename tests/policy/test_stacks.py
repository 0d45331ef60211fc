"""Every stack of the product keeps the rules, in a first preview and when everything is known."""

from pathlib import Path

import pytest

from policy.declarations import declared_access, is_production
from policy.rules import violations
from rehearsal.program import Plan, evaluate, read_stack
from tests.plans import STACK_FILES, dev_config, plan


def broken(of: Plan, *, production: bool, declared: frozenset[str]) -> list[str]:
    return [
        f"{resource.name}: {found.rule}: {found.message}"
        for resource in of.resources
        for found in violations(resource.type, resource.inputs, production=production, declared=declared)
    ]


@pytest.mark.parametrize("preview", [True, False], ids=["first-preview", "known"])
@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_a_stack_breaks_no_rule(path: Path, preview: bool) -> None:
    name, config = read_stack(str(path))
    evaluated = evaluate(name, config, preview=preview)
    assert broken(evaluated, production=is_production(config), declared=declared_access(config)) == []


@pytest.mark.parametrize("access", ["viewer", "project-viewer"])
def test_viewer_in_a_plan_is_stopped_unless_its_stack_declares_it(access: str) -> None:
    granted = plan(target__access=access)
    declared = declared_access(dev_config(target__access=access))
    assert declared == {access}
    assert broken(granted, production=False, declared=declared) == []
    (complaint,) = broken(granted, production=False, declared=frozenset())
    assert "no-basic-role" in complaint


def test_a_production_stack_may_not_share_an_account() -> None:
    declared = declared_access(dev_config())
    (complaint,) = broken(plan(), production=True, declared=declared)
    assert complaint.startswith("echo-launcher: own-account-in-production")
    assert broken(plan(identity="dedicated"), production=True, declared=declared) == []

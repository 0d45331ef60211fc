"""The prod stack is what a platform team would want to review: least privilege, and nothing shared."""

import pytest

from policy.resources import roles_of
from policy.rules import BASIC_ROLES
from rehearsal.program import Plan, evaluate, read_stack
from tests.plans import PROD


@pytest.fixture(scope="module")
def prod() -> Plan:
    return evaluate(*read_stack(str(PROD)))


def test_no_role_is_a_basic_one(prod: Plan) -> None:
    roles = {str(role) for resource in prod.resources for role in roles_of(resource.type, resource.inputs)}
    assert len(roles) > 5
    assert not roles & BASIC_ROLES


def test_nothing_runs_as_a_default_account_and_nothing_is_granted_to_one(prod: Plan) -> None:
    texts = [str(resource.inputs) for resource in prod.resources]
    assert not [text for text in texts if "@appspot." in text or "-compute@developer." in text]


def test_each_launcher_pushes_builds_and_runs_as_an_account_of_its_own(prod: Plan) -> None:
    accounts = {resource.name for resource in prod.of_type("serviceaccount/account:Account")}
    assert accounts == {"build", "orders-launcher", "orders-push", "catalog-launcher", "catalog-push"}

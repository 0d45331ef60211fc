"""Where Google Cloud has what a stack makes, and what shows that it is the stack's."""

import pytest

from ops.deploy.kinds import KINDS
from rehearsal.program import Plan, evaluate, read_stack
from tests.plans import PROD, dev_config, plan

SCHEDULE = {"kind": "schedule", "cron": "30 2 * * *"}
LOG = {"kind": "log", "filter": 'protoPayload.methodName="x"'}
NAMED_BY_US = {"Account", "Repository", "IAMCustomRole"}
# What can be made twice without a trace, or is found by what it is of.
NO_KIND = {"BucketObject", "Notification", "Service", "ServiceIdentity"}


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    other = [plan(source=source, parameters={"filename": "event.id"}) for source in (SCHEDULE, LOG)]
    return [evaluate("dev", dev_config(identity="dedicated")), evaluate(*read_stack(str(PROD))), *other]


def test_each_is_looked_for_under_the_id_that_the_provider_gives_it(plans: list[Plan]) -> None:
    seen = set()
    for planned in plans:
        for resource in planned.resources:
            if kind := KINDS.get(resource.type):
                inputs = {**resource.inputs, "name": resource.outputs.get("name", "")}  # which the engine makes up
                assert kind.id_of(inputs) == resource.id or resource.type.endswith(":IAMCustomRole"), resource.name
                seen.add(resource.type)
    assert seen == KINDS.keys()


def test_nothing_that_a_killed_update_can_leave_is_without_a_kind(plans: list[Plan]) -> None:
    types = {r.type for planned in plans for r in planned.resources if r.in_cloud and r.type not in KINDS}
    assert {name.rsplit(":", 1)[-1] for name in types if not name.lower().endswith("iammember")} <= NO_KIND


def test_what_is_the_stack_s_own_proves_it_and_what_another_made_does_not(plans: list[Plan]) -> None:
    for planned in plans:
        for resource in planned.resources:
            if kind := KINDS.get(resource.type):
                found = {**resource.inputs, "labels": {**resource.inputs.get("labels", {}), "goog-managed": "x"}}
                assert kind.proves(resource.inputs, found), resource.name
                for stranger in ({}, {"labels": {"stack": "another"}}, {"description": "theirs", "title": "theirs"}):
                    assert not kind.proves(resource.inputs, stranger), resource.name


def test_an_account_of_a_domain_scoped_project_is_looked_for_at_its_address() -> None:
    inputs = {"project": "example.com:ml", "accountId": "dev-build"}
    address = "dev-build@ml.example.com.iam.gserviceaccount.com"
    assert KINDS["gcp:serviceaccount/account:Account"].id_of(inputs).endswith(address)

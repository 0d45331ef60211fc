"""What is new in a project is not known everywhere at once, and a first `up` succeeds all the same."""

from __future__ import annotations

import pytest

from infra.resources import propagation
from rehearsal.engine.cloud import Fault
from tests.engine.worlds import World

# As Google Cloud says it of an organisation policy (storage and resource manager).
POLICY = (
    "googleapi: Error 412: 'us-central1' violates constraint 'constraints/gcp.resourceLocations' on the resource "
    "'projects/_/buckets/launch-ledger'., conditionNotMet"
)


@pytest.mark.parametrize("late", ["services", "accounts", "grants"])
def test_an_up_waits_for_what_is_late(new: World, late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setattr(new.cloud.delays, late, 0.8)
    monkeypatch.setattr(propagation, "SECONDS_UNTIL_EFFECTIVE", 1.0)
    new.up()


def test_a_refused_policy_is_said_at_once(new: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "SECONDS_BETWEEN_TRIES", 3600)
    new.cloud.faults.append(Fault("bucket:Bucket", "create", POLICY, times=99))
    assert "violates constraint 'constraints/gcp.resourceLocations'" in new.fail()


def test_an_account_that_others_make_is_waited_for_briefly_and_named(new: World) -> None:
    new.cloud.given.accounts.discard("acme-ml-dev@appspot.gserviceaccount.com")
    said = new.fail()
    assert "Service account acme-ml-dev@appspot.gserviceaccount.com does not exist" in said
    asked = said.count("acme-ml-dev@appspot.gserviceaccount.com does not exist")
    assert asked < propagation.TRIES


def test_an_agent_is_made_to_exist_before_it_is_granted_anything(new: World) -> None:
    """Enabling an API makes none, and a grant to one that is not there is refused for ever."""
    assert not [email for email in new.cloud.accounts if email.startswith("service-")]
    new.up()
    granted = {member for policy in new.cloud.policies.values() for _, member, _ in policy}
    assert "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" in granted
    assert "serviceAccount:None" not in granted

"""The policy pack, asked by the real engine: for each resource, in a preview and before it is made."""

from __future__ import annotations

import pulumi_gcp as gcp
import pytest

from infra.resources import delivery
from rehearsal.program import ROOT
from tests.engine.worlds import World

POLICY = ROOT / "policy"
PACK = ("--policy-pack", str(POLICY))

pytestmark = pytest.mark.skipif(
    not (POLICY / ".venv" / "bin" / "python").exists(), reason="the policy pack is not installed: make policy"
)


def test_the_pack_lets_a_preview_and_an_up_of_the_sample_pass(new: World) -> None:
    """Viewer, which the sample's endpoint takes, is a basic role: the pack must hear that the stack declares it."""
    for verb in ("preview", "up"):
        done = new.operate(verb, *PACK)
        assert not done.status, done.said
        assert "event-triggered-pipelines@v0.1.0" in done.said


def test_the_pack_stops_a_preview_and_an_up_before_anything_is_made(
    new: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    expiring = gcp.pubsub.SubscriptionExpirationPolicyArgs(ttl="86400s")
    monkeypatch.setattr(delivery, "NEVER", expiring)
    for verb in ("preview", "up"):
        said = new.fail(verb, *PACK)
        assert "kept-subscription" in said
        assert "expirationPolicy.ttl is not set to ''" in said
    assert not new.cloud.of_type(":Subscription")

"""Nothing is made with an address that Google Cloud did not tell."""

import re

import pulumi
import pytest

from infra.resources.told import refuse_untold
from rehearsal.program import Plan, Resource
from tests.infra.conftest import Answering
from tests.plans import plan


def refusal(resource: Resource) -> str:
    """What the hook of a resource says of what it would be made with."""
    args = pulumi.ResourceHookArgs(resource.urn, "", resource.name, resource.type, new_inputs=resource.inputs)
    with pytest.raises(RuntimeError) as refused:
        refuse_untold(args)
    return str(refused.value)


def test_nothing_of_a_stack_whose_addresses_are_told_is_refused(dev: Plan) -> None:
    for resource in dev.resources:
        refuse_untold(pulumi.ResourceHookArgs(resource.urn, "", "", "", new_inputs=resource.inputs))


@pytest.mark.parametrize(
    ("made", "state"),
    [
        ({"state": "FAILED"}, "it is FAILED"),
        ({"state": "ACTIVE", "serviceConfig": {"uri": ""}}, "it is ACTIVE"),
        ({"state": "ACTIVE", "serviceConfig": None}, "it is ACTIVE"),
        ({"state": None}, "it is in no state"),
    ],
)
def test_a_function_that_does_not_run_is_given_no_subscription_and_its_way_out_is_told(
    answering: Answering, made: dict[str, object], state: str
) -> None:
    answering(Function=made)
    changed = plan()
    said = refusal(changed.named("echo-events", ":Subscription"))
    assert said.startswith("Google Cloud does not say where function echo-launcher is called")
    assert state in said
    assert said == refusal(changed.named("echo-launcher/run.invoker/echo-push"))
    urn = changed.named("echo-launcher", ":Function").urn
    assert f"`pulumi up --replace '{urn}'`" in said


@pytest.mark.parametrize(
    ("kind", "unsaid", "needs"),
    [
        ("ServiceIdentity", {"email": ""}, "echo-dead-letters/pubsub.publisher/pubsub-agent"),
        ("ServiceIdentity", {"email": None}, "echo-events/pubsub.subscriber/pubsub-agent"),
        ("Account", {"email": None}, "launchers/artifactregistry.writer/build"),
    ],
)
def test_an_account_without_an_address_becomes_no_member(
    answering: Answering, kind: str, unsaid: dict[str, object], needs: str
) -> None:
    answering(**{kind: unsaid})
    assert "the address of account" in refusal(plan().named(needs))


@pytest.mark.parametrize("kind", ["Function", "ServiceIdentity", "Account"])
def test_no_input_and_no_output_is_ever_the_text_of_none(answering: Answering, kind: str) -> None:
    answering(**{kind: {"email": None, "state": None, "serviceConfig": None}})
    changed = plan()
    texts = [str(dict(resource.inputs)) for resource in changed.resources] + [str(changed.exports)]
    assert not [text for text in texts if re.search(r"'[^']*\bNone\b[^']*'", text)]

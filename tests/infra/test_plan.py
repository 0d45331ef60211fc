"""The plan as a whole: what a reviewer reads, and what the engine would refuse."""

from pathlib import Path

import pytest

from rehearsal.program import UNKNOWN, Plan, Resource, evaluate, read_stack
from tests.infra.schema import problems
from tests.plans import DEV, GOLDEN, PROD, dev_config, plan, render

LABELLED = ("Bucket", "Topic", "Subscription", "Function", "Repository")


@pytest.mark.parametrize("file", [DEV, PROD], ids=lambda path: path.name)
def test_the_plan_is_the_reviewed_one(file: Path) -> None:
    planned = evaluate(*read_stack(str(file)))
    reviewed = (GOLDEN / f"{planned.stack}.yaml").read_text()
    assert render(planned) == reviewed, "the plan changed: read `make golden; git diff`"


def test_a_second_evaluation_changes_nothing(dev: Plan) -> None:
    again = plan()
    assert render(again) == render(dev)
    assert again.exports == dev.exports


def test_a_first_preview_declares_the_same_resources(dev: Plan) -> None:
    """What a provider computes is unknown then; nothing may hang on it but values."""
    preview = evaluate("dev", dev_config(), preview=True)
    assert {(r.urn, r.parent): set(r.inputs) for r in preview.resources} == {
        (r.urn, r.parent): set(r.inputs) for r in dev.resources
    }
    assert preview.exports["echo-function-uri"] == UNKNOWN


def test_every_resource_is_what_the_provider_s_schema_allows(dev: Plan) -> None:
    assert [problem for resource in dev.resources if resource.in_cloud for problem in problems(resource)] == []


def test_the_schema_check_sees_a_misspelt_key_at_depth_and_a_missing_one(dev: Plan) -> None:
    subscription = dev.named("echo-events", ":Subscription")
    push = {"pushEndpoint": "https://x", "oidcTokn": {}}
    spoilt = Resource(**{**vars(subscription), "inputs": {"pushConfig": push}})
    assert problems(spoilt) == [
        "echo-events: required topic is missing",
        "echo-events.pushConfig: oidcTokn is unknown",
    ]


def test_no_two_resources_share_a_urn(dev: Plan) -> None:
    urns = [resource.urn for resource in dev.resources]
    assert len(urns) == len(set(urns))


def test_labels_say_stack_and_trigger_on_everything_that_takes_them(dev: Plan) -> None:
    for resource in dev.resources:
        if resource.custom and resource.type.rsplit(":", 1)[-1] in LABELLED:
            expected = {"stack": "dev"} | ({"trigger": "echo"} if resource.name.startswith("echo-") else {})
            assert resource.inputs["labels"] == expected, resource.name


def test_exports_serve_people_and_commands(dev: Plan) -> None:
    assert set(dev.exports) == {
        "echo-bucket",
        "echo-topic",
        "echo-function-uri",
        "echo-dead-letter-subscription",
        "echo-launcher-identity",
        "echo-package-digest",
        "ledger",
        "ledger_days",
        "triggers",
    }
    assert dev.exports["triggers"]["echo"]["source"]["bucket"] == dev.exports["echo-bucket"]
    for_people = [value for name, value in dev.exports.items() if "-" in name]
    assert all(isinstance(value, str) for value in for_people)


def test_every_cloud_resource_is_retried_until_grants_have_propagated(dev: Plan) -> None:
    hooks = {resource.hooks["on_error"] for resource in dev.resources if resource.custom}
    assert hooks == {("retry-until-propagated",)}


def test_nothing_is_made_or_changed_with_what_google_does_not_tell(dev: Plan) -> None:
    made = [resource.hooks for resource in dev.resources if resource.custom]
    assert all("refuse-untold" in hooks[moment] for hooks in made for moment in ("before_create", "before_update"))


def test_services_stay_enabled_when_the_stack_is_destroyed(dev: Plan) -> None:
    assert {service.inputs["disableOnDestroy"] for service in dev.of_type(":Service")} == {False}

"""The delivery of events as planned: nothing expires, nothing is dropped, nobody else may call."""

import json
import re

import pytest

from function_src.launcher.package import read_package
from rehearsal.program import Plan, Resource, evaluate
from tests.plans import dev_config, plan


@pytest.fixture
def subscription(dev: Plan) -> Resource:
    return dev.named("echo-events", ":Subscription")


@pytest.fixture
def function(dev: Plan) -> Resource:
    return dev.named("echo-launcher", ":Function")


def test_no_subscription_expires(dev: Plan) -> None:
    """After 31 idle days Pub/Sub would delete it, and the next file would start nothing."""
    assert [s.inputs["expirationPolicy"] for s in dev.of_type(":Subscription")] == [{"ttl": ""}] * 2


def test_an_event_that_is_tried_too_often_is_kept_for_31_days(dev: Plan, subscription: Resource) -> None:
    policy, kept = subscription.inputs["deadLetterPolicy"], dev.named("echo-dead-letters", ":Subscription")
    assert policy["maxDeliveryAttempts"] == 100
    assert policy["deadLetterTopic"] == kept.inputs["topic"]
    assert kept.inputs["messageRetentionDuration"] == f"{31 * 86_400}s"
    assert "pushConfig" not in kept.inputs


def test_delivery_is_patient(subscription: Resource) -> None:
    assert subscription.inputs["retryPolicy"] == {"minimumBackoff": "10s", "maximumBackoff": "600s"}
    assert subscription.inputs["ackDeadlineSeconds"] == 600
    assert subscription.inputs["messageRetentionDuration"] == f"{7 * 86_400}s"


def test_the_launcher_answers_well_within_the_ack_deadline(function: Resource, subscription: Resource) -> None:
    assert function.inputs["serviceConfig"]["timeoutSeconds"] < subscription.inputs["ackDeadlineSeconds"] - 30


def test_pubsub_calls_the_function_s_own_uri_with_a_token_for_it(function: Resource, subscription: Resource) -> None:
    push, uri = subscription.inputs["pushConfig"], function.outputs["serviceConfig"]["uri"]
    assert push["pushEndpoint"] == uri
    assert push["oidcToken"]["audience"] == uri
    assert push["oidcToken"]["serviceAccountEmail"].startswith("dev-echo-push@")


def test_the_function_is_private_and_names_both_its_identities(function: Resource) -> None:
    assert function.inputs["serviceConfig"]["ingressSettings"] == "ALLOW_INTERNAL_ONLY"
    assert function.inputs["serviceConfig"]["serviceAccountEmail"] == "acme-ml-dev@appspot.gserviceaccount.com"
    build = function.inputs["buildConfig"]
    assert build["serviceAccount"].endswith("/dev-build@acme-ml-dev.iam.gserviceaccount.com")
    assert build["runtime"] == "python313"


def test_the_function_has_no_trigger_of_its_own(function: Resource) -> None:
    """Such a trigger drops an event after 24 hours and knows no dead letters."""
    assert "eventTrigger" not in function.inputs


def test_only_new_objects_under_the_prefix_are_events(dev: Plan) -> None:
    (notification,) = dev.of_type(":Notification")
    assert notification.inputs["eventTypes"] == ["OBJECT_FINALIZE"]
    assert notification.inputs["objectNamePrefix"] == "incoming/"
    assert notification.inputs["payloadFormat"] == "JSON_API_V1"
    assert "objectNamePrefix" not in plan(source__prefix="").of_type(":Notification")[0].inputs


def test_buckets_are_private_and_the_trigger_bucket_is_where_it_is_wanted(dev: Plan) -> None:
    for bucket in dev.of_type(":Bucket"):
        assert bucket.inputs["uniformBucketLevelAccess"] is True
        assert bucket.inputs["publicAccessPrevention"] == "enforced"
        assert "forceDestroy" not in bucket.inputs
    there = plan(source__location="EU", source__soft_delete_days=0).named("echo-bucket", ":Bucket")
    assert there.inputs["location"] == "eu"
    assert there.inputs["softDeletePolicy"] == {"retentionDurationSeconds": 0}


def test_the_ledger_forgets_after_the_configured_days_and_nothing_else_does(dev: Plan) -> None:
    longer = evaluate("dev", {**dev_config(), "event-triggered-pipelines:ledger_days": "365"})
    for plan_, days in ((dev, 93), (longer, 365)):
        (rule,) = plan_.named("launch-ledger", ":Bucket").inputs["lifecycleRules"]
        assert rule == {"action": {"type": "Delete"}, "condition": {"age": days}}
    others = [bucket for bucket in dev.of_type(":Bucket") if bucket.name != "launch-ledger"]
    assert not [bucket.name for bucket in others if "lifecycleRules" in bucket.inputs]


def test_the_launcher_is_told_what_it_needs_in_one_readable_variable(dev: Plan, function: Resource) -> None:
    assert json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"]) == {
        "id": "acme-ml-dev/dev/echo",
        "source": {"kind": "gcs", "bucket": dev.exports["echo-bucket"], "prefix": "incoming/"},
        "parameters": {"filename": "object.uri"},
        "content_limit": 2**20,
        "ledger": dev.exports["ledger"],
        "lease_seconds": 300,
        "timeout_seconds": 300,
        "target": {
            "kind": "kfp",
            "host": "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com",
            "experiment": "gcs-triggered",
            "credentials": "access-token",
        },
    }


def test_no_token_is_sent_to_an_endpoint_that_is_not_hosted() -> None:
    elsewhere = plan(target__host="https://kfp.example.com", target__access="none")
    variable = elsewhere.named("echo-launcher", ":Function").inputs["serviceConfig"]["environmentVariables"][
        "TRIGGER"
    ]
    assert json.loads(variable)["target"]["credentials"] == "none"


def test_every_setting_of_function_and_delivery_arrives() -> None:
    function = {"runtime": "python312", "memory": "2Gi", "cpu": "2", "timeout_seconds": 99}
    changed = plan(
        function={**function, "concurrency": 7, "max_instances": 3},
        delivery={"retention_days": 3, "attempts": 9},
        content_limit=5,
    )
    planned = changed.named("echo-launcher", ":Function").inputs
    service = planned["serviceConfig"]
    assert planned["buildConfig"]["runtime"] == "python312"
    assert (service["availableMemory"], service["availableCpu"], service["timeoutSeconds"]) == ("2Gi", "2", 99)
    assert (service["maxInstanceRequestConcurrency"], service["maxInstanceCount"]) == (7, 3)
    assert service["environmentVariables"]["THREADS"] == "7", "else functions-framework serves 4 per processor"
    assert json.loads(service["environmentVariables"]["TRIGGER"])["content_limit"] == 5
    subscription = changed.named("echo-events", ":Subscription").inputs
    assert subscription["messageRetentionDuration"] == f"{3 * 86_400}s"
    assert subscription["deadLetterPolicy"]["maxDeliveryAttempts"] == 9


def test_the_image_goes_where_the_build_identity_may_write(dev: Plan, function: Resource) -> None:
    (writer,) = [r for r in dev.resources if r.custom and r.inputs.get("role") == "roles/artifactregistry.writer"]
    assert function.inputs["buildConfig"]["dockerRepository"].endswith(f"/repositories/{writer.inputs['repository']}")


def test_the_archive_is_named_by_its_content_and_holds_the_package(dev: Plan, function: Resource) -> None:
    (source,) = dev.of_type(":BucketObject")
    assert re.fullmatch(r"echo/launcher-[0-9a-f]{12}\.zip", source.inputs["name"])
    assert function.inputs["buildConfig"]["source"]["storageSource"]["object"] == source.inputs["name"]
    archive = source.inputs["source"].assets
    assert read_package(archive["pipeline.json"].text.encode()).digest == dev.exports["echo-package-digest"]


def test_long_names_still_make_service_accounts() -> None:
    changed = plan(name="a-trigger-with-quite-a-long-na", identity="dedicated")
    ids = [account.inputs["accountId"] for account in changed.of_type("serviceaccount/account:Account")]
    assert all(6 <= len(account_id) <= 30 for account_id in ids)
    assert len(set(ids)) == 3

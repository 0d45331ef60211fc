"""Every source ends at one topic and one subscription, is allowed to publish there, and starts last."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pulumi
import pytest

from infra.errors import ConfigurationError
from infra.resources.foundation import SERVICES
from infra.resources.told import refuse_untold
from rehearsal.google.log_filter import read_log_filter
from rehearsal.program import Plan, evaluate
from tests.infra.conftest import Answering
from tests.infra.schema import problems
from tests.infra.test_order import waits_for
from tests.plans import TRIGGERS, dev_config, plan

TOPIC = "projects/acme-shop/topics/orders"
LOG_FILTER = 'protoPayload.methodName="google.cloud.bigquery.v2.JobService.InsertJob"'
SOURCES: dict[str, dict[str, Any]] = {
    "gcs": {"kind": "gcs", "prefix": "incoming/"},
    "existing bucket": {"kind": "gcs", "bucket": "acme-there", "prefix": "in/", "glob": "in/2026/*.json"},
    "announced bucket": {"kind": "gcs", "bucket": "acme-there", "topic": TOPIC, "glob": "**/*.tmp"},
    "pubsub": {"kind": "pubsub", "filter": 'attributes.type = "order"'},
    "existing topic": {"kind": "pubsub", "topic": TOPIC},
    "log": {"kind": "log", "filter": LOG_FILTER},
    "schedule": {"kind": "schedule", "cron": "30 2 * * 1-5", "payload": {"days": 7}},
}
every_source = pytest.mark.parametrize("name", SOURCES)


@cache
def planned(name: str) -> Plan:
    return plan(source=SOURCES[name], parameters={"filename": "event.id"})


def stack(*sources: dict[str, Any], **changes: Any) -> dict[str, str]:
    """The configuration of a stack with a trigger for each source, otherwise alike but for their names."""
    config = dev_config(parameters={"filename": "event.id"}, **changes)
    [trigger] = json.loads(config[TRIGGERS])
    triggers = [{**trigger, "name": f"t{number}", "source": source} for number, source in enumerate(sources)]
    return {**config, TRIGGERS: json.dumps(triggers)}


def settings_of(found: Plan, trigger: str = "echo") -> dict[str, Any]:
    variables = found.named(f"{trigger}-launcher", ":Function").inputs["serviceConfig"]["environmentVariables"]
    settings: dict[str, Any] = json.loads(variables["TRIGGER"])["source"]
    return settings


@every_source
def test_every_source_is_delivered_in_the_same_way(name: str, dev: Plan) -> None:
    found, usual = planned(name).named("echo-events", ":Subscription"), dev.named("echo-events", ":Subscription")
    assert {**found.inputs, "topic": "", "filter": ""} == {**usual.inputs, "topic": "", "filter": ""}


@every_source
def test_every_resource_is_what_the_provider_s_schema_allows(name: str) -> None:
    found = [problem for resource in planned(name).resources if resource.in_cloud for problem in problems(resource)]
    assert found == []


@every_source
def test_a_first_preview_declares_the_same_resources(name: str) -> None:
    config = dev_config(source=SOURCES[name], parameters={"filename": "event.id"})
    preview = evaluate("dev", config, preview=True)
    assert {(r.urn, r.parent) for r in preview.resources} == {(r.urn, r.parent) for r in planned(name).resources}


@every_source
def test_everything_waits_for_the_services(name: str) -> None:
    found = planned(name)
    services = {f"Service {service}" for service in SERVICES}
    services |= {"Service cloudscheduler"} if name == "schedule" else set()
    for resource in found.resources:
        if resource.in_cloud and not resource.type.endswith(":Service"):
            assert services <= waits_for(found, resource), resource.name


@pytest.mark.parametrize(
    ("name", "sender"),
    [("existing bucket", ":Notification"), ("log", ":ProjectSink"), ("schedule", ":Job"), ("gcs", ":Notification")],
)
def test_a_source_sends_nothing_before_everything_that_handles_it_stands(name: str, sender: str) -> None:
    found = planned(name)
    [resource] = found.of_type(sender)
    assert {
        "Subscription echo-events",
        "Function echo-launcher",
        "BucketIAMMember echo-records/storage.objectUser/app-engine",
    } <= waits_for(found, resource)


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("existing bucket", "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"),
        ("log", "service-123456789012@gcp-sa-logging.iam.gserviceaccount.com"),
        ("schedule", "service-123456789012@gcp-sa-cloudscheduler.iam.gserviceaccount.com"),
    ],
)
def test_who_sends_the_events_and_nobody_else_may_publish_on_the_topic(name: str, member: str) -> None:
    found = planned(name)
    topic = found.named("echo-events", ":Topic").outputs["name"]
    grants = [grant.inputs for grant in found.of_type(":TopicIAMMember") if grant.inputs["topic"] == topic]
    assert [(grant["role"], grant["member"]) for grant in grants] == [
        ("roles/pubsub.publisher", f"serviceAccount:{member}")
    ]


# --- buckets ------------------------------------------------------------------------------------------------------


def test_an_existing_bucket_is_listened_to_and_not_made() -> None:
    found = planned("existing bucket")
    assert {bucket.name for bucket in found.of_type(":Bucket")} == {"launcher-sources", "launch-ledger"}
    [notification] = found.of_type(":Notification")
    assert notification.inputs["bucket"] == "acme-there"
    assert settings_of(found) == {**SOURCES["existing bucket"], "bucket": "acme-there"}
    assert found.exports["echo-bucket"] == "acme-there"


@pytest.mark.parametrize(
    ("source", "announced"),
    [
        ({"prefix": "in/", "glob": "in/2026/*.json"}, "in/2026/"),
        ({"prefix": "in/", "glob": "**/_SUCCESS"}, "in/"),
        ({"glob": "in/*"}, "in/"),
        ({"glob": "**/*.json"}, None),
    ],
)
def test_cloud_storage_announces_no_more_than_the_glob_can_match(
    source: dict[str, str], announced: str | None
) -> None:
    [notification] = plan(source={"kind": "gcs", **source}).of_type(":Notification")
    assert notification.inputs.get("objectNamePrefix") == announced


def test_two_launchers_of_one_identity_share_the_grant_to_read_an_existing_bucket() -> None:
    there = {"kind": "gcs", "bucket": "acme-there"}
    config = stack({**there, "prefix": "a/"}, {**there, "prefix": "b/"})
    triggers = [{**trigger, "parameters": {"filename": "content.a"}} for trigger in json.loads(config[TRIGGERS])]
    both = evaluate("dev", {**config, TRIGGERS: json.dumps(triggers)})
    readers = [
        grant
        for grant in both.of_type(":BucketIAMMember")
        if grant.inputs["role"] == "roles/storage.objectViewer" and grant.inputs["bucket"] == "acme-there"
    ]
    assert [reader.name for reader in readers] == ["acme-there/storage.objectViewer/app-engine"]
    assert len(both.of_type(":Notification")) == 2


# --- topics -------------------------------------------------------------------------------------------------------


def test_an_existing_topic_is_subscribed_to_and_not_made() -> None:
    found = planned("existing topic")
    assert [topic.name for topic in found.of_type(":Topic")] == ["echo-dead-letters"]
    assert found.named("echo-events", ":Subscription").inputs["topic"] == TOPIC
    assert found.exports["echo-topic"] == TOPIC
    assert settings_of(found) == {"kind": "pubsub", "topic": TOPIC}
    assert not [grant for grant in found.of_type(":TopicIAMMember") if grant.inputs["topic"] == TOPIC]


def test_a_bucket_that_is_announced_elsewhere_is_left_to_its_owner() -> None:
    found = plan(source=SOURCES["announced bucket"], parameters={"filename": "content.note"})
    assert not found.of_type(":Notification")
    assert "echo-bucket" not in [bucket.name for bucket in found.of_type(":Bucket")]
    assert [topic.name for topic in found.of_type(":Topic")] == ["echo-dead-letters"]
    assert found.named("echo-events", ":Subscription").inputs["topic"] == TOPIC
    assert (found.exports["echo-bucket"], found.exports["echo-topic"]) == ("acme-there", TOPIC)
    assert "echo-subscription" in found.exports
    assert settings_of(found) == {
        "kind": "gcs",
        "bucket": "acme-there",
        "topic": TOPIC,
        "prefix": "",
        "glob": "**/*.tmp",
        "include": ["temporary"],  # which the glob names
    }
    [reads] = [one for one in found.of_type(":BucketIAMMember") if one.inputs["bucket"] == "acme-there"]
    assert reads.inputs["role"] == "roles/storage.objectViewer"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"topic": TOPIC}, "can carry any bucket's objects: add bucket, the one whose objects are events"),
        (
            {"filter": "attributes:a"},
            "filter is for a topic that is there already; use prefix and glob, or add topic",
        ),
        ({"bucket": "acme-there", "topic": TOPIC, "location": "EU"}, "location is for a bucket that the stack makes"),
        ({"include": ["tmp"]}, "include[0]: is 'tmp'; use 'folders', 'temporary' or 'uploads'"),
        ({"include": "temporary"}, "include: is 'temporary'"),
        ({"bucket": "acme-there", "topic": "new-objects"}, "use the full name, projects/PROJECT/topics/TOPIC"),
    ],
    ids=str,
)
def test_a_source_of_objects_that_cannot_be_is_refused(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        plan(source={"kind": "gcs", **source}, parameters={"filename": "event.id"})
    assert problem in str(refused.value)


def test_more_triggers_than_a_bucket_has_notifications_can_be_on_its_topic() -> None:
    sources = [{**SOURCES["announced bucket"], "prefix": f"{number}/"} for number in range(11)]
    assert len(evaluate("dev", stack(*sources, function={"max_instances": 1})).of_type(":Function")) == 11


def test_a_filter_is_pubsub_s_and_its_topic_keeps_what_another_filter_may_need(dev: Plan) -> None:
    found = plan(source=SOURCES["pubsub"], parameters={"filename": "event.id"}, delivery={"retention_days": 3})
    assert found.named("echo-events", ":Subscription").inputs["filter"] == 'attributes.type = "order"'
    assert found.named("echo-events", ":Topic").inputs["messageRetentionDuration"] == f"{3 * 86_400}s"
    assert "messageRetentionDuration" not in dev.named("echo-events", ":Topic").inputs


# --- logs and schedules -------------------------------------------------------------------------------------------


def test_what_the_stack_itself_causes_to_be_logged_is_no_event() -> None:
    """A launcher logs each delivery: a filter that selects its log would start runs for ever."""
    found = evaluate("dev", stack({"kind": "log", "filter": "severity>=INFO"}, SOURCES["schedule"]))
    [sink] = found.of_type(":ProjectSink")
    ledger = found.exports["ledger"]
    own: list[dict[str, Any]] = [
        *({"resource": {"labels": {"service_name": f.outputs["name"]}}} for f in found.of_type(":Function")),
        {"protoPayload": {"resourceName": f"projects/_/buckets/{ledger}/objects/claims/t0/1"}},
    ]
    excluded = [read_log_filter(exclusion["filter"]) for exclusion in sink.inputs["exclusions"]]
    assert [any(filter_.matches(entry) for filter_ in excluded) for entry in own] == [True] * 3
    other = {
        "resource": {"labels": {"service_name": "shop"}},
        "protoPayload": {"resourceName": "projects/_/buckets/b/"},
    }
    assert not any(filter_.matches(other) for filter_ in excluded)


def test_what_another_stack_with_a_wide_filter_causes_is_no_event_either() -> None:
    """Else each of two such stacks would be told for ever of what the other does."""
    one, other = (evaluate(name, stack({"kind": "log", "filter": "severity>=INFO"})) for name in ("dev", "staging"))
    [sink] = one.of_type(":ProjectSink")
    excluded = [read_log_filter(exclusion["filter"]) for exclusion in sink.inputs["exclusions"]]
    [launcher] = other.of_type(":Function")
    caused: list[dict[str, Any]] = [
        {"resource": {"labels": {"service_name": launcher.outputs["name"].replace("t0", "another")}}},
        {"protoPayload": {"resourceName": "projects/_/buckets/launch-ledger-0f0f0f0/objects/claims/t0/1"}},
    ]
    assert [any(filter_.matches(entry) for filter_ in excluded) for entry in caused] == [True] * 2


def test_the_sink_exports_what_the_filter_selects_to_the_trigger_s_topic() -> None:
    found = planned("log")
    [sink] = found.of_type(":ProjectSink")
    assert sink.inputs["filter"] == LOG_FILTER
    assert sink.inputs["destination"] == f"pubsub.googleapis.com/{found.named('echo-events', ':Topic').id}"
    assert sink.inputs["uniqueWriterIdentity"] is True


@pytest.mark.parametrize(
    ("payload", "data"),
    [({"days": 7}, '{"days": 7}'), ("text", "text"), ([1, 2], "[1, 2]"), (7, "7"), (None, None)],
)
def test_the_schedule_carries_its_payload(payload: Any, data: str | None) -> None:
    source = {**SOURCES["schedule"], "time_zone": "Europe/Amsterdam", "payload": payload}
    [job] = plan(source=source, parameters={"filename": "event.id"}).of_type(":Job")
    assert (job.inputs["schedule"], job.inputs["timeZone"]) == ("30 2 * * 1-5", "Europe/Amsterdam")
    target = job.inputs["pubsubTarget"]
    assert target["attributes"], "a message must have attributes or data"
    assert target.get("data") == (data and base64.b64encode(data.encode()).decode())


def test_a_firing_that_could_not_be_published_is_not_tried_again() -> None:
    """It may have been published all the same, and would start a second run."""
    [job] = planned("schedule").of_type(":Job")
    assert job.inputs["retryConfig"] == {"retryCount": 0}


@pytest.mark.parametrize("wanted", ["us-central1", "US-CENTRAL1"])
def test_a_bucket_that_is_where_it_is_wanted_stays_there(answering: Answering, wanted: str) -> None:
    answering(Bucket={"location": "US-CENTRAL1"})
    assert plan(source__location=wanted).exports["echo-bucket"]


def test_a_bucket_that_would_have_to_move_is_refused_with_both_ways_out(answering: Answering) -> None:
    answering(Bucket={"location": "EUROPE-WEST4"})
    moving = plan()
    for name in ("echo-launcher", "echo-new-objects"):
        resource = [r for r in moving.resources if r.name == name and r.in_cloud][-1]
        args = pulumi.ResourceHookArgs(resource.urn, "", name, resource.type, new_inputs=resource.inputs)
        with pytest.raises(RuntimeError) as refused:
            refuse_untold(args)
        said = str(refused.value)
        assert said.startswith("Buckets do not move: trigger echo, source.location: ")
        assert "`location: europe-west4`" in said
        assert said.endswith("deletes this one once it is empty")
        assert "another name" in said


def test_the_ledger_says_nothing_of_another_region(answering: Answering) -> None:
    answering(Bucket={"location": "EUROPE-WEST4"})
    assert plan(source=SOURCES["pubsub"], parameters={"filename": "event.id"}).exports["ledger"]

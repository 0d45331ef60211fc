"""A brand-new project comes up on the first `pulumi up`: each thing waits for what it needs."""

import pytest

from infra.resources.foundation import SERVICES
from rehearsal.program import Plan, Resource
from tests.plans import plan


def waits_for(dev: Plan, resource: Resource) -> set[str]:
    """The names of all resources that a resource waits for, directly or through others."""
    by_urn = {other.urn: other for other in dev.resources}
    found: set[str] = set()
    urns = list(resource.dependencies)
    while urns:
        urn = urns.pop()
        if urn not in found:
            found.add(urn)
            urns += by_urn[urn].dependencies
    return {f"{by_urn[urn].type.rsplit(':', 1)[-1]} {by_urn[urn].name}" for urn in found}


def test_the_notification_waits_until_storage_may_publish(dev: Plan) -> None:
    notification = dev.named("echo-new-objects")
    assert "TopicIAMMember echo-events/pubsub.publisher/storage-agent" in waits_for(dev, notification)


def test_no_event_is_announced_before_everything_that_handles_it_stands(dev: Plan) -> None:
    before = waits_for(dev, dev.named("echo-new-objects"))
    handling = {
        "Subscription echo-events",
        "SubscriptionIAMMember echo-events/pubsub.subscriber/pubsub-agent",
        "Subscription echo-dead-letters",
        "TopicIAMMember echo-dead-letters/pubsub.publisher/pubsub-agent",
        "Function echo-launcher",
        "ServiceIamMember echo-launcher/run.invoker/echo-push",
        "IAMMember compute-default/viewer/app-engine",
        "BucketIAMMember echo-records/storage.objectUser/app-engine",
    }
    assert handling <= before


def test_a_launcher_that_reads_files_may_read_them_before_the_first_event() -> None:
    reading = plan(pipeline="validate_csv", parameters={"csv_uri": "content.data", "required_columns": {"value": []}})
    before = waits_for(reading, reading.named("echo-new-objects"))
    assert "BucketIAMMember echo-bucket/storage.objectViewer/app-engine" in before


def test_nothing_is_pushed_before_pubsub_may_call_the_launcher_and_dead_letter(dev: Plan) -> None:
    before = waits_for(dev, dev.named("echo-events", ":Subscription"))
    assert {
        "ServiceIamMember echo-launcher/run.invoker/echo-push",
        "IAMMember echo-push/iam.serviceAccountTokenCreator/pubsub-agent",
        "TopicIAMMember echo-dead-letters/pubsub.publisher/pubsub-agent",
        "Subscription echo-dead-letters",
    } <= before


def test_the_function_is_built_after_its_build_identity_may_build(dev: Plan) -> None:
    before = waits_for(dev, dev.named("echo-launcher", ":Function"))
    assert {
        "IAMMember project/logging.logWriter/build",
        "IAMMember project/storage.objectViewer/build",
        "RepositoryIamMember launchers/artifactregistry.writer/build",
    } <= before


@pytest.mark.parametrize("identity", ["app-engine", "dedicated", "runs@acme-shared.iam.gserviceaccount.com"])
@pytest.mark.parametrize(
    "target",
    [
        {},
        {"access": "project-viewer"},
        {"access": "service-account-user", "installation_service_account": "kfp@acme-gke.iam.gserviceaccount.com"},
        {
            "access": "iap",
            "host": "https://kfp.example.com",
            "iap_backend_service": "kfp-backend",
            "audience": "123-abc.apps.googleusercontent.com",
            "impersonate": "kfp@acme-gke.iam.gserviceaccount.com",
        },
    ],
    ids=["viewer", "project-viewer", "given installation", "iap"],
)
def test_everything_waits_for_the_services(identity: str, target: dict[str, str]) -> None:
    changed = plan(identity=identity, **{f"target__{key}": value for key, value in target.items()})
    services = {f"Service {name}" for name in SERVICES} | (
        {"Service iap"} if target.get("access") == "iap" else set()
    )
    for resource in changed.resources:
        if resource.in_cloud and not resource.type.endswith(":Service"):
            assert services <= waits_for(changed, resource), resource.name


def test_the_function_is_built_from_what_was_uploaded_first(dev: Plan) -> None:
    assert "BucketObject echo-launcher-source" in waits_for(dev, dev.named("echo-launcher", ":Function"))


def test_the_pubsub_agent_is_made_to_exist_before_it_is_granted_anything(dev: Plan) -> None:
    granted = [r for r in dev.resources if r.custom and "gcp-sa-pubsub" in str(r.inputs.get("member"))]
    assert len(granted) == 3
    assert all("ServiceIdentity pubsub-agent" in waits_for(dev, resource) for resource in granted)

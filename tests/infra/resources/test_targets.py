"""What a launcher is told of its target, and the way to it."""

import json
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.client import client
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from function_src.launcher.settings import read_trigger
from infra.errors import ConfigurationError
from infra.package.caching import override_caching
from infra.package.packaging import compile_pipeline
from rehearsal.program import Plan, evaluate
from tests.infra.schema import problems
from tests.plans import dev_config, plan

RUNNER = "runner@acme-ml-runs.iam.gserviceaccount.com"
VERTEX = {"kind": "vertex", "pipeline_root": "gs://acme-runs/out", "service_account": RUNNER}
ALL_OF_VERTEX = {
    **VERTEX,
    "project": "acme-ml-runs",
    "location": "europe-west4",
    "labels": {"team": "forecasting"},
    "network": "projects/123456789012/global/networks/acme",
    "cmek_key": "projects/acme/locations/europe-west4/keyRings/r/cryptoKeys/k",
    "api_endpoint": "https://private-aiplatform.googleapis.com/",
}
IAP = {
    "kind": "kfp",
    "host": "https://kfp.acme.example",
    "access": "iap",
    "iap_backend_service": "kfp",
    "audience": "123-abc.apps.googleusercontent.com",
    "impersonate": "kfp-caller@acme-gke.iam.gserviceaccount.com",
    "namespace": "forecasting",
    "pipeline_root": "s3://acme-runs/out",
    "service_account": "default-editor",
}


def settings(of: Plan) -> dict[str, Any]:
    """The launcher's settings, which it can read."""
    environment = of.named("echo-launcher", ":Function").inputs["serviceConfig"]["environmentVariables"]
    assert read_trigger(environment)
    found: dict[str, Any] = json.loads(environment["TRIGGER"])["target"]
    return found


def test_a_vertex_target_takes_place_and_labels_from_the_stack() -> None:
    assert settings(plan(target=VERTEX)) == {
        **VERTEX,
        "api_endpoint": "https://us-central1-aiplatform.googleapis.com",
        "project": "acme-ml-dev",
        "location": "us-central1",
        "labels": {"stack": "dev"},
    }


def test_what_is_set_of_a_vertex_target_is_what_the_launcher_is_told() -> None:
    assert settings(plan(target=ALL_OF_VERTEX)) == {
        **ALL_OF_VERTEX,
        "labels": {"stack": "dev", "team": "forecasting"},
        "api_endpoint": "https://private-aiplatform.googleapis.com",
    }


def test_a_target_behind_identity_aware_proxy_is_told_with_what_it_takes() -> None:
    wanted = {key: value for key, value in IAP.items() if key not in ("access", "iap_backend_service")}
    assert settings(plan(target=IAP)) == {**wanted, "experiment": "event-triggered", "credentials": "id-token"}


def test_a_kfp_target_without_options_is_told_nothing_of_them(dev: Plan) -> None:
    assert settings(dev).keys() == {"kind", "host", "experiment", "credentials"}


@pytest.mark.parametrize(
    ("target", "service"),
    [(VERTEX, "aiplatform"), (IAP, "iap"), (IAP, "iamcredentials")],
    ids=["vertex", "iap", "impersonation"],
)
def test_the_service_that_a_target_takes_is_enabled_and_waited_for(target: dict[str, Any], service: str) -> None:
    changed = plan(target=target)
    (enabled,) = [found for found in changed.of_type(":Service") if found.name == service]
    assert enabled.inputs["service"] == f"{service}.googleapis.com"
    for grant in changed.of_type("iamMember:IamMember") + changed.of_type("iAMMember:IAMMember"):
        if grant.parent.endswith("::foundation"):
            assert enabled.urn in grant.dependencies


@pytest.mark.parametrize("target", [ALL_OF_VERTEX, IAP], ids=["vertex", "iap"])
@pytest.mark.parametrize("preview", [True, False])
def test_every_resource_is_what_the_provider_s_schema_allows(target: dict[str, Any], *, preview: bool) -> None:
    changed = evaluate("dev", dev_config(target=target, function__network="acme"), preview=preview)
    assert [problem for resource in changed.resources if resource.in_cloud for problem in problems(resource)] == []


def test_a_launcher_stays_outside_every_vpc_unless_it_is_told_to_go_through_one(dev: Plan) -> None:
    service = dev.named("echo-launcher", ":Function").inputs["serviceConfig"]
    assert not [key for key in service if "vpc" in key.lower()]


@pytest.mark.parametrize(
    ("function", "interface", "egress"),
    [
        ({"network": "acme"}, {"network": "acme", "subnetwork": "acme"}, "PRIVATE_RANGES_ONLY"),
        (
            {"network": "acme", "subnetwork": "acme-us", "egress": "all-traffic"},
            {"network": "acme", "subnetwork": "acme-us"},
            "ALL_TRAFFIC",
        ),
    ],
)
def test_a_launcher_reaches_a_private_endpoint_through_a_vpc_and_without_a_connector(
    function: dict[str, str], interface: dict[str, str], egress: str
) -> None:
    changed = plan(**{f"function__{key}": value for key, value in function.items()})
    service = changed.named("echo-launcher", ":Function").inputs["serviceConfig"]
    assert service["directVpcNetworkInterfaces"] == [interface]
    assert service["directVpcEgress"] == f"VPC_EGRESS_{egress}"
    assert "vpcConnector" not in service


@pytest.mark.parametrize("enable", [True, False])
@pytest.mark.parametrize("pipeline", ["echo", "validate_csv"])
def test_caching_is_set_as_kfps_own_client_sets_it(pipeline: str, *, enable: bool) -> None:
    _, text = compile_pipeline(pipeline)
    ours = json.loads(override_caching(text, enable))
    spec = json_format.ParseDict(yaml.safe_load(text), PipelineSpec())
    client._override_caching_options(spec, enable)
    assert ours == json_format.MessageToDict(spec)


def test_caching_stays_as_it_was_compiled_unless_it_is_set() -> None:
    _, text = compile_pipeline("echo")
    assert override_caching(text, None) == text


def test_caching_keeps_what_else_a_task_says_and_reaches_a_package_with_a_platform_spec() -> None:
    tasks = {"a": {"cachingOptions": {"enableCache": True, "cacheKey": "k"}}, "b": {}}
    document = {"pipeline_spec": {"root": {"dag": {"tasks": tasks}}}, "platform_spec": {}}
    found = json.loads(override_caching(json.dumps(document), enable=False))["pipeline_spec"]["root"]["dag"]["tasks"]
    assert found == {"a": {"cachingOptions": {"cacheKey": "k"}}, "b": {"cachingOptions": {}}}


def test_the_digest_of_a_run_is_of_the_package_with_its_caching(dev: Plan) -> None:
    on, off = (plan(target__enable_caching=enable).exports["echo-package-digest"] for enable in (True, False))
    assert on == dev.exports["echo-package-digest"], "it is on unless a pipeline says otherwise"
    assert off != on


# --- a look into the cluster ----------------------------------------------------------------------------------------

DNS = "https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"endpoint": f"{DNS}/"}, "kubeflow"),
        ({"endpoint": DNS, "namespace": "pipelines", "project": "acme-gke"}, "pipelines"),
    ],
)
def test_a_launcher_is_told_where_to_look_for_workflows(given: dict[str, str], told: str) -> None:
    assert settings(plan(target__workflows=given))["workflows"] == {"endpoint": DNS, "namespace": told}


def test_it_looks_where_the_runs_of_its_namespace_are() -> None:
    target = {**IAP, "workflows": {"endpoint": DNS}}
    assert settings(plan(target=target))["workflows"]["namespace"] == "forecasting"


@pytest.mark.parametrize(
    ("project", "role"),
    [("acme-ml-dev", "pipelineLooker_dev"), ("acme-gke", "pipelineLooker_dev_e21c700b")],
)
def test_it_may_reach_clusters_of_that_project_and_do_nothing_else(project: str, role: str) -> None:
    """What it may list there, the cluster's own roles say: IAM has nothing narrower than all custom objects."""
    found = plan(target__workflows={"endpoint": DNS, "project": project})
    [made] = found.of_type(":IAMCustomRole")
    assert (made.inputs["project"], made.inputs["permissions"]) == (project, ["container.clusters.connect"])
    assert made.inputs["roleId"] == role
    [given] = [grant for grant in found.of_type("iam:Grant") if role in grant.inputs["role"]]
    assert "before a second POST" in given.inputs["reason"]
    launcher = found.named("echo-launcher", ":Function").inputs["serviceConfig"]["serviceAccountEmail"]
    [member] = [grant for grant in found.of_type("projects/iAMMember:IAMMember") if role in grant.inputs["role"]]
    assert (member.inputs["project"], member.inputs["member"]) == (project, f"serviceAccount:{launcher}")
    assert not problems(made)
    assert not problems(member)


def test_a_launcher_that_shows_itself_as_another_looks_as_itself() -> None:
    found = plan(target={**IAP, "workflows": {"endpoint": DNS}})
    launcher = found.named("echo-launcher", ":Function").inputs["serviceConfig"]["serviceAccountEmail"]
    members = [
        grant.inputs["member"]
        for grant in found.of_type("projects/iAMMember:IAMMember")
        if "Looker" in grant.inputs["role"]
    ]
    assert members == [f"serviceAccount:{launcher}"]


@pytest.mark.parametrize(
    "endpoint", ["https://10.0.0.2", "https://gke.goog.example", "http://x.gke.goog", "gke.goog"]
)
def test_a_token_goes_to_the_control_planes_of_google_alone(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"target\.workflows\.endpoint"):
        plan(target__workflows={"endpoint": endpoint})

"""Pipelines and their versions at the endpoint, by the official client."""

from pathlib import Path

import kfp
import kfp_server_api
import pytest
import yaml
from kfp import compiler, dsl

from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback


def echo(text: str) -> str:
    return text


def echo_pipeline(text: str) -> None:
    dsl.component(echo, base_image="python:3.11")(text=text)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("package") / "echo.yaml")
    compiler.Compiler().compile(dsl.pipeline(echo_pipeline, name="echo"), path)
    return path


@pytest.fixture
def endpoint() -> KfpEndpoint:
    return KfpEndpoint(None)


@pytest.fixture
def client(loopback: Loopback, endpoint: KfpEndpoint) -> kfp.Client:
    return kfp.Client(host=loopback.serve(endpoint.app))


def test_an_uploaded_pipeline_is_found_by_its_name(client: kfp.Client, package: str) -> None:
    uploaded = client.upload_pipeline(package, pipeline_name="echo", description="says it again")
    assert client.get_pipeline_id("echo") == uploaded.pipeline_id
    assert client.get_pipeline(uploaded.pipeline_id).description == "says it again"
    assert [each.display_name for each in client.list_pipelines().pipelines] == ["echo"]


def test_an_upload_makes_a_version_of_the_pipelines_own_name(client: kfp.Client, package: str) -> None:
    uploaded = client.upload_pipeline(package, pipeline_name="echo")
    client.upload_pipeline_version(package, "v2", pipeline_id=uploaded.pipeline_id)
    versions = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    assert {version.display_name for version in versions} == {"echo", "v2"}
    shown = client.get_pipeline_version(uploaded.pipeline_id, versions[0].pipeline_version_id)
    assert shown.pipeline_spec == yaml.safe_load(Path(package).read_text())


def test_a_name_is_taken_once(client: kfp.Client, package: str) -> None:
    uploaded = client.upload_pipeline(package, pipeline_name="echo")
    with pytest.raises(kfp_server_api.ApiException, match="already exists"):
        client.upload_pipeline(package, pipeline_name="echo")
    with pytest.raises(kfp_server_api.ApiException, match="already exists") as refused:
        client.upload_pipeline_version(package, "echo", pipeline_id=uploaded.pipeline_id)
    assert refused.value.status == 409


def test_a_file_that_is_no_pipeline_is_refused(client: kfp.Client, tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    path.write_text("kind: Workflow\n")
    with pytest.raises(kfp_server_api.ApiException, match="unknown template format"):
        client.upload_pipeline(str(path), pipeline_name="no")


def test_a_run_of_a_version_runs_its_package(client: kfp.Client, endpoint: KfpEndpoint, package: str) -> None:
    uploaded = client.upload_pipeline(package, pipeline_name="echo")
    [version] = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    run = client.run_pipeline(
        client.create_experiment("mine").experiment_id,
        "run",
        pipeline_id=uploaded.pipeline_id,
        version_id=version.pipeline_version_id,
        params={"text": "hello"},
    )
    [workflow] = endpoint.workflows
    assert workflow.package == yaml.safe_load(Path(package).read_text())
    assert client.get_run(run.run_id).pipeline_version_reference.pipeline_id == uploaded.pipeline_id


def test_health_names_the_version(client: kfp.Client) -> None:
    answer = client._healthz_api.healthz_service_get_healthz(_preload_content=False)
    assert yaml.safe_load(answer.data)["tag_name"] == "2.17.0"

"""A package is uploaded once, as a version that its digest names, however often and by however many."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kfp_server_api import ApiException

from infra.package.packaging import compile_pipeline
from kfp_connect import Client, connect
from ops.endpoint.refusals import refusal
from ops.endpoint.uploads import upload, upload_package
from rehearsal.kfp.database import Health
from tests.connect.conftest import Cloud
from tests.ops.endpoint.conftest import Command


@pytest.fixture
def client(cloud: Cloud) -> Client:
    return connect(cloud.url, "key-file", key_file=cloud.key_file())


def versions(cloud: Cloud) -> list[str]:
    return [row["display_name"] for row in cloud.endpoint._pipelines._versions.values()]


def test_a_version_is_named_after_the_digest_of_its_package(command: Command, cloud: Cloud) -> None:
    package, text = compile_pipeline("echo")
    said = command("pipelines", "upload", "echo", "--json").json
    assert (said["pipeline"], said["new"]) == (package.name, True)
    assert said["version"] == f"sha256-{package.digest.removeprefix('sha256:')[:12]}"
    [row] = cloud.endpoint._pipelines._versions.values()
    assert row["pipeline_spec"] == json.loads(text)
    assert row["description"] == package.digest


def test_the_same_package_again_changes_nothing(command: Command, cloud: Cloud) -> None:
    first = command("pipelines", "upload", "echo").out
    again = command("pipelines", "upload", "echo").out
    assert ("was uploaded" in first, "is there already" in again) == (True, True)
    assert first.split()[-1] == again.split()[-1]
    assert len(versions(cloud)) == 1


def test_another_package_is_another_version_of_the_same_pipeline(
    command: Command, cloud: Cloud, tmp_path: Path
) -> None:
    spec = json.loads(compile_pipeline("echo")[1])
    for description in ("one", "two"):
        spec["pipelineInfo"]["description"] = description
        (tmp_path / "echo.json").write_text(json.dumps(spec))
        command("pipelines", "upload", str(tmp_path / "echo.json"))
    assert len(set(versions(cloud))) == 2
    assert len(cloud.endpoint._pipelines._pipelines) == 1


def test_what_is_for_one_platform_only_is_uploaded_beside_it(command: Command, cloud: Cloud, tmp_path: Path) -> None:
    spec = json.loads(compile_pipeline("echo")[1])
    both = {"pipeline_spec": spec, "platform_spec": {"platforms": {"kubernetes": {}}}}
    (tmp_path / "echo.json").write_text(json.dumps(both))
    command("pipelines", "upload", str(tmp_path / "echo.json"), "--name", "mine")
    [row] = cloud.endpoint._pipelines._versions.values()
    assert row["pipeline_spec"] == both


def test_two_who_upload_at_once_upload_one(client: Client, cloud: Cloud) -> None:
    package = compile_pipeline("echo")  # once: kfp compiles one pipeline at a time
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: upload_package(client, *package, "echo"), range(8)))
    assert len({one.version_id for one in found}) == 1
    assert len(versions(cloud)) == 1


def test_a_pipeline_that_does_not_compile_is_one_message(command: Command) -> None:
    said = command("pipelines", "upload", "nope")
    assert (said.status, "there is no pipelines/nope.py" in said.err) == (1, True)


def test_pipelines_and_experiments_are_listed(command: Command, client: Client) -> None:
    assert command("pipelines", "list").out == command("experiments", "list").out == "there are none\n"
    pipeline_id = upload(client, "echo", "mine").pipeline_id
    experiment_id = client.create_experiment("gcs-triggered").experiment_id
    assert command("pipelines", "list").out.split()[-2:] == [pipeline_id, "mine"]
    assert command("experiments", "list").out.split()[-2:] == [experiment_id, "gcs-triggered"]
    assert command("pipelines", "list", "--json").json[0]["pipeline_id"] == pipeline_id
    assert command("experiments", "list", "--json").json[0]["experiment_id"] == experiment_id


def test_what_is_wrong_with_an_upload_is_said_in_the_servers_words(command: Command, cloud: Cloud) -> None:
    cloud.endpoint.database.health = Health.READ_ONLY
    said = command("pipelines", "upload", "echo")
    assert said.status == 1
    assert "the endpoint answered 500: " in said.err
    assert "read-only" in said.err


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [
        ("v" * 128, "pipeline.yaml", "PipelineVersion.Name length cannot exceed 127"),
        ("v2", "pipeline.txt", "unexpected pipeline file format"),
        ("taken", "pipeline.yaml", "The name taken already exists"),
    ],
    ids=["plain text", "JSON that is called plain text", "JSON"],
)
def test_an_upload_that_the_server_refuses_is_no_trouble_with_the_connection(
    client: Client, tmp_path: Path, name: str, file: str, words: str
) -> None:
    pipeline = upload(client, "echo", "mine").pipeline_id
    package = tmp_path / file
    package.write_text(compile_pipeline("echo")[1])
    send = client.pipeline_uploads.upload_pipeline_version
    if name == "taken":
        send(str(package), name=name, pipelineid=pipeline)
    with pytest.raises(ApiException) as refused:
        send(str(package), name=name, pipelineid=pipeline)
    assert words in refusal(refused.value)
    assert "Bad Request" not in refusal(refused.value)

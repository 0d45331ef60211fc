"""What a client reads of a stack file is what the program reads, and is wrong in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.configuration.settings import TriggerSettings, read_settings
from infra.configuration.stack_file import read_stack
from infra.configuration.target_settings import KfpTarget
from infra.errors import ConfigurationError
from kfp_connect import ConnectError, Problem
from kfp_connect.endpoint import DEFAULT_INSTALLATION, Endpoint, find_endpoint
from rehearsal.program import ROOT
from tests.plans import STACKS

SAMPLES = [path for folder in (ROOT / "examples", STACKS) for path in sorted(folder.glob("Pulumi.*.yaml"))]
HOST = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
KFP = {"kind": "kfp", "host": HOST}
VERTEX = {"kind": "vertex", "pipeline_root": "gs://runs", "service_account": "runner@acme-ml.iam.gserviceaccount.com"}
TRIGGERS = "event-triggered-pipelines:triggers"


def trigger(name: str, target: Any) -> dict[str, Any]:
    return {"name": name, "source": {"kind": "gcs"}, "pipeline": "echo", "target": target}


def write(folder: Path, triggers: Any, name: str = "mine") -> Path:
    path = folder / f"Pulumi.{name}.yaml"
    config = {"gcp:project": "acme-ml-dev", "gcp:region": "us-central1", TRIGGERS: triggers}
    path.write_text(yaml.safe_dump({"config": config}))
    return path


def as_the_program_reads_it(settings: TriggerSettings) -> Endpoint | None:
    match settings.target:
        case KfpTarget() as target:
            account = target.installation_service_account or DEFAULT_INSTALLATION
            return Endpoint(target.host, target.audience, account, target.namespace or "")
    return None


def compare(path: Path) -> None:
    for each in read_settings(*read_stack(str(path))).triggers:
        if expected := as_the_program_reads_it(each):
            assert find_endpoint(stack=path, trigger=each.name) == expected
        else:
            with pytest.raises(ConnectError, match=r"at (a|no) KFP endpoint"):
                find_endpoint(stack=path, trigger=each.name)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sample_is_read_as_the_program_reads_it(path: Path) -> None:
    compare(path)


def test_so_is_whatever_else_is_allowed(tmp_path: Path) -> None:
    everything = {
        "kind": "kfp",
        "host": "HTTPS://KFP.acme.example:8443/Pipeline/",
        "access": "iap",
        "iap_backend_service": "kfp",
        "audience": "1234-abc.apps.googleusercontent.com",
        "namespace": "on",
        "installation_service_account": "nodes@acme-gke.iam.gserviceaccount.com",
    }
    nothing = {**KFP, "audience": None, "namespace": None}
    triggers = [trigger("first", VERTEX), trigger("second", everything), trigger("third", nothing)]
    path = write(tmp_path, triggers)
    path.write_text(path.read_text().replace("'on'", "on"))
    text = path.read_text()
    for key in (TRIGGERS, "triggers", "event-triggered-pipelines:config:triggers"):
        path.write_text(text.replace(TRIGGERS, key))
        compare(path)
    compare(write(tmp_path, json.dumps(triggers), "as-text"))


WRONG: dict[str, Any] = {
    "no scheme": [trigger("a", {**KFP, "host": "kfp.acme.example"})],
    "in the clear": [trigger("a", {**KFP, "host": "http://kfp.acme.example"})],
    "more than a host": [trigger("a", VERTEX), trigger("b", {**KFP, "host": f"{HOST}/#/runs"})],
    "more than an endpoint": [trigger("a", {**KFP, "host": "https://kf.acme.example/pipeline/#/runs"})],
    "a lookalike": [trigger("a", {**KFP, "host": f"{HOST}.evil.example"})],
    "this machine without a scheme": [trigger("a", {**KFP, "host": "localhost:8080", "access": "none"})],
    "a host that is no text": [trigger("a", {**KFP, "host": 5})],
    "no host": [trigger("a", {"kind": "kfp"})],
    "a namespace that is no text": [trigger("a", {**KFP, "namespace": 5})],
    "a namespace that is a list": [trigger("a", {**KFP, "namespace": ["a"]})],
    "a namespace that is true": [trigger("a", {**KFP, "namespace": True})],
    "a target that is none": [trigger("a", "kfp")],
    "a target that is a list": [trigger("a", [KFP])],
    "a target that is empty": [trigger("a", "")],
    "a trigger that is none": ["echo"],
    "no list": {"name": "a"},
}


@pytest.mark.parametrize("triggers", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_the_program_s_words(tmp_path: Path, triggers: Any) -> None:
    path = write(tmp_path, triggers)
    with pytest.raises(ConfigurationError) as by_the_program:
        read_settings(*read_stack(str(path)))
    with pytest.raises(ConnectError) as by_a_client:
        find_endpoint(stack=path)
    assert by_a_client.value.problem is Problem.BAD_STACK
    assert str(by_a_client.value) == str(by_the_program.value).replace(":\n  ", ": ")


@pytest.mark.parametrize("written", ["2026-11-22", "089", "1e3", "0o17", "12345678901234567890", "{secure: v1:a:b}"])
@pytest.mark.parametrize("key", ["namespace", "audience", "host"])
def test_what_the_file_does_not_plainly_say_is_refused_in_the_program_s_words(
    tmp_path: Path, key: str, written: str
) -> None:
    path = write(tmp_path, [trigger("a", {**KFP, key: "VALUE"})])
    path.write_text(path.read_text().replace("VALUE", written))
    with pytest.raises(ConfigurationError) as by_the_program:
        read_stack(str(path))
    with pytest.raises(ConnectError) as by_a_client:
        find_endpoint(stack=path)
    assert str(by_a_client.value) == str(by_the_program.value).replace(":\n  ", ": ")


def test_a_trigger_s_name_is_what_pulumi_reads(tmp_path: Path) -> None:
    path = write(tmp_path, [trigger("NAME", KFP)])
    text = path.read_text()
    path.write_text(text.replace("NAME", "on"))
    assert find_endpoint(stack=path, trigger="on").host == HOST
    path.write_text(text.replace("NAME", "2026-11-22"))
    assert "2026-11-22 00:00:00 +0000 UTC to the Pulumi CLI" in str(refusal(path, "2026-11-22"))


@pytest.mark.parametrize("rest", ["", "config: {gcp:project: a, gcp:region: b}\n"])
def test_triggers_that_are_elsewhere_are_said_to_be_there(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "Pulumi.mine.yaml"
    path.write_text(f"environment: [dev]\n{rest}")
    assert str(refusal(path)) == (
        f"Pulumi.mine.yaml: {TRIGGERS}: may come from the file's environment (dev), which only Pulumi can read; "
        "write it into the file as it is, or run pulumi itself"
    )
    (tmp_path / "Pulumi.yaml").write_text("name: event-triggered-pipelines\nconfig: {triggers: {value: []}}")
    path.write_text("config: {gcp:project: a, gcp:region: b}\n")
    assert "stands in Pulumi.yaml, and the stack file alone is read here" in str(refusal(path))


def test_the_program_and_a_client_read_yaml_with_the_same_code() -> None:
    copies = [ROOT / "infra" / "dialect.py", ROOT / "connect" / "kfp_connect" / "dialect.py"]
    assert len({path.read_text() for path in copies}) == 1


def test_the_program_and_a_client_read_an_endpoint_with_the_same_code() -> None:
    copies = [ROOT / "function_src" / "launcher" / "origin.py", ROOT / "connect" / "kfp_connect" / "origin.py"]
    assert len({path.read_text() for path in copies}) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("config: [", "line 1, column 10: expected the node content, but found '<stream end>'"),
        ("gcp:project: acme-ml-dev\n", "it has none"),
        ("- config\n", "it has none"),
        ("", "it has none"),
        ("[" * 9999, "maximum recursion depth exceeded"),
        (f"config: {{{TRIGGERS}: '['}}", "Expecting value: line 1 column 2 (char 1)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_file_that_is_no_stack_file_is_named(tmp_path: Path, text: str | bytes, reason: str) -> None:
    path = tmp_path / "Pulumi.mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConnectError) as failed:
        find_endpoint(stack=path)
    assert failed.value.problem is Problem.NOT_A_STACK
    assert failed.value.what.startswith(f"Pulumi.mine.yaml is not a stack file with a block `config:`: {reason}")


def test_a_stack_is_found_by_its_name_from_any_directory_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples" / "deep").mkdir(parents=True)
    write(tmp_path, [trigger("a", KFP)], "dev")
    monkeypatch.chdir(tmp_path / "examples" / "deep")
    assert find_endpoint(stack="dev") == find_endpoint(stack="Pulumi.dev") == find_endpoint(stack="Pulumi.dev.yaml")
    assert find_endpoint(stack="dev").host == HOST
    write(tmp_path / "examples", [trigger("a", {**KFP, "host": "https://near.acme.example"})], "dev")
    assert find_endpoint(stack="dev").host == "https://near.acme.example"
    assert find_endpoint(stack="../../Pulumi.dev.yaml").host == HOST


def test_a_stack_that_there_is_not_is_told_with_those_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for stack in ("nope", "", "Pulumi.nope.yaml"):
        with pytest.raises(ConnectError) as failed:
            find_endpoint(stack=stack)
        assert failed.value.problem is Problem.NO_STACK
        assert failed.value.fix == "choose one of those beside your Pulumi.yaml, or give a file's path"
    for name in ("prod", "dev"):
        write(tmp_path, [], name)
    with pytest.raises(ConnectError, match=r"there is no stack file Pulumi\.nope\.yaml; choose one of dev, prod, or"):
        find_endpoint(stack="nope")


def refusal(path: Path, trigger: str | None = None) -> ConnectError:
    with pytest.raises(ConnectError) as refused:
        find_endpoint(stack=path, trigger=trigger)
    return refused.value


def test_a_trigger_that_the_stack_has_not_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    refused = refusal(write(tmp_path, [trigger("a", VERTEX), trigger("b", KFP)]), "z")
    assert refused.problem is Problem.NO_TRIGGER
    assert str(refused) == "stack mine has no trigger z; name one that it has: a, b"


@pytest.mark.parametrize(
    ("target", "named"),
    [(VERTEX, "Vertex AI"), ({"kind": "airflow"}, "a target of kind airflow")],
    ids=["vertex", "x"],
)
def test_a_trigger_without_an_endpoint_says_what_it_has_and_which_have_one(
    tmp_path: Path, target: dict[str, str], named: str
) -> None:
    refused = refusal(write(tmp_path, [trigger("a", target), trigger("b", KFP), trigger("c", KFP)]), "a")
    assert refused.problem is Problem.NOT_KFP
    assert refused.what == f"trigger a of stack mine starts its runs on {named}, and at no KFP endpoint"
    assert refused.fix.startswith("name a trigger that has one: b, c; for jobs on Vertex AI see https://console.")


@pytest.mark.parametrize("wanted", [None, "a"])
def test_a_stack_without_any_endpoint_says_where_its_runs_are(tmp_path: Path, wanted: str | None) -> None:
    refused = refusal(write(tmp_path, [trigger("a", VERTEX)]), wanted)
    assert refused.problem is Problem.NO_TARGET
    assert refused.what == "no trigger of stack mine starts runs at a KFP endpoint"
    assert refused.fix.endswith(
        "/vertex-ai/pipelines, and for the event of each pipeline-trigger launches list --stack mine"
    )

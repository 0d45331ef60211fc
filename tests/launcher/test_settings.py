"""Wrong settings stop the function from starting, and the reason names what is wrong."""

import json
from typing import Any

import pytest

from function_src.launcher.mapping.parameters import Parameter
from function_src.launcher.settings import BadSettingsError, KfpTarget, Trigger, VertexTarget, read_trigger
from function_src.launcher.sources import GcsSource, LogSource, PubSubSource, ScheduleSource, Source

HOST = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
SETTINGS: dict[str, Any] = {
    "id": "acme-ml-dev/dev/echo",
    "source": {"kind": "gcs", "bucket": "acme-incoming", "prefix": "incoming/"},
    "parameters": {"filename": {"value": "x"}},
    "content_limit": 1048576,
    "ledger": "launch-ledger-1a2b3c4",
    "lease_seconds": 300,
    "target": {"kind": "kfp", "host": HOST, "credentials": "access-token", "experiment": "gcs-triggered"},
}


def read(settings: Any) -> Trigger:
    return read_trigger({"TRIGGER": json.dumps(settings)})


def changed(path: str, value: Any) -> dict[str, Any]:
    """The settings with another value at a path such as ``target.host``."""
    head, _, rest = path.partition(".")
    return SETTINGS | {head: SETTINGS[head] | {rest: value} if rest else value}


def without(path: str) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    inside = {name: value for name, value in SETTINGS[head].items() if name != rest} if rest else None
    return SETTINGS | {head: inside} if rest else {name: value for name, value in SETTINGS.items() if name != head}


def test_the_settings_are_what_the_program_wrote() -> None:
    assert read(SETTINGS) == Trigger(
        id="acme-ml-dev/dev/echo",
        source=GcsSource("acme-incoming", "incoming/", trigger_id="acme-ml-dev/dev/echo"),
        parameters={"filename": Parameter(None, "x")},
        content_limit=1048576,
        ledger="launch-ledger-1a2b3c4",
        lease_seconds=300.0,
        target=KfpTarget(HOST, "access-token", "gcs-triggered"),
    )


VERTEX = {
    "kind": "vertex",
    "api_endpoint": "https://us-central1-aiplatform.googleapis.com",
    "project": "acme-ml-dev",
    "location": "us-central1",
    "pipeline_root": "gs://acme-runs/out",
    "service_account": "runner@acme-ml-dev.iam.gserviceaccount.com",
    "labels": {"stack": "dev"},
}


def test_what_a_kfp_target_can_ask_for_beside() -> None:
    options: dict[str, Any] = {
        "audience": "123.apps.googleusercontent.com",
        "impersonate": "kfp@acme-gke.iam.gserviceaccount.com",
        "namespace": "forecasting",
        "pipeline_root": "gs://acme-runs/out",
        "service_account": "default-editor",
        "database": "utf8mb4",
        "runs_retention_days": 30,
    }
    target = read(changed("target", {**SETTINGS["target"], **options})).target
    assert target == KfpTarget(HOST, "access-token", "gcs-triggered", **options)


def test_a_vertex_target() -> None:
    options = {
        "network": "projects/1/global/networks/n",
        "cmek_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
    }
    for given in ({}, options):
        fields = {name: value for name, value in VERTEX.items() if name != "kind"} | given
        assert read(changed("target", {**VERTEX, **given})).target == VertexTarget(**fields)  # type: ignore[arg-type]  # one dict for fields of several types


@pytest.mark.parametrize("key", [key for key in VERTEX if key != "kind"])
def test_a_missing_key_of_a_vertex_target_is_named(key: str) -> None:
    with pytest.raises(BadSettingsError, match=rf"KeyError: '{key}'"):
        read(changed("target", {name: value for name, value in VERTEX.items() if name != key}))


def test_a_token_for_vertex_never_travels_in_the_clear() -> None:
    with pytest.raises(BadSettingsError, match=r"target\.api_endpoint is 'http://.*; start it"):
        read(changed("target", {**VERTEX, "api_endpoint": "http://aiplatform.googleapis.com"}))


@pytest.mark.parametrize("target", [VERTEX, SETTINGS["target"]], ids=["vertex", "kfp"])
@pytest.mark.parametrize("root", ["gs://acme-incoming", "gs://acme-incoming/", "gs://acme-incoming/out"])
def test_output_in_the_trigger_bucket_would_start_runs_for_ever(target: dict[str, Any], root: str) -> None:
    with pytest.raises(BadSettingsError, match="is in the trigger bucket acme-incoming"):
        read(changed("target", {**target, "pipeline_root": root}))
    assert read(changed("target", {**target, "pipeline_root": root.replace("incoming", "incoming-runs")}))


def test_another_kind_of_target_is_named() -> None:
    with pytest.raises(BadSettingsError, match=r"target\.kind is 'argo'; this launcher knows kfp and vertex"):
        read(changed("target.kind", "argo"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "pubsub"}, PubSubSource(SETTINGS["id"])),
        ({"kind": "pubsub", "topic": "projects/a/topics/t"}, PubSubSource(SETTINGS["id"], "projects/a/topics/t")),
        ({"kind": "log"}, LogSource()),
        ({"kind": "schedule"}, ScheduleSource()),
    ],
)
def test_each_kind_of_source_has_settings_of_its_own(source: dict[str, str], expected: Source) -> None:
    assert read(SETTINGS | {"source": source}).source == expected


def test_a_glob_that_is_wrong_or_an_unknown_kind_of_source_is_named() -> None:
    for source, problem in (({"kind": "ftp"}, "source.kind is 'ftp'"), (SETTINGS["source"] | {"glob": "{A}"}, "'{'")):
        with pytest.raises(BadSettingsError) as refusal:
            read(SETTINGS | {"source": source})
        assert problem in str(refusal.value)


@pytest.mark.parametrize(
    "host",
    [
        *(HOST, "https://kfp.example", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"),
        *("https://kf.example/pipeline", "http://localhost:8080/pipeline"),
    ],
)
def test_https_is_accepted_and_plain_http_on_the_loopback(host: str) -> None:
    target = read(changed("target.host", host)).target
    assert isinstance(target, KfpTarget)
    assert target.host == host


@pytest.mark.parametrize(
    "host",
    [
        "http://kfp.example",
        "HTTP://KFP.EXAMPLE",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://localhost@kfp.example",
        "ftp://kfp.example",
        "//kfp.example",
        "kfp.example",
        "",
    ],
)
def test_a_token_never_travels_in_the_clear(host: str) -> None:
    with pytest.raises(BadSettingsError) as refusal:
        read(changed("target.host", host))
    assert f"target.host is {host!r}; " in str(refusal.value)


@pytest.mark.parametrize(
    "path",
    [
        *("id", "source", "source.kind", "source.bucket", "source.prefix"),
        *("parameters", "content_limit", "ledger", "lease_seconds"),
        *("target", "target.kind", "target.host", "target.credentials", "target.experiment"),
    ],
)
def test_a_missing_key_is_named(path: str) -> None:
    with pytest.raises(BadSettingsError) as refusal:
        read(without(path))
    assert str(refusal.value) == f"TRIGGER is missing or wrong (KeyError: '{path.rpartition('.')[2]}')"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(BadSettingsError, match=r"^TRIGGER is missing or wrong \(KeyError: 'TRIGGER'\)$"):
        read_trigger({})


@pytest.mark.parametrize("text", ["", "{", "TRIGGER", "{'id': 1}"])
def test_settings_that_are_not_json_are_refused(text: str) -> None:
    with pytest.raises(BadSettingsError, match=r"^TRIGGER is missing or wrong \(JSONDecodeError: "):
        read_trigger({"TRIGGER": text})


@pytest.mark.parametrize(
    "settings",
    [
        *(None, [], "text", 7),
        *(changed("source", "bucket"), changed("parameters", ["a"]), changed("parameters", None)),
        *(changed("target", HOST), changed("target.host", None), changed("target.host", 7)),
    ],
    ids=lambda settings: json.dumps(settings)[-60:],
)
def test_settings_of_another_shape_are_refused(settings: Any) -> None:
    with pytest.raises(BadSettingsError, match=r"^TRIGGER is missing or wrong \("):
        read(settings)


def test_a_parameter_that_is_wrong_is_named() -> None:
    with pytest.raises(
        BadSettingsError, match=r"BadMappingError: parameter 'filename': 'object\.\.uri' is not JMESPath"
    ):
        read(changed("parameters", {"filename": "object..uri"}))

"""Wrong settings stop the function from starting, and the reason names what is wrong."""

import json
from typing import Any

import pytest

from function_src.launcher.parameters import Parameter
from function_src.launcher.settings import BadSettingsError, KfpTarget, Trigger, read_trigger

HOST = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
SETTINGS: dict[str, Any] = {
    "id": "acme-ml-dev/dev/echo",
    "source": {"bucket": "acme-incoming", "prefix": "incoming/"},
    "parameters": {"filename": {"value": "x"}},
    "content_limit": 1048576,
    "ledger": "launch-ledger-1a2b3c4",
    "lease_seconds": 300,
    "target": {"host": HOST, "credentials": "access-token", "experiment": "gcs-triggered"},
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
        bucket="acme-incoming",
        prefix="incoming/",
        parameters={"filename": Parameter(None, "x")},
        content_limit=1048576,
        ledger="launch-ledger-1a2b3c4",
        lease_seconds=300.0,
        target=KfpTarget(HOST, "access-token", "gcs-triggered"),
    )


@pytest.mark.parametrize(
    "host", [HOST, "https://kfp.example", "http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"]
)
def test_https_is_accepted_and_plain_http_on_the_loopback(host: str) -> None:
    assert read(changed("target.host", host)).target.host == host


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
        *("id", "source", "source.bucket", "source.prefix", "parameters", "content_limit", "ledger", "lease_seconds"),
        *("target", "target.host", "target.credentials", "target.experiment"),
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

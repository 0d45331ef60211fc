"""What is no grant is read by a list of what is known, and what is not on the list is shown."""

import re
from pathlib import Path
from typing import Any

import pulumi_gcp
import pytest
import yaml

from ops.iam.reading import ways
from ops.iam.reading.permissions import NOT_READ, UNREAD, gives_access
from ops.iam.reading.ways import WAYS, is_read, ways_of
from rehearsal.program import evaluate, read_stack
from tests.plans import STACK_FILES

KNOWN = yaml.safe_load(Path(ways.__file__).with_name("known.yaml").read_text())
OURS = {"default", "harmless", "guards", "environment", "accesses"}
TOPIC = "gcp:pubsub/topic:Topic"


def read(token: str, **inputs: Any) -> list[tuple[str, str]]:
    return [(found.role, found.resource) for found in ways_of(token, inputs, "x", "p")]


def provider_kinds() -> set[str]:
    listed = (Path(pulumi_gcp.__file__).parent / "__init__.py").read_text()
    return {f"{m}/{c}" for m, c in re.findall(r'"gcp:(\w+)/\w+:(\w+)": "', listed)}


def test_every_type_on_the_list_is_one_that_the_provider_has() -> None:
    listed = {kind for kind in (*KNOWN["kinds"], *KNOWN["harmless"]) if ":" not in kind}
    assert listed - provider_kinds() == set()


def test_every_word_on_the_list_has_a_meaning() -> None:
    assert {word for known in KNOWN["kinds"].values() for word in known} <= WAYS.keys() | OURS


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda path: path.name)
def test_all_that_the_product_makes_is_known(file: Path) -> None:
    name, config = read_stack(str(file))
    resources = [r for r in evaluate(name, config).resources if r.in_cloud and not gives_access(r.type)]
    assert all(is_read(r.type) for r in resources)
    found = [w for r in resources for w in ways_of(r.type, r.inputs, r.name, config["gcp:project"])]
    assert not [one for one in found if one.role in (NOT_READ, UNREAD)]


def test_a_type_that_is_not_on_the_list_is_not_read() -> None:
    assert read("gcp:compute/network:Network") == [(UNREAD, "x")]
    assert read("aws:s3/bucket:Bucket") == [(UNREAD, "x")]


def test_an_input_that_is_not_on_the_list_is_shown_with_its_value() -> None:
    assert read(TOPIC, labels={"a": "b"}, kmsKeyName="k") == [(NOT_READ, "kmsKeyName = k")]
    assert read(TOPIC, ingestion={"aws": [{"role": "r"}]}) == [(NOT_READ, "ingestion.aws.role = r")]


def test_the_words_of_a_secret_are_not_shown() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "x", "plaintext": '"hush"'}
    assert read(TOPIC, kmsKeyName=secret) == [(NOT_READ, "kmsKeyName = (secret)")]


def test_nor_are_those_of_secrets_in_lists_that_are_read_as_a_whole() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "x", "plaintext": '"hush"'}
    given = [
        read("gcp:cloudfunctions/function:Function", environmentVariables=secret),
        read("gcp:cloudfunctions/function:Function", environmentVariables={"TOKEN": secret}),
        read("gcp:bigquery/dataset:Dataset", datasetId="d", accesses=secret),
        read("gcp:bigquery/dataset:Dataset", datasetId="d", accesses=[secret]),
        read("gcp:monitoring/notificationChannel:NotificationChannel", labels={"token": [secret]}),
    ]
    assert "hush" not in str(given)
    assert all("secret" in str(found) for found in given[:2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "TRIGGER = (unknown until applied)"),
        ("{", "TRIGGER = {"),
        ("[]", "TRIGGER = []"),
        ('{"target": 3}', 'TRIGGER = {"target": 3}'),
        ('{"target": {"kind": "kfp", "odd": 1}}', "TRIGGER.target.odd = 1"),
        ('{"target": {"kind": "kfp"}, "odd": 1}', "TRIGGER.odd = 1"),
    ],
)
def test_settings_of_a_launcher_that_cannot_be_read_are_shown(text: str, said: str) -> None:
    service = {"serviceAccountEmail": "a@x", "ingressSettings": "ALLOW_INTERNAL_ONLY"}
    inputs = {"serviceConfig": {**service, "environmentVariables": {"TRIGGER": text}}}
    assert (NOT_READ, said) in read("gcp:cloudfunctionsv2/function:Function", **inputs)


@pytest.mark.parametrize(
    "host",
    ["https://aiplatform.googleapis.com.evil.example", "https://evilgoogleapis.com", "https://a@aiplatform.googleapis.com",
     "http://aiplatform.googleapis.com"],
)  # fmt: skip
def test_only_what_is_google_s_own_is_left_out_of_where_tokens_go(host: str) -> None:
    target = f'{{"target": {{"kind": "vertex", "api_endpoint": "{host}"}}}}'
    found = read("gcp:cloudfunctions/function:Function", environmentVariables={"TRIGGER": target})
    assert ("access-token", host) in found

"""Wrong configuration is found at preview: the message names the key, the problem and the fix."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp
import pytest

from infra.configuration import rules
from infra.configuration.explain import explain_keys
from infra.configuration.locations import AS_OF, REGIONS
from infra.configuration.settings import read_settings
from infra.errors import ConfigurationError
from rehearsal.program import evaluate, read_stack
from tests.plans import STACKS, TRIGGERS, dev_config

HOST = "1234abcd-dot-us-central1.pipelines.googleusercontent.com"

AUDIENCE = "123-abc.apps.googleusercontent.com"
OTHER = "kfp-caller@acme-gke.iam.gserviceaccount.com"
IN_VPC = {"target__host": "https://kfp.example.com", "target__access": "none"}
BACKEND = {"target__access": "iap", "target__iap_backend_service": "kfp"}
IAP = {**IN_VPC, **BACKEND, "target__audience": AUDIENCE}


def vertex(**changes: Any) -> dict[str, Any]:
    """A Vertex target, and what is changed of it."""
    target = {"kind": "vertex", "pipeline_root": "gs://acme-runs/out", "service_account": OTHER} | changes
    return {"target": {key: value for key, value in target.items() if value is not None}}


def refusal(config: dict[str, str]) -> str:
    """What the program says when it refuses a configuration, as `pulumi preview` would show it."""
    with pytest.raises(ConfigurationError) as refused:
        evaluate("dev", config)
    assert isinstance(refused.value.__cause__, pulumi.RunError), "else Pulumi shows a traceback"
    text = str(refused.value)
    assert text.startswith("Pulumi.dev.yaml:\n  ")
    return text.removeprefix("Pulumi.dev.yaml:\n  ")


@pytest.mark.parametrize(
    ("changes", "key", "problem", "fix"),
    [
        ({"sorce": {}}, ".sorce", "unknown key", "did you mean source?"),
        ({"source__prefx": "in/"}, ".source.prefx", "unknown key", "did you mean prefix?"),
        ({"source": None}, ".source", "is missing", "add source"),
        ({"source__kind": "ftp"}, ".source.kind", "is 'ftp'", "use 'gcs', 'pubsub', 'log' or 'schedule'"),
        ({"source__prefix": "/in"}, ".source.prefix", "start without a slash", "use incoming/"),
        ({"source__prefix": "gs://b/in"}, ".source.prefix", "without gs://BUCKET/", "use incoming/"),
        ({"source__prefix": "in/*.csv"}, ".source.prefix", "is taken literally", "take '*' out"),
        ({"source__prefix": "in\n"}, ".source.prefix", "is 'in\\n'", "no control characters"),
        ({"source__prefix": "é" * 513}, ".source.prefix", "is 'ééé", "at most 1024 bytes"),
        ({"source__location": "mars"}, ".source.location", "no bucket location", "us-central1, or US"),
        ({"source__soft_delete_days": 91}, ".source.soft_delete_days", "is 91", "use 0 for none, or 7 to 90"),
        (
            {"source__soft_delete_days": "7"},
            ".source.soft_delete_days",
            "is '7'",
            "write one without quotes, as in 7",
        ),
        ({"target__host": f"http://{HOST}"}, ".target.host", f"is 'http://{HOST}'", "start it with https://"),
        ({"target__host": f"https://{HOST}/pipeline"}, ".target.host", "leave out what follows", f"https://{HOST}"),
        (
            {"target__host": f"https://{HOST}.evil.example"},
            ".target.host",
            "only looks like",
            "those end in .pipelines.",
        ),
        ({"target__host": f"https://evil.example/{HOST}"}, ".target.host", "only looks", "those end in"),
        ({"target__host": "https://pipelines-googleusercontent.com"}, ".target.host", "only looks", "those end in"),
        ({"target__host": f"https://user@{HOST}"}, ".target.host", "user@", "write https://HOST"),
        ({"target__host": f"https://evil.example\\.{HOST}"}, ".target.host", "evil.example", "write https://HOST"),
        ({"target__host": f"https://{HOST}#"}, ".target.host", "leave out what follows", f"https://{HOST}"),
        ({"target__host": f"https://{HOST}?"}, ".target.host", "leave out what follows", f"https://{HOST}"),
        ({"target__host": f"https://{HOST}:abc"}, ".target.host", ":abc", "write https://HOST"),
        ({"target__host": f"https://{HOST}\n"}, ".target.host", "\\n", "write https://HOST"),
        ({"target__host": "https://a b"}, ".target.host", "is 'https://a b'", "write https://HOST"),
        ({"target__host": "https://[::1"}, ".target.host", "is 'https://[::1'", "write https://HOST"),
        ({"target__host": "https://"}, ".target.host", "is 'https://'", "write https://HOST"),
        ({"target__iap_backend_service": ""}, ".target.iap_backend_service", "is ''", "backend-services list"),
        ({"source": "incoming/"}, ".source", "is 'incoming/', which is no block of keys", "write kind: ..."),
        ({"function": ""}, ".function", "is empty, which is no block of keys", "or leave it out"),
        ({"parameters": ""}, ".parameters", "is empty, which is no block of keys", "NAME: EXPRESSION"),
        ({"source": [{"kind": "gcs"}]}, ".source", "is a list, which is no block of keys", "leave out the dash"),
        ({"pipeline": 5}, ".pipeline", "is 5, which is no text", "write it in quotes"),
        ({"pipeline": True}, ".pipeline", "is true, which is no text", "write it in quotes"),
        ({"pipeline": ["echo"]}, ".pipeline", "is a list, which is no text", "write text instead"),
        ({"content_limit": 0}, ".content_limit", "is 0", "use 1 or more"),
        ({"content_limit": 5.5}, ".content_limit", "is 5.5, which is no whole number", "write one without quotes"),
        ({"source__soft_delete_days": 3}, ".source.soft_delete_days", "is 3", "use 0 for none, or 7 to 90"),
        ({"name": "google-events"}, ".name", "is 'google-events'", "choose another"),
        ({"function__memory": "8Gi"}, ".function", "memory 8Gi does not go with cpu '1'", "use 128Mi to 4096Mi"),
        ({"function__memory": "512Mi", "function__cpu": "8"}, ".function", "does not go", "use 4096Mi to 32768Mi"),
        ({"function__cpu": "0.01"}, ".function.cpu", "is '0.01'", 'from "0.08"'),
        ({"target__host": HOST}, ".target.host", f"is '{HOST}'", "start it with https://"),
        ({"target__host": "https://kfp.example.com"}, ".target", "access 'viewer' opens hosted", "access: iap"),
        ({"target__access": "owner"}, ".target.access", "is 'owner'", "use 'viewer', 'project-viewer'"),
        ({"target__access": "iap"}, ".target", "go together", "set iap_backend_service"),
        ({"target__experiment": "a b"}, ".target.experiment", "is 'a b'", "letters, digits, dots"),
        ({"target__installation_service_account": "me"}, ".target.installation_service_account", "is 'me'", "e-mail"),
        ({"identity": "me@example.com"}, ".identity", "is 'me@example.com'", "use app-engine, dedicated, or"),
        ({"name": "Echo!"}, ".name", "is 'Echo!'", "use up to 30 lower-case letters"),
        ({"function__runtime": "python39"}, ".function.runtime", "is 'python39'", "python311 to python314"),
        ({"function__memory": f"{'9' * 5000}Gi"}, ".function.memory", "Gi'", "such as 512Mi"),
        ({"function__memory": "lots"}, ".function.memory", "is 'lots'", "such as 512Mi"),
        ({"function__cpu": "3"}, ".function.cpu", "is '3'", 'use "1", "2"'),
        ({"function__cpu": "0.5"}, ".function", "needs a whole cpu", "concurrency: 1"),
        ({"function__timeout_seconds": 600}, ".function.timeout_seconds", "is 600", "use 540 or less"),
        ({"delivery__attempts": 3}, ".delivery.attempts", "is 3", "use 5 or more"),
        ({"delivery__retention_days": 32}, ".delivery.retention_days", "is 32", "use 31 or less"),
        ({"target__kind": "argo"}, ".target.kind", "is 'argo'", "use 'kfp' or 'vertex'"),
        ({"target__audience": AUDIENCE}, ".target", f"https://{HOST} takes access tokens", "leave it out"),
        ({**IN_VPC, **BACKEND}, ".target", "goes with the audience", "set audience to the id of its OAuth client"),
        ({**IAP, "target__audience": "https://kfp"}, ".target", "goes with the audience", "as in 123-abc.apps."),
        ({**IN_VPC, "target__audience": "a b"}, ".target.audience", "is 'a b'", "letters of ASCII, without spaces"),
        (
            {**IN_VPC, "target__namespace": "orders"},
            ".target",
            "https://kfp.example.com is told nothing",
            "Use access",
        ),
        (
            {**IN_VPC, "target__host": "https://kf.example.com/_/pipeline/?ns=orders#/runs"},
            ".target.host",
            "?ns=orders#/runs'",
            "write https://kf.example.com/pipeline",
        ),
        ({"target__impersonate": "ann@acme.com"}, ".target.impersonate", "is 'ann@acme.com'", "e-mail address"),
        ({**IN_VPC, "target__impersonate": OTHER}, ".target", "impersonate changes whose token", "leave it out"),
        ({"target__namespace": "My Team"}, ".target.namespace", "is 'My Team'", "lower-case letters"),
        ({"target__pipeline_root": "runs"}, ".target.pipeline_root", "is 'runs'", "gs://BUCKET/runs"),
        ({"target__service_account": OTHER}, ".target.service_account", f"is '{OTHER}'", "a Kubernetes service"),
        ({"target__database": "utf8"}, ".target.database", "is 'utf8'", "use 'utf8mb4'"),
        ({"target__client_qps": 0}, ".target.client_qps", "is 0", "use 1 or more"),
        ({"target__runs_retention_days": 0}, ".target.runs_retention_days", "is 0", "use 1 or more"),
        ({"target__enable_caching": "no"}, ".target.enable_caching", "is 'no'", "true or false"),
        (vertex(pipeline_root=None), ".target.pipeline_root", "is missing", "add pipeline_root"),
        (vertex(service_account=None), ".target.service_account", "is missing", "add service_account"),
        (vertex(pipeline_root="s3://b/x"), ".target.pipeline_root", "is 's3://b/x'", "in Cloud Storage"),
        (vertex(host="https://x"), ".target.host", "unknown key", "known: api_endpoint, cmek_key"),
        (vertex(location="europe"), ".target.location", "is 'europe'", "use a region"),
        (vertex(network="default"), ".target.network", "is 'default'", "with the project's number"),
        (vertex(cmek_key="key"), ".target.cmek_key", "is 'key'", "use projects/PROJECT/locations/"),
        (vertex(labels={"trigger": "x"}), ".target.labels", "has 'trigger'", "choose another name"),
        (vertex(labels={"Team": "x"}), ".target.labels", "has the name 'Team'", "lower-case letters"),
        (vertex(labels={"team": "A b"}), ".target.labels", "has 'A b' as team", "lower-case letters"),
        (vertex(labels={"a": 1}), ".target.labels.a", "is 1, which is no text", "write it in quotes"),
        (
            vertex(api_endpoint="https://us-central1-aiplatform.googleapis.com.evil.example"),
            ".target.api_endpoint",
            "a token goes to Google's own APIs only",
            "whose hosts end in .googleapis.com",
        ),
        (vertex(api_endpoint="https://evilgoogleapis.com"), ".target.api_endpoint", "own APIs only", "end in"),
        ({"function__network": "a b"}, ".function.network", "is 'a b'", "its name, or its path"),
        ({"function__egress": "all"}, ".function.egress", "is 'all'", "'private-ranges-only' or 'all-traffic'"),
        ({"function__egress": "all-traffic"}, ".function", "there is none", "set network"),
        ({"function__subnetwork": "ml"}, ".function", "subnetwork ml", "set network too"),
        (
            {"function__network": "projects/p/global/networks/ml"},
            ".function",
            "tells no subnetwork",
            "set subnetwork",
        ),
    ],
)
def test_a_wrong_key_of_a_trigger(changes: dict[str, Any], key: str, problem: str, fix: str) -> None:
    text = refusal(dev_config(**changes))
    assert text.startswith(f"{TRIGGERS}[0]{key}: ")
    assert problem in text
    assert fix in text
    assert "\n" not in text, "one problem, one line"


@pytest.mark.parametrize("root", ["gs://{}", "gs://{}/", "gs://{}/elsewhere", "gs://{}/incoming/out"])
@pytest.mark.parametrize("kind", ["kfp", "vertex"])
def test_output_in_the_trigger_bucket_would_start_runs_for_ever(kind: str, root: str) -> None:
    bucket = evaluate("dev", dev_config()).exports["echo-bucket"]
    inside = root.format(bucket)
    changes = vertex(pipeline_root=inside) if kind == "vertex" else {"target__pipeline_root": inside}
    with pytest.raises(ConfigurationError, match=r"is in the trigger bucket .*; use another bucket") as refused:
        evaluate("dev", dev_config(**changes))
    assert inside in str(refused.value)
    longer = inside.replace(bucket, f"{bucket}-runs")
    assert evaluate("dev", dev_config(**vertex(pipeline_root=longer)))


PUBSUB, CRON = {"kind": "pubsub"}, {"kind": "schedule", "cron": "0 6 * * *"}
TOPIC = "projects/acme-shop/topics/orders"


@pytest.mark.parametrize(
    ("source", "key", "problem", "fix"),
    [
        ({"kind": "gcs", "bucket": "gs://acme"}, ".bucket", "is 'gs://acme'", "use the bucket's name alone"),
        (
            {"kind": "gcs", "bucket": "acme", "location": "EU"},
            "",
            "location is for a bucket that",
            "leave out location",
        ),
        ({"kind": "gcs", "bucket": "acme", "soft_delete_days": 7}, "", "soft_delete_days is for", "or bucket"),
        ({"kind": "gcs", "glob": "*.{a,b}"}, ".glob", "'{' is not understood", "one trigger for each pattern"),
        ({"kind": "gcs", "glob": "a["}, ".glob", "'[' has no ']'", "write [[]"),
        ({"kind": "gcs", "glob": "/a"}, ".glob", "start without a slash", "use **/*.json"),
        (
            {"kind": "gcs", "prefix": "in/", "glob": "*.manifest.json"},
            "",
            "glob '*.manifest.json' matches no name that starts with 'in/'",
            "write in/*.manifest.json or **/*.manifest.json",
        ),
        ({**PUBSUB, "topic": "orders"}, ".topic", "is 'orders'", "use the full name, projects/PROJECT/topics/TOPIC"),
        ({**PUBSUB, "topic": "projects/acme-shop/topics/go"}, ".topic", "topics/go'", "gcloud pubsub topics list"),
        ({**PUBSUB, "topic": "projects/acme-shop/topics/google-x"}, ".topic", "google-x'", "use the full name"),
        ({**PUBSUB, "filter": "type = order"}, ".filter", "has 'type' where", 'write attributes.KEY = "VALUE"'),
        ({**PUBSUB, "filter": " "}, ".filter", "is due", "attributes:KEY"),
        ({**PUBSUB, "filter": ""}, ".filter", "is empty", "leave it out"),
        ({**PUBSUB, "filter": "attributes:" + "a" * 246}, ".filter", "has 257 bytes", "Pub/Sub takes 256"),
        ({**PUBSUB, "prefix": "in/"}, ".prefix", "unknown key", "known: filter, kind, topic"),
        ({"kind": "log"}, ".filter", "is missing", "add filter"),
        ({"kind": "log", "filter": " "}, ".filter", "every log entry an event", "what tells yours"),
        ({"kind": "log", "filter": "a=b and c=d"}, ".filter", "has 'and' in lower case", "write AND"),
        ({"kind": "log", "filter": 'a="b'}, ".filter", "a quotation mark without its other", "close it"),
        ({"kind": "log", "filter": "(a=b"}, ".filter", "a parenthesis without its other", "close it"),
        ({"kind": "log", "filter": "hello"}, ".filter", "compares nothing", "write a condition"),
        ({"kind": "log", "filter": f"a={'b' * 20_000}"}, ".filter", "has 20002 characters", "takes 20000 at most"),
        ({**CRON, "cron": "every 5 minutes"}, ".cron", "which has 3 fields", "minute, hour, day, month and weekday"),
        ({**CRON, "cron": "60 * * * *"}, ".cron", "has '60' as minute", "use 0 to 59"),
        ({**CRON, "cron": f"{'9' * 5000} * * * *"}, ".cron", "9' as minute", "use 0 to 59"),
        ({**CRON, "cron": "0 24 * * *"}, ".cron", "has '24' as hour", "use 0 to 23"),
        ({**CRON, "cron": "0 0 L * *"}, ".cron", "has 'L' as day of the month", "use 1 to 31"),
        ({**CRON, "cron": "0 0 1 13 *"}, ".cron", "has '13' as month", "use 1 to 12 or JAN, FEB"),
        ({**CRON, "cron": "0 0 * * FOO"}, ".cron", "has 'FOO' as day of the week", "use 0 to 7 or SUN, MON"),
        ({**CRON, "cron": "5/10 * * * *"}, ".cron", "has '5/10' as minute", "steps (*/10)"),
        ({**CRON, "cron": "*/0 * * * *"}, ".cron", "has '*/0' as minute", "steps (*/10)"),
        ({**CRON, "cron": "0 22-2 * * *"}, ".cron", "runs backwards", "write two ranges"),
        ({**CRON, "cron": "0 0 31 2,4 *"}, ".cron", "a day that never comes", "choose another day"),
        ({**CRON, "time_zone": "CEST"}, ".time_zone", "is 'CEST'", "Etc/UTC or Europe/Amsterdam"),
    ],
)
def test_a_wrong_source(source: dict[str, Any], key: str, problem: str, fix: str) -> None:
    text = refusal(dev_config(source=source, parameters={"filename": "event.id"}))
    assert text.startswith(f"{TRIGGERS}[0].source{key}: ")
    assert problem in text
    assert fix in text
    assert "\n" not in text, "one problem, one line"


def test_a_log_filter_may_be_a_function_alone() -> None:
    source = {"kind": "log", "filter": 'log_id("cloudaudit.googleapis.com/activity")'}
    assert read_settings("dev", dev_config(source=source, parameters={}))


@pytest.mark.parametrize(
    "cron",
    [
        "* * * * *",
        "*/15 0-6/2 1,15 JAN-mar,12 1-5",
        "0 9 * * SUN",
        "0 0 * * 7",
        "0 0 31 2 1",
        "0 0 29 FEB *",
        "0  6 * * *",
    ],
)
def test_what_cloud_scheduler_takes_is_accepted(cron: str) -> None:
    assert read_settings("dev", dev_config(source={**CRON, "cron": cron}, parameters={}))


def triggers_on(*sources: dict[str, Any]) -> dict[str, str]:
    config = dev_config()
    [trigger] = json.loads(config[TRIGGERS])
    few = {"max_instances": 1}  # an endpoint serves only so many
    triggers = [
        {**trigger, "name": f"t{number}", "source": source, "function": few} for number, source in enumerate(sources)
    ]
    return {**config, TRIGGERS: json.dumps(triggers)}


@pytest.mark.parametrize(
    "source", [{"kind": "gcs", "bucket": "acme"}, {**PUBSUB, "topic": TOPIC}, {"kind": "log", "filter": "a=b"}, CRON]
)
def test_two_triggers_that_would_start_two_equal_runs_for_each_event(source: dict[str, Any]) -> None:
    text = refusal(triggers_on({"kind": "gcs"}, source, source))
    assert text.startswith(
        f"{TRIGGERS}[2]: does the same as {TRIGGERS}[1], so that each event would start two equal runs"
    )


@pytest.mark.parametrize(
    "sources",
    [
        [{"kind": "gcs"}, {"kind": "gcs"}],
        [PUBSUB, PUBSUB],
        [{"kind": "gcs", "bucket": "acme", "prefix": "a/"}, {"kind": "gcs", "bucket": "acme", "prefix": "b/"}],
        [{**PUBSUB, "topic": TOPIC}, {**PUBSUB, "topic": TOPIC, "filter": "attributes:a"}],
    ],
)
def test_triggers_on_things_of_their_own_or_with_filters_do_not_conflict(sources: list[dict[str, Any]]) -> None:
    assert read_settings("dev", triggers_on(*sources))


def test_a_bucket_has_no_more_triggers_than_cloud_storage_has_notifications() -> None:
    many = [{"kind": "gcs", "bucket": "acme", "prefix": f"{number}/"} for number in range(11)]
    assert read_settings("dev", triggers_on(*many[:10]))
    assert "11 triggers are on bucket 'acme'" in refusal(triggers_on(*many))


def test_no_triggers() -> None:
    fix = "add a trigger, as Pulumi.dev.yaml does"
    config = dev_config()
    assert refusal({**config, TRIGGERS: "[]"}) == f"{TRIGGERS}: the list is empty; {fix}"
    assert refusal({**config, TRIGGERS: "echo"}) == f"{TRIGGERS}: is 'echo', which is no list; {fix}"
    assert refusal({**config, TRIGGERS: "5"}) == f"{TRIGGERS}: is 5, which is no list; {fix}"
    assert refusal({**config, TRIGGERS: ""}) == f"{TRIGGERS}: is empty, which is no list; {fix}"
    del config[TRIGGERS]
    assert refusal(config) == f"{TRIGGERS}: is missing; {fix}"


def test_a_trigger_without_its_dash() -> None:
    config = dev_config()
    (trigger,) = json.loads(config[TRIGGERS])
    text = refusal({**config, TRIGGERS: json.dumps(trigger)})
    fix = "put a dash before the first key of each: - name: ..."
    assert text == f"{TRIGGERS}: is a block of keys, which is no list; {fix}"


def test_two_triggers_of_one_name() -> None:
    config = dev_config()
    twice = {**config, TRIGGERS: json.dumps(json.loads(config[TRIGGERS]) * 2)}
    assert refusal(twice) == f"{TRIGGERS}: two triggers are called 'echo'; give each a name of its own"


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("event-triggered-pipelines:trigers", "did you mean event-triggered-pipelines:triggers?"),
        ("event-triggered-pipelines:retries", "known: triggers, ledger_days, production, new_region"),
        ("event-triggered-pipeline:triggers", "did you mean event-triggered-pipelines:triggers?"),
        ("gcp:regon", "did you mean gcp:region?"),
        ("gpc:project", "did you mean gcp:project?"),
    ],
)
def test_an_unknown_key_of_the_stack(key: str, instead: str) -> None:
    assert refusal({**dev_config(), key: "[]"}) == f"{key}: unknown key; {instead}"


def test_a_misspelt_key_is_the_only_thing_that_is_said_of_it() -> None:
    """And what stands there is checked as what was meant, so that nothing is left for the next try."""
    config = dev_config()
    config["gcp:regon"] = config.pop("gcp:region")
    config["event-triggered-pipeline:triggers"] = config.pop(TRIGGERS).replace('"gcs"', '"gsc"')
    assert [line.split("; ")[0].strip() for line in refusal(config).splitlines()] == [
        "gcp:regon: unknown key",
        "event-triggered-pipeline:triggers: unknown key",
        f"{TRIGGERS}[0].source.kind: is 'gsc'",
    ]


def test_a_key_of_the_provider_is_never_taken_for_one_of_ours() -> None:
    source = (Path(pulumi_gcp.__file__).parent / "config" / "vars.py").read_text()
    keys = [f"gcp:{key}" for key in re.findall(r"__config__\.get\w*\('(\w+)'\)", source)]
    assert {"gcp:billingProject", "gcp:zone", "gcp:accessToken"} <= set(keys)
    assert not explain_keys([*keys, "pulumi:tags", "google-native:project", "aws:region"])


@pytest.mark.parametrize(
    "identity",
    ["app-engine", "acme-ml-dev@appspot.gserviceaccount.com", "123456789012-compute@developer.gserviceaccount.com"],
)
def test_a_default_account_in_a_stack_that_is_marked_production(identity: str) -> None:
    text = refusal({**dev_config(identity=identity), "event-triggered-pipelines:production": "true"})
    assert text == (
        f"{TRIGGERS}[0].identity: is {identity}, a default account, and the stack is marked production; use dedicated"
    )


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (
            {
                "kind": "vertex",
                "pipeline_root": "gs://acme-runs/a",
                "service_account": "123456789012-compute@developer.gserviceaccount.com",
            },
            "service_account",
        ),
        (
            {
                "kind": "kfp",
                "host": f"https://{HOST}",
                "impersonate": "acme-ml-dev@appspot.gserviceaccount.com",
            },
            "impersonate",
        ),
    ],
)
def test_a_default_account_that_a_production_launcher_acts_as(target: dict[str, Any], key: str) -> None:
    config = dev_config(identity="dedicated", target=target)
    text = refusal({**config, "event-triggered-pipelines:production": "true"})
    assert text == (
        f"{TRIGGERS}[0].target.{key}: is {target[key]}, a default account, and the stack is marked production; "
        "use an account of its own"
    )


def test_an_account_of_its_own_in_a_stack_that_is_marked_production() -> None:
    production = {**dev_config(identity="dedicated"), "event-triggered-pipelines:production": "true"}
    assert read_settings("dev", production).production


@pytest.mark.parametrize(
    ("days", "problem"),
    [
        ("50", "is 50; a message can live for 51 days: use more"),
        ("soon", "is 'soon', which is no whole number; write"),
    ],
)
def test_the_ledger_outlives_every_message(days: str, problem: str) -> None:
    """Else a dead letter could be replayed after the ledger forgot that its event was launched."""
    text = refusal({**dev_config(delivery__retention_days=20), "event-triggered-pipelines:ledger_days": days})
    assert text.startswith(f"event-triggered-pipelines:ledger_days: {problem}")


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("gcp:region", "us-central1-a", "use a region such as us-central1"),
        ("gcp:region", "US", "use a region such as us-central1"),
        ("gcp:project", "Acme ML", "use the project's id: gcloud projects list"),
        ("gcp:project", "123456789012", "use the project's id: gcloud projects list"),
    ],
)
def test_a_wrong_project_or_region(key: str, value: str, fix: str) -> None:
    text = refusal({**dev_config(), key: value})
    assert text.startswith(f"{key}: is {value!r}; ")
    assert fix in text


REGION = "event-triggered-pipelines:new_region"


@pytest.mark.parametrize(
    ("config", "key", "problem"),
    [
        ({"gcp:region": "us-centrl1"}, "gcp:region", "Google Cloud did not have in {}; did you mean us-central1?"),
        ({"gcp:region": "xyz-qqq9"}, "gcp:region", "Google Cloud did not have in {}; if it has now: pulumi config"),
        (
            dev_config(source__location="EUROPE-WEST44"),
            f"{TRIGGERS}[0].source.location",
            "Google Cloud did not have in {}; did you mean europe-west4?",
        ),
        (
            dev_config(**vertex(location="northamerica-south1")),
            f"{TRIGGERS}[0].target.location",
            "Vertex AI did not have in {}; did you mean northamerica-northeast1?",
        ),
    ],
)
def test_a_made_up_region(config: dict[str, str], key: str, problem: str) -> None:
    text = refusal({**dev_config(), **config})
    assert text.startswith(f"{key}: is '")
    assert problem.format(AS_OF) in text
    assert "pulumi config set new_region" in text


def test_a_region_that_is_newer_than_the_list_is_accepted_where_the_stack_says_so() -> None:
    """Everywhere in the stack, and no other one with it."""
    newer = {"source__location": "MOON-WEST1", **vertex(location="moon-west1")}
    config = {**dev_config(**newer), "gcp:region": "moon-west1", REGION: "moon-west1"}
    settings = read_settings("dev", config)
    assert (settings.region, settings.triggers[0].target.location) == ("moon-west1", "moon-west1")  # type: ignore[union-attr]  # a Vertex target
    assert "'moon-west2', which Google Cloud did not have" in refusal({**config, "gcp:region": "moon-west2"})
    assert read_settings("dev", {**dev_config(), REGION: ""}).new_region == "", "as Pulumi.yaml has it"
    assert refusal({**dev_config(), REGION: "Moon"}).startswith(f"{REGION}: is 'Moon'; use a region such as")
    assert refusal({**dev_config(), REGION: "7"}) == f"{REGION}: is 7, which is no text; write it in quotes"


def test_pipeline_jobs_in_a_region_without_vertex_ai() -> None:
    config = {**dev_config(**vertex()), "gcp:region": "northamerica-south1"}
    assert refusal(config) == (
        f"{TRIGGERS}[0].target.location: is missing, and Vertex AI did not have 'northamerica-south1' in {AS_OF}; "
        "add location, as in us-central1"
    )
    assert read_settings("dev", {**config, REGION: "northamerica-south1"})
    assert read_settings(
        "dev", {**config, **dev_config(**vertex(location="us-central1")), "gcp:region": "africa-south1"}
    )


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_every_region_of_the_list_is_written_as_regions_are(region: str) -> None:
    assert re.fullmatch(rules.REGION, region)
    assert read_settings("dev", {**dev_config(), "gcp:region": region}).region == region


@pytest.mark.parametrize(("key", "command"), [("gcp:project", "YOUR_PROJECT_ID"), ("gcp:region", "us-central1")])
def test_a_missing_project_or_region(key: str, command: str) -> None:
    config = dev_config()
    del config[key]
    assert refusal(config) == f"{key}: is missing; pulumi config set {key} {command}"


def test_a_domain_scoped_project_has_no_computable_app_engine_account() -> None:
    scoped = {"gcp:project": "example.com:acme-ml"}
    text = refusal({**dev_config(), **scoped})
    assert text.startswith(f"{TRIGGERS}[0].identity: app-engine does not work")
    assert "acme-ml.example.com@appspot.gserviceaccount.com" in text
    evaluate("dev", {**dev_config(identity="dedicated"), **scoped})


def test_a_stack_s_name_becomes_a_label() -> None:
    with pytest.raises(ConfigurationError, match="stack: is 'Dev_1'; use up to 30 lower-case letters"):
        read_settings("Dev_1", dev_config())


def test_all_problems_are_said_at_once() -> None:
    text = refusal(dev_config(sorce={}, target__host=f"http://{HOST}", name="Echo!"))
    assert len(text.splitlines()) == 3


def test_a_stack_file_that_is_not_there() -> None:
    with pytest.raises(
        ConfigurationError, match=r"there is no stack file Pulumi.nope.yaml; choose one of dev, prod,"
    ):
        read_stack("nope", STACKS)


def test_the_problems_of_all_triggers_are_said_at_once() -> None:
    config = dev_config(pipeline="ecco")
    (first,) = json.loads(config[TRIGGERS])
    text = refusal({**config, TRIGGERS: json.dumps([first, {**first, "name": "second", "pipeline": "acho"}])})
    assert "there is no pipelines/ecco.py" in text
    assert f"{TRIGGERS}[1].pipeline: pipeline 'acho'" in text

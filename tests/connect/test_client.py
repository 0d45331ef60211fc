"""The client is kfp's own, without its traps; and what it sends goes to the endpoint and nowhere else."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import pytest
from kfp_server_api import ApiException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from kfp_connect import Client, ConnectError, Problem, connect
from kfp_connect.credentials import Wish
from kfp_connect.endpoint import Endpoint, find_endpoint
from rehearsal.kfp.server import VERSION, KfpEndpoint
from tests.conftest import Serve
from tests.connect.conftest import AUDIENCE, KEYED, PERSON, RUNS, RUNTIME, Cloud
from tests.keys import make_key
from tests.launcher.wire import EXPERIMENTS, Wire, silence

STACK = """config:
  gcp:project: acme-ml-dev
  gcp:region: us-central1
  event-triggered-pipelines:triggers:
    - name: orders
      source: {{kind: gcs}}
      pipeline: echo
      target: {{kind: kfp, host: "{first}", access: none}}
    - name: echo
      source: {{kind: gcs}}
      pipeline: echo
      target:
        kind: kfp
        host: https://1234-dot-us-central1.pipelines.googleusercontent.com
        installation_service_account: nodes@acme-gke.iam.gserviceaccount.com
    - name: behind-iap
      source: {{kind: gcs}}
      pipeline: echo
      target:
        kind: kfp
        host: "{first}"
        access: iap
        iap_backend_service: kfp
        audience: {audience}
        namespace: team-orders
"""
HOSTED = "https://1234-dot-us-central1.pipelines.googleusercontent.com"


@pytest.fixture
def client(cloud: Cloud) -> Client:
    return connect(cloud.url, "key-file", key_file=cloud.key_file())


# --- where it connects to ------------------------------------------------------------------------------------------


def test_an_argument_goes_before_a_stack_and_a_stack_before_the_environment(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = bare / "Pulumi.mine.yaml"
    stack.write_text(STACK.format(first="http://127.0.0.1:2", audience=AUDIENCE))
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:3/")
    assert find_endpoint("http://127.0.0.1:1", str(stack)).host == "http://127.0.0.1:1"
    assert find_endpoint(None, str(stack)).host == "http://127.0.0.1:2"
    assert find_endpoint().host == "http://127.0.0.1:3"


def test_a_trigger_of_a_stack_is_found_by_its_name_with_the_account_to_be_let_in_by(bare: Path) -> None:
    stack = bare / "Pulumi.mine.yaml"
    stack.write_text(STACK.format(first="http://127.0.0.1:2", audience=AUDIENCE))
    endpoint = find_endpoint(stack=str(stack), trigger="echo")
    assert (endpoint.host, endpoint.installation) == (HOSTED, "nodes@acme-gke.iam.gserviceaccount.com")
    assert endpoint.hosted
    assert endpoint.takes_access_tokens


def test_a_stack_says_the_audience_and_the_namespace_too(cloud: Cloud) -> None:
    stack = cloud.home / "Pulumi.mine.yaml"
    stack.write_text(STACK.format(first=cloud.iap_url, audience=AUDIENCE))
    client = connect(stack=str(stack), trigger="behind-iap", credentials="metadata")
    assert client.account == RUNTIME
    assert client.get_user_namespace() == "team-orders"


@pytest.mark.parametrize(
    ("host", "takes"),
    [
        (HOSTED, True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://127.0.0.1", True),
        ("https://kfp.acme.example", False),
        ("https://localhost.acme.example", False),
    ],
)
def test_access_tokens_go_to_googles_proxy_and_to_this_machine(host: str, takes: bool) -> None:
    assert find_endpoint(host).takes_access_tokens is takes


def test_an_endpoint_that_asks_for_no_token_gets_none(cloud: Cloud, serve: Serve) -> None:
    cloud.sign_in()
    wire = Wire(KfpEndpoint(None).app)
    client = connect(serve(wire))
    client.list_experiments()
    assert client.account == "nobody"
    assert not [seen for seen in wire.seen if "authorization" in seen.headers]


# --- whose client it is --------------------------------------------------------------------------------------------


def test_it_is_a_kfp_client_that_knows_its_server_and_whose_token_it_sends(client: Client) -> None:
    assert isinstance(client, kfp.Client)
    assert (client.server_version, client.account) == (VERSION, KEYED)
    assert client.get_kfp_healthz().multi_user is False


def test_a_person_is_known_without_asking_anybody(cloud: Cloud) -> None:
    cloud.sign_in()
    assert connect(cloud.url, "default").account == PERSON


def test_who_acts_as_another_is_that_other(cloud: Cloud) -> None:
    cloud.may_act.add((KEYED, RUNS))
    options: dict[str, Any] = {"account": RUNS, "source": "key-file", "key_file": cloud.key_file()}
    assert connect(cloud.url, "impersonate", **options).account == RUNS


def test_a_token_and_a_key_file_may_come_from_the_environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_TOKEN", cloud.tokens.issue(PERSON, 100))
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", cloud.url)
    assert connect(credentials="token").list_experiments() is not None
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", cloud.key_file())
    assert connect(credentials="key-file").account == KEYED
    assert connect(credentials="default").account == KEYED


def test_a_token_of_the_environment_is_sent_without_being_asked_for(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.sign_in()
    monkeypatch.setenv("KF_PIPELINES_TOKEN", f"{cloud.tokens.issue(RUNS, 100)}\n")
    connect(cloud.url).create_experiment("mine")
    assert cloud.hosted.seen[-1].headers["authorization"] == f"Bearer {os.environ['KF_PIPELINES_TOKEN'].strip()}"


def test_a_token_of_the_environment_is_no_reason_to_send_one_where_none_may_go(
    bare: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "ya29.secret")
    monkeypatch.setattr(Endpoint, "takes_access_tokens", False)  # as if it were another machine
    wire = Wire(KfpEndpoint(None).app)
    assert connect(serve(wire)).account == "nobody"
    assert not [seen for seen in wire.seen if "authorization" in seen.headers]


@pytest.mark.parametrize(
    ("options", "account"), [({"key_file": "key.json"}, KEYED), ({"account": RUNS, "source": "metadata"}, RUNS)]
)
def test_what_goes_with_some_credentials_names_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], account: str
) -> None:
    cloud.sign_in()
    cloud.key_file()
    cloud.may_act.add((RUNTIME, RUNS))
    monkeypatch.chdir(cloud.home)
    assert connect(cloud.url, **options).account == account


def test_a_client_shows_where_and_as_whom_it_is_and_no_token(cloud: Cloud, serve: Serve) -> None:
    url, token = serve(KfpEndpoint(None).app), cloud.tokens.issue(PERSON, 100)
    assert repr(connect(url)) == f"<Client of {url} as nobody, Kubeflow Pipelines {VERSION}>"
    client = connect(cloud.url, "key-file", key_file=cloud.key_file())
    assert repr(client) == f"<Client of {cloud.url} as {KEYED}, Kubeflow Pipelines {VERSION}>"
    assert token not in repr(connect(cloud.url, token=token))
    assert token not in repr(Wish("token", token=token))


def test_the_server_behind_its_ui_is_known_too(bare: Path, serve: Serve) -> None:
    wire = Wire(silence)
    wire.fail("GET", "/apis/v2beta1/healthz", JSONResponse({"apiServerTagName": "2.5.0", "apiServerReady": True}))
    assert connect(serve(wire)).server_version == "2.5.0"


def test_connecting_takes_one_request(cloud: Cloud, client: Client) -> None:
    assert [seen.path for seen in cloud.hosted.seen] == ["/apis/v2beta1/healthz"]


# --- what is sent where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_no_redirect_is_followed(client: Client, cloud: Cloud, serve: Serve, verb: str, status: int) -> None:
    elsewhere = Wire(silence)
    cloud.hosted.fail(verb, EXPERIMENTS, RedirectResponse(f"{serve(elsewhere)}/here", status))
    calls = {
        "GET": client.list_experiments,
        "POST": lambda: client._experiment_api.experiment_service_create_experiment({}),
    }
    with pytest.raises(ConnectError) as failed:
        calls[verb]()
    assert failed.value.problem is Problem.LOGIN_PAGE
    assert elsewhere.seen == []


def test_a_login_page_is_no_empty_list(client: Client, cloud: Cloud) -> None:
    cloud.hosted.fail("GET", EXPERIMENTS, HTMLResponse("<title>Sign in</title>"))
    with pytest.raises(ConnectError, match="it wants a login"):
        client.list_experiments()


def test_another_host_gets_nothing(client: Client, cloud: Cloud, serve: Serve) -> None:
    elsewhere = Wire(silence)
    client._existing_config.host = serve(elsewhere)
    with pytest.raises(ConnectError) as failed:
        client.list_experiments()
    assert failed.value.problem is Problem.ANOTHER_HOST
    assert elsewhere.seen == []


@pytest.mark.parametrize("suffix", [".evil.example", "@evil.example", "0"])
def test_another_host_gets_nothing_that_starts_like_the_right_one(client: Client, cloud: Cloud, suffix: str) -> None:
    client._existing_config.host = cloud.url + suffix
    with pytest.raises(ConnectError, match="sends nothing to"):
        client.list_experiments()


def test_surroundings_do_not_say_where_tokens_go(cloud: Cloud, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Wire(silence)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, serve(proxy))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (cloud.home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    assert connect(cloud.url, "key-file", key_file=cloud.key_file()).account == KEYED
    assert proxy.seen == []


def test_the_server_that_gives_tokens_cannot_send_a_key_elsewhere(cloud: Cloud, serve: Serve) -> None:
    elsewhere = Wire(silence)
    wire = Wire(silence)
    wire.fail("POST", "/token", RedirectResponse(f"{serve(elsewhere)}/token", 307))
    (cloud.home / "key.json").write_text(make_key().file(KEYED, f"{serve(wire)}/token"))
    with pytest.raises(ConnectError):
        connect(cloud.url, "key-file", key_file=str(cloud.home / "key.json"))
    assert elsewhere.seen == []


def test_the_token_stays_out_of_what_an_error_says(cloud: Cloud) -> None:
    token = "ya29.secret"
    with pytest.raises(ConnectError) as failed:
        connect(cloud.url, "token", token=token)
    assert token not in str(failed.value)


# --- kfp's traps ---------------------------------------------------------------------------------------------------


def test_nothing_is_read_from_or_written_to_the_home_directory(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    context = cloud.home / "context.json"
    written = json.dumps({"namespace": "old", "client_authentication_cookie": "session=stolen"})
    context.write_text(written)
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(context))
    client = connect(cloud.url, "key-file", key_file=cloud.key_file(), namespace="team-a")
    client.list_runs()
    client.set_user_namespace("team-b")
    assert client.get_user_namespace() == "team-b"
    assert context.read_text() == written
    assert "cookie" not in cloud.hosted.seen[-1].headers
    assert cloud.hosted.seen[-1].query["namespace"] == "team-a"


def test_kfps_own_variables_do_not_change_who_one_is(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "1234.apps.googleusercontent.com")
    assert connect(cloud.url, "key-file", key_file=cloud.key_file()).list_experiments() is not None


def test_a_refusal_of_the_server_is_kfps_own_exception(client: Client) -> None:
    with pytest.raises(ApiException, match="ResourceNotFoundError") as refused:
        client.get_run("0f5c3f0e-5a0c-5f43-9d0b-0a3f5d1c2b4a")
    assert refused.value.status == 404


@pytest.mark.parametrize("answer", [None, HTMLResponse("down", 503, {"Retry-After": "600"})])
def test_what_may_have_been_done_is_not_sent_again(client: Client, cloud: Cloud, answer: Response | None) -> None:
    cloud.hosted.fail("POST", EXPERIMENTS, answer, served=True)
    with pytest.raises(ConnectError) as failed:
        client.create_experiment("mine")
    assert failed.value.problem is (Problem.UNAVAILABLE if answer else Problem.BROKEN)
    assert cloud.hosted.count("POST", EXPERIMENTS) == 1


def test_what_only_reads_is_sent_again_when_the_connection_breaks(client: Client, cloud: Cloud) -> None:
    cloud.hosted.fail("GET", EXPERIMENTS, None)
    assert client.list_experiments() is not None


@pytest.mark.parametrize("timeout", [0.2, (1, 0.2)])
def test_a_time_limit_of_less_than_a_second_holds(bare: Path, client: Client, timeout: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client._transport._endpoint = find_endpoint(f"http://127.0.0.1:{mute.getsockname()[1]}")
        client._existing_config.host = client._transport._endpoint.host
        watchdog = threading.Timer(10, mute.shutdown, [socket.SHUT_RDWR])  # else a test that fails would hang
        watchdog.start()
        with pytest.raises(ConnectError, match="there was no answer"):
            client._experiment_api.experiment_service_list_experiments(_request_timeout=timeout)
        watchdog.cancel()


def test_two_clients_of_one_process_do_not_know_each_other(cloud: Cloud, serve: Serve, client: Client) -> None:
    other = connect(serve(KfpEndpoint(None).app))
    client.create_experiment("mine")
    assert other.list_experiments().experiments is None
    assert kfp_server_api.Configuration().host != client._existing_config.host

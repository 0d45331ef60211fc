"""Whatever keeps a client from an endpoint is said at once, by name, and with what mends it.

That the right problem is named is the proof that it was quick: what takes more than five seconds is named for that.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.auth import _exponential_backoff, iam
from google.auth.compute_engine import _metadata
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from kfp_connect import ConnectError, Problem, connect, connecting
from kfp_connect.deadline import Deadline
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.connect.conftest import AUDIENCE, KEYED, PERSON, RUNS, RUNTIME, Cloud
from tests.keys import KEY_ID, certify, make_key
from tests.launcher.wire import Wire, api_error, shown

HEALTH, HEALTH_V1 = "/apis/v2beta1/healthz", "/apis/v1beta1/healthz"
BROKEN_JSON = PlainTextResponse("{", media_type="application/json")
PAGE = HTMLResponse("<!DOCTYPE html><title>Sign in</title>")
KEY = {"credentials": "key-file"}


def failure(*arguments: Any, **options: Any) -> ConnectError:
    with pytest.raises(ConnectError) as failed:
        connect(*arguments, **options)
    assert failed.value.problem is not None
    return failed.value


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"127.0.0.1:{closed.getsockname()[1]}"


def answering(**answers: Response) -> Callable[[Scope, Receive, Send], Any]:
    """An app with an answer to v1's, to v2's health, and to all else a 404 of the UI server's."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = Request(scope).url.path
        found = answers.get("v2") if path == HEALTH else answers.get("v1") if path == HEALTH_V1 else None
        await (found or HTMLResponse(f"<pre>Cannot GET {path}</pre>", 404))(scope, receive, send)

    return app


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


# --- where ---------------------------------------------------------------------------------------------------------


def test_no_endpoint(bare: Path) -> None:
    assert failure().problem is Problem.NO_ENDPOINT


@pytest.mark.parametrize(
    ("host", "fix"),
    [
        ("http://kfp.acme.example", "start it with https://: a token must not travel in the clear"),
        ("http://x.pipelines.googleusercontent.com", "start it with https://"),
        ("https://x.pipelines.googleusercontent.com/#/runs", "leave out what follows the host"),
        ("https://evil.example/x.pipelines.googleusercontent.com", "those end in .pipelines.googleusercontent.com"),
        ("https://kf.acme.example/_/pipeline/?ns=orders#/runs", "write https://kf.acme.example/pipeline"),
        ("https://x.pipelines.googleusercontent.com.evil.example", "those end in .pipelines.googleusercontent.com"),
        ("https://x-googleusercontent.com", "those end in .pipelines.googleusercontent.com"),
        ("https://user@x.pipelines.googleusercontent.com", "write https://HOST"),
        ("http://127.0.0.1.evil.example:8080", "start it with https://"),
        ("https://evil.example\\.x.pipelines.googleusercontent.com", "write https://HOST"),
    ],
)
@pytest.mark.parametrize("place", ["host", "KF_PIPELINES_ENDPOINT"])
def test_a_host_that_no_token_may_go_to(
    bare: Path, monkeypatch: pytest.MonkeyPatch, host: str, fix: str, place: str
) -> None:
    if place == "host":
        failed = failure(host, "token", token="t")
    else:
        monkeypatch.setenv(place, host)
        failed = failure(credentials="token", token="t")
    assert failed.problem is Problem.BAD_ENDPOINT
    assert f"the endpoint in {place} is " in str(failed)
    assert fix in str(failed)


@pytest.mark.parametrize("way", ["default", "metadata", "key-file", "token"])
def test_an_access_token_goes_to_no_other_host(bare: Path, way: Any) -> None:
    failed = failure("https://kfp.acme.example", way, token="t")
    assert failed.problem is Problem.NOT_FOR_TOKENS


@pytest.mark.parametrize("token", ["ya29.access", "e30.e30.e30"])
def test_not_even_with_an_audience_does_an_access_token_go_to_another_host(bare: Path, token: str) -> None:
    failed = failure("https://kfp.acme.example", "token", token=token, audience=AUDIENCE)
    assert failed.problem is Problem.NOT_FOR_TOKENS


def test_an_id_token_for_another_audience_goes_nowhere_either(cloud: Cloud) -> None:
    token = cloud.tokens.issue_id_token(RUNTIME, "another", 100)
    failed = failure("https://kfp.acme.example", "token", token=token, audience=AUDIENCE)
    assert failed.problem is Problem.NOT_FOR_TOKENS


# --- as whom -------------------------------------------------------------------------------------------------------


def test_no_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCE_METADATA_IP", nobody())
    monkeypatch.setattr(_exponential_backoff, "time", SimpleNamespace(sleep=lambda _: None))
    failed = failure(cloud.url, "default")
    assert failed.problem is Problem.NO_CREDENTIALS
    assert "gcloud auth application-default login" in str(failed)
    assert cloud.hosted.seen == []


def test_no_metadata_server(bare: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", nobody())
    monkeypatch.setattr(_exponential_backoff, "time", SimpleNamespace(sleep=lambda _: None))
    assert failure(cloud.url, "metadata").problem is Problem.NO_METADATA


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_a_metadata_server_that_refuses(cloud: Cloud, serve: Serve, audience: str | None) -> None:
    cloud.metadata.app = answering()
    failed = failure(cloud.url, "metadata", audience=audience)
    assert failed.problem is Problem.NO_METADATA


def test_a_metadata_server_that_never_answers(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, mute: str, impatient: None
) -> None:
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", mute)
    failed = failure(cloud.url, "metadata")
    assert failed.problem is Problem.NO_TOKEN_IN_TIME
    assert "there was no token within 0.5 s" in str(failed)


PEM = '{"type": "service_account", "client_email": "a@b", "token_uri": "https://c", "private_key": "no key"}'
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "is not there"),
        ("", "is empty"),
        ("no JSON", "is no JSON, or was cut off: Expecting value"),
        ('{"type": "external_account", "aud', "is no JSON, or was cut off: Unterminated string"),
        ("[]", "does not hold what credentials do"),
        ('{"installed": {"client_secret": "hush"}}', "holds the secret of an OAuth client, by which people sign in"),
        ('{"type": "gdch_service_account"}', "holds credentials of type 'gdch_service_account', where there are"),
        (PEM, "holds a service account key, of no use as it is: Unable to load PEM file"),
    ],
)
@pytest.mark.parametrize("named", ["argument", "variable", "default"])
def test_a_file_of_credentials_that_is_none(
    bare: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, what: str, named: str
) -> None:
    path = bare / "key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "" if named == "argument" else str(path))
    way: Any = "default" if named == "default" else "key-file"
    failed = failure("http://127.0.0.1:1", way, key_file=str(path) if named == "argument" else None)
    assert failed.problem is Problem.BAD_CREDENTIALS_FILE
    assert str(failed).startswith(f"{path} {what}")
    assert "keys create" not in str(failed)
    assert "hush" not in str(failed)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"type": "authorized_user", "client_id": "a"}, "a person's credentials"),
        ({"type": "external_account", "audience": POOL}, "federated credentials"),
        ({"type": "external_account_authorized_user"}, "a person's federated credentials"),
        ({"type": "impersonated_service_account"}, "credentials that act as another account"),
    ],
)
def test_credentials_of_another_kind_are_called_what_they_are_and_stay(
    bare: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, str], what: str
) -> None:
    path = bare / "application_default_credentials.json"
    path.write_text(json.dumps(content))
    failed = failure("http://127.0.0.1:1", key_file=str(path))
    assert failed.problem is Problem.BAD_CREDENTIALS_FILE
    assert failed.what == f"{path} holds {what}, and no service account key"
    assert failed.fix == f'leave out credentials, or say "default", with GOOGLE_APPLICATION_CREDENTIALS={path}'
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    failed = failure("http://127.0.0.1:1", "default")
    assert failed.what.startswith(f"{path} holds {what}, of no use as it is: ")
    assert "keys create" not in str(failed)


EXTERNAL = {"type": "external_account", "audience": POOL, "token_url": "http://127.0.0.1:1/token"}
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        ({**EXTERNAL, "subject_token_type": JWT, "credential_source": {"file": "nowhere"}}, "FEDERATION_REFUSED"),
        (
            {**EXTERNAL, "subject_token_type": JWT, "credential_source": {"executable": {"command": "/nowhere"}}},
            "FEDERATION_REFUSED",
        ),
        (
            {
                **EXTERNAL,
                "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
                "credential_source": {"environment_id": "aws1", "regional_cred_verification_url": "https://nowhere"},
            },
            "FEDERATION_REFUSED",
        ),
        (
            {
                "type": "external_account_authorized_user",
                "audience": POOL,
                "token_url": "http://127.0.0.1:1/token",
                "refresh_token": "r",
                "client_id": "a",
                "client_secret": "b",
            },
            "NO_WAY_TO_GOOGLE",
        ),
        (
            {
                "type": "impersonated_service_account",
                "service_account_impersonation_url": f"http://127.0.0.1:1/{RUNS}:generateAccessToken",
                "source_credentials": {**EXTERNAL, "subject_token_type": JWT, "credential_source": {"file": "no"}},
            },
            "FEDERATION_REFUSED",
        ),
    ],
)
def test_a_whole_file_of_each_kind_is_tried(
    bare: Path, monkeypatch: pytest.MonkeyPatch, held: dict[str, Any], problem: str
) -> None:
    (bare / "held.json").write_text(json.dumps(held))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(bare / "held.json"))
    assert failure("http://127.0.0.1:1", "default").problem is Problem[problem]


# --- federated -----------------------------------------------------------------------------------------------------


class Sts:
    """A token service, which knows one subject token; and who may act as whom, by the cloud's own stand-in."""

    def __init__(self, cloud: Cloud, subject: str) -> None:
        self.cloud, self.subject = cloud, subject
        self.answer: Response | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await Request(scope, receive).body()).decode()
        refusal = JSONResponse({"error": "invalid_grant", "error_description": "The audience does not match."}, 400)
        token = {
            "access_token": self.cloud.tokens.issue("federated", 100),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 100,
        }
        right = self.subject in body
        await (self.answer or (JSONResponse(token) if right else refusal))(scope, receive, send)


@pytest.fixture
def federated(cloud: Cloud, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sts]:
    """Makes federated credentials the default ones. What asks for a project is answered with nothing."""

    def ask(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody needs the project")

    monkeypatch.setattr("google.auth.external_account.Credentials.get_project_id", ask)

    def make(subject: str = "mine", **more: Any) -> Sts:
        sts = Sts(cloud, subject)
        (cloud.home / "subject").write_text("mine")
        (cloud.home / "federated.json").write_text(
            json.dumps(
                {
                    "type": "external_account",
                    "audience": POOL,
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                    "token_url": f"{serve(sts)}/v1/token",
                    "credential_source": {"file": str(cloud.home / "subject")},
                    **more,
                }
            )
        )
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(cloud.home / "federated.json"))
        return sts

    return make


def test_federated_credentials_connect_and_ask_for_no_project(cloud: Cloud, federated: Callable[..., Sts]) -> None:
    federated()
    assert connect(cloud.url, "default").server_version


def test_federated_credentials_that_are_refused_say_why(cloud: Cloud, federated: Callable[..., Sts]) -> None:
    federated("another's")
    failed = failure(cloud.url, "default")
    assert failed.problem is Problem.FEDERATION_REFUSED
    assert failed.what == "Google gives no token: invalid_grant: The audience does not match"
    assert failed.fix.startswith("check the pool's provider and the attribute condition: gcloud iam")


def test_what_the_token_service_says_is_one_bounded_line(cloud: Cloud, federated: Callable[..., Sts]) -> None:
    sts = federated()
    sts.answer = JSONResponse({"error": "invalid_target", "error_description": "a\n\x1b[2J" + "x" * 5000}, 400)
    failed = failure(cloud.url, "default")
    assert failed.problem is Problem.FEDERATION_REFUSED
    assert failed.what.isprintable()
    assert len(failed.what) < 400


def test_a_token_service_that_is_down(cloud: Cloud, federated: Callable[..., Sts]) -> None:
    federated(token_url=f"http://{nobody()}/v1/token")
    assert failure(cloud.url, "default").problem is Problem.NO_WAY_TO_GOOGLE


def test_federated_credentials_get_no_id_token_and_are_no_person(cloud: Cloud, federated: Callable[..., Sts]) -> None:
    federated()
    failed = failure(cloud.iap_url, audience=AUDIENCE)
    assert failed.problem is Problem.NO_ID_TOKEN
    assert failed.what == f"federated credentials get no ID token for {AUDIENCE}"


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_federated_credentials_act_as_an_account_and_get_its_id_tokens(
    cloud: Cloud, federated: Callable[..., Sts], audience: str | None
) -> None:
    url = iam._IAM_ENDPOINT.format(RUNS)
    federated(service_account_impersonation_url=url)
    failed = failure(cloud.iap_url if audience else cloud.url, "default", audience=audience)
    assert failed.problem is Problem.FEDERATED_MAY_NOT_IMPERSONATE
    assert f"add-iam-policy-binding {RUNS} --member='principalSet://" in failed.fix
    cloud.may_act.add(("federated", RUNS))
    client = connect(cloud.iap_url if audience else cloud.url, "default", audience=audience)
    assert client.account == RUNS


def test_credentials_of_gcloud_that_act_as_an_account_do(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.sign_in()
    path = cloud.home / "application_default_credentials.json"
    held = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": iam._IAM_ENDPOINT.format(RUNS),
        "source_credentials": json.loads(path.read_text()),
    }
    path.write_text(json.dumps(held))
    assert failure(cloud.url, "default").problem is Problem.MAY_NOT_IMPERSONATE
    cloud.may_act.add((PERSON, RUNS))
    assert connect(cloud.url, "default").account == RUNS


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (
            {"credentials": "key-file"},
            'key_file="key.json", on the command line --key-file, or GOOGLE_APPLICATION_CREDENTIALS',
        ),
        ({"credentials": "token"}, 'token="..." or KF_PIPELINES_TOKEN'),
        ({"credentials": "impersonate"}, 'account="'),
    ],
)
def test_an_option_that_is_missing(bare: Path, options: dict[str, Any], missing: str) -> None:
    failed = failure("http://127.0.0.1:1", **options)
    assert failed.problem is Problem.MISSING
    assert missing in str(failed)


@pytest.mark.parametrize("option", [{"credentials": "gcloud"}, {"credentials": "impersonate", "source": "token"}])
def test_a_way_that_there_is_not(bare: Path, option: dict[str, Any]) -> None:
    failed = failure("http://127.0.0.1:1", account=RUNS, **option)
    assert failed.problem is Problem.BAD_ARGUMENT
    assert "use one of default, metadata, key-file" in str(failed)


@pytest.mark.parametrize("token", ["ya29.a\nb", "ya29.é", "ya29.a b"])
def test_a_token_that_cannot_be_sent_is_not_shown(bare: Path, token: str) -> None:
    failed = failure("http://127.0.0.1:1", token=token)
    assert failed.problem is Problem.BAD_ARGUMENT
    assert "ya29" not in str(failed)


def test_a_key_that_was_deleted(cloud: Cloud) -> None:
    path = cloud.key_file()
    cloud.oauth.delete_keys(KEYED)
    failed = failure(cloud.url, "key-file", key_file=path)
    assert failed.problem is Problem.CREDENTIALS_REFUSED
    assert f"Google gives {KEYED} no token: invalid_grant: Invalid JWT Signature;" in str(failed)


def test_a_person_who_has_to_sign_in_again(cloud: Cloud) -> None:
    cloud.oauth.sign_out(cloud.sign_in())
    failed = failure(cloud.url, "default")
    assert failed.problem is Problem.CREDENTIALS_REFUSED
    assert "Token has been expired or revoked" in str(failed)


def test_no_way_to_the_server_that_gives_tokens(cloud: Cloud) -> None:
    (cloud.home / "key.json").write_text(make_key().file(KEYED, "http://127.0.0.1:1/token"))
    failed = failure(cloud.url, "key-file", key_file=str(cloud.home / "key.json"))
    assert failed.problem is Problem.NO_WAY_TO_GOOGLE


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_no_way_to_the_server_that_gives_tokens_of_others(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, audience: str | None
) -> None:
    cloud.sign_in()
    for name in ("_IAM_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
        monkeypatch.setattr(iam, name, f"http://{nobody()}/{{}}")
    assert failure(cloud.url, "impersonate", account=RUNS, audience=audience).problem is Problem.NO_WAY_TO_GOOGLE


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_an_account_that_one_may_not_act_as(cloud: Cloud, audience: str | None) -> None:
    cloud.sign_in()
    failed = failure(cloud.url, "impersonate", account=RUNS, audience=audience)
    assert failed.problem is Problem.MAY_NOT_IMPERSONATE
    assert f"add-iam-policy-binding {RUNS}" in str(failed)
    assert "--role=roles/iam.serviceAccountTokenCreator" in str(failed)


def test_a_person_gets_no_id_token(cloud: Cloud) -> None:
    cloud.sign_in()
    failed = failure(cloud.iap_url, audience=AUDIENCE)
    assert failed.problem is Problem.NO_ID_TOKEN
    assert 'credentials="impersonate"' in str(failed)


# --- at the endpoint -----------------------------------------------------------------------------------------------


def test_a_token_that_is_missing(cloud: Cloud) -> None:
    assert failure(cloud.url).problem is Problem.NEEDS_TOKEN


def test_a_gateway_inside_a_network_that_wants_one(bare: Path, serve: Serve) -> None:
    failed = failure(serve(KfpEndpoint(None, guard=lambda _: PlainTextResponse("RBAC: access denied", 403)).app))
    assert failed.problem is Problem.NEEDS_TOKEN
    assert "403: RBAC: access denied;" in str(failed)


def test_a_token_that_is_not_accepted(cloud: Cloud) -> None:
    failed = failure(cloud.url, "token", token="ya29.of-somebody-else")
    assert failed.problem is Problem.UNAUTHORIZED
    assert len(cloud.hosted.seen) == 2  # kfp asks five times, 5 s apart


def test_an_id_token_for_another_audience_and_why_it_is_refused(cloud: Cloud) -> None:
    failed = failure(cloud.iap_url, "metadata", audience="another")
    assert failed.problem is Problem.UNAUTHORIZED
    assert f"token of {RUNTIME}: it answered 401: Invalid IAP credentials: JWT audience doesn't match" in str(failed)


@pytest.mark.parametrize("audience", [None, AUDIENCE])
def test_an_account_that_may_not(cloud: Cloud, serve: Serve, audience: str | None) -> None:
    url = serve(KfpEndpoint(None, guard=lambda _: PlainTextResponse("forbidden", 403)).app)
    failed = failure(url, "metadata", audience=audience)
    assert failed.problem is (Problem.FORBIDDEN_BY_IAP if audience else Problem.FORBIDDEN)
    assert f"--member=serviceAccount:{RUNTIME}" in str(failed)
    role = "roles/iap.httpsResourceAccessor" if audience else "roles/iam.serviceAccountUser"
    assert f"--role={role}" in str(failed)


def test_a_person_who_may_not_is_named_as_one(cloud: Cloud, serve: Serve) -> None:
    cloud.sign_in()
    url = serve(KfpEndpoint(None, guard=lambda _: PlainTextResponse("forbidden", 403)).app)
    assert f"--member=user:{PERSON} " in str(failure(url, "default"))


@pytest.mark.parametrize(
    "answer",
    [PAGE, RedirectResponse("https://accounts.google.com/"), PlainTextResponse("hello", 200)],
    ids=["page", "redirect", "text"],
)
def test_a_login_page(cloud: Cloud, serve: Serve, answer: Response) -> None:
    failed = failure(serve(answering(v2=answer)), "metadata")
    assert failed.problem is Problem.LOGIN_PAGE
    assert f"answered {answer.status_code} with a page for people" in str(failed)


@pytest.mark.parametrize("unknown", [None, PAGE, api_error(404, 5, "Not Found")], ids=["404", "its UI", "its API"])
def test_a_server_of_version_1(bare: Path, serve: Serve, unknown: Response | None) -> None:
    answers = {"v2": unknown} if unknown else {}
    url = serve(answering(**answers, v1=JSONResponse({"tag_name": "1.8.5", "multi_user": False})))
    assert failure(url).problem is Problem.V1_ONLY


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("no", 418), api_error(404, 5), JSONResponse([]), BROKEN_JSON], ids=shown
)
def test_a_server_that_is_none(bare: Path, serve: Serve, answer: Response) -> None:
    assert failure(serve(answering(v2=answer))).problem is Problem.NO_API


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_is_down(bare: Path, serve: Serve, status: int) -> None:
    answer = HTMLResponse("<title>later</title>", status, {"Retry-After": "600"})
    assert failure(serve(answering(v2=answer))).problem is Problem.UNAVAILABLE


def test_an_endpoint_where_nobody_listens(bare: Path) -> None:
    failed = failure(f"http://{nobody()}")
    assert failed.problem is Problem.UNREACHABLE
    assert "kubectl port-forward" in str(failed)


def test_an_endpoint_that_breaks_off(bare: Path, serve: Serve) -> None:
    wire = Wire(answering())
    wire.fail("GET", HEALTH, None, None)
    assert failure(serve(wire)).problem is Problem.BROKEN


def test_an_endpoint_that_never_answers(bare: Path, mute: str, impatient: None) -> None:
    failed = failure(f"http://{mute}")
    assert failed.problem is Problem.NO_ANSWER_IN_TIME
    assert "did not answer within 0.5 s" in str(failed)


def test_a_name_that_is_looked_up_for_ever(bare: Path, monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found.wait())
    try:
        assert failure("https://kfp.acme.example").problem is Problem.NO_ANSWER_IN_TIME
    finally:
        found.set()


@dataclass(frozen=True)
class Tls:
    url: str
    certificate: str


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Tls]:
    """A KFP server, as far as its health, inside a network with an authority of its own."""
    address, certificate = "127.0.0.1", tmp_path / "ca.pem"
    certificate.write_text(certify(make_key(), address))
    (tmp_path / "key.pem").write_text(make_key().private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    body = b'{"tag_name": "2.17.0"}'
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body

    def serve() -> None:
        with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65_536)
            connection.sendall(answer)

    with socket.create_server((address, 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield Tls(f"https://{address}:{listener.getsockname()[1]}", str(certificate))


def test_a_certificate_that_nobody_vouches_for(bare: Path, tls: Tls) -> None:
    failed = failure(tls.url)
    assert failed.problem is Problem.UNTRUSTED
    assert "CERTIFICATE_VERIFY_FAILED" in str(failed)


def test_an_authority_s_file_that_is_not_there(bare: Path, tls: Tls) -> None:
    failed = failure(tls.url, ca_file="nowhere.pem")
    assert failed.problem is Problem.UNTRUSTED
    assert "No such file" in str(failed)


def test_an_authority_of_ones_own_is_taken_from_a_file(bare: Path, tls: Tls) -> None:
    assert connect(tls.url, ca_file=tls.certificate).server_version == "2.17.0"


def test_a_deadline_does_not_wait_for_what_is_late() -> None:
    released = threading.Event()
    with pytest.raises(ConnectError, match=r"no token within 0\.01 s"):
        Deadline(0.01).run(lambda: released.wait(10), Problem.NO_TOKEN_IN_TIME)
    released.set()


def test_all_of_it_takes_five_seconds_at_most() -> None:
    assert connecting.SECONDS <= 5


def test_a_key_of_another_account_is_no_use(cloud: Cloud) -> None:
    path = cloud.key_file()
    cloud.oauth.add_key(KEYED, KEY_ID, make_key(1).public)
    assert failure(cloud.url, "key-file", key_file=path).problem is Problem.CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    "arguments",
    [
        {"host": 5},
        {"host": b"http://127.0.0.1:1"},
        {"stack": 5},
        {"stack": Path("nowhere.yaml")},
        {"stack": "\0.yaml"},
        {"stack": "/"},
        {"credentials": 5},
        {"credentials": "impersonate", "account": RUNS, "source": []},
        {"key_file": 5},
        {"key_file": b"key.json"},
        {"key_file": Path("nowhere.json")},
        {"token": 5},
        {"ca_file": Path("nowhere.pem")},
    ],
    ids=repr,
)
def test_whatever_is_passed_what_is_raised_is_of_one_kind(
    bare: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"http://{nobody()}")
    assert str(failure(**arguments)).count("; ") >= 1

"""Why a service refuses is said in its own words, with what mends it, and means for the event what the table says."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from function_src.launcher.answers import LONGEST_REASON, TABLE, Service, explain
from function_src.launcher.delivery import Outcome
from function_src.launcher.http import HIDDEN, LONGEST_ERROR, LONGEST_WORDS, Api, Response, clean, read_answer
from function_src.launcher.run import (
    ExistsError,
    RefusedError,
    StrandedError,
    TwiceError,
    UnavailableError,
    UnknownError,
)
from function_src.launcher.settings import KfpTarget, Target
from rehearsal.google.errors import REFUSALS
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import GATEWAYS
from rehearsal.kfp.server import KfpEndpoint
from tests.conftest import Serve
from tests.launcher.deliveries import push
from tests.launcher.test_odd_answers import GENUINE, OBJECT, TARGETS, TOKEN, launcher, response, well
from tests.launcher.world import BUCKET, World

S = Service


def answered(status: int, body: Any, location: str = "", sent: str = "", **headers: str) -> Response:
    """An answer to a request that had a token."""
    text = body if isinstance(body, str) else json.dumps(body)
    return response(status, text.encode(), {**headers, **({"Location": location} if location else {})}, sent)


def google(status: int, message: str = "no", reason: str = "", word: str = "", **more: Any) -> Response:
    """Of an API of Google's: ``reason`` as Cloud Storage has it, ``word`` as the newer ones have it."""
    errors = {"errors": [{"domain": "global", "reason": reason, "message": message}]} if reason else {}
    state = {"status": word} if word else {}
    return answered(status, {"error": {"code": status, "message": message, **errors, **state, **more}})


def kfp(status: int, code: int, message: str = "no") -> Response:
    return answered(status, {"error": message, "code": code, "message": message, "details": []})


def details(**info: Any) -> dict[str, Any]:
    return {"details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]}


def refusal(name: str) -> Response:
    found = REFUSALS[name]
    return google(found.code, found.message, found.reason)


def gateway(name: str) -> Response:
    told = GATEWAYS[name]()
    return answered(told.status_code, bytes(told.body).decode(), told.headers.get("location", ""))


PAGE = "<html><head><title>Sign in</title></head><body>…</body></html>"
NO_USER = "Failed to authorize with API: Unauthenticated: there is no user identity header."
NO_RIGHT = "PermissionDenied: User 'accounts.google.com:l@a' is not authorized with reason: (request: …)"
# Who answered what, what it means, and a word of what mends it; at least one for each row of the table.
SAMPLES: list[tuple[Service, Response, type[Exception], str]] = [
    (S.STORAGE, refusal("perimeter"), UnavailableError, "ingress rule"),
    (S.VERTEX, google(403, "Request is prohibited by organization's policy.", word="PERMISSION_DENIED"),
     UnavailableError, "ingress rule"),
    (S.VERTEX, google(403, "off", word="PERMISSION_DENIED", **details(reason="SERVICE_DISABLED")),
     UnavailableError, "enable that API"),
    (S.TOKENS, google(403, "IAM Service Account Credentials API has not been used in project 12 before"),
     UnavailableError, "enable that API"),
    (S.STORAGE, refusal("billing off"), UnavailableError, "gcloud billing projects link"),
    (S.LEDGER, refusal("billing off"), UnavailableError, "gcloud billing projects link"),
    (S.VERTEX, google(403, "This API method requires billing to be enabled."), UnavailableError, "gcloud billing"),
    (S.STORAGE, google(401, "Invalid Credentials", "authError"), UnavailableError, "disabled, or gone?"),
    (S.LEDGER, google(429, "too many changes of it", "rateLimitExceeded"), UnavailableError, "quota"),
    (S.STORAGE, refusal("key of a customer"), RefusedError, "write the object anew"),
    (S.STORAGE, google(400, "x", "resourceIsEncryptedWithCustomerEncryptionKey"), RefusedError, "anew"),
    (S.STORAGE, refusal("requester pays"), UnavailableError, "gs://here --no-requester-pays"),
    (S.LEDGER, google(400, "x", "userProjectMissing"), UnavailableError, "gs://here --no-requester-pays"),
    (S.STORAGE, refusal("key disabled"), UnavailableError, "gcloud kms keys versions enable"),
    (S.STORAGE, google(400, "x", "invalid", **details(violations=[{"type": "KEY_DISABLED"}])),
     UnavailableError, "gcloud kms keys versions enable"),
    (S.STORAGE, refusal("key denied"), UnavailableError, "--authorize-cmek"),
    (S.STORAGE, google(400, "Invalid generation", "invalidParameter"), RefusedError, "no such object"),
    (S.STORAGE, google(404, "No such object: b/n", "notFound"), RefusedError, "the object is gone"),
    (S.STORAGE, refusal("no access"), UnavailableError, "roles/storage.objectViewer on gs://here"),
    (S.LEDGER, refusal("no access"), UnavailableError, "pipeline-trigger doctor"),
    (S.LEDGER, google(404, "The specified bucket does not exist.", "notFound"), UnavailableError, "make up makes it"),
    (S.TOKENS, google(403, "Permission 'iam.serviceAccounts.getAccessToken' denied", word="PERMISSION_DENIED"),
     UnavailableError, "roles/iam.serviceAccountTokenCreator on gs://here"),
    (S.TOKENS, google(404, "Not found; Gaia id not found", word="NOT_FOUND"), UnavailableError, "target.impersonate"),
    (S.METADATA, answered(404, "not found"), UnavailableError, "gcloud iam service-accounts enable"),
    (S.VERTEX, google(409, "there", word="ALREADY_EXISTS"), ExistsError, "that id"),
    (S.VERTEX, google(400, "You do not have permission to act as service_account: r@a", word="INVALID_ARGUMENT"),
     UnavailableError, "roles/iam.serviceAccountUser"),
    (S.VERTEX, google(400, "`r` does not have `[storage.objects.get]` IAM permission(s) to the bucket",
                      word="INVALID_ARGUMENT"), UnavailableError, "target.pipeline_root"),
    (S.VERTEX, google(400, "Cloud KMS key is not in the region", word="INVALID_ARGUMENT"),
     UnavailableError, "target.cmek_key"),
    (S.VERTEX, google(400, "unknown component", word="INVALID_ARGUMENT"), RefusedError, "then replay"),
    (S.VERTEX, google(403, "denied", word="PERMISSION_DENIED"), UnavailableError, "create pipeline jobs"),
    (S.VERTEX, google(404, "no location", word="NOT_FOUND"), UnavailableError, "target.location"),
    (S.KFP, kfp(500, 13, "Failed to store run a to table: Error 1366 (HY000)"), StrandedError, "target.database"),
    (S.KFP, kfp(500, 13, "Failed to store run a: Error 1062: Duplicate entry"), TwiceError, "that id was there"),
    (S.KFP, kfp(500, 13, "Failed to store run a: the request is too large"), UnknownError, "database"),
    (S.KFP, kfp(500, 13, "error fetching manifest: invalid v2 pipeline spec"), RefusedError, "then replay"),
    (S.KFP, kfp(500, 13, "Failed to create a workflow for (a): dial tcp 10.0.0.1:443"), UnavailableError, "cluster"),
    (S.KFP, kfp(500, 13, "Failed to create a workflow for (a): x is forbidden: quota"), UnavailableError, "quotas"),
    (S.KFP, kfp(500, 13, "Failed to check supplied run ID 0"), UnavailableError, "database"),
    (S.KFP, kfp(400, 3, "Run cannot have an empty namespace"), UnavailableError, "target.namespace"),
    (S.KFP, kfp(400, 3, "parameter a is missing"), RefusedError, "then replay"),
    (S.KFP, kfp(409, 10, "bad"), RefusedError, "then replay"),
    (S.KFP, kfp(401, 16, NO_USER), UnavailableError, "passes no user on"),
    (S.KFP, kfp(403, 7, NO_RIGHT), UnavailableError, "kubeflow-edit"),
    (S.KFP, kfp(404, 5, "Experiment 1 not found"), UnavailableError, "made anew"),
    (S.KFP, answered(401, "Invalid IAP credentials: Invalid JWT audience."), UnavailableError, "target.audience"),
    (S.KFP, gateway("Istio"), UnavailableError, "AuthorizationPolicy"),
    (S.KFP, gateway("Istio, of tokens"), UnavailableError, "RequestAuthentication"),
    (S.KFP, gateway("Istio, of audiences"), UnavailableError, "RequestAuthentication"),
    (S.KFP, gateway("oauth2-proxy"), UnavailableError, "--skip-jwt-bearer-tokens"),
    (S.KFP, gateway("Dex"), UnavailableError, "--skip-jwt-bearer-tokens"),
    (S.KFP, gateway("Kubeflow's dashboard"), UnknownError, "below /pipeline"),
    (S.KFP, answered(302, "", "https://accounts.google.com/o/oauth2/v2/auth?x=1"), UnavailableError, "for IAP"),
    (S.KFP, answered(307, PAGE, "/login"), UnavailableError, "it wants a login"),
    (S.KFP, answered(200, PAGE), UnknownError, "it wants a login"),
    (S.KFP, gateway("Envoy"), UnknownError, "kubectl get pods"),
    (S.KFP, answered(401, {}), UnavailableError, "does not accept the token"),
    (S.KFP, answered(403, "forbidden"), UnavailableError, "target.access"),
    (S.KFP, answered(404, "<pre>Cannot POST /apis/v2beta1/runs</pre>"), UnavailableError, "no KFP API v2beta1"),
    (S.KFP, answered(413, "<html><h1>413 Request Entity Too Large</h1></html>"), RefusedError, "a file's URI"),
    (S.VERTEX, google(413, "too large"), RefusedError, "a file's URI"),
    (S.KUBERNETES, answered(401, {"message": "Unauthorized", "reason": "Unauthorized"}), UnavailableError, "token"),
    (S.KUBERNETES, answered(403, {"message": "workflows is forbidden"}), UnavailableError, "docs/guarantees.md"),
    (S.KUBERNETES, answered(404, "404 page not found"), UnavailableError, "target.workflows"),
    (S.VERTEX, google(400, "no quota yet", word="FAILED_PRECONDITION"), UnavailableError, "no quota yet"),
    (S.KFP, kfp(503, 14, "try again later"), UnknownError, "try again later"),
    (S.KFP, kfp(409, 6, "there already"), UnknownError, "there already"),
    (S.STORAGE, google(503, "backend"), UnavailableError, "backend"),
]  # fmt: skip
READ = [(service, read_answer(response), error, fix) for service, response, error, fix in SAMPLES]


@pytest.mark.parametrize(
    ("service", "answer", "error", "fix"), READ, ids=[f"{row[0]} {row[1].status} {row[1].words[:30]}" for row in READ]
)
def test_an_answer_means_what_the_table_says_and_is_told_in_its_own_words(
    service: Service, answer: Any, error: type[Exception], fix: str
) -> None:
    meaning = explain(service, answer, "gs://here")
    assert meaning.error is error
    assert meaning.told.startswith(f"{service} answered {answer.status}")
    assert answer.words.rstrip(".") in meaning.told
    assert fix in meaning.told


def test_every_row_of_the_table_is_met_by_an_answer() -> None:
    met = {next(row for row in TABLE if row.fits(service, answer)) for service, answer, _, _ in READ}
    assert not [row for row in TABLE if row not in met]


def test_every_answer_of_every_service_has_a_row() -> None:
    for service in Service:
        for status in range(100, 600):
            assert explain(service, read_answer(answered(status, "")))


@given(
    status=st.sampled_from([400, 401, 403, 404, 409, 413, 500]) | st.integers(200, 599),
    text=st.text() | st.sampled_from([row.words for row in TABLE]),
)
def test_only_413_of_what_a_proxy_says_refuses_a_run_for_ever(status: int, text: str) -> None:
    """It may be a page of any kind, and nothing in it is the server's word on the run."""
    meaning = explain(S.KFP, read_answer(answered(status, text)))
    assert meaning.for_ever is (status == 413)
    assert meaning.error in (RefusedError, UnavailableError, UnknownError)


@given(st.sampled_from([row.words for row in TABLE]), st.sampled_from([409, 500, 503, 504]))
def test_what_comes_of_storing_a_run_never_says_that_none_was_started(words: str, status: int) -> None:
    """The server stores a run when its workflow is there, whatever else it says."""
    said = f"Failed to store run a to table: {words.replace(' | ', ', ')}"
    assert explain(S.KFP, read_answer(kfp(status, 13, said))).error in (UnknownError, TwiceError, StrandedError)


@pytest.mark.parametrize("status", range(400, 600))
def test_the_ledger_never_decides_an_event_by_not_answering(status: int) -> None:
    for _, told, _, _ in SAMPLES:
        answer = replace(read_answer(answered(status, "")), words="", marks=read_answer(told).marks)
        assert not explain(S.LEDGER, answer).for_ever


# --- words, and what must not be among them ------------------------------------------------------------------------

OPAQUE = "Zk3-launcher_0f9a8b7c6d5e4f3a2b1c"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiIxMjMifQ.c2lnbmF0dXJl-_x"
ACCESS = "ya29.c.c0ASRK0Ga_w6f-QH1Lr9"
COOKIE, SIGNATURE = "MTc2NDE1-c00k1e-aaaabbbb", "3f9c0de5a1b2c3d4e5f60718"


def echoes(token: str) -> list[str]:
    """How an answer may repeat what a request had, or hand out what is secret."""
    return [
        f"GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nCookie: s={COOKIE}; t={COOKIE}\r\n\r\n",
        f"the token {token} is not known here",
        f"bad credential '{token[:20]}…'",
        f"Bearer {token}",
        f"got {quote(token, safe='')}&x=1",
        f"got {token.upper()}",
        json.dumps({"headers": {"authorization": [f"Bearer {token}"], "cookie": f"_oauth2_proxy={COOKIE}"}}),
        json.dumps(json.dumps({"access_token": token, "session": COOKIE})),
        f"Set-Cookie: GCP_IAAP_AUTH_TOKEN_5={COOKIE}; Secure; HttpOnly",
        f"denied: https://storage.googleapis.com/b/o?X-Goog-Credential=a&X-Goog-Signature={SIGNATURE}&x=1 (GET)",
        f"x-goog-signature={SIGNATURE}",
        f"Authorization: Basic {token}",
        f"\x1b[31m{token}\x1b[0m\u202e\u2028",
    ]


def leaks(text: str, token: str) -> list[str]:
    low = text.lower()
    return [part for part in (token, token[:14], token[-14:], COOKIE, SIGNATURE) if part.lower() in low]


@pytest.mark.parametrize("token", [OPAQUE, JWT, ACCESS])
def test_no_secret_stands_in_what_is_told(token: str) -> None:
    for echo in echoes(token):
        assert not leaks(clean(f"before {echo} after", token), token), echo


@pytest.mark.parametrize("token", [JWT, ACCESS])
def test_a_token_that_was_not_sent_is_known_by_its_looks(token: str) -> None:
    assert clean(f"x={token}, y") == "x=(hidden), y"


@pytest.mark.parametrize(
    "words",
    [
        "Invalid IAP credentials: Invalid bearer token. Invalid JWT audience",
        "Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://a.example/b",
        "OpenID Connect token expired: JWT has expired",
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)",
        "You do not have permission to act as service_account: runner@acme.iam.gserviceaccount.com",
        "vpcServiceControlsUniqueIdentifier: 3fK2-a8Zq_0Xw",
        "launcher@acme.iam.gserviceaccount.com does not have storage.objects.get access to bucket/object",
    ],
)
def test_what_is_no_secret_is_told_whole(words: str) -> None:
    assert clean(words, OPAQUE) == words


def test_words_are_one_line_and_no_longer_than_a_record_wants() -> None:
    answer = read_answer(google(403, "a\x1b[2J\r\nb\u2028c\x00" + "long " * 10_000))
    said = explain(S.STORAGE, answer, "gs://b").told
    assert "answered 403: a [2J b c long" in said
    assert said.isprintable()
    assert len(said) < LONGEST_REASON + 200


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "[]", '"x"', "\x00" * 100, "<", "<title>", '{"error": {"errors": 7}}']
)
def test_what_gives_no_reason_is_an_answer_all_the_same(text: str) -> None:
    assert read_answer(answered(500, text)).status == 500


@pytest.mark.parametrize(
    "text", ["\\", "token", "https://", "authorization", "session='", "bearer ", "?a", "eyJ", " "]
)
def test_words_that_were_made_to_be_slow_to_clean_are_not(text: str) -> None:
    """Backtracking would take so long that this test would not end."""
    for _ in range(20):
        assert len(clean(text * 20_000, OPAQUE)) <= LONGEST_WORDS + len(HIDDEN)


def test_an_error_without_an_end_is_not_read_to_it() -> None:
    raw = HTTPResponse(io.BytesIO(b"x" * (4 * LONGEST_ERROR)), status=403, preload_content=False)
    assert read_answer(Response(raw)).words == ""
    assert raw.tell() < 2 * LONGEST_ERROR


def test_of_what_was_asked_for_nothing_is_told() -> None:
    assert read_answer(answered(206, "a file's content")).words == ""
    assert read_answer(answered(206, {"message": "a file's content"})).words == ""


# --- what becomes of an event --------------------------------------------------------------------------------------


def test_a_file_that_nobody_can_ever_read_is_rejected_at_once(world: World) -> None:
    delivery = world.upload()
    world.storage.buckets[BUCKET].refusal = REFUSALS["key of a customer"]
    handled = world.handle(world.launcher("content"), delivery)
    assert (handled.outcome, handled.status) == ("rejected", 200)
    assert "encrypted by a customer-supplied encryption key; nobody but its writer" in str(handled.reason)
    assert world.outcomes(world.launcher("content"), delivery) == ["duplicate"]
    assert len(world.reads()) == 1


@pytest.mark.parametrize("name", [name for name in REFUSALS if name != "key of a customer"])
def test_a_file_that_a_person_can_make_readable_is_waited_for_and_the_reason_says_how(
    world: World, name: str
) -> None:
    delivery, launcher = world.upload(b"a.csv"), world.launcher("content")
    world.storage.buckets[BUCKET].refusal = REFUSALS[name]
    assert world.outcomes(launcher, delivery) == ["retry"]
    assert REFUSALS[name].message.rstrip(".") + "; " in world.logs[0]["reason"]
    world.storage.buckets[BUCKET].refusal = None
    assert world.outcomes(launcher, delivery) == ["launched"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_that_lets_nobody_in_is_named_with_what_mends_it(world: World, serve: Serve, name: str) -> None:
    behind = KfpEndpoint(None, guard=lambda _: GATEWAYS[name](), pace=Pace(0))
    target = KfpTarget(serve(behind.app), "access-token", "gcs-triggered")
    handled = world.handle(world.launcher(target=target), world.upload())
    assert handled.outcome == "retry"
    words = read_answer(gateway(name)).words
    assert f"answered {GATEWAYS[name]().status_code}: {words}; " in str(handled.reason)
    assert "f00d" not in str(handled.reason)
    assert behind.workflows == []


@dataclass
class Spy:
    """Services of which one answers with what the request had, and all that the launcher writes."""

    token: str
    body: str
    status: int
    headers: Mapping[str, str]
    echoing: str
    seen: set[str] = field(default_factory=set)
    records: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, options: Any, token: str = "") -> Response:
        sent = token or self.token
        service = "storage" if "/storage/" in path else "tokens" if "serviceAccounts" in path else "target"
        service = "metadata" if "/computeMetadata/" in path else service
        if service == "storage" and BUCKET in path:
            service = "file"
        if service == "storage" and method == "POST":
            self.records.append(str(options))
        if service == self.echoing:
            return response(self.status, self.body.encode(), {**self.headers, **GENUINE}, sent)
        if service == "metadata":
            return response(200, TOKEN.replace(b'"t"', json.dumps(self.token).encode()), GENUINE)
        found = well(method, path, self.seen)
        found.sent = sent
        return found


@st.composite
def spies(draw: st.DrawFn) -> Spy:
    echoing = draw(st.sampled_from(["file", "storage", "target", "target", "tokens", "metadata"]))
    # Who makes tokens is sent none by which a strange one could be known.
    token = draw(st.sampled_from([JWT, ACCESS] if echoing == "metadata" else [OPAQUE, JWT, ACCESS]))
    known = st.sampled_from([words for row in TABLE for words in row.words.split(" | ")])
    said = draw(known | st.text(max_size=20)) + " " + draw(st.sampled_from(echoes(token))) + draw(st.text(max_size=9))
    number = draw(st.sampled_from([3, 5, 6, 7, 10, 13, 14, 16]))
    shapes: list[Any] = [
        said,
        f"<html><title>{said}</title></html>",
        {"code": number, "message": said, "error": said},
        {"error": {"code": 400, "message": said, "status": said, "errors": [{"reason": said}]}},
        {"error": said, "error_description": said},
        {"run_id": said, "name": said, "experiments": [{"experiment_id": said}]},
        {"items": [{"metadata": {"name": said, "labels": {"workflows.argoproj.io/completed": "false"}}}]},
        {"items": [{"metadata": {"name": said, "labels": {
            "workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}}}]},
        {"kind": "Status", "message": said, "reason": said},
    ]  # fmt: skip
    shape = draw(st.sampled_from(shapes))
    body = shape if isinstance(shape, str) else json.dumps(shape)
    refusing = [302, 400, 401, 403, 404, 409, 412, 413, 429, 500, 502, 503, 504]
    status = draw(st.sampled_from([*refusing, *([200] if echoing in ("target", "tokens") else [])]))
    headers = {"Location": f"https://h/login?state={quote(said)}", "Date": "Thu, 01 Jan 2026 00:10:00 GMT"}
    seen = {"claimed"} if draw(st.booleans()) else set[str]()
    return Spy(token, body, status, headers, echoing, seen)


@pytest.mark.parametrize("target", TARGETS, ids=["kfp", "vertex", "impersonating", "looking"])
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(spy=spies())
def test_no_body_makes_another_outcome_or_lets_a_token_out(target: Target, spy: Spy) -> None:
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "_send", lambda _, *given: spy.send(*given))
        patch.setattr("time.sleep", lambda _: None)
        patch.setattr(sys, "stdout", written)
        done = launcher(target).handle(*push(OBJECT))
    assert done.outcome in {*Outcome} - {Outcome.DOUBTFUL}
    assert not str(done.reason).startswith("internal error"), done.stack
    for text in (written.getvalue(), *spy.records, str(done.reason), str(done.doubt), str(done.run_url)):
        assert not leaks(text, spy.token), text
    assert len(str(done.reason)) < LONGEST_REASON + 400

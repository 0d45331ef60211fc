"""What can be wrong with an endpoint, and where a token goes."""

from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ops.doctor.web import Web
from rehearsal.kfp.server import KfpEndpoint
from tests.ops.doctor.conftest import COMPUTE, HOST, Clinic

CHECK = f"endpoint {HOST}"
TRIGGER = "echo"
V1, V2 = "/apis/v1beta1/healthz", "/apis/v2beta1/healthz"
EXPERIMENTS = "/apis/v2beta1/experiments"
LOGIN_PAGE = HTMLResponse("<!DOCTYPE html><title>Sign in</title>")
FORBIDDEN = Response("forbidden", 403)
WELL = JSONResponse({"multi_user": False})


class Server:
    """Answers what it is told to, and remembers what it was sent."""

    def __init__(self, answers: Mapping[tuple[str, str], Response]) -> None:
        self.answers = answers
        self.headers: list[Mapping[str, str]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        self.headers.append(request.headers)
        return self.answers.get((request.method, request.url.path), Response("Cannot GET", 404))


ANSWERS = {
    "KFP 1": (
        {("GET", V1): WELL},
        CHECK,
        "problem",
        "speaks v1beta1 only",
        "upgrade Kubeflow Pipelines there to 2.0",
    ),
    "another server": (
        {},
        CHECK,
        "problem",
        "knows no Pipelines API",
        "kubectl describe configmap inverse-proxy-config",
    ),
    "a login page with 200": (
        {("GET", V2): LOGIN_PAGE},
        CHECK,
        "problem",
        "does not take your token (200, a login page)",
        "gcloud auth application-default login",
    ),
    "a redirect to a login page": (
        {("GET", V2): Response(status_code=302, headers={"location": "https://accounts.google.com"})},
        CHECK,
        "problem",
        "does not take your token (302, a login page)",
        "gcloud auth application-default login",
    ),
    "a token that is refused": (
        {("GET", V2): HTMLResponse("Error 401 (Unauthorized)!!1", 401)},
        CHECK,
        "problem",
        "does not take your token (401, a login page)",
        "gcloud auth application-default login",
    ),
    "a person whom nobody let in": (
        {("GET", V2): FORBIDDEN},
        CHECK,
        "could not check",
        "forbids it to you, which says nothing of the launcher",
        f'gcloud iam service-accounts add-iam-policy-binding {COMPUTE} --member="user:$(gcloud config',
    ),
    "reading that is forbidden": (
        {("GET", V2): WELL, ("GET", EXPERIMENTS): FORBIDDEN},
        f"{CHECK}, reading",
        "could not check",
        "forbids it to you",
        "roles/iam.serviceAccountUser",
    ),
    "writing that is forbidden": (
        {("GET", V2): WELL, ("GET", EXPERIMENTS): JSONResponse({}), ("POST", EXPERIMENTS): FORBIDDEN},
        f"{CHECK}, writing",
        "could not check",
        "forbids it to you",
        "roles/iam.serviceAccountUser",
    ),
    "a server that is down": (
        {("GET", V2): HTMLResponse("Service Unavailable", 503)},
        CHECK,
        "could not check",
        "it answers 503: 'Service Unavailable'",
        "try again",
    ),
}


@pytest.mark.parametrize(("answers", "check", "status", "what", "fix"), ANSWERS.values(), ids=ANSWERS)
def test_an_endpoint_that_does_not_let_a_run_be_started(
    clinic: Clinic, answers: dict[tuple[str, str], Response], check: str, status: str, what: str, fix: str
) -> None:
    clinic.endpoint = Server(answers).app
    finding = clinic.look()[check]
    assert finding.status == status
    assert what in finding.what
    assert fix in finding.fix


def test_the_look_at_writing_writes_nothing(clinic: Clinic) -> None:
    endpoint = KfpEndpoint(None)
    clinic.endpoint = endpoint.app
    assert clinic.look()[f"{CHECK}, writing"].status == "ok"
    assert not endpoint._experiments
    assert not endpoint.workflows


def test_an_endpoint_that_cannot_be_reached(clinic: Clinic) -> None:
    clinic.reach = {**clinic.reach, HOST: "http://127.0.0.1:9"}
    finding = clinic.look()[CHECK]
    assert finding.status == "problem"
    assert finding.what == f"{HOST} cannot be reached (ConnectionError)"
    assert finding.fix == "is the host right? kubectl describe configmap inverse-proxy-config -n kubeflow"


def private(clinic: Clinic) -> None:
    clinic.edit(f"host: {HOST}", "host: https://private.example")
    clinic.edit("access: viewer", "access: none")


def test_a_private_endpoint_may_be_out_of_reach_from_here(clinic: Clinic) -> None:
    private(clinic)
    clinic.reach = {**clinic.reach, "https://private.example": "http://127.0.0.1:9"}
    finding = clinic.look()["endpoint https://private.example"]
    assert finding.status == "could not check"
    assert "it may be reachable from the launcher alone" in finding.what
    assert finding.fix == f"pipeline-trigger connect --stack {clinic.stack} --trigger {TRIGGER}"


def test_no_token_goes_to_an_endpoint_that_is_not_a_hosted_one(clinic: Clinic) -> None:
    private(clinic)
    server = Server({("GET", V2): Response(status_code=401)})
    clinic.endpoint = server.app
    finding = clinic.look()["endpoint https://private.example"]
    assert finding.status == "could not check"
    assert "no token of yours is sent to it" in finding.what
    assert finding.fix == f"pipeline-trigger connect --stack {clinic.stack} --trigger {TRIGGER}"
    assert server.headers
    assert not any("authorization" in headers for headers in server.headers)


def test_a_quota_project_goes_to_google_s_apis_only(clinic: Clinic) -> None:
    clinic.person.quota_project_id = "mine-too"
    clinic.project.wants_quota_project = True
    server = Server({("GET", V2): WELL})
    clinic.endpoint = server.app
    assert clinic.look()["project"].status == "ok"
    assert server.headers
    assert not any("x-goog-user-project" in headers for headers in server.headers)


@pytest.mark.parametrize(
    "origin",
    [
        f"{HOST}.evil.example",
        "https://evil.example/x.pipelines.googleusercontent.com",
        "http://cloudresourcemanager.googleapis.com",
        f"{HOST}/pipeline",
    ],
)
def test_nothing_at_all_goes_to_a_lookalike(clinic: Clinic, origin: str) -> None:
    def reach(_: str) -> str:
        raise AssertionError("a request was sent")

    clinic.person.refresh(None)
    with pytest.raises(ValueError, match="is '"):
        Web(clinic.person, reach=reach).send("GET", origin, "/")


def test_nobody_s_netrc_takes_the_token_s_place(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = clinic.stack.with_name("netrc")
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert clinic.look()[CHECK].status == "ok"
    private(clinic)
    server = Server({("GET", V2): WELL})
    clinic.endpoint = server.app
    clinic.look()
    assert not any("authorization" in headers for headers in server.headers)

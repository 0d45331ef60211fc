"""What can be wrong with an endpoint, and where a token goes."""

from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ops.doctor.web import Web
from rehearsal.kfp.server import KfpEndpoint
from tests.ops.doctor.conftest import COMPUTE, HOST, PRIVATE, Clinic

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
        "server",
        "problem",
        "runs Kubeflow Pipelines 1",
        "upgrade the installation to 2.0",
    ),
    "another server": ({}, "server", "problem", "there is no KFP API v2beta1", "is this the Pipelines endpoint?"),
    "a login page with 200": (
        {("GET", V2): LOGIN_PAGE},
        *("server", "problem", "answered 200 with a page for people", "kubectl describe configmap"),
    ),
    "a redirect to a login page": (
        {("GET", V2): Response(status_code=302, headers={"location": "https://accounts.google.com"})},
        *("server", "problem", "answered 302 with a page for people", "kubectl describe configmap"),
    ),
    "a token that is refused": (
        {("GET", V2): HTMLResponse("Error 401 (Unauthorized)!!1", 401)},
        *("server", "problem", "does not accept the token", "is this the right account"),
    ),
    "a person whom nobody let in": (
        {("GET", V2): FORBIDDEN},
        *("server", "could not check", "it forbids it to you, which says nothing of the launcher"),
        f"gcloud iam service-accounts add-iam-policy-binding {COMPUTE} --member=user:",
    ),
    "reading that is forbidden": (
        {("GET", V2): WELL, ("GET", EXPERIMENTS): FORBIDDEN},
        *("may list experiments", "could not check", "forbids it to you", "roles/iam.serviceAccountUser"),
    ),
    "writing that is forbidden": (
        {("GET", V2): WELL, ("POST", EXPERIMENTS): FORBIDDEN},
        *("may change things", "could not check", "forbids it to you", "roles/iam.serviceAccountUser"),
    ),
    "writing that the server forbids": (
        {("GET", V2): WELL, ("POST", EXPERIMENTS): JSONResponse({"message": "not you"}, 403)},
        *("may change things", "could not check", "the endpoint answered 403: not you", "ask those who run"),
    ),
    "a server that is down": (
        {("GET", V2): HTMLResponse("Service Unavailable", 503)},
        *("server", "could not check", "answered 503: it is not available", "wait for it"),
    ),
}


@pytest.mark.parametrize(("answers", "step", "status", "what", "fix"), ANSWERS.values(), ids=ANSWERS)
def test_an_endpoint_that_does_not_let_a_run_be_started(
    clinic: Clinic, answers: dict[tuple[str, str], Response], step: str, status: str, what: str, fix: str
) -> None:
    clinic.endpoint = Server(answers).app
    finding = clinic.look()[f"{CHECK}, {step}"]
    assert finding.status == status
    assert what in finding.what
    assert fix in finding.fix


def test_the_look_at_writing_writes_nothing(clinic: Clinic) -> None:
    endpoint = KfpEndpoint(None)
    clinic.endpoint = endpoint.app
    assert clinic.look()[CHECK].what == "it speaks v2beta1, and lets you read and change things"
    assert not endpoint.experiments.rows
    assert not endpoint.workflows


def test_an_endpoint_with_several_users_needs_a_namespace_in_the_stack_file(clinic: Clinic) -> None:
    """Without one no event would launch, and each would be tried for 16 hours."""
    clinic.endpoint = KfpEndpoint(None, multi_user=True).app
    finding = clinic.look()[f"{CHECK}, may list experiments"]
    assert (finding.status, finding.fix) == ("problem", "set target.namespace to the namespace of the runs")
    assert "it has several users" in finding.what
    clinic.edit("access: viewer", "access: viewer\n        namespace: team-orders")
    assert clinic.look()[CHECK].status == "ok"


def private(clinic: Clinic) -> None:
    clinic.edit(f"host: {HOST}", f"host: {PRIVATE}")
    clinic.edit("access: viewer", "access: none")


@pytest.mark.parametrize("host", [HOST, PRIVATE])
def test_an_endpoint_may_be_out_of_reach_from_here_alone(clinic: Clinic, host: str) -> None:
    if host == PRIVATE:
        private(clinic)
    clinic.reach = {**clinic.reach, host: "http://127.0.0.1:9"}
    finding = clinic.look()[f"endpoint {host}, server"]
    assert finding.status == "could not check"
    assert finding.what.startswith(f"{host} cannot be reached: ")
    assert finding.fix.startswith("is the name right, and the network?")


def test_a_private_endpoint_may_show_a_page_to_others_than_the_launcher(clinic: Clinic) -> None:
    private(clinic)
    clinic.endpoint = Server({("GET", V2): LOGIN_PAGE}).app
    assert clinic.look()[f"endpoint {PRIVATE}, server"].status == "could not check"


def test_no_token_goes_to_an_endpoint_that_is_not_a_hosted_one(clinic: Clinic) -> None:
    private(clinic)
    server = Server({("GET", V2): Response(status_code=401)})
    clinic.endpoint = server.app
    finding = clinic.look()[f"endpoint {PRIVATE}, server"]
    assert finding.status == "could not check"
    assert "wants a token and was sent none" in finding.what
    assert server.headers
    assert not any("authorization" in headers for headers in server.headers)


def test_a_person_gets_no_token_for_identity_aware_proxy(clinic: Clinic) -> None:
    clinic.edit(f"host: {HOST}", f"host: {PRIVATE}\n        audience: 1-a.apps.googleusercontent.com")
    clinic.edit("access: viewer", "access: iap\n        iap_backend_service: kfp")
    finding = clinic.look()[f"endpoint {PRIVATE}, token"]
    assert finding.status == "could not check"
    assert finding.what == "a person's credentials get no ID token for 1-a.apps.googleusercontent.com"
    assert finding.fix.startswith("act as a service account")


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
        HOST,
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


# --- a fence --------------------------------------------------------------------------------------------------------


def test_a_hosted_endpoint_is_advised_to_have_a_fence_and_told_why(clinic: Clinic) -> None:
    finding = clinic.look()[f"fence at {HOST}"]
    assert finding.status == "advice"
    assert "forwards a request again when the agent in the cluster restarts: a second workflow" in finding.what
    assert finding.what.endswith(f"without: {TRIGGER}")
    assert "set target.fence: true" in finding.fix


def test_an_endpoint_with_a_fence_or_without_that_proxy_is_not(clinic: Clinic) -> None:
    clinic.edit(f"host: {HOST}", f"host: {HOST}\n        fence: true\n        runner: r@a.iam.gserviceaccount.com")
    clinic.project.accounts["r@a.iam.gserviceaccount.com"] = {}
    assert not [check for check in clinic.look() if check.startswith("fence")]
    clinic.edit(f"host: {HOST}\n        fence: true\n        runner: r@a.iam.gserviceaccount.com", f"host: {HOST}")
    private(clinic)
    assert not [check for check in clinic.look() if check.startswith("fence")]

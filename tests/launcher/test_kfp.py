"""The endpoint is asked for a run once, and what its answer means for the run is known or known to be unknown."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import kfp_server_api
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from function_src.launcher.credentials import AccessTokens, TokenUnavailableError
from function_src.launcher.http import Api
from function_src.launcher.kfp import Endpoint
from function_src.launcher.package import read_package
from function_src.launcher.run import RefusedError, Run, StrandedError, TwiceError, UnavailableError, UnknownError
from function_src.launcher.settings import KfpTarget
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import Below
from rehearsal.kfp.requests import read_message
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import HOST
from tests.conftest import Serve
from tests.launcher.conftest import TIMEOUT, HangUp
from tests.launcher.deliveries import as_json
from tests.launcher.wire import EXPERIMENTS, RUNS, Wire, api_error, page, shown

TOKEN = "ya29.launcher"
CALLER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
RUN_ID = "0f5c3f0e-5a0c-5f43-9d0b-0a3f5d1c2b4a"
RUN_PATH = f"{RUNS}/{RUN_ID}"
PACKAGE = {
    "pipelineInfo": {"name": "echo"},
    "root": {"inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}}},
    "schemaVersion": "2.1.0",
}
KEY = "0123456789abcdef0123456789abcdef"
URI = "gs://b/a.csv"
RUN = Run(RUN_ID, "acme/dev/echo", f"{URI}#7", "a.csv", KEY, read_package(as_json(PACKAGE)), {"text": URI})


class OneToken(AccessTokens):
    """The same token for ever, from nowhere."""

    def get(self, *, refused: str | None = None) -> str:
        return TOKEN


class NoToken(AccessTokens):
    def get(self, *, refused: str | None = None) -> str:
        raise TokenUnavailableError("no token")


@dataclass
class Installation:
    """A KFP installation behind a wire. Each client is another process's."""

    server: KfpEndpoint
    wire: Wire
    host: str

    def client(self, tokens: AccessTokens | None = None, **options: Any) -> Endpoint:
        return Endpoint(Api(self.host, tokens or OneToken(), TIMEOUT), target(self.host, **options))


def target(host: str, **options: Any) -> KfpTarget:
    return KfpTarget(host, "access-token", **{"experiment": "gcs-triggered"} | options)


@pytest.fixture
def kfp(serve: Serve) -> Installation:
    return install(serve)


def install(serve: Serve, *, multi_user: bool = False) -> Installation:
    server = KfpEndpoint({TOKEN: CALLER}.get, pace=Pace(0), multi_user=multi_user)
    wire = Wire(server.app)
    return Installation(server, wire, serve(wire))


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address at which nobody listens, and nobody else will while the test runs."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield f"http://{HOST}:{taken.getsockname()[1]}"


def endpoint(host: str) -> Endpoint:
    return Endpoint(Api(host, None, TIMEOUT), target(host))


# --- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_is_started_as_it_was_asked_for(kfp: Installation) -> None:
    client = kfp.client()
    assert client.start(RUN) == RUN_ID
    [workflow] = kfp.server.workflows
    assert (workflow.run_id, workflow.caller, workflow.package, workflow.parameters) == (
        RUN_ID,
        CALLER,
        PACKAGE,
        {"text": "gs://b/a.csv"},
    )
    row = kfp.server._find_run(RUN_ID).row
    assert row["display_name"] == "echo-a.csv-01234567"
    assert row["description"] == f"trigger=acme/dev/echo key={KEY} package={RUN.package.digest} event={URI}#7"
    assert kfp.server.experiments.rows[row["experiment_id"]]["display_name"] == "gcs-triggered"


def test_a_run_that_was_started_is_there_and_another_is_not(kfp: Installation) -> None:
    client = kfp.client()
    assert not client.has_run(RUN_ID)
    client.start(RUN)
    assert client.has_run(RUN_ID)
    assert not client.has_run(RUN_ID.replace("0", "1"))


def test_a_run_has_a_page(kfp: Installation) -> None:
    assert kfp.client().run_url(RUN_ID) == f"{kfp.host}/#/runs/details/{RUN_ID}"


def test_an_installation_below_a_path_is_asked_there_and_nowhere_else(kfp: Installation, serve: Serve) -> None:
    outside = Wire(Below(kfp.wire, "/pipeline"))
    host = f"{serve(outside)}/pipeline"
    client = Endpoint(Api(host, OneToken(), TIMEOUT), target(host))
    assert client.start(RUN) == RUN_ID
    assert client.has_run(RUN_ID)
    assert {seen.path.partition("/apis/")[0] for seen in outside.seen} == {"/pipeline"}
    assert client.run_url(RUN_ID) == f"{host}/#/runs/details/{RUN_ID}"


def test_the_dashboard_in_front_of_one_is_named_with_the_path_that_is_missing(
    kfp: Installation, serve: Serve
) -> None:
    with pytest.raises(UnavailableError, match="dashboard of a whole Kubeflow: its Pipelines API is below /pipeline"):
        endpoint(serve(Below(kfp.wire, "/pipeline"))).start(RUN)


# What the server or a proxy before it can say, row by row; what it means for the run; and how it is told.
MEANINGS: list[tuple[Response | None, type[Exception], str]] = [
    (api_error(400, 3, "parameter text is missing"), RefusedError, "answered 400: parameter text is missing"),
    (api_error(400, 9), RefusedError, "answered 400: no"),
    (api_error(400, 11), RefusedError, "answered 400: no"),
    (page(400), UnavailableError, "answered 400: a page: 400"),
    (JSONResponse({"error": "bad header"}, 400), UnavailableError, "answered 400: bad header"),
    (api_error(401, 16), UnavailableError, "answered 401: no"),
    (
        page(401),
        UnavailableError,
        "answered 401: a page: 401; it does not accept the token of the function's identity",
    ),
    (api_error(403, 7), UnavailableError, "answered 403: no"),
    (page(403), UnavailableError, "answered 403: a page: 403; the function's identity has no access to it"),
    (api_error(404, 5), UnavailableError, "answered 404: no"),
    (page(404), UnavailableError, "answered 404: a page: 404; the host serves no KFP API v2beta1"),
    (api_error(409, 10), RefusedError, "answered 409: no"),
    (api_error(409, 6), UnknownError, "answered 409: no"),
    (page(409), UnknownError, "answered 409: a page: 409"),
    (api_error(429, 8), UnavailableError, "answered 429: no"),
    (page(429), UnavailableError, "answered 429: a page: 429"),
    (api_error(499, 1), UnknownError, "answered 499: no"),
    (api_error(500, 13, "Duplicate entry"), TwiceError, "answered 500: Duplicate entry"),
    *(
        (api_error(500, 13, f"Failed to create a run: Failed to store run echo to table: {text}"), error, "Failed to")
        for text, error in (
            ("Error 1366 (HY000): Incorrect string value: '\\xF0\\x9F' for column 'Description'", StrandedError),
            ("Error 1366: Incorrect string value: '\\xF0\\x9F' for column 'Description'", StrandedError),
            ("Error 1406 (22001): Data too long for column 'Description' at row 1", StrandedError),
            ("Error 1062 (23000): Duplicate entry '0f5c' for key 'run_details.PRIMARY'", TwiceError),
            ("Error 1290 (HY000): The MySQL server is running with the --read-only option", UnknownError),
            ("invalid connection", UnknownError),
            ("dial tcp 10.0.0.7:3306: connect: connection refused", UnknownError),
        )
    ),
    *(
        (
            api_error(500, 13, f"InternalServerError: {text}"),
            RefusedError,
            "answered 500: InternalServerError: Failed",
        )
        for text in (
            "Failed to validate workflow for (echo-): cannot finish template replacement",
            "Failed to create a workflow for (echo-): etcdserver: request is too large",
            "Failed to create a run due to error fetching manifest: unknown template format",
            "Failed to generate the ExecutionSpec: unknown field",
        )
    ),
    *(
        (api_error(500, 13, f"InternalServerError: {text}"), UnavailableError, "answered 500: InternalServerError:")
        for text in (
            "Failed to create a workflow for (echo-): dial tcp 10.0.0.1:443: connect: connection refused",
            "Failed to create a workflow for (echo-): workflows.argoproj.io is forbidden: exceeded quota",
            "Failed to check supplied run ID 0f5c before creation: invalid connection",
        )
    ),
    (api_error(500, 13, "Failed to create a workflow for (echo-): EOF"), UnknownError, "answered 500: Failed"),
    (api_error(503, 14, "Failed to create a workflow for (echo-) - try again later"), UnknownError, "answered 503"),
    (
        api_error(400, 3, "Run cannot have an empty namespace in multi-user mode"),
        UnavailableError,
        "in multi-user mode; it serves several users: set target.namespace",
    ),
    (page(500), UnknownError, "answered 500: a page: 500"),
    (page(502), UnknownError, "answered 502: a page: 502"),
    (api_error(503, 14, "try again later"), UnknownError, "answered 503: try again later"),
    (page(503), UnknownError, "answered 503: a page: 503"),
    (api_error(504, 4), UnknownError, "answered 504: no"),
    (page(504), UnknownError, "answered 504: a page: 504"),
    (page(301), UnavailableError, "answered 301: it leads to nowhere; it wants a login"),
    (page(302), UnavailableError, "answered 302: it leads to nowhere; it wants a login"),
    (page(307), UnavailableError, "answered 307: it leads to nowhere; it wants a login"),
    (page(200), UnknownError, "answered 200: a page: 200; it wants a login"),
    (JSONResponse({}), UnknownError, "answered 200 with no reason"),
    (JSONResponse([]), UnknownError, "answered 200 with no reason"),
    (JSONResponse({"run_id": None}), UnknownError, "answered 200 with no reason"),
    (Response(status_code=204), UnknownError, "answered 204 with no reason"),
    (None, UnknownError, "ProtocolError at http"),
]


@pytest.mark.parametrize(("answer", "error", "message"), MEANINGS, ids=[shown(row[0]) for row in MEANINGS])
def test_what_the_answer_to_a_start_means(
    kfp: Installation, answer: Response | None, error: type[Exception], message: str
) -> None:
    sent = kfp.wire.fail_for_good("POST", RUNS, answer)
    with pytest.raises((RefusedError, UnavailableError, UnknownError)) as failure:
        kfp.client().start(RUN)
    assert type(failure.value) is error
    assert message in str(failure.value)
    assert kfp.wire.count("POST", "/runs") == sent
    assert kfp.server.workflows == []


@pytest.mark.parametrize("parameters", [{"text": "\U0001f600"}, {"text": "x" * 2**17}], ids=["letter", "size"])
def test_what_could_not_be_stored_or_run_is_refused_before_anything_is_sent(
    kfp: Installation, parameters: dict[str, str]
) -> None:
    with pytest.raises(RefusedError, match="parameter"):
        kfp.client().start(replace(RUN, parameters=parameters))
    assert kfp.wire.seen == []


def test_a_letter_that_the_target_says_its_database_takes_is_sent(kfp: Installation) -> None:
    client = kfp.client(database="utf8mb4")
    client._find_experiment()
    kfp.wire.fail("POST", RUNS, JSONResponse({"run_id": RUN_ID}))
    assert client.start(replace(RUN, parameters={"text": "\U0001f600"})) == RUN_ID


def test_whatever_an_event_is_called_what_is_written_of_it_can_be_stored(kfp: Installation) -> None:
    """The letters of a name would start a workflow and keep its run from being stored (Error 1366)."""
    kfp.client().start(replace(RUN, event="gs://b/\U0001f600 été.csv#7", label="\U0001f600 été.csv"))
    sent = json.loads(kfp.wire.seen[-1].body)
    assert sent["display_name"] == "echo--t-.csv-01234567"
    assert sent["description"].endswith(" event=gs://b/%F0%9F%98%80 %C3%A9t%C3%A9.csv#7")


def test_an_endpoint_that_nobody_serves_has_started_nothing(refusing: str) -> None:
    with pytest.raises(UnavailableError) as failure:
        endpoint(refusing).start(RUN)
    assert type(failure.value) is UnavailableError
    assert str(failure.value) == f"NewConnectionError at {refusing}"


def test_a_start_that_cannot_connect_has_started_nothing(kfp: Installation, refusing: str) -> None:
    client = kfp.client()
    client._find_experiment()
    client._api = Api(refusing, None, TIMEOUT)
    with pytest.raises(UnavailableError):
        client.start(RUN)


def test_a_start_whose_connection_drops_may_have_started_a_run(kfp: Installation, hang_up: HangUp) -> None:
    client = kfp.client()
    client._find_experiment()
    client._api = Api(hang_up.host, None, TIMEOUT)
    with pytest.raises(UnknownError, match=r"^ProtocolError at "):
        client.start(RUN)
    assert [head.split()[:2] for head in hang_up.heads] == [[b"POST", RUNS.encode()]]


def test_a_second_start_of_an_id_is_not_taken_for_a_refusal(kfp: Installation) -> None:
    kfp.client().start(RUN)
    with pytest.raises(UnknownError, match="Duplicate entry"):
        kfp.client().start(RUN)


def test_without_a_token_nothing_is_started(kfp: Installation) -> None:
    client = kfp.client()
    client._find_experiment()
    client._api = Api(kfp.host, NoToken(), TIMEOUT)
    with pytest.raises(UnavailableError, match=r"^no token$"):
        client.start(RUN)
    assert kfp.wire.count("POST", "/runs") == 0


def test_a_start_waits_for_its_token_before_it_looks_at_its_lease(kfp: Installation) -> None:
    """A token can take long. Looked at before, the lease could be over when the POST leaves."""
    client, happened = kfp.client(), list[str]()
    client._find_experiment()

    class Noting(OneToken):
        def get(self, *, refused: str | None = None) -> str:
            happened.append("token")
            return TOKEN

    def may_send() -> bool:
        happened.append("lease")
        return True

    client._api = Api(kfp.host, Noting(), TIMEOUT)
    client.start(RUN, may_send)
    assert happened == ["token", "lease"]


def test_a_start_looks_at_its_lease_again_before_it_is_sent_again(kfp: Installation) -> None:
    client, answers = kfp.client(), iter([True, False])
    client._find_experiment()
    kfp.wire.fail("POST", RUNS, page(401))
    with pytest.raises(UnavailableError, match="answered 401"):
        client.start(RUN, lambda: next(answers))
    assert kfp.wire.count("POST", "/runs") == 1


def test_the_id_that_the_endpoint_chose_is_returned_when_it_ignores_ours(kfp: Installation) -> None:
    kfp.wire.fail("POST", RUNS, JSONResponse({"run_id": "its-own"}))
    assert kfp.client().start(RUN) == "its-own"


def test_a_long_message_of_the_endpoint_is_cut(kfp: Installation) -> None:
    kfp.wire.fail("POST", RUNS, api_error(400, 3, "x" * 10_000))
    with pytest.raises(RefusedError) as failure:
        kfp.client().start(RUN)
    assert len(str(failure.value)) < 600


@pytest.mark.parametrize(
    "answer",
    [
        *(page(status) for status in (200, 302, 401, 403, 404, 429, 500, 502, 503, 504)),
        *(api_error(status, code) for status, code in ((400, 3), (401, 16), (403, 7), (500, 13), (503, 14))),
        api_error(404, 12),
        JSONResponse({}, 404),
        JSONResponse({}),
        JSONResponse([]),
        JSONResponse({"run_id": RUN_ID[::-1]}),
        JSONResponse({"run_id": RUN_ID}, 202),
        None,
    ],
    ids=shown,
)
def test_only_a_clear_answer_says_whether_a_run_exists(kfp: Installation, answer: Response | None) -> None:
    client = kfp.client()
    client.start(RUN)
    kfp.wire.fail_for_good("GET", RUN_PATH, answer)
    with pytest.raises(UnavailableError):
        client.has_run(RUN_ID)


def test_an_endpoint_that_hangs_up_does_not_say_whether_a_run_exists(hang_up: HangUp) -> None:
    with pytest.raises(UnavailableError):
        endpoint(hang_up.host).has_run(RUN_ID)
    assert len(hang_up.heads) == 1


# --- the experiment ------------------------------------------------------------------------------------------------


def test_the_experiment_is_created_once_and_looked_up_once_per_process(kfp: Installation) -> None:
    client = kfp.client()
    for number in range(3):
        client.start(replace(RUN, id=f"{number}"))
    assert (kfp.wire.count("GET", "/experiments"), kfp.wire.count("POST", "/experiments")) == (1, 1)


def test_threads_that_need_the_experiment_together_look_it_up_once(kfp: Installation) -> None:
    client, barrier = kfp.client(), threading.Barrier(8)

    def start(number: int) -> str:
        barrier.wait()
        return client.start(replace(RUN, id=f"{number}"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 8
    assert (kfp.wire.count("GET", "/experiments"), kfp.wire.count("POST", "/experiments")) == (1, 1)


def test_an_experiment_that_exists_is_used(kfp: Installation) -> None:
    kfp.client().start(RUN)
    kfp.client().start(replace(RUN, id="2"))
    assert kfp.wire.count("POST", "/experiments") == 1
    assert len({run.row["experiment_id"] for run in kfp.server._runs.values()}) == 1


def test_the_experiment_is_found_by_its_name_among_others(kfp: Installation) -> None:
    for name in ("Default", "gcs-triggered-2", "gcs-triggered"):
        kfp.client(experiment=name)._find_experiment()
    kfp.client().start(RUN)
    [run] = kfp.server._runs.values()
    assert kfp.server.experiments.rows[run.row["experiment_id"]]["display_name"] == "gcs-triggered"
    assert len(kfp.server.experiments.rows) == 3


def test_another_process_that_creates_the_experiment_first_is_no_failure(kfp: Installation) -> None:
    kfp.client()._find_experiment()
    kfp.wire.fail("GET", EXPERIMENTS, JSONResponse({}))  # the answer from before the other one came
    assert kfp.client().start(RUN) == RUN_ID
    assert len(kfp.server.experiments.rows) == 1


def test_an_experiment_that_was_deleted_is_created_again_at_the_next_start(kfp: Installation) -> None:
    client = kfp.client()
    client._find_experiment()
    kfp.server.experiments.rows.clear()
    with pytest.raises(UnavailableError, match=r"answered 404: .*Experiment .* not found"):
        client.start(RUN)
    assert client.start(RUN) == RUN_ID
    assert kfp.wire.count("POST", "/experiments") == 2


EXPERIMENT_FAILURES = [
    *(page(status) for status in (200, 302, 400, 401, 403, 404, 500, 503, 504)),
    *(api_error(400, 3), api_error(500, 13), JSONResponse([]), None),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("answer", EXPERIMENT_FAILURES, ids=shown)
def test_without_the_experiment_nothing_is_started_and_the_next_start_looks_again(
    kfp: Installation, method: str, answer: Response | None
) -> None:
    client = kfp.client()
    kfp.wire.fail_for_good(method, EXPERIMENTS, answer)
    with pytest.raises(UnavailableError):
        client.start(RUN)
    assert kfp.wire.count("POST", "/runs") == 0
    assert client.start(RUN) == RUN_ID


def test_a_name_that_is_taken_by_what_cannot_be_found_is_said(kfp: Installation) -> None:
    kfp.wire.fail("POST", EXPERIMENTS, api_error(409, 6, "already exists"))
    with pytest.raises(UnavailableError, match="answered 409: already exists"):
        kfp.client().start(RUN)


# --- what a target asks for beside ---------------------------------------------------------------------------------


def test_output_and_account_go_along_where_they_are_set(kfp: Installation) -> None:
    kfp.client(pipeline_root="gs://acme-runs/out", service_account="default-editor").start(RUN)
    body = json.loads(kfp.wire.seen[-1].body)
    assert body["runtime_config"] == {"parameters": RUN.parameters, "pipeline_root": "gs://acme-runs/out"}
    assert body["service_account"] == "default-editor"
    read_message(kfp.wire.seen[-1].body, kfp_server_api.V2beta1Run)


def test_experiments_of_one_name_in_two_namespaces_are_two(serve: Serve) -> None:
    kfp = install(serve, multi_user=True)
    for number, namespace in enumerate(["forecasting", "search", "forecasting"]):
        kfp.client(namespace=namespace).start(replace(RUN, id=f"{number}"))
    found = [kfp.server.experiments.rows[run.row["experiment_id"]] for run in kfp.server._runs.values()]
    assert [row["namespace"] for row in found] == ["forecasting", "search", "forecasting"]
    assert len(kfp.server.experiments.rows) == 2


# --- an installation of KFP 1 --------------------------------------------------------------------------------------


def test_an_endpoint_that_speaks_v1beta1_only_is_said_to(kfp: Installation) -> None:
    kfp.server.v1_only = True
    with pytest.raises(UnavailableError, match="speaks the KFP API v1beta1 only: upgrade it to KFP 2"):
        kfp.client().start(RUN)
    assert [seen.path for seen in kfp.wire.seen] == [EXPERIMENTS, "/apis/v1beta1/healthz"]
    assert "authorization" in kfp.wire.seen[-1].headers


@pytest.mark.parametrize("answer", [page(404), page(200), page(401), JSONResponse([]), None], ids=shown)
def test_what_else_is_not_found_is_not_taken_for_v1(kfp: Installation, answer: Response | None) -> None:
    kfp.wire.fail("GET", EXPERIMENTS, page(404))
    kfp.wire.fail_for_good("GET", "/apis/v1beta1/healthz", answer)
    with pytest.raises(UnavailableError, match="404: a page: 404; the host serves no KFP API v2beta1"):
        kfp.client().start(RUN)


def test_an_ordinary_start_asks_nobody_about_v1(kfp: Installation) -> None:
    kfp.client().start(RUN)
    assert kfp.wire.count("GET", "/healthz") == 0


# --- Identity-Aware Proxy ------------------------------------------------------------------------------------------


def test_the_reason_of_identity_aware_proxy_is_passed_on(kfp: Installation) -> None:
    told = PlainTextResponse("Invalid IAP credentials: Unable to parse JWT", 401)
    told.headers["X-Goog-IAP-Generated-Response"] = "true"
    kfp.wire.fail_for_good("POST", RUNS, told)
    with pytest.raises(UnavailableError, match="answered 401: Invalid IAP credentials: Unable to parse JWT"):
        kfp.client().start(RUN)


def test_a_page_of_identity_aware_proxy_is_not(kfp: Installation) -> None:
    kfp.wire.fail_for_good("POST", RUNS, page(403, {"X-Goog-IAP-Generated-Response": "true"}))
    with pytest.raises(UnavailableError, match="403: a page: 403; the function's identity has no access to it"):
        kfp.client().start(RUN)


# --- the published schema ------------------------------------------------------------------------------------------


def test_every_request_is_of_the_published_schema(kfp: Installation) -> None:
    client = kfp.client()
    client.has_run(RUN_ID)
    client.start(RUN)
    models = {EXPERIMENTS: kfp_server_api.V2beta1Experiment, RUNS: kfp_server_api.V2beta1Run}
    assert {(seen.method, seen.path) for seen in kfp.wire.seen} == {
        *(("GET", path) for path in (RUN_PATH, EXPERIMENTS)),
        *(("POST", path) for path in (EXPERIMENTS, RUNS)),
    }
    for seen in kfp.wire.seen:
        if seen.method == "POST":
            read_message(seen.body, models[seen.path])
            assert seen.headers["content-type"] == "application/json"
        else:
            assert seen.body == b""
        if "filter" in seen.query:
            read_message(seen.query["filter"], kfp_server_api.V2beta1Filter)


def test_a_run_is_asked_for_with_the_fewest_fields(kfp: Installation) -> None:
    """Servers are of all ages, and refuse fields that they do not know."""
    kfp.client().start(RUN)
    body = json.loads(kfp.wire.seen[-1].body)
    assert body.keys() == {
        "run_id",
        "display_name",
        "description",
        "experiment_id",
        "pipeline_spec",
        "runtime_config",
    }
    assert body["runtime_config"] == {"parameters": RUN.parameters}

"""The KFP endpoint keeps the promises of the real one, and its traps: to the official client and on the wire."""

import json
from pathlib import Path
from typing import Any, Optional

import kfp
import kfp_server_api
import pytest
import requests
import yaml
from kfp import compiler, dsl

from rehearsal.kfp.pace import Pace
from rehearsal.kfp.runs import RunChange
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback

TOKEN = "ya29.launcher"
CALLER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
RUNS = "/apis/v2beta1/runs"
RUN_ID = "0f5c3f0e-5a0c-5f43-9d0b-0a3f5d1c2b4a"


def echo(text: str, times: int) -> str:
    return text * times


def echo_pipeline(text: str, times: int = 2, note: Optional[str] = None) -> None:  # noqa: UP045 (kfp reads no other)
    dsl.component(echo, base_image="python:3.11")(text=text, times=times)


class Http:
    """Sends requests to the API with a good token, and nothing that a client library would add."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"} | options.pop("headers", {})
        return requests.request(method, f"{self._host}{path}", headers=headers, timeout=10, **options)

    def post_run(self, **fields: Any) -> requests.Response:
        return self("POST", "/apis/v2beta1/runs", json=fields)


@pytest.fixture(scope="module")
def package_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("package") / "echo.yaml")
    compiler.Compiler().compile(dsl.pipeline(echo_pipeline, name="echo"), path)
    return path


@pytest.fixture(scope="module")
def package(package_file: str) -> dict[str, Any]:
    return dict(yaml.safe_load(Path(package_file).read_text()))


@pytest.fixture
def endpoint() -> KfpEndpoint:
    endpoint = KfpEndpoint({TOKEN: CALLER}.get, pace=Pace(1 / 20))
    endpoint.proxy.caches = False  # kfp.Client asks under one URL each time
    return endpoint


@pytest.fixture
def host(loopback: Loopback, endpoint: KfpEndpoint) -> str:
    return loopback.serve(endpoint.app)


@pytest.fixture
def http(host: str) -> Http:
    return Http(host)


@pytest.fixture
def client(host: str) -> kfp.Client:
    return kfp.Client(host=host, existing_token=TOKEN)


def equals(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def make_run(package: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "display_name": "r",
        "pipeline_spec": package,
        "runtime_config": {"parameters": {"text": "hi"}},
    } | fields


# --- the official client -------------------------------------------------------------------------------------------


def test_the_official_client_finds_the_experiment_it_created(client: kfp.Client) -> None:
    created = client.create_experiment("gcs-triggered", description="by file")
    again = client.create_experiment("gcs-triggered")
    assert again.experiment_id == created.experiment_id
    assert client.get_experiment(experiment_name="gcs-triggered").description == "by file"
    assert client.list_experiments(sort_by="created_at desc").total_size == 1
    client.delete_experiment(created.experiment_id)
    with pytest.raises(ValueError, match="No experiment is found"):
        client.get_experiment(experiment_name="gcs-triggered")


def test_the_official_client_starts_reads_and_terminates_a_run(
    client: kfp.Client, endpoint: KfpEndpoint, loopback: Loopback, package_file: str
) -> None:
    started = client.create_run_from_pipeline_package(package_file, {"text": "hi"}, experiment_name="e")
    run = client.get_run(started.run_id)
    assert (run.state, run.storage_state) == ("PENDING", "AVAILABLE")
    assert run.experiment_id == client.get_experiment(experiment_name="e").experiment_id
    assert run.runtime_config.parameters == {"text": "hi"}
    [workflow] = endpoint.workflows
    assert (workflow.run_id, workflow.caller, workflow.parameters) == (started.run_id, CALLER, {"text": "hi"})

    client.terminate_run(started.run_id)
    assert client.get_run(started.run_id).state == "CANCELING"
    loopback.run(endpoint.finished(started.run_id))
    run = client.get_run(started.run_id)
    assert [status.state for status in run.state_history] == ["PENDING", "FAILED"]
    assert run.error is None
    assert run.finished_at >= run.created_at

    client.archive_run(started.run_id)
    assert client.get_run(started.run_id).storage_state == "ARCHIVED"
    client.delete_run(started.run_id)
    with pytest.raises(kfp_server_api.ApiException, match="404"):
        client.get_run(started.run_id)


def test_the_official_client_filters_sorts_and_pages_runs(client: kfp.Client, package_file: str) -> None:
    experiment_id = client.create_experiment("e").experiment_id
    for name in ("c", "a", "b"):
        client.run_pipeline(experiment_id, name, package_file, {"text": name})
    client.create_run_from_pipeline_package(package_file, {"text": "elsewhere"}, run_name="d")

    def names(**query: Any) -> list[str]:
        return [run.display_name for run in client.list_runs(**query).runs or []]

    assert names(filter=equals("display_name", "b")) == ["b"]
    assert names(filter=equals("display_name", "absent")) == []
    assert sorted(names(experiment_id=experiment_id)) == ["a", "b", "c"]
    assert names(sort_by="display_name desc") == ["d", "c", "b", "a"]

    first = client.list_runs(sort_by="display_name", page_size=3)
    assert ([run.display_name for run in first.runs], first.total_size) == (["a", "b", "c"], 4)
    # A row that comes before the page that is asked for next does not shift it.
    client.run_pipeline(experiment_id, "0", package_file, {"text": "early"})
    assert names(page_token=first.next_page_token, page_size=3) == ["d"]


def test_the_official_client_sees_401_for_a_token_that_is_nobodys(host: str) -> None:
    # A namespace keeps the constructor from asking for healthz, which it would retry for 25 s.
    stranger = kfp.Client(host=host, existing_token="expired", namespace="any")
    with pytest.raises(kfp_server_api.ApiException) as refusal:
        stranger.list_runs()
    assert refusal.value.status == 401


# --- the proxy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["", "Bearer expired", f"Basic {TOKEN}"])
@pytest.mark.parametrize("path", ["/apis/v2beta1/healthz", "/apis/v2beta1/runs", "/elsewhere"])
def test_the_proxy_answers_nobody_with_a_login_page(http: Http, path: str, authorization: str) -> None:
    answer = http("GET", path, headers={"Authorization": authorization})
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert "Error 401 (Unauthorized)!!1" in answer.text
    assert answer.headers["Set-Cookie"].startswith("S=cloud_datalab_tunnel")


def test_an_outage_is_a_503_for_everyone_and_starts_nothing(
    endpoint: KfpEndpoint, http: Http, package: dict[str, Any]
) -> None:
    endpoint.outage = True
    answer = http.post_run(**make_run(package))
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert endpoint.workflows == []
    endpoint.outage = False
    assert http.post_run(**make_run(package)).status_code == 200


def test_a_body_over_32_mb_does_not_pass_the_proxy(http: Http, endpoint: KfpEndpoint) -> None:
    assert http("POST", "/apis/v2beta1/runs", data=b" " * (32 * 1024 * 1024 + 1)).status_code == 413
    assert endpoint.workflows == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/apis/v2beta1/jobs"), ("PUT", "/apis/v2beta1/runs")])
def test_where_the_ui_stands_before_it_an_unknown_path_or_method_is_an_html_404(
    http: Http, method: str, path: str
) -> None:
    answer = http(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert f"Cannot {method} {path}" in answer.text


# --- starting runs -------------------------------------------------------------------------------------------------


def test_a_run_has_the_id_that_its_client_chose(http: Http, package: dict[str, Any]) -> None:
    assert http("GET", f"/apis/v2beta1/runs/{RUN_ID}").json()["code"] == 5
    assert http.post_run(**make_run(package, run_id=RUN_ID)).json()["run_id"] == RUN_ID
    assert http("GET", f"/apis/v2beta1/runs/{RUN_ID}").json()["run_id"] == RUN_ID


def test_a_second_post_of_one_run_id_starts_a_second_workflow_and_then_fails(
    http: Http, endpoint: KfpEndpoint, package: dict[str, Any]
) -> None:
    run = make_run(package, run_id=RUN_ID)
    assert http.post_run(**run).status_code == 200
    answer = http.post_run(**run)
    assert (answer.status_code, answer.json()["code"]) == (500, 13)
    assert answer.json()["details"][0]["message"] == "Internal Server Error"
    assert [workflow.run_id for workflow in endpoint.workflows] == [RUN_ID, RUN_ID]
    assert len({workflow.name for workflow in endpoint.workflows}) == 2
    assert http("GET", "/apis/v2beta1/runs").json()["total_size"] == 1


def test_a_run_without_an_experiment_goes_into_default(http: Http, package: dict[str, Any]) -> None:
    runs = [http.post_run(**make_run(package)).json() for _ in range(2)]
    [experiment] = http("GET", "/apis/v2beta1/experiments").json()["experiments"]
    assert experiment["display_name"] == "Default"
    assert {run["experiment_id"] for run in runs} == {experiment["experiment_id"]}
    assert experiment["last_run_created_at"] == runs[-1]["created_at"]


def test_a_package_may_stand_beside_its_platform_spec(
    http: Http, endpoint: KfpEndpoint, package: dict[str, Any]
) -> None:
    wrapped = {"pipeline_spec": package, "platform_spec": {"platforms": {}}}
    assert http.post_run(**make_run(wrapped)).status_code == 200
    assert endpoint.workflows[0].package == package


def test_an_answer_leaves_out_what_is_empty_but_not_a_time_that_has_not_come(
    http: Http, package: dict[str, Any]
) -> None:
    assert http("GET", "/apis/v2beta1/runs").json() == {}
    run = http.post_run(**make_run(package)).json()
    assert "description" not in run
    assert "error" not in run
    assert run["finished_at"] == "1970-01-01T00:00:00Z"
    assert http("GET", "/apis/v2beta1/runs").json()["runs"] == [run]


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"displayname": "x"}, 400, 3, 'unknown field "displayname"'),
        ({"runtime_config": {"params": {}}}, 400, 3, 'unknown field "params"'),
        ({"display_name": 5}, 400, 3, "display_name"),
        ({"display_name": None}, 500, 13, "name cannot be empty"),
        ({"experiment_id": "none"}, 404, 5, "Experiment none not found"),
        ({"run_id": "has spaces"}, 500, 13, "label"),
        ({"pipeline_spec": {}}, 500, 13, "error fetching manifest"),
        ({"pipeline_spec": {"pipelineSpec": {}}}, 500, 13, "no pipeline spec"),
        ({"pipeline_version_reference": {"pipeline_id": "p"}}, 500, 13, "PipelineVersion of pipeline p not found"),
    ],
)
def test_a_run_that_is_wrong_is_refused_with_the_servers_code_and_starts_nothing(
    http: Http,
    endpoint: KfpEndpoint,
    package: dict[str, Any],
    fields: dict[str, Any],
    status: int,
    code: int,
    message: str,
) -> None:
    answer = http.post_run(**make_run(package, **fields))
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert message in body["message"]
    assert body["error"] == body["message"]
    assert endpoint.workflows == []


def test_only_schema_version_2_1_0_is_read_and_another_is_an_internal_error(
    http: Http, package: dict[str, Any]
) -> None:
    answer = http.post_run(**make_run(package | {"schemaVersion": "2.0.0"}))
    assert (answer.status_code, answer.json()["code"]) == (500, 13)
    assert "the pipeline spec has version 2.0.0" in answer.json()["message"]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"runtime_config": {"parameters": {"x": NaN}}}', b"\xff"])
def test_what_is_not_a_json_object_is_a_bad_request(http: Http, body: str | bytes) -> None:
    answer = http("POST", "/apis/v2beta1/runs", data=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_fields_may_be_written_in_camel_case_as_protojson_allows(http: Http, package: dict[str, Any]) -> None:
    fields = {"displayName": "r", "pipelineSpec": package, "runtimeConfig": {"parameters": {"text": "hi"}}}
    assert http.post_run(**fields).json()["display_name"] == "r"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "parameter text is not optional"),
        ({"text": "a", "shout": True}, "not required by pipeline: shout"),
        ({"text": 1}, "text requires type string"),
        ({"text": None}, "text requires type string"),
        ({"text": "a", "times": "2"}, "times requires type double or integer"),
        ({"text": "a", "times": True}, "times requires type double or integer"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(
    http: Http, endpoint: KfpEndpoint, package: dict[str, Any], parameters: dict[str, Any], message: str
) -> None:
    answer = http.post_run(**make_run(package, runtime_config={"parameters": parameters}))
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert message in answer.json()["message"]
    assert endpoint.workflows == []


def test_a_fraction_passes_for_an_integer_as_at_the_real_server(http: Http, package: dict[str, Any]) -> None:
    run = make_run(package, runtime_config={"parameters": {"text": "a", "times": 2.5}})
    assert http.post_run(**run).status_code == 200


def test_a_parameter_with_literals_takes_no_other_value(http: Http, package: dict[str, Any]) -> None:
    strict = json.loads(json.dumps(package))
    strict["root"]["inputDefinitions"]["parameters"]["text"]["literals"] = ["train", "eval"]
    answer = http.post_run(**make_run(strict))
    assert answer.status_code == 400
    assert "must be one of ['train', 'eval']" in answer.json()["message"]
    run = make_run(strict, runtime_config={"parameters": {"text": "eval"}})
    assert http.post_run(**run).status_code == 200


# --- experiments, lists, ends --------------------------------------------------------------------------------------


def test_an_experiment_name_is_taken_once(http: Http) -> None:
    path = "/apis/v2beta1/experiments"
    created = http("POST", path, json={"display_name": "gcs-triggered"}).json()
    answer = http("POST", path, json={"display_name": "gcs-triggered"})
    assert (answer.status_code, answer.json()["code"]) == (409, 6)
    assert http("GET", f"{path}/{created['experiment_id']}").json() == created
    assert http("GET", f"{path}/none").json()["code"] == 5


def test_where_there_are_several_users_nothing_goes_without_a_namespace(
    loopback: Loopback, package: dict[str, Any]
) -> None:
    http = Http(loopback.serve(KfpEndpoint(None, multi_user=True, pace=Pace(0)).app))
    path = "/apis/v2beta1/experiments"
    assert http("GET", "/apis/v2beta1/healthz").json()["multi_user"]
    for refused in (http("GET", path), http("POST", path, json={"display_name": "e"}), http("GET", RUNS)):
        assert (refused.status_code, refused.json()["code"]) == (400, 3)
        assert "cannot have an empty namespace in multi-user mode" in refused.json()["message"]
    assert http.post_run(**make_run(package)).status_code == 400
    mine, yours = (
        http("POST", path, json={"display_name": "e", "namespace": name}).json()["experiment_id"]
        for name in ("ada", "bob")
    )
    for run_id, experiment in {"of-ada": mine, "of-bob": yours}.items():
        http.post_run(**make_run(package, run_id=run_id, experiment_id=experiment))
    assert [run["run_id"] for run in http("GET", f"{RUNS}?namespace=ada").json()["runs"]] == ["of-ada"]
    assert [row["namespace"] for row in http("GET", f"{path}?namespace=bob").json()["experiments"]] == ["bob"]


def test_a_filter_is_unescaped_a_second_time(http: Http, package: dict[str, Any]) -> None:
    for name in ("a+b", "a b", "100%"):
        http.post_run(**make_run(package, display_name=name))

    def find(name: str) -> requests.Response:
        return http("GET", "/apis/v2beta1/runs", params={"filter": equals("display_name", name)})

    assert [run["display_name"] for run in find("a+b").json()["runs"]] == ["a b"]
    assert [run["display_name"] for run in find("a%2Bb").json()["runs"]] == ["a+b"]
    assert (find("100%").status_code, find("100%").json()["code"]) == (400, 3)


@pytest.mark.parametrize(
    ("predicate", "found"),
    [
        ({"operation": "NOT_EQUALS", "key": "name", "string_value": "beta"}, ["alpha"]),
        ({"operation": "IN", "key": "display_name", "string_values": {"values": ["beta", "x"]}}, ["beta"]),
        ({"operation": "IS_SUBSTRING", "key": "description", "string_value": "EVENT-1"}, ["alpha"]),
        ({"operation": 1, "key": "state", "stringValue": "pending"}, ["alpha", "beta"]),
        (
            {"operation": "GREATER_THAN_EQUALS", "key": "created_at", "timestamp_value": "2020-01-01T00:00:00.5Z"},
            ["alpha", "beta"],
        ),
        ({"operation": "LESS_THAN", "key": "created_at", "long_value": "1577836800"}, []),
    ],
)
def test_a_filter_compares_as_the_server_does(
    http: Http, package: dict[str, Any], predicate: dict[str, Any], found: list[str]
) -> None:
    http.post_run(**make_run(package, display_name="alpha", description="event-1"))
    http.post_run(**make_run(package, display_name="beta", description="event-2"))
    query = {"filter": json.dumps({"predicates": [predicate]}), "sort_by": "name"}
    runs = http("GET", "/apis/v2beta1/runs", params=query).json().get("runs", [])
    assert [run["display_name"] for run in runs] == found


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "not json"},
        {"filter": '{"predicate": []}'},
        {"filter": '{"predicates": [{"operation": "LIKE", "key": "state", "string_value": "x"}]}'},
        {"filter": '{"predicates": [{"operation": "EQUALS", "key": "secret", "string_value": "x"}]}'},
        {"filter": '{"predicates": [{"operation": "EQUALS", "key": "state"}]}'},
        {"filter": '{"predicates": [{"operation": "IN", "key": "state", "string_value": "x"}]}'},
        {"filter": '{"predicates": [{"operation": "EQUALS", "key": "created_at", "timestamp_value": "now"}]}'},
        {"sort_by": "secret"},
        {"sort_by": "name downwards"},
        {"page_size": "-1"},
        {"page_size": "many"},
        {"page_token": "forged"},
    ],
)
def test_a_list_query_that_is_wrong_is_a_bad_request(http: Http, query: dict[str, str]) -> None:
    answer = http("GET", "/apis/v2beta1/runs", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_page_has_20_runs_unless_asked_and_never_more_than_200(http: Http, package: dict[str, Any]) -> None:
    for _ in range(201):
        http.post_run(**make_run(package))

    def count(**query: str) -> int:
        return len(http("GET", "/apis/v2beta1/runs", params=query).json()["runs"])

    assert (count(), count(page_size="201")) == (20, 200)


def test_a_page_token_does_not_serve_another_query(http: Http, package: dict[str, Any]) -> None:
    for _ in range(2):
        http.post_run(**make_run(package))
    query = {"sort_by": "created_at desc", "page_size": "1"}
    token = http("GET", "/apis/v2beta1/runs", params=query).json()["next_page_token"]
    answer = http("GET", "/apis/v2beta1/runs", params=query | {"page_token": token})
    assert "next_page_token" not in answer.json()
    answer = http("GET", "/apis/v2beta1/runs", params={"sort_by": "name", "page_token": token})
    assert answer.status_code == 400


def test_only_an_active_run_can_be_terminated_and_listeners_hear_of_it(
    http: Http, endpoint: KfpEndpoint, loopback: Loopback, package: dict[str, Any]
) -> None:
    heard: list[RunChange] = []
    endpoint.listeners.append(heard.append)
    http.post_run(**make_run(package, run_id=RUN_ID))
    assert http("POST", f"/apis/v2beta1/runs/{RUN_ID}:terminate").json() == {}
    assert http("POST", f"/apis/v2beta1/runs/{RUN_ID}:terminate").status_code == 400
    loopback.run(endpoint.finished(RUN_ID))
    assert heard == [RunChange(RUN_ID, "r", "PENDING"), RunChange(RUN_ID, "r", "FAILED")]

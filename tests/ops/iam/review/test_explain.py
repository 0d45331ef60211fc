"""Of a principal or a resource it is said what may be done, why, and by which path."""

import io
import json
import sys

import pytest
from rich.console import Console

from ops import cli
from ops.errors import OperationError
from ops.iam.kept.manifest import Manifest, from_plan
from ops.iam.review.explain import explain, to_json, to_terminal
from rehearsal.program import evaluate, read_stack
from tests.plans import DEV, PROD


@pytest.fixture(scope="module")
def prod() -> Manifest:
    return from_plan(evaluate(*read_stack(str(PROD))), "acme-ml-prod")


def said(manifest: Manifest, name: str) -> str:
    output = io.StringIO()
    to_terminal(explain(manifest, name), Console(file=output))
    return output.getvalue()


def test_of_a_principal_it_is_said_what_it_has_why_and_what_it_can_become(prod: Manifest) -> None:
    text = said(prod, "build")
    assert "roles/logging.logWriter project acme-ml-prod: Cloud Build writes the build's log" in text
    assert "[logging.logEntries.create logging.logEntries.route]" in text
    assert "can become serviceAccount:orders-runner@acme-ml-prod.iam.gserviceaccount.com: it may push to" in text


def test_of_an_account_it_is_said_who_reaches_it(prod: Manifest) -> None:
    text = said(prod, "orders-runner@acme-ml-prod.iam.gserviceaccount.com")
    assert "roles/iam.serviceAccountUser to serviceAccount:prod-orders-launcher@" in text
    assert "whoever may write to bucket orders-bucket can start runs as serviceAccount:orders-runner@" in text


def test_of_a_topic_it_is_said_who_publishes_and_what_that_starts(prod: Manifest) -> None:
    text = said(prod, "topic orders-events")
    assert "roles/pubsub.publisher to serviceAccount:service-PROJECT_NUMBER@gs-project-accounts" in text
    assert "can start runs as serviceAccount:orders-runner@acme-ml-prod" in text


@pytest.mark.parametrize(
    "name", ["build", "orders-launcher@", "launch-ledger", "topic orders-events", "catalog-events"]
)
def test_a_part_of_a_name_that_no_other_has_is_enough(prod: Manifest, name: str) -> None:
    assert explain(prod, name).held or explain(prod, name).given


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("nobody", "nothing in stack prod is called nobody; there: "), ("orders-", "several are called orders-: ")],
)
def test_a_name_of_nobody_or_of_several_is_refused_with_those_there_are(
    prod: Manifest, name: str, refusal: str
) -> None:
    with pytest.raises(OperationError, match=refusal):
        explain(prod, name)


def test_of_what_is_on_the_way_it_is_said_who_goes_through_it(prod: Manifest) -> None:
    through = {path.who.split("@")[0] for path in explain(prod, "function orders-launcher").reached}
    assert {"bucket orders-bucket", "topic orders-events", "serviceAccount:prod-orders-push"} <= through


def test_a_script_is_told_the_same(prod: Manifest) -> None:
    told = to_json(explain(prod, "build"))
    assert told["name"] == "serviceAccount:prod-build@acme-ml-prod.iam.gserviceaccount.com"
    assert {entry["role"] for entry in told["has"]} >= {"roles/logging.logWriter", "roles/artifactregistry.writer"}
    assert [path for path in told["onward"] if path["becomes"]]


def test_the_command_answers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"]):
        command = ["pipeline-trigger", "iam", "explain", "echo-push", "--stack", str(DEV), *more]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    out = capsys.readouterr().out
    assert "roles/run.invoker service us-central1/echo-launcher-*: Only Pub/Sub" in out
    assert json.loads(out[out.index("{") :])["reached_by"]

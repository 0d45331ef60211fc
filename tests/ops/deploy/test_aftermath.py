"""After a deployment that failed, one paragraph says what failed, why, and what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ops.deploy.aftermath import aftermath
from ops.deploy.causes import CAUSES, UNKNOWN, cause_of
from ops.deploy.events import Events, Failure, read_events
from rehearsal.program import ROOT

FUNCTION = (
    "urn:pulumi:dev::event-triggered-pipelines::event-triggered-pipelines:index:Launcher$"
    "gcp:cloudfunctionsv2/function:Function::echo-launcher"
)
STACK = "urn:pulumi:dev::event-triggered-pipelines::pulumi:pulumi:Stack::event-triggered-pipelines-dev"
MESSAGES = {
    "Error trying to delete bucket launch-ledger-0f0e0d0 containing objects without `force_destroy` set to true": 0,
    "Error waiting to update function: Container Healthcheck failed. Revision 'x' is not ready": 1,
    "Build failed: Could not build the function due to a missing permission on the build service account.": 2,
    "Error waiting to create function: Build failed with status: FAILURE; pip could not find kfp==99": 3,
    'before hook "refuse-untold" failed: Google Cloud does not say where function f is called': 4,
    "googleapi: Error 400: Service account acme@appspot.gserviceaccount.com does not exist., badRequest": 5,
    "googleapi: Error 403: Pub/Sub API has not been used in project 1 before or it is disabled.": 6,
    "googleapi: Error 403: The billing account for the owning project is disabled, accountDisabled": 7,
    "Error 403: Your application is authenticating by using local credentials. The API requires a quota project": 8,
    "googleapi: Error 429: RESOURCE_EXHAUSTED": 9,
    "googleapi: Error 403: Quota exceeded for quota metric 'Requests' of service 'x', rateLimitExceeded": 9,
    "googleapi: Error 409: unable to queue the operation": 10,
    "Error waiting to create function: context canceled": 11,
    "googleapi: Error 409: Service account dev-build already exists within project, alreadyExists": 12,
    "googleapi: Error 412: Request violates constraint 'constraints/gcp.resourceLocations', conditionNotMet": 13,
    "googleapi: Error 403: Permission 'storage.buckets.create' denied, forbidden": 14,
    "resource urn:pulumi:dev::p::t::n violates plan: properties changed": 15,
    "the stack is currently locked by 1 lock(s)": 16,
    "gcp:project: stack dev was made in acme-old, and nothing moves to acme-new": 17,
    'oauth2: "invalid_grant" "Token has been expired or revoked."': 18,
    'Get "https://pubsub.googleapis.com/v1/x": dial tcp: lookup pubsub.googleapis.com: no such host': 19,
}


def diagnostic(message: str, urn: str = "", severity: str = "error") -> dict[str, Any]:
    return {"diagnosticEvent": {"urn": urn, "message": f"{message}\n", "severity": severity}}


def log_of(place: Path, *events: dict[str, Any], rest: str = "") -> Events:
    path = place / "events"
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + rest)
    return read_events(path)


@pytest.mark.parametrize(("message", "number"), MESSAGES.items(), ids=lambda value: str(value)[:30])
def test_each_error_that_people_met_has_its_cause(message: str, number: int) -> None:
    assert cause_of(message) is CAUSES[number]


def test_every_cause_is_met_and_the_page_has_each_with_its_command() -> None:
    assert sorted({*MESSAGES.values()}) == list(range(len(CAUSES)))
    page = (ROOT / "docs" / "when-it-goes-wrong.md").read_text()
    for cause in CAUSES:
        for said in (cause.why, cause.fix.replace("{stack}", "STACK")):
            assert said in page


def test_an_error_that_nothing_knows_is_said_to_be_one() -> None:
    assert cause_of("oops") is UNKNOWN


def test_what_failed_is_told_with_why_and_what_to_do(tmp_path: Path) -> None:
    events = log_of(
        tmp_path,
        diagnostic("registering", severity="debug"),
        diagnostic("1 error occurred:\n\t* Error waiting to create function: Build failed: no kfp", FUNCTION),
        diagnostic("update failed", STACK),
    )
    assert events.failures == (Failure("Function echo-launcher", events.failures[0].message),)
    assert aftermath("up", "mine", 1, events).splitlines() == [
        "`pulumi up` of stack mine did not do all of it.",
        "✗ Function echo-launcher: Error waiting to create function: Build failed: no kfp",
        f"Why: {CAUSES[3].why}.",
        f"What to do: {CAUSES[3].fix.format(stack='mine')}.",
        "What is made stays made, and what is not is made by the next `up`.",
    ]


def test_a_destroy_is_never_told_to_force_anything(tmp_path: Path) -> None:
    [message] = [message for message, number in MESSAGES.items() if number == 0]
    said = aftermath("destroy", "mine", 1, log_of(tmp_path, diagnostic(message, FUNCTION)))
    assert "still holds files" in said
    assert not re.search(r"force_?[dD]estroy", said)
    assert (
        "✗ Function echo-launcher: Error trying to delete bucket launch-ledger-0f0e0d0 containing objects\n" in said
    )


def test_what_a_ctrl_c_has_ended_is_no_error_that_nobody_knows(tmp_path: Path) -> None:
    said = aftermath("up", "mine", 1, log_of(tmp_path, diagnostic("update canceled", STACK)))
    assert said == "`pulumi up` of stack mine was ended before it was done; make up STACK=mine goes on."


def test_what_was_tried_again_until_it_worked_is_no_error(tmp_path: Path) -> None:
    again = [
        diagnostic(f"retrying create due to on-error hook request ({number}/100)", urn, "warning")
        for number in (1, 2)
        for urn in ("urn::p::t::a", "urn::p::t::b")
    ]
    said = aftermath("up", "mine", 0, log_of(tmp_path, *again))
    assert said == (
        "All is well: 2 resources were tried again until Google Cloud knew what is new. "
        "Above they may count as errored."
    )


def test_where_all_went_well_and_where_the_cli_refused_by_itself_nothing_is_added(tmp_path: Path) -> None:
    assert aftermath("up", "mine", 0, Events()) == ""
    assert aftermath("up", "mine", 255, read_events(tmp_path / "absent")) == ""


def test_what_the_program_says_once_the_engine_has_ended_is_no_failure(tmp_path: Path) -> None:
    over = diagnostic("Resource monitor has terminated, shutting down", STACK)
    events = log_of(tmp_path, diagnostic("oops", FUNCTION), over)
    assert [failure.message for failure in events.failures] == ["oops"]


def test_of_a_traceback_the_last_line_is_told(tmp_path: Path) -> None:
    said = "Program failed with an exception:\nTraceback (most recent call last):\n  File x\nValueError: oops"
    assert log_of(tmp_path, diagnostic(said, STACK)).failures == (Failure("", "ValueError: oops"),)


def test_a_log_that_ends_in_the_middle_says_what_it_holds(tmp_path: Path) -> None:
    events = log_of(tmp_path, diagnostic("oops", FUNCTION), rest='{"diagnosticEvent": {"urn')
    assert [failure.message for failure in events.failures] == ["oops"]


def test_of_many_failures_the_first_are_told_and_each_cause_once(tmp_path: Path) -> None:
    events = log_of(tmp_path, *(diagnostic(f"Error 403 at {number}", FUNCTION + str(number)) for number in range(9)))
    said = aftermath("up", "mine", 1, events)
    assert said.count("✗ Function") == 3
    assert "✗ and 6 more, above" in said
    assert said.count("Why: ") == 1

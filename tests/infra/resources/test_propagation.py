"""Only what has not propagated yet is tried again, and not for ever."""

import asyncio

import pulumi
import pytest

from infra.resources import propagation
from infra.resources.propagation import TRIES, has_not_propagated, wait_and_retry

NOTIFICATION = (
    "Error creating notification config for bucket b: googleapi: Error 403: The service account "
    "'service-1@gs-project-accounts.iam.gserviceaccount.com' does not have permission to publish messages to to the "
    "Cloud Pub/Sub topic '//pubsub.googleapis.com/projects/p/topics/t', or that topic does not exist., forbidden"
)
API = (
    "googleapi: Error 403: Cloud Functions API has not been used in project 1 before or it is disabled. Enable it by "
    "visiting https://console.developers.google.com/apis/api/x then retry. If you enabled this API recently, wait a "
    "few minutes for the action to propagate to our systems and retry."
)
BUILD = (
    "Build failed: failed to Fetch: failed to download archive gs://gcf-v2-sources-1-us-central1/f/source.zip: "
    "Access to bucket gcf-v2-sources-1-us-central1 denied. You must grant Storage Object Viewer permission to b@p."
)
ACCOUNT = "googleapi: Error 400: Service account dev-echo-push@p.iam.gserviceaccount.com does not exist., badRequest"
MISSING = "Could not build the function due to a missing permission on the build service account."
LOGS = "The service account running this build does not have permission to write logs to Cloud Logging."
LOST = "Error 404: Service account projects/-/serviceAccounts/dev-build@p.iam.gserviceaccount.com was not found."


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "SECONDS_BETWEEN_TRIES", 0)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)


def retries(*errors: str, operation: str = "create") -> bool:
    failure = pulumi.ErrorHookArgs("urn", "id", "name", "type", failed_operation=operation, errors=list(errors))
    return asyncio.run(wait_and_retry(failure))


@pytest.mark.parametrize(
    "error", [NOTIFICATION, API, BUILD, ACCOUNT, MISSING, LOGS, LOST], ids=lambda error: error[:30]
)
def test_what_has_not_propagated_is_tried_again(error: str) -> None:
    assert has_not_propagated(error)
    assert retries(error)


@pytest.mark.parametrize(
    "error",
    [
        "googleapi: Error 403: Permission 'storage.buckets.create' denied",
        "googleapi: Error 409: already exists",
        "Build failed: requirements.txt: no matching distribution",
        "topic projects/p/topics/t does not exist",
    ],
)
def test_any_other_error_fails_at_once(error: str) -> None:
    assert not retries(error)


def test_it_gives_up_in_the_end() -> None:
    assert not retries(*[API] * TRIES)


def test_the_newest_error_decides() -> None:
    assert not retries("googleapi: Error 409: already exists", API)


def test_a_preview_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert not retries(API)


def test_a_destroy_is_never_retried() -> None:
    assert not retries(API, operation="delete")

"""Only what has not propagated yet is waited for, and not for ever."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pulumi
import pytest

from infra.configuration.settings import StackSettings, read_settings
from infra.resources import propagation
from infra.resources.propagation import SECONDS_UNTIL_EFFECTIVE, TRIES, TRIES_FOR_STRANGERS, NewGrants, Patience
from rehearsal.program import Plan
from tests.plans import dev_config

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
REPOSITORY = "Error creating function: googleapi: Error 400: Unable to retrieve the repository metadata for x."
OWN = "dev-echo-push@acme-ml-dev.iam.gserviceaccount.com"
AGENT = "service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
NO_ACCOUNT = "googleapi: Error 400: Service account {} does not exist., badRequest"
NOT_FOUND = "Error 404: Service account projects/-/serviceAccounts/{} was not found."
BUILD = (
    "Error waiting to create function: Error waiting for Creating function: Error code 3, message: Build failed: "
    "Could not build the function due to a missing permission on the build service account."
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "SECONDS_BETWEEN_TRIES", 0)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)


@pytest.fixture(scope="module")
def settings() -> StackSettings:
    return read_settings("dev", dev_config())


Retries = Callable[..., bool]


@pytest.fixture
def retries(settings: StackSettings) -> Retries:
    def ask(*errors: str, operation: str = "create") -> bool:
        failure = pulumi.ErrorHookArgs("urn", "id", "name", "type", failed_operation=operation, errors=list(errors))
        return asyncio.run(Patience(settings).wait_and_retry(failure))

    return ask


@pytest.mark.parametrize("error", [NOTIFICATION, API, REPOSITORY], ids=lambda error: error[:30])
def test_what_has_not_propagated_is_tried_again_and_not_for_ever(retries: Retries, error: str) -> None:
    assert retries(*[error] * (TRIES - 1))
    assert not retries(*[error] * TRIES)


@pytest.mark.parametrize("message", [NO_ACCOUNT, NOT_FOUND])
@pytest.mark.parametrize("account", [OWN, AGENT])
def test_an_account_of_the_stack_or_of_google_is_waited_for(retries: Retries, message: str, account: str) -> None:
    assert retries(*[message.format(account)] * (TRIES - 1))


@pytest.mark.parametrize("message", [NO_ACCOUNT, NOT_FOUND])
@pytest.mark.parametrize(
    "account",
    [
        "acme-ml-dev@appspot.gserviceaccount.com",
        "123456789012-compute@developer.gserviceaccount.com",
        "dev-echo-push@another.iam.gserviceaccount.com",
        "prod-build@acme-ml-dev.iam.gserviceaccount.com",
    ],
)
def test_an_account_that_others_make_is_not_waited_for_long(retries: Retries, message: str, account: str) -> None:
    assert retries(message.format(account))
    assert not retries(*[message.format(account)] * TRIES_FOR_STRANGERS)


def test_a_stack_with_a_long_name_waits_for_its_own_accounts(settings: StackSettings) -> None:
    long = settings.model_copy(update={"stack": "a-stack-with-a-name-of-30-char"})
    error = NO_ACCOUNT.format("a-stack-with-a-name-of-0e12ab@acme-ml-dev.iam.gserviceaccount.com")
    assert Patience(long).tries(error) == TRIES


@pytest.mark.parametrize(
    "error",
    [
        "googleapi: Error 403: Permission 'storage.buckets.create' denied",
        "googleapi: Error 409: already exists",
        "Build failed: requirements.txt: no matching distribution",
        "topic projects/p/topics/t does not exist",
        BUILD,
        f"Error waiting to create function: {API}",
    ],
)
def test_any_other_error_and_whatever_left_something_half_made_fails_at_once(retries: Retries, error: str) -> None:
    assert not retries(error)


def test_the_newest_error_decides(retries: Retries) -> None:
    assert not retries("googleapi: Error 409: already exists", API)


def test_a_preview_never_waits(retries: Retries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert not retries(API)


def test_a_destroy_is_never_retried(retries: Retries) -> None:
    assert not retries(API, operation="delete")


@pytest.fixture
def grants(monkeypatch: pytest.MonkeyPatch) -> NewGrants:
    """Grants whose hooks no engine knows."""
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda hook: None)
    return NewGrants()


class Waiting:
    """Time that passes when something sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


def call(hooks: Sequence[Any] | None) -> None:
    for hook in hooks or []:
        if (waits := hook(pulumi.ResourceHookArgs("urn", "id", "name", "type"))) is not None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(waits)
            loop.close()


def test_a_build_waits_until_the_newest_grant_is_effective(waiting: Waiting, grants: NewGrants) -> None:
    call(grants.noting.after_create)
    waiting.now += 30
    call(grants.noting.after_create)
    waiting.now += 50
    call(grants.waiting.before_create)
    assert waiting.now == 1030 + SECONDS_UNTIL_EFFECTIVE


def test_a_build_waits_no_longer_for_grants_that_are_old(waiting: Waiting, grants: NewGrants) -> None:
    call(grants.noting.after_create)
    waiting.now += SECONDS_UNTIL_EFFECTIVE + 1
    call(grants.waiting.before_update)
    assert waiting.now == 1000 + SECONDS_UNTIL_EFFECTIVE + 1


def test_a_build_waits_for_nothing_where_no_grant_is_new(waiting: Waiting, grants: NewGrants) -> None:
    call(grants.waiting.before_create)
    assert waiting.now == 1000


def test_the_builds_grants_are_noted_and_each_function_waits_for_them(dev: Plan) -> None:
    noted = {r.name for r in dev.resources if "note-new-grant" in r.hooks.get("after_create", ())}
    assert noted == {
        "project/logging.logWriter/build",
        "project/storage.objectViewer/build",
        "launchers/artifactregistry.writer/build",
    }
    function = dev.named("echo-launcher", ":Function")
    assert "wait-for-new-grants" in function.hooks["before_create"]
    assert "wait-for-new-grants" in function.hooks["before_update"]

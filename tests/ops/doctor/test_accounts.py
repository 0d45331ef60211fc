"""An `up` asks for the accounts that its stack relies on before Pulumi starts, and for nothing else."""

from pathlib import Path

import pytest
from google.auth.exceptions import RefreshError, TransportError

from infra.configuration.stack_file import read_stack
from ops.doctor.accounts import missing_accounts
from rehearsal.program import evaluate
from tests.ops.doctor.conftest import APP_ENGINE, COMPUTE, Clinic


def missing(clinic: Clinic) -> dict[str, str]:
    """What is said of the accounts that are missing, by which they are."""
    plan = evaluate(*read_stack(str(Path(clinic.stack))))
    found = missing_accounts(plan, clinic.person, reach=clinic.reach.__getitem__)
    return {finding.check.removeprefix("account "): finding.in_words for finding in found}


def test_where_all_are_there_nothing_is_said(clinic: Clinic) -> None:
    assert missing(clinic) == {}


def test_a_missing_and_a_disabled_account_are_named_with_the_command_that_mends_it(clinic: Clinic) -> None:
    clinic.project.accounts = {COMPUTE: {"disabled": True}}
    found = missing(clinic)
    assert found[APP_ENGINE].startswith("it does not exist: gcloud services enable")
    assert found[COMPUTE] == f"it is disabled: gcloud iam service-accounts enable {COMPUTE}"
    assert found.keys() == {APP_ENGINE, COMPUTE}


def test_accounts_that_the_person_may_not_see_are_no_reason_to_stop(clinic: Clinic) -> None:
    clinic.project.accounts = {}
    clinic.project.forbidden_apis = {"iam"}
    assert missing(clinic) == {}


@pytest.mark.parametrize("error", [RefreshError("expired"), TransportError("no network")])
def test_credentials_that_give_no_token_are_no_reason_to_stop(clinic: Clinic, error: Exception) -> None:
    """Pulumi says what is wrong with them, and the doctor does."""
    clinic.project.accounts = {}
    clinic.person.error = error
    assert missing(clinic) == {}

"""Whether the accounts that a stack relies on, and does not make, are there: asked before a deployment too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from ops.doctor.google_apis import GoogleApis
from ops.doctor.project import check_account, check_project
from ops.doctor.web import Web
from ops.findings import Finding
from ops.iam.deployer.needs import accounts_relied_on, project_of
from rehearsal.program import PROJECT_NUMBER, Plan

SECONDS = 10.0


def missing_accounts(plan: Plan, credentials: Credentials, *, reach: Callable[[str], str] = str) -> list[Finding]:
    """Those that Google Cloud says do not exist, or are disabled. An `up` would wait for one, and then fail half-way.

    What cannot be asked is no problem here: the doctor says so. ``reach`` is that of :class:`Web`.
    """
    try:
        credentials.refresh(partial(Request(), timeout=SECONDS))
    except GoogleAuthError:
        return []
    apis = GoogleApis(Web(credentials, reach=reach, seconds=SECONDS), project_of(plan))
    number, _ = check_project(apis)
    accounts = [account.replace(PROJECT_NUMBER, number) for account in accounts_relied_on(plan) if number]
    found = [finding for account in accounts for finding in check_account(apis, account)]
    return [finding for finding in found if finding.status == "problem"]

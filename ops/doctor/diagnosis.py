"""All checks of a stack, and how they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import partial
from typing import Any

from rich.console import Console

from infra.configuration.settings import read_settings
from kfp_connect.endpoint import Endpoint
from ops.doctor import policies
from ops.doctor.cluster import Look, check_cluster
from ops.doctor.configuration import check_configuration
from ops.doctor.endpoint import advise_fence, check_endpoint
from ops.doctor.google_apis import GoogleApis
from ops.doctor.machine import check_cli, check_credentials
from ops.doctor.project import (
    check_account,
    check_billing,
    check_elsewhere,
    check_permissions,
    check_project,
    check_services,
)
from ops.doctor.web import Web
from ops.findings import Check, Finding, show_findings, unchecked
from ops.google import LOGIN
from ops.iam.deployer.needs import accounts_relied_on, granted_on, needs_of, project_of
from rehearsal.program import PROJECT_NUMBER, Plan, read_stack

AT_ONCE = 8


def diagnose(stack: str, *, reach: Callable[[str], str] = str, seconds: float = 10) -> list[Finding]:
    """Runs every check that can be run. ``reach`` and ``seconds`` are those of :class:`Web`.

    Raises:
        ConfigurationError: there is no such stack file.
    """
    name, config = read_stack(stack)
    credentials, about_credentials = check_credentials(config)
    plan, about_configuration = check_configuration(name, config)
    findings = [check_cli(), about_credentials, *about_configuration]
    if not plan:
        what = "which project and which endpoint to look at is not known yet"
        return [*findings, unchecked("project and endpoint", what, "mend the configuration first")]
    web = Web(credentials, reach=reach, seconds=seconds)
    checks: list[Check] = []
    number = ""
    if credentials:
        apis = GoogleApis(web, project_of(plan))
        number, about_project = check_project(apis)
        findings.append(about_project)
        checks += _project_checks(apis, plan, number)
        checks += [partial(check_cluster, web, look) for look in _looks(plan)]
    else:
        findings.append(unchecked("project", "what is in the project is seen with credentials only", LOGIN))
    checks += [partial(check_endpoint, endpoint) for endpoint in _endpoints(plan, number)]
    checks.append(partial(advise_fence, read_settings(name, config)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*findings, *(finding for found in pool.map(lambda check: check(), checks) for finding in found)]


def show_diagnosis(stack: str, console: Console, *, as_json: bool) -> int:
    """Shows what the checks of a stack find; returns the exit status, 1 if there is a problem."""
    with console.status("Looking"):
        findings = diagnose(stack)
    return show_findings(findings, console, as_json=as_json)


def _project_checks(apis: GoogleApis, plan: Plan, number: str) -> list[Check]:
    needs = needs_of(plan)
    services = [str(service.inputs["service"]) for service in plan.of_type("projects/service:Service")]
    return [
        partial(check_billing, apis),
        partial(check_services, apis, services),
        partial(check_permissions, apis, needs, f"iam/{plan.stack}.deployer.yaml"),
        *(partial(check_elsewhere, apis, place, wanted) for place, wanted in needs.elsewhere.items()),
        *(partial(_check_account, apis, account, number) for account in accounts_relied_on(plan)),
        *(partial(policies.check_values, apis, trap) for trap in policies.traps_of(plan)),
        *(partial(policies.check_enforced, apis, constraint) for constraint in policies.REFUSALS),
        partial(policies.check_default_grants, apis, plan),
        partial(policies.check_members, apis, plan),
    ]


def _check_account(apis: GoogleApis, account: str, number: str) -> list[Finding]:
    """A default account's address has the project's number in it; the plan has a stand-in for that."""
    if PROJECT_NUMBER in account and not number:
        what = "its address has the project's number in it, which is not known"
        return [unchecked("account of Compute Engine", what, f"gcloud projects describe {apis.project}")]
    return check_account(apis, account.replace(PROJECT_NUMBER, number))


def _installation(plan: Plan, number: str) -> str:
    """The account of the Pipelines installation, if a launcher is let in through one."""
    granted = sorted({granted_on(resource) for resource in plan.resources} & {*accounts_relied_on(plan)})
    return (
        granted[0].replace(PROJECT_NUMBER, number or "PROJECT_NUMBER")
        if granted
        else "ACCOUNT@PROJECT.iam.gserviceaccount.com"
    )


def _endpoints(plan: Plan, number: str) -> list[Endpoint]:
    """The endpoints at which the plan's launchers start runs."""
    targets = {target["host"]: target for target, _ in _targets(plan) if target["kind"] == "kfp"}
    account = _installation(plan, number)
    return [
        Endpoint(host, target.get("audience"), account, target.get("namespace") or "")
        for host, target in sorted(targets.items())
    ]


def _looks(plan: Plan) -> list[Look]:
    """Where the plan's launchers look for workflows."""
    given = ((target.get("workflows"), account) for target, account in _targets(plan))
    looks = {Look(look["endpoint"], look["namespace"], account) for look, account in given if look}
    return sorted(looks, key=astuple)


def _targets(plan: Plan) -> Iterator[tuple[dict[str, Any], str]]:
    """What each of the plan's launchers is told of its target, and the account that it runs as."""
    for function in plan.of_type("cloudfunctionsv2/function:Function"):
        service = function.inputs["serviceConfig"]
        yield json.loads(service["environmentVariables"]["TRIGGER"])["target"], service["serviceAccountEmail"]

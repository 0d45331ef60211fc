"""An endpoint, as `pipeline-trigger connect` sees it, and what that says of the launcher."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from kfp_server_api import ApiException

from function_src.launcher.origin import is_hosted
from infra.configuration.settings import StackSettings
from infra.configuration.target_settings import KfpTarget
from kfp_connect import ConnectError, Problem
from kfp_connect.credentials import Wish
from kfp_connect.endpoint import Endpoint
from ops.endpoint import checks
from ops.endpoint.refusals import FIX_NAMESPACE, mend, refusal
from ops.findings import Finding, advice, ok, problem, unchecked

# What is wrong with a hosted endpoint wherever one asks from. Others may let in the launcher's network alone.
WRONG = {Problem.LOGIN_PAGE, Problem.NO_API, Problem.UNAUTHORIZED}


def check_endpoint(endpoint: Endpoint) -> list[Finding]:
    """What you see of an endpoint. What the launcher may do there is granted to its own identity, and not yours."""
    check = f"endpoint {endpoint.host}"
    found = [*checks.check_endpoint(endpoint, Wish(None), partial(_judge, endpoint))]
    troubles = [replace(each, check=f"{check}, {each.check}") for each in found if each.status != "ok"]
    return troubles or [ok(check, "it speaks v2beta1, and lets you read and change things")]


def advise_fence(settings: StackSettings) -> list[Finding]:
    """What a fence would be good for, of each hosted endpoint with runs that have none."""
    bare: dict[str, list[str]] = {}
    for trigger in settings.triggers:
        target = trigger.target
        if isinstance(target, KfpTarget) and is_hosted(target.host) and not target.fence:
            bare.setdefault(target.host, []).append(trigger.name)
    what = (
        "its proxy forwards a request again when the agent in the cluster restarts: a second workflow of one event, "
        "whatever the launcher does. Behind a fence that one does no work; without: {}"
    )
    fix = (
        "set target.fence: true, and target.runner to whom the steps run as (docs/guarantees.md, A fence in the run)"
    )
    return [advice(f"fence at {host}", what.format(", ".join(names)), fix) for host, names in bare.items()]


def _judge(endpoint: Endpoint, step: str, error: ConnectError | ApiException) -> Finding:
    if isinstance(error, ApiException) and not endpoint.namespace and mend(error) == FIX_NAMESPACE:
        what = "it has several users, and the stack file does not say whose experiments are meant: nothing launches"
        return problem(step, what, "set target.namespace to the namespace of the runs")
    if isinstance(error, ApiException):
        return unchecked(step, refusal(error), mend(error) or "ask those who run the endpoint to let you in")
    if error.problem is Problem.FORBIDDEN:
        what = (
            "it forbids it to you, which says nothing of the launcher: a hosted endpoint lets in who may act as the "
            "Pipelines installation's account, and the stack grants that to the launcher"
        )
        return unchecked(step, what, error.fix)
    wrong = error.problem is Problem.V1_ONLY or (endpoint.hosted and error.problem in WRONG)
    return problem(step, error.what, error.fix) if wrong else unchecked(step, error.what, error.fix)

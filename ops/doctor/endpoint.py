"""The endpoint: that it answers, speaks v2beta1, takes your token, and would let a run be started."""

from __future__ import annotations

from infra.configuration.rules import is_hosted
from ops.doctor.web import Answer, UnreachableError, Web
from ops.findings import Finding, ok, problem, unchecked
from ops.google import LOGIN

FIND_HOST = "kubectl describe configmap inverse-proxy-config -n kubeflow"
V2, V1 = "/apis/v2beta1", "/apis/v1beta1"
# Refused by every server that speaks v2beta1, before it does anything: it does not know the field.
PROBE = {"display_name": "", "nothing_is_created_by_this_probe": True}


def check_endpoint(web: Web, host: str, way_in: str) -> list[Finding]:
    """What you see of an endpoint. What the launcher may do there is granted to its own identity, and not yours.

    ``way_in`` is the command that would let you in at a hosted one, empty if you have no token to be let in with; or
    that connects to another, with the token that its target asks for.
    """
    check = f"endpoint {host}"
    try:
        answer = web.send("GET", host, f"{V2}/healthz")
        if answer.status == 404 and _speaks_v1(web, host):
            what = "it speaks v1beta1 only; runs are started through v2beta1"
            return [problem(check, what, "upgrade Kubeflow Pipelines there to 2.0 or newer, or give another host")]
        if answer.status != 200 or answer.data is None:
            return [_not_let_in(check, host, answer, way_in)]
        listed = web.send("GET", host, f"{V2}/experiments?page_size=1")
        if listed.status != 200 or listed.data is None:
            return [_not_let_in(f"{check}, reading", host, listed, way_in)]
        return [ok(check, "it speaks v2beta1 and lets you read"), _writing(web, host, check, way_in)]
    except UnreachableError as error:
        if is_hosted(host):
            return [problem(check, str(error), f"is the host right? {FIND_HOST}")]
        return [unchecked(check, f"{error}; it may be reachable from the launcher alone", way_in)]


def _speaks_v1(web: Web, host: str) -> bool:
    answer = web.send("GET", host, f"{V1}/healthz")
    return answer.status == 200 and answer.data is not None


def _writing(web: Web, host: str, check: str, way_in: str) -> Finding:
    """Proxies have let people read and not write (kubeflow/pipelines#4667), so a read alone tells nothing of that."""
    check = f"{check}, writing"
    answer = web.send("POST", host, f"{V2}/experiments", json=PROBE)
    if answer.status == 400 and answer.data is not None:
        return ok(check, "it lets you write: a request that is wrong on purpose got as far as being refused for that")
    return _not_let_in(check, host, answer, way_in)


def _not_let_in(check: str, host: str, answer: Answer, way_in: str) -> Finding:
    if not is_hosted(host):
        what = f"it answers {answer.status}, perhaps to ask who you are: no token of yours is sent to it"
        return unchecked(check, what, way_in)
    if not way_in:
        return unchecked(check, f"it answers {answer.status}, and you have no token to show it", LOGIN)
    if answer.status == 403:
        what = (
            "it forbids it to you, which says nothing of the launcher: a hosted endpoint lets in who may act as the "
            "Pipelines installation's account, and the stack grants that to the launcher"
        )
        return unchecked(check, what, way_in)
    if answer.status == 401 or (answer.status < 400 and answer.data is None):
        return problem(check, f"it does not take your token ({answer.status}, a login page)", LOGIN)
    if answer.status == 404:
        return problem(check, "it knows no Pipelines API", f"is the host right? {FIND_HOST}")
    return unchecked(check, f"it answers {answer.status}: {answer.text[:80]!r}", "try again")

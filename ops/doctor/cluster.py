"""The cluster that a launcher looks into before it sends a second POST: whether it may, and whether it is the one."""

from __future__ import annotations

from dataclasses import dataclass

from ops.doctor.web import Answer, UnreachableError, Web
from ops.findings import Finding, ok, problem, unchecked

GROUP, RESOURCE = "argoproj.io", "workflows"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
ROLE = "event-triggered-pipelines"


@dataclass(frozen=True)
class Look:
    """Where a launcher, by its address, looks for workflows."""

    endpoint: str
    namespace: str
    launcher: str


def check_cluster(web: Web, look: Look) -> list[Finding]:
    """What you see of the cluster, and what its roles let the launcher do there."""
    check = f"cluster of {look.namespace}, for {look.launcher}"
    try:
        return [_judge(check, look, _list(web, look), _review(web, look))]
    except UnreachableError as error:
        fix = "gcloud container clusters update CLUSTER --enable-dns-access, if its DNS-based endpoint is off"
        return [unchecked(check, str(error), fix)]


def _judge(check: str, look: Look, listed: Answer, review: Answer) -> Finding:
    if listed.status == 404:
        what = f"{look.endpoint} knows no workflows: events in doubt are retried, and not launched"
        return problem(check, what, "set target.workflows to the cluster that the Pipelines installation is in")
    if review.status != 201 or review.data is None:
        what = f"whether the launcher may list workflows there is not for you to ask: it answered {review.status}"
        by_hand = f"kubectl auth can-i list {RESOURCE}.{GROUP} -n {look.namespace} --as={look.launcher}"
        return unchecked(check, what, by_hand)
    if not review.data.get("status", {}).get("allowed"):
        what = "the launcher may not list workflows there: events in doubt are retried, and not launched"
        return problem(check, what, how_to_allow(look))
    if listed.status == 200 and not (listed.data or {}).get("items"):
        what = f"the launcher may list workflows in {look.namespace}, and there is none yet"
        return unchecked(check, what, "kubectl get workflows --all-namespaces, to see that runs are in that one")
    return ok(check, "the launcher may list workflows there")


def how_to_allow(look: Look) -> str:
    """The commands that let the launcher list workflows in their namespace, and nothing else."""
    where = f"kubectl -n {look.namespace} create"
    return (
        f"{where} role {ROLE} --verb=list --resource={RESOURCE}.{GROUP}\n"
        f"{where} rolebinding {ROLE} --role={ROLE} --user={look.launcher}"
    )


def _list(web: Web, look: Look) -> Answer:
    path = f"/apis/{GROUP}/v1alpha1/namespaces/{look.namespace}/{RESOURCE}"
    return web.send("GET", look.endpoint, path, params={"limit": 1})


def _review(web: Web, look: Look) -> Answer:
    asked = {"verb": "list", "group": GROUP, "resource": RESOURCE, "namespace": look.namespace}
    spec = {"user": look.launcher, "resourceAttributes": asked}
    body = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec}
    return web.send("POST", look.endpoint, REVIEWS, json=body)

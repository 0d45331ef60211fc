"""Who may do what, by the grants of a plan and nothing else: what the stand-ins ask before they do anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.program import Plan

CREATE_JOBS = "aiplatform.pipelineJobs.create"
CONNECT = "container.clusters.connect"


class Permissions:
    """Answers for one plan. A caller is an address; basic roles, which the plan does not give, count for nothing."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def may_act_as(self, caller: str, account: str) -> bool:
        """Whether a caller may have things run as an account."""
        return self._on_account(caller, account, "roles/iam.serviceAccountUser")

    def may_impersonate(self, caller: str, account: str) -> bool:
        """Whether a caller may make tokens of an account."""
        return self._on_account(caller, account, "roles/iam.serviceAccountTokenCreator")

    def may_pass_iap(self, caller: str) -> bool:
        """Whether a caller gets through Identity-Aware Proxy, at any backend service of the plan. Where the plan has
        none, somebody else lets in whom it likes."""
        if not self._plan.of_type(":WebBackendServiceIamMember"):
            return True
        given = self._granted(":WebBackendServiceIamMember", caller)
        return any(grant["role"] == "roles/iap.httpsResourceAccessor" for grant in given)

    def may_create_jobs(self, caller: str, project: str) -> bool:
        """Whether a caller has a role in a project that lets it create pipeline jobs."""
        return project in self._projects_with(CREATE_JOBS, caller)

    def may_connect(self, caller: str) -> bool:
        """Whether a caller has a role that lets it reach clusters, in any project: there is one cluster here."""
        return bool(self._projects_with(CONNECT, caller))

    def _projects_with(self, permission: str, caller: str) -> set[str]:
        """The projects in which a caller has a role of the plan's own with some permission."""
        roles = {
            f"projects/{role.inputs['project']}/roles/{role.inputs['roleId']}"
            for role in self._plan.of_type(":IAMCustomRole")
            if permission in role.inputs["permissions"]
        }
        given = self._granted("projects/iAMMember:IAMMember", caller)
        return {grant["project"] for grant in given if grant["role"] in roles}

    def _on_account(self, caller: str, account: str, role: str) -> bool:
        wanted = f"projects/-/serviceAccounts/{account}", role
        given = self._granted("serviceaccount/iAMMember:IAMMember", caller)
        return any((grant["serviceAccountId"], grant["role"]) == wanted for grant in given)

    def _granted(self, kind: str, caller: str) -> Iterator[Any]:
        for grant in self._plan.of_type(kind):
            if grant.inputs["member"] == f"serviceAccount:{caller}":
                yield grant.inputs

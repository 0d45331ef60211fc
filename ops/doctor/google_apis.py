"""Google's APIs, asked about one project, and what it means when one refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.doctor.web import Answer, UnreachableError, Web
from ops.findings import Finding, unchecked
from ops.google import LOGIN
from ops.iam.deployer.needs import grant_command

# What lets a person look, by API.
VIEWERS = {
    "cloudbilling": "roles/browser",
    "cloudresourcemanager": "roles/browser",
    "iam": "roles/iam.serviceAccountViewer",
    "orgpolicy": "roles/orgpolicy.policyViewer",
    "serviceusage": "roles/serviceusage.serviceUsageViewer",
}


class RefusedError(Exception):
    """An API did not say what it was asked, and ``fix`` is what to do about it.

    ``status`` is what it said of the thing itself: 403, 404; 0 if the answer was about the caller or the API, which
    may be ``disabled``.
    """

    def __init__(self, what: str, fix: str, *, status: int = 0, disabled: bool = False) -> None:
        super().__init__(what)
        self.fix, self.status, self.disabled = fix, status, disabled

    def as_finding(self, check: str) -> Finding:
        """What the refusal leaves open."""
        return unchecked(check, str(self), self.fix)


class GoogleApis:
    """The APIs as the person with these credentials sees them, from ``project``."""

    def __init__(self, web: Web, project: str) -> None:
        self.web, self.project = web, project

    @property
    def member(self) -> str:
        """The person or account, for a gcloud command. Credentials of a person do not say whose they are."""
        email = str(getattr(self.web.credentials, "service_account_email", ""))
        return f"serviceAccount:{email}" if "@" in email else '"user:$(gcloud config get-value account)"'

    def grant(self, role: str, place: str = "") -> str:
        """The command that gives the person a role on the project, or on another ``place``."""
        return grant_command(place or self.project, self.member, role)

    def get(self, service: str, path: str, **params: Any) -> Mapping[str, Any]:
        """Asks an API. Raises RefusedError."""
        return self._call("GET", service, path, params=params)

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Asks an API with a body. Raises RefusedError."""
        return self._call("POST", service, path, json=body)

    def delete(self, service: str, path: str) -> Mapping[str, Any]:
        """Deletes what is there. Raises RefusedError."""
        return self._call("DELETE", service, path)

    def _call(self, method: str, service: str, path: str, **options: Any) -> Mapping[str, Any]:
        try:
            answer = self.web.send(method, f"https://{service}.googleapis.com", path, **options)
        except UnreachableError as error:
            raise RefusedError(str(error), "look to the network or the proxy, and try again") from None
        if answer.status in (200, 204) and (answer.data is not None or method == "DELETE"):
            return answer.data or {}
        raise self._refused(service, answer)

    def _refused(self, service: str, answer: Answer) -> RefusedError:
        given = (answer.data or {}).get("error")
        error = given if isinstance(given, dict) else {}
        message = str(error.get("message") or f"it answered {answer.status}, and not in JSON").partition("\n")[0]
        host = f"{service}.googleapis.com"
        details = [detail for detail in error.get("details", []) if detail.get("reason") == "SERVICE_DISABLED"]
        if "quota project" in message:
            fix = f"gcloud auth application-default set-quota-project {self.project}"
            return RefusedError(f"{host} wants a quota project in your credentials", fix)
        if details:
            consumer = details[0].get("metadata", {}).get("consumer", "").removeprefix("projects/") or self.project
            fix = f"gcloud services enable {host} --project={consumer}"
            return RefusedError(f"{host} is not enabled", fix, disabled=True)
        if answer.status == 401:
            return RefusedError(f"{host} does not accept your token", LOGIN)
        if answer.status == 403:
            fix = self.grant(VIEWERS.get(service, "roles/viewer"))
            return RefusedError(f"{host} forbids it: {message}", fix, status=403)
        return RefusedError(f"{host} says {answer.status}: {message}", "try again", status=answer.status)

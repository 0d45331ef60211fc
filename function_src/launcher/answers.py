"""What it means when a service refuses: the one table of it, for what a run is asked for and for all that is read.

docs/troubleshooting.md has the same rows, and a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from .http import Answer
from .run import ExistsError, RefusedError, StrandedError, TwiceError, UnavailableError, UnknownError

LONGEST_REASON = 500


class Service(StrEnum):
    """Whom the launcher asks."""

    STORAGE = "Cloud Storage"
    LEDGER = "the ledger"
    TOKENS = "iamcredentials.googleapis.com"
    METADATA = "the metadata server"
    KFP = "the endpoint"
    VERTEX = "Vertex AI"
    KUBERNETES = "Kubernetes"


@dataclass(frozen=True)
class Row:
    """An answer, what it means, and what mends it.

    ``status``: HTTP statuses, "5.." for all that start so. ``words``: one of these, between bars, stands in the
    answer; ``…`` is anything. ``code``: the service's own, "*" for any; without one a proxy may speak. ``error``:
    what is raised where a run is asked for; elsewhere RefusedError is for ever, and any other for now. ``{place}`` in
    ``fix`` is the bucket or the account.
    """

    services: Service | tuple[Service, ...]
    status: str
    words: str
    error: type[Exception]
    fix: str = ""
    code: str = ""

    @property
    def asked(self) -> tuple[Service, ...]:
        """Who may say so."""
        return self.services if isinstance(self.services, tuple) else (self.services,)

    def fits(self, service: Service, answer: Answer) -> bool:
        """Whether it is about this answer."""
        return (
            service in self.asked
            and bool(self._statuses.fullmatch(str(answer.status)))
            and (not self.code or (bool(answer.code) if self.code == "*" else answer.code == self.code))
            and (not self.words or bool(self._said.search(f"{answer.marks} {answer.words}")))
        )

    @cached_property
    def _statuses(self) -> re.Pattern[str]:
        return re.compile(self.status.replace(", ", "|"))

    @cached_property
    def _said(self) -> re.Pattern[str]:
        parts = (".*".join(map(re.escape, words.split(" … "))) for words in self.words.split(" | "))
        return re.compile("|".join(parts), re.IGNORECASE)


@dataclass(frozen=True)
class Meaning:
    """What an answer says: ``error`` as in :class:`Row`, and ``said``, as in "answered 403: no; give it a role"."""

    service: Service
    error: type[Exception]
    said: str

    @property
    def told(self) -> str:
        """That, and who said it."""
        return f"{self.service} {self.said}"

    @property
    def for_ever(self) -> bool:
        """Whether it would be refused again, whoever mends what."""
        return issubclass(self.error, RefusedError)


def explain(service: Service, answer: Answer, place: str = "") -> Meaning:
    """What an answer means that is not the one hoped for, in the service's own words and with what mends it."""
    row = next(row for row in TABLE if row.fits(service, answer))
    said = f"answered {answer.status}" + (f": {shorten(answer.words)}" if answer.words else " with no reason")
    return Meaning(service, row.error, said + (f"; {row.fix.replace('{place}', place)}" if row.fix else ""))


def shorten(words: str) -> str:
    """A reason, short enough for a line of log and a record."""
    return words.rstrip(".") if len(words) <= LONGEST_REASON else words[: LONGEST_REASON - 1] + "…"


S = Service
OBJECTS = (S.STORAGE, S.LEDGER)
GOOGLE = (*OBJECTS, S.TOKENS, S.VERTEX)
SERVERS = (S.KFP, S.VERTEX)
REJECTED, RETRY, IN_DOUBT = RefusedError, UnavailableError, UnknownError
MEND = "mend the package or the parameters, then replay"
LOGIN = "it wants a login, and the launcher has none"
# fmt: off
TABLE = (
    # --- any API of Google's ---
    Row(GOOGLE, "403", "vpcServiceControlsUniqueIdentifier | VPC Service Controls | prohibited by organization's",
        RETRY, "a perimeter keeps the function's identity out: let it in by an ingress rule; the troubleshooter of "
        "VPC Service Controls finds the denial by its identifier"),
    Row(GOOGLE, "403", "SERVICE_DISABLED | accessNotConfigured | has not been used in project",
        RETRY, "enable that API: make up does"),
    Row(GOOGLE, "403", "billing account | billing to be enabled | accountDisabled | BILLING_DISABLED",
        RETRY, "the project's billing is off: gcloud billing projects link PROJECT --billing-account=ACCOUNT"),
    Row(GOOGLE, "401", "", RETRY, "is the account of the function disabled, or gone?"),
    Row(GOOGLE, "429", "", RETRY, "if that lasts, ask for more quota"),

    # --- objects: a trigger's files, and the ledger's records ---
    Row(S.STORAGE, "400", "ResourceIsEncryptedWithCustomerEncryptionKey | customer-supplied encryption key",
        REJECTED, "nobody but its writer has that key: write the object anew without it, or with a key of Cloud KMS"),
    Row(OBJECTS, "400", "UserProjectMissing | requester pays",
        RETRY, "the launcher names nobody who pays: gcloud storage buckets update {place} --no-requester-pays"),
    Row(OBJECTS, "400, 403", "KEY_DISABLED | KEY_DESTROYED | CloudKmsDisabledKey | Cloud KMS … is disabled",
        RETRY, "gcloud kms keys versions enable, or restore while it is only scheduled to be destroyed; what is "
        "encrypted with one that is gone must be written anew"),
    Row(OBJECTS, "400, 403", "Cloud KMS | CloudKms",
        RETRY, "let Cloud Storage's agent use the key, which is for the bucket's owner: gcloud storage service-agent "
        "--project=PROJECT --authorize-cmek=KEY"),
    Row(S.STORAGE, "400", "InvalidArgument | InvalidParameter",
        REJECTED, "there can be no such object: let Cloud Storage announce the file"),
    Row(S.STORAGE, "404", "", REJECTED, "the object is gone: keep trigger files until their run has started"),
    Row(S.STORAGE, "403", "",
        RETRY, "give the function's identity roles/storage.objectViewer on {place}: make up does, or its owner"),
    Row(S.LEDGER, "403", "", RETRY, "the launcher lost its right to {place}: pipeline-trigger doctor, then make up"),
    Row(S.LEDGER, "404", "", RETRY, "is {place} there? make up makes it anew"),

    # --- tokens ---
    Row(S.TOKENS, "403", "", RETRY, "the function's identity needs roles/iam.serviceAccountTokenCreator on {place}"),
    Row(S.TOKENS, "404", "", RETRY, "there is no account {place}: see target.impersonate"),
    Row(S.METADATA, "403, 404", "",
        RETRY, "the function's account is disabled or gone: gcloud iam service-accounts enable, or another identity"),

    # --- Vertex AI. Its 400 may be about accounts and buckets, which people mend ---
    Row(S.VERTEX, "409", "", ExistsError, "there is a job of that id", code="ALREADY_EXISTS"),
    Row(S.VERTEX, "400, 403", "act as service_account | iam.serviceAccounts.actAs",
        RETRY, "the function's identity needs roles/iam.serviceAccountUser on target.service_account: make up"),
    Row(S.VERTEX, "400", "IAM permission(s) to the bucket",
        RETRY, "give target.service_account roles/storage.objectUser on the bucket of target.pipeline_root"),
    Row(S.VERTEX, "400", "Cloud KMS | kmsKeyName", RETRY, "see target.cmek_key: the key, and who may use it"),
    Row(S.VERTEX, "400", "", REJECTED, MEND, code="INVALID_ARGUMENT"),
    Row(S.VERTEX, "403", "", RETRY, "the function's identity needs the right to create pipeline jobs, and to act as "
        "target.service_account"),
    Row(S.VERTEX, "404", "", RETRY, "see target.location"),

    # --- a KFP server, by the step of CreateRun that it speaks of (resource_manager.go, run_store.go): it stores a
    # run when its workflow is there, and does all that stands below before that ---
    Row(S.KFP, "409, 5..", "Failed to store run … Error 1366 | Failed to store run … Error 1406",
        StrandedError, "its database cannot store this run: see target.database", code="*"),
    Row(S.KFP, "409, 5..", "Error 1062 | Duplicate entry", TwiceError, "a run of that id was there", code="*"),
    Row(S.KFP, "409, 5..", "Failed to store run", IN_DOUBT, "see the server's database", code="*"),
    Row(S.KFP, "5..", "Failed to validate workflow | request is too large | error fetching manifest"
        " | Failed to generate the ExecutionSpec",
        REJECTED, MEND, code="*"),
    Row(S.KFP, "5..", "Failed to create a workflow for … dial tcp",
        RETRY, "its cluster's API does not answer it", code="*"),
    Row(S.KFP, "5..", "Failed to create a workflow for … is forbidden",
        RETRY, "its cluster lets it create no workflow: see the namespace's quotas and roles", code="*"),
    Row(S.KFP, "5..", "Failed to check supplied run ID", RETRY, "see the server's database", code="*"),
    Row(S.KFP, "400", "empty namespace", RETRY, "it serves several users: set target.namespace", code="*"),
    Row(S.KFP, "400", "", REJECTED, MEND, code="*"),
    Row(S.KFP, "409", "", REJECTED, MEND, code="10"),
    Row(S.KFP, "401", "no user identity header",
        RETRY, "it serves several users, and what stands before it passes no user on: see target.host", code="*"),
    Row(S.KFP, "403", "is not authorized",
        RETRY, "let the function's identity into the namespace, by a RoleBinding to kubeflow-edit", code="*"),
    Row(S.KFP, "404", "", RETRY, "what it names is made anew at the next attempt", code="*"),

    # --- what stands before a KFP server: Identity-Aware Proxy, Istio, Envoy, oauth2-proxy, Dex ---
    Row(S.KFP, "401, 403", "Invalid IAP credentials", RETRY, "see target.audience: the client id of IAP"),
    Row(S.KFP, "403", "RBAC: access denied",
        RETRY, "an AuthorizationPolicy of Istio keeps the function's identity out: add it there"),
    Row(S.KFP, "401, 403", "Jwt is | Jwt issuer | Jwt verification | Jwks | Audiences in Jwt",
        RETRY, "a RequestAuthentication of Istio does not know the token: add the issuer https://accounts.google.com "
        "and target.audience to it"),
    Row(S.KFP, "3..", "accounts.google.com", RETRY, LOGIN + ": for IAP set target.audience"),
    Row(S.KFP, "3.., 401, 403", "/dex/ | /oauth2/",
        RETRY, LOGIN + ": let oauth2-proxy take Google's ID tokens for target.audience (--skip-jwt-bearer-tokens)"),
    Row(S.KFP, "3..", "", RETRY, LOGIN),
    Row(S.KFP, "2..", "Kubeflow Central Dashboard",
        IN_DOUBT, "that is the dashboard of a whole Kubeflow: its Pipelines API is below /pipeline, see target.host"),
    Row(S.KFP, "2..", "a page", IN_DOUBT, LOGIN),
    Row(S.KFP, "5..", "upstream connect error | no healthy upstream | upstream request timeout",
        IN_DOUBT, "Envoy has no answer of the server: kubectl get pods -n kubeflow -l app=ml-pipeline"),
    Row(S.KFP, "401", "", RETRY, "it does not accept the token of the function's identity"),
    Row(S.KFP, "403", "", RETRY, "the function's identity has no access to it (see target.access)"),
    Row(S.KFP, "404", "", RETRY, "the host serves no KFP API v2beta1"),
    Row(SERVERS, "413", "",
        REJECTED, "package and parameters are too large for it: pass a file's URI, and not what stands in it"),

    # --- the cluster behind it ---
    Row(S.KUBERNETES, "401", "", RETRY, "it does not accept the token of the function's identity"),
    Row(S.KUBERNETES, "403", "",
        RETRY, "the function's identity may not list workflows there; see docs/guarantees.md for the Role"),
    Row(S.KUBERNETES, "404", "",
        RETRY, "its cluster knows no workflows: set target.workflows to that of the KFP installation"),

    # --- whatever else. Where a run is asked for, only these statuses say for sure that none was started ---
    Row(SERVERS, "3.., 400, 429", "", RETRY),
    Row(SERVERS, "...", "", IN_DOUBT),
    Row(tuple(S), "...", "", RETRY),
)
# fmt: on

"""Everything that keeps a client from an endpoint: what is said about it, and what mends it.

All in one place, because docs/connect.md lists them: a test compares. Names in braces are filled in, and stand in
capitals in the document.
"""

from __future__ import annotations

from enum import Enum


class Problem(Enum):
    """What is wrong and how to fix it. The second is a command wherever there is one."""

    NO_ENDPOINT = (
        "no endpoint is given",
        (
            'name it, connect("https://...") or connect(stack="dev"), on the command line --host or --stack, '
            "or set KF_PIPELINES_ENDPOINT"
        ),
    )
    BAD_ENDPOINT = ("the endpoint in {PLACE} {PROBLEM}", "{FIX}")
    NO_STACK = ("there is no stack file {FILE}", "choose one of {STACKS}, or give a file's path")
    NOT_A_STACK = (
        "{FILE} is not a stack file with a block `config:`: {REASON}",
        "mend it, or give another file's path",
    )
    BAD_STACK = ("{FILE}: {KEY}: {PROBLEM}", "{FIX}")
    NO_TRIGGER = ("stack {STACK} has no trigger {TRIGGER}", "name one that it has: {TRIGGERS}")
    NOT_KFP = (
        "trigger {TRIGGER} of stack {STACK} starts its runs on {TARGET}, and at no KFP endpoint",
        (
            "name a trigger that has one: {TRIGGERS}; for jobs on Vertex AI see "
            "https://console.cloud.google.com/vertex-ai/pipelines"
        ),
    )
    NO_TARGET = (
        "no trigger of stack {STACK} starts runs at a KFP endpoint",
        (
            "for jobs on Vertex AI see https://console.cloud.google.com/vertex-ai/pipelines, and for the event of "
            "each pipeline-trigger launches list --stack {STACK}"
        ),
    )
    BAD_ARGUMENT = ("{NAME} is {VALUE}", "use {FIX}")
    MISSING = ('credentials "{WAY}" need {OPTION}', "pass it: {EXAMPLE}")
    NO_CREDENTIALS = (
        "there are no Google Cloud credentials here",
        (
            'gcloud auth application-default login; without gcloud use credentials="key-file" or "token", '
            "on the command line --credentials"
        ),
    )
    NO_METADATA = (
        "the metadata server gives no token: {REASON}",
        'the credentials "metadata" are for Google Cloud, with a service account attached; elsewhere use "default"',
    )
    BAD_CREDENTIALS_FILE = ("{FILE} {PROBLEM}", "{FIX}")
    CREDENTIALS_REFUSED = (
        "Google gives {ACCOUNT} no token: {REASON}",
        "gcloud auth application-default login; for a key file, make a new key: that one may have been deleted",
    )
    FEDERATION_REFUSED = (
        "Google gives no token: {REASON}",
        (
            "check the pool's provider and the attribute condition: gcloud iam workload-identity-pools providers "
            "describe PROVIDER --workload-identity-pool=POOL --location=global"
        ),
    )
    FEDERATED_MAY_NOT_IMPERSONATE = (
        "the federated credentials may not act as {ACCOUNT}: {REASON}",
        (
            "gcloud iam service-accounts add-iam-policy-binding {ACCOUNT} "
            "--member='principalSet://iam.googleapis.com/POOL/*' --role=roles/iam.workloadIdentityUser"
        ),
    )
    NO_WAY_TO_GOOGLE = (
        "the server that gives tokens cannot be reached: {REASON}",
        "mend the way there: curl https://oauth2.googleapis.com, for federated credentials https://sts.googleapis.com",
    )
    NO_TOKEN_IN_TIME = (
        "there was no token within {SECONDS} s",
        (
            "gcloud auth application-default login, or mend the way to the token server: the search for a metadata "
            "server, for one, is skipped with NO_GCE_CHECK=true"
        ),
    )
    MAY_NOT_IMPERSONATE = (
        "the credentials in use may not act as {ACCOUNT}: {REASON}",
        (
            "gcloud iam service-accounts add-iam-policy-binding {ACCOUNT} --member=user:YOU "
            "--role=roles/iam.serviceAccountTokenCreator"
        ),
    )
    NO_ID_TOKEN = (
        "{WHAT} get no ID token for {AUDIENCE}",
        (
            'act as a service account: credentials="impersonate", account="NAME@PROJECT.iam.gserviceaccount.com", '
            "on the command line --credentials and --account"
        ),
    )
    NOT_FOR_TOKENS = (
        (
            "no access token is sent to {HOST}: it would open all that you may do on Google Cloud, and this is "
            "no hosted endpoint"
        ),
        (
            "leave credentials out for an endpoint inside a network; for one behind Identity-Aware Proxy say "
            'audience="...", on the command line --audience'
        ),
    )
    ANOTHER_HOST = ("this client is for {HOST} and sends nothing to {URL}", "make another with connect()")
    UNAUTHORIZED = (
        "{HOST} does not accept the token of {ACCOUNT}: it answered {SAID}",
        "is this the right account, and the right endpoint? A token that was passed as it is ends after an hour",
    )
    NEEDS_TOKEN = (
        "{HOST} wants a token and was sent none: it answered {SAID}",
        (
            'say whose: credentials="default", or audience="..." for an endpoint behind Identity-Aware Proxy, '
            "on the command line --credentials and --audience"
        ),
    )
    SESSION_REFUSED = (
        "{HOST} does not let in whose cookies or headers were passed: it answered {SAID}",
        'sign in there with a browser, and pass what the session has then: cookies="...", or headers={{...}}',
    )
    FORBIDDEN = (
        "{HOST} is forbidden to {ACCOUNT} (403)",
        (
            "gcloud iam service-accounts add-iam-policy-binding {INSTALLATION} --member={MEMBER} "
            "--role=roles/iam.serviceAccountUser, with the service account of the Pipelines installation"
        ),
    )
    FORBIDDEN_BY_IAP = (
        "Identity-Aware Proxy does not let {ACCOUNT} through to {HOST} (403)",
        (
            "gcloud iap web add-iam-policy-binding --resource-type=backend-services --service=BACKEND_SERVICE "
            "--member={MEMBER} --role=roles/iap.httpsResourceAccessor, and check the audience: it is {AUDIENCE}"
        ),
    )
    LOGIN_PAGE = (
        "{HOST} answered {STATUS} with a page for people: it wants a login",
        (
            'for Identity-Aware Proxy say audience="...", on the command line --audience; for Dex or oauth2-proxy '
            'cookies="..." of a session; for a hosted endpoint take its URL from: kubectl describe configmap '
            "inverse-proxy-config -n kubeflow"
        ),
    )
    V1_ONLY = (
        "{HOST} runs Kubeflow Pipelines 1, which has no API v2beta1",
        "upgrade the installation to 2.0 or newer, or use kfp 1.8",
    )
    NO_API = (
        "{HOST} answered {STATUS}: there is no KFP API v2beta1",
        "is this the Pipelines endpoint? A port-forward goes to svc/ml-pipeline-ui or svc/ml-pipeline",
    )
    UNAVAILABLE = ("{HOST} answered {STATUS}: it is not available", "wait for it: kubectl get pods -n kubeflow")
    UNREACHABLE = (
        "{HOST} cannot be reached: {REASON}",
        (
            "is the name right, and the network? For a port-forward: kubectl port-forward -n kubeflow "
            "svc/ml-pipeline-ui 8080:80"
        ),
    )
    UNTRUSTED = (
        "the certificate of {HOST} is not trusted: {REASON}",
        'name the file of its authority: ca_file="ca.pem", on the command line --ca-file',
    )
    NO_ANSWER_IN_TIME = (
        "{HOST} did not answer within {SECONDS} s",
        "try again, or mend the network on the way there",
    )
    BROKEN = (
        "the connection to {HOST} broke: {REASON}",
        "try again; if it was to start or change something, look first whether it did",
    )
    NOT_ENDED = (
        "the run has not ended in {SECONDS} s: {LAST}",
        "wait for longer, with timeout=..., on the command line --timeout",
    )

    @property
    def what(self) -> str:
        """What is wrong."""
        return self.value[0]

    @property
    def fix(self) -> str:
        """What mends it."""
        return self.value[1]

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later with nobody doing anything."""
        return self in (Problem.UNAVAILABLE, Problem.UNREACHABLE, Problem.NO_ANSWER_IN_TIME, Problem.BROKEN)


class ConnectError(Exception):
    """No connection, or no longer one: ``problem`` says of which kind; the text is ``what`` is wrong and its ``fix``.

    Whatever this package raises is one.
    """

    def __init__(self, problem: Problem, **facts: object) -> None:
        self.problem = problem
        self.what, self.fix = problem.what.format(**facts), problem.fix.format(**facts)
        super().__init__(f"{self.what}; {self.fix}")


class NotEndedError(ConnectError, TimeoutError):
    """A run has not ended in time: for those who catch what kfp raises, too."""

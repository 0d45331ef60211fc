"""What errors of a deployment mean: the words they come in, the cause, and the command that goes on from there.

docs/when-it-goes-wrong.md has the same rows, and a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """``words`` is a pattern of what is said, ``{stack}`` in ``fix`` the stack, as it was given."""

    words: str
    why: str
    fix: str


AGAIN = "make up STACK={stack}"
CAUSES = (
    Cause(
        r"containing objects without `force_destroy`",
        "the bucket still holds files. Those of a trigger's bucket are yours; a ledger's say which event started "
        "which run, and without them an event that is delivered again starts again",
        "move or delete what is in it (gcloud storage rm --recursive 'gs://BUCKET/**'), and make destroy "
        "STACK={stack} goes on; or leave the stack as it is now, and take it up again with " + AGAIN,
    ),
    Cause(
        r"Container Healthcheck failed|failed to start and listen on the port",
        "the function was built and does not start: its own log says why",
        "gcloud logging read 'severity>=ERROR resource.type=\"cloud_run_revision\"' --freshness=1h; then " + AGAIN,
    ),
    Cause(
        r"missing permission on the build service account|does not have storage\.objects\.get access"
        r"|does not have permission to write logs|denied\. You must grant Storage Object Viewer",
        "the build's account may not do yet, or not any more, what the stack lets it: a grant takes minutes to be "
        "known everywhere, and an organisation policy can take it away",
        AGAIN + ", which builds anew; if it says the same again: pipeline-trigger doctor --stack {stack}",
    ),
    Cause(
        r"Build failed|build failed",
        "the function's image was not built; what ran before runs on, and no event is lost meanwhile",
        "gcloud builds list --limit=1 --region=REGION names the log; then " + AGAIN + ", which builds anew",
    ),
    Cause(
        r"Google Cloud does not say ",
        "an address that others are made with is not known",
        "as the message says; then " + AGAIN,
    ),
    Cause(
        r"[Ss]ervice account (\S+/)?\S+ (does not exist|was not found)",
        "the account is none that this stack makes, and it is not there",
        "pipeline-trigger doctor --stack {stack} says how to make it; then " + AGAIN,
    ),
    Cause(
        r"has not been used in project .* before or it is disabled|SERVICE_DISABLED|accessNotConfigured",
        "an API that must be there before is not enabled, or was enabled minutes ago",
        "pipeline-trigger doctor --stack {stack} names it; then " + AGAIN,
    ),
    Cause(
        r"[Bb]illing account|requires billing|billing to be enabled|accountDisabled|BILLING_DISABLED",
        "the project has no billing account that is open",
        "pipeline-trigger doctor --stack {stack} has the command; then " + AGAIN,
    ),
    Cause(
        r"quota project",
        "your login does not say on whose quota it asks",
        "gcloud auth application-default set-quota-project PROJECT; then " + AGAIN,
    ),
    Cause(
        r"[Qq]uota|[rR]ateLimitExceeded|RESOURCE_EXHAUSTED|Error 429",
        "a quota of the project is used up",
        "wait a minute, then " + AGAIN + "; if it says the same again, ask for more: "
        "https://console.cloud.google.com/iam-admin/quotas",
    ),
    Cause(
        r"unable to queue the operation|ABORTED|another operation .*in progress|operation is already in progress",
        "something else is changing it at this moment: another update, or what one began that was killed",
        "wait until that is done, a few minutes, then " + AGAIN,
    ),
    Cause(
        r"context canceled|operation was canceled",
        "it was interrupted while it made this",
        AGAIN + ", which goes on from what is made",
    ),
    Cause(
        r"Error 409|alreadyExists|already exists|ALREADY_EXISTS",
        "something of that name is there, and the stack's state does not know it: left by an update that was killed, "
        "or somebody else's",
        "pipeline-trigger recover --stack {stack} looks whose it is",
    ),
    Cause(
        r"constraint|orgpolicy|violates org|Organization Policy|organization policy",
        "a policy of your organisation forbids it",
        "pipeline-trigger doctor --stack {stack} names the policy and what it allows",
    ),
    Cause(
        r"Error 403|PERMISSION_DENIED|permission denied|does not have permission",
        "the deployer may not do this; or may, since minutes",
        "pipeline-trigger doctor --stack {stack} lists what is missing, of what docs/deploy.md (Who deploys) names",
    ),
    Cause(
        r"violates plan",
        "what would be done is not what was planned: the stack, the program or a setting changed in between",
        "make a new plan, and read it",
    ),
    Cause(
        r"currently locked|Another update is currently in progress",
        "another update is at work on the stack, or one that was killed left its lock",
        "pipeline-trigger recover --stack {stack} says whose it is",
    ),
    Cause(
        r"nothing moves to|Buckets do not move|stack .* was made in ",
        "the stack file asks for what would leave data behind; nothing was touched",
        "as the message says",
    ),
    Cause(
        r"oauth2: |invalid_grant|could not find default credentials|reauth",
        "Google Cloud does not accept your login any more",
        "gcloud auth application-default login; then " + AGAIN,
    ),
    Cause(
        r"connection refused|no such host|i/o timeout|TLS handshake|context deadline exceeded|connection reset",
        "the network, or Google Cloud, did not answer",
        AGAIN + ", which goes on from what is made",
    ),
)
UNKNOWN = Cause("", "nothing here knows this error", "pipeline-trigger doctor --stack {stack} may; then " + AGAIN)


def cause_of(message: str) -> Cause:
    """The first that fits what is said."""
    return next((cause for cause in CAUSES if re.search(cause.words, message)), UNKNOWN)

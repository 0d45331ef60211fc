"""Waits for what Google Cloud has not yet heard of everywhere: a grant, an account, an API.

IAM says "typically 2 minutes, potentially 7 minutes or longer" (iam/docs/access-change-propagation), and any
resource can be the first to notice. A fixed sleep makes every first deployment slow and some still fail; here the
engine's error hook retries exactly the messages below, and nothing else. A build cannot be retried so, since what is
left of a failed one looks finished to the provider: it waits before, and only for grants that are new.
"""

from __future__ import annotations

import asyncio
import re
import time

import pulumi

from infra.configuration.settings import StackSettings
from infra.resources.told import refuse_untold

SECONDS_BETWEEN_TRIES = 20
TRIES = 30
TRIES_FOR_STRANGERS = 3  # an account that this stack does not make is not on its way
SECONDS_UNTIL_EFFECTIVE = 120
MESSAGES = (
    # An API was enabled moments ago.
    "If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry",
    # storage.Notification (k8s-config-connector#433; the doubled "to" is Google's)
    "does not have permission to publish messages to",
    # cloudfunctionsv2.Function, refused before it is made (terraform-ml-image-annotation-gcf#138)
    "Unable to retrieve the repository metadata for",
)
# The provider waits for an operation on something that is there by then. It keeps what failed half-way, and a retry
# would find no difference to it, change nothing and call it done.
HALF_MADE = "Error waiting"
# Something that names an account made moments ago: "Service account NAME does not exist." (setIamPolicy),
# "Service account projects/-/serviceAccounts/NAME was not found." (firebase-tools#8841)
NO_ACCOUNT = re.compile(r"Service account (?:\S+/)?(\S+) (?:does not exist|was not found)")


class Patience:
    """How often an error is worth another try; the engine's error hook.

    An account that is not there is waited for as long as a stack's own accounts and Google's agents may take; one
    that others make, only as long as it takes to say which it is.
    """

    def __init__(self, settings: StackSettings) -> None:
        domain = ".".join(reversed(settings.project.split(":")))  # of a domain-scoped project: example.com:name
        start, end = f"{settings.stack}-"[:20], f"@{domain}.iam.gserviceaccount.com"
        self._own = re.compile(f"{re.escape(start)}.*{re.escape(end)}")

    def tries(self, error: str) -> int:
        """How many tries an error is given in all: 1 means none after the first."""
        if HALF_MADE in error:
            return 1
        if missing := NO_ACCOUNT.search(error):
            return TRIES if self._is_on_its_way(missing[1]) else TRIES_FOR_STRANGERS
        return TRIES if any(message in error for message in MESSAGES) else 1

    async def wait_and_retry(self, failure: pulumi.ErrorHookArgs) -> bool:
        """True makes the engine try again. ``failure.errors`` holds all errors so far, newest first."""
        if pulumi.runtime.is_dry_run() or failure.failed_operation == "delete":
            return False
        if len(failure.errors) >= self.tries(failure.errors[0]):
            return False
        await asyncio.sleep(SECONDS_BETWEEN_TRIES)
        return True

    def _is_on_its_way(self, account: str) -> bool:
        return bool(self._own.fullmatch(account)) or account.startswith("service-")


class NewGrants:
    """Knows when the last of some grants was given, and lets what needs them wait until it is effective.

    Nothing waits in a deployment that gives no new one: what it notes is of this run of the program.
    """

    def __init__(self) -> None:
        self._given_at: float | None = None
        self.noting = pulumi.ResourceHookBinding(after_create=[pulumi.ResourceHook("note-new-grant", self._note)])
        wait = pulumi.ResourceHook("wait-for-new-grants", self._wait)
        self.waiting = pulumi.ResourceHookBinding(before_create=[wait], before_update=[wait])

    def _note(self, _: pulumi.ResourceHookArgs) -> None:
        self._given_at = time.monotonic()

    async def _wait(self, _: pulumi.ResourceHookArgs) -> None:
        if self._given_at is not None:
            await asyncio.sleep(self._given_at + SECONDS_UNTIL_EFFECTIVE - time.monotonic())


def hook_every_resource(settings: StackSettings) -> None:
    """Has every resource that is made after this call retried while it may, and refused where it would be made with
    what Google Cloud did not tell. Call it once, first thing in the program.
    """
    refuse = pulumi.ResourceHook("refuse-untold", refuse_untold, pulumi.ResourceHookOptions(on_dry_run=True))
    retry = pulumi.ErrorHook("retry-until-propagated", Patience(settings).wait_and_retry)
    hooks = pulumi.ResourceHookBinding(before_create=[refuse], before_update=[refuse], on_error=[retry])

    def bind(resource: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(resource.resource, pulumi.CustomResource):
            return None
        opts = pulumi.ResourceOptions.merge(resource.opts, pulumi.ResourceOptions(hooks=hooks))
        return pulumi.ResourceTransformationResult(resource.props, opts)

    pulumi.runtime.register_stack_transformation(bind)

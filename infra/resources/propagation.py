"""Retries what fails only because Google Cloud has not yet heard of a grant, an account or an API.

IAM says "typically 2 minutes, potentially 7 minutes or longer" (iam/docs/access-change-propagation), and any
resource can be the first to notice. A fixed sleep makes every first deployment slow and some still fail; here the
engine's error hook retries exactly the messages below, and nothing else, for ten minutes.
"""

from __future__ import annotations

import asyncio
import re

import pulumi

SECONDS_BETWEEN_TRIES = 20
TRIES = 30
MESSAGES = (
    # An API was enabled moments ago.
    "If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry",
    # storage.Notification (k8s-config-connector#433; the doubled "to" is Google's)
    "does not have permission to publish messages to",
    # cloudfunctionsv2.Function (terraform-google-cloud-functions#129, terraform-provider-google#20571)
    "You must grant Storage Object Viewer permission to",
    # cloudfunctionsv2.Function (terraform-ml-image-annotation-gcf#138, terraform-genai-knowledge-base#245)
    "Unable to retrieve the repository metadata for",
    "Could not build the function due to a missing permission on the build service account",
    "does not have permission to write logs to Cloud Logging",
)
# Something that names an account made moments ago: "Service account NAME does not exist." (setIamPolicy),
# "Service account projects/-/serviceAccounts/NAME was not found." (firebase-tools#8841)
NEW_ACCOUNT = re.compile(r"Service account \S+ (does not exist|was not found)")


def has_not_propagated(error: str) -> bool:
    """Whether an error means only that something new is not known everywhere yet."""
    return any(message in error for message in MESSAGES) or bool(NEW_ACCOUNT.search(error))


async def wait_and_retry(failure: pulumi.ErrorHookArgs) -> bool:
    """The error hook: True makes the engine try again. ``failure.errors`` holds all errors so far, newest first."""
    if pulumi.runtime.is_dry_run() or failure.failed_operation == "delete":
        return False
    if len(failure.errors) >= TRIES or not has_not_propagated(failure.errors[0]):
        return False
    await asyncio.sleep(SECONDS_BETWEEN_TRIES)
    return True


def retry_until_propagated() -> None:
    """Gives the hook to every resource that is made after this call. Call it once, first thing in the program."""
    hooks = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("retry-until-propagated", wait_and_retry)])

    def bind(resource: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(resource.resource, pulumi.CustomResource):
            return None
        opts = pulumi.ResourceOptions.merge(resource.opts, pulumi.ResourceOptions(hooks=hooks))
        return pulumi.ResourceTransformationResult(resource.props, opts)

    pulumi.runtime.register_stack_transformation(bind)

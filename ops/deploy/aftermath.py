"""What is said after an operation of the engine, beneath what the CLI said: what failed, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from ops.deploy.causes import cause_of
from ops.deploy.events import Events

LONGEST = 300  # characters of a message: the CLI has printed all of it
MOST = 3  # failures told one by one


def aftermath(verb: str, stack: str, status: int, events: Events) -> str:
    """A paragraph, and nothing where there is nothing to say."""
    if status == 0:
        return _of_retries(events)
    if not events.failures and events.canceled:
        return f"`pulumi {verb}` of stack {stack} was ended before it was done; make {verb} STACK={stack} goes on."
    if not events.failures:
        return ""  # the CLI itself refused, and has said why in a line
    causes = dict.fromkeys(cause_of(failure.message) for failure in events.failures)
    first = "\n".join(_told(events))
    why = "\n".join(f"Why: {cause.why}.\nWhat to do: {cause.fix.format(stack=stack)}." for cause in causes)
    rest = "What is made stays made, and what is not is made by the next `up`." if verb == "up" else ""
    return "\n".join(filter(None, [f"`pulumi {verb}` of stack {stack} did not do all of it.", first, why, rest]))


def _told(events: Events) -> Iterator[str]:
    for failure in events.failures[:MOST]:
        said = " ".join(failure.message.removeprefix("1 error occurred:").strip().removeprefix("*").split())
        said = said.removesuffix(" without `force_destroy` set to true")  # which is no way that anybody should take
        said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
        yield f"✗ {failure.resource or 'the program'}: {said}"
    if (more := len(events.failures) - MOST) > 0:
        yield f"✗ and {more} more, above"


def _of_retries(events: Events) -> str:
    if not events.retried:
        return ""
    were = "1 resource was" if events.retried == 1 else f"{events.retried} resources were"
    return f"All is well: {were} tried again until Google Cloud knew what is new. Above they may count as errored."

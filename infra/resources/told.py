"""What Google Cloud has to tell, and what is not made where it does not.

An address that was never told would be the text "None" in a grant, and an empty push endpoint in a subscription,
which then keeps its events and delivers them to nobody. It cannot be refused where it is read: a destroy runs the
program too, and must go on. So a text stands in its place that no resource is made or changed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

UNTOLD = "Google Cloud does not say "
UNMOVED = "Buckets do not move: "
DOCTOR = "`pipeline-trigger doctor` looks for the cause, and the next `pipeline-trigger up` goes on from here"


def told(what: str, value: pulumi.Input[str | None], way_out: str = DOCTOR) -> pulumi.Output[str]:
    """The value, or a text which says that there is none, and with which nothing is made."""
    return pulumi.Output.from_input(value).apply(lambda known: str(known) if known else untold(what, way_out))


def once_told(known: pulumi.Output[str], value: pulumi.Output[str]) -> pulumi.Output[str]:
    """The value, or what stands in the place of ``known`` where that was not told."""
    return pulumi.Output.all(known, value).apply(lambda both: str(both[0] if both[0].startswith(UNTOLD) else both[1]))


def untold(what: str, way_out: str) -> str:
    """What stands in the place of a value that Google Cloud does not tell."""
    return f"{UNTOLD}{what}, so what needs it is not made or changed: {way_out}"


def refuse_untold(args: pulumi.ResourceHookArgs) -> None:
    """A hook before each resource is made or changed, in a preview too.

    The program goes on meanwhile: one that ends itself takes its hooks with it, and the engine then says nothing but
    that nobody answers them.

    Raises:
        RuntimeError: it would be made with what was not told, or elsewhere. The engine says so of that resource, and
            stops.
    """
    for text in _texts(args.new_inputs):
        for start in (UNTOLD, UNMOVED):
            if start in text:
                raise RuntimeError(text[text.index(start) :].split('"')[0])  # it may stand within JSON


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)

"""What a stack was made as, which no later change of its names may change."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra.configuration.settings import StackSettings


class Origin(pulumi.ComponentResource):
    """The project and the name that the stack had at its first `pulumi up`, kept in its state.

    A Stash keeps the first value it was given as its ``output``, whatever it is given later, and it is known at
    preview (pulumi.com/docs/iac/concepts/resources/stash).

    Attributes:
        stack: the name, for what identifies the stack's events: `pulumi stack rename` changes no launch key.
        project: the project. It raises ``pulumi.RunError`` once the stack file names another, so that whatever is
            made in this project, which is all, is left as it is.
    """

    def __init__(self, settings: StackSettings) -> None:
        super().__init__("event-triggered-pipelines:index:Origin", "origin")
        now = {"project": settings.project, "stack": settings.stack}
        made_as = pulumi.Stash("made-as", input=now, opts=pulumi.ResourceOptions(parent=self)).output
        self.stack: pulumi.Output[str] = made_as.apply(lambda first: str(first["stack"]))
        self.project: pulumi.Output[str] = made_as.apply(lambda first: _unmoved(first, now))
        self.register_outputs({})


def _unmoved(first: Mapping[str, str], now: Mapping[str, str]) -> str:
    if first["project"] != now["project"]:
        raise pulumi.RunError(
            f"gcp:project: stack {now['stack']} was made in {first['project']}, and nothing moves to "
            f"{now['project']}: buckets and the ledger would stay behind. Set it back, or make another stack for "
            f"{now['project']} (docs/configuration.md), and destroy this one when it has nothing left to do"
        )
    return first["project"]

"""The options that commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer


def _stacks() -> list[str]:
    """What a shell offers for a stack."""
    from infra.configuration.stack_file import stack_names  # late: every command starts with this module

    return stack_names()


STACK = "A stack's name (dev is Pulumi.dev.yaml) or the path of a stack file."
Stack = Annotated[str, typer.Option(help=STACK, autocompletion=_stacks)]
OneStack = Annotated[str | None, typer.Option(help=f"One stack alone. {STACK}", autocompletion=_stacks)]
Trigger = Annotated[str | None, typer.Option(help="One trigger only.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts: JSON, errors too; times in UTC.")]

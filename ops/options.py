"""The options that commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

Stack = Annotated[str, typer.Option(help="A stack's name (dev is Pulumi.dev.yaml) or the path of a stack file.")]
Trigger = Annotated[str | None, typer.Option(help="One trigger only.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts: JSON, times in UTC.")]

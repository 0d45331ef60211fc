"""Where a trigger's events come from, as it stands in a stack file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from infra import rules
from infra.model import Model


class GcsSource(Model):
    """New objects in a bucket that the stack owns."""

    kind: Literal["gcs"]
    prefix: Annotated[str, AfterValidator(rules.object_prefix)] = ""
    location: Annotated[str, AfterValidator(rules.bucket_location)] | None = None
    soft_delete_days: Annotated[int, AfterValidator(rules.soft_delete_days)] = 7

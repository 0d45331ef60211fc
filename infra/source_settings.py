"""Where a trigger's events come from, as it stands in a stack file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra import rules
from infra.model import Model


class GcsSource(Model):
    """New objects in a bucket that the stack makes."""

    kind: Annotated[Literal["gcs"], Field(description="Cloud Storage")]
    prefix: Annotated[
        str,
        AfterValidator(rules.object_prefix),
        Field(description="how object names must start, literally", examples=["incoming/"]),
    ] = ""
    location: Annotated[
        Annotated[str, AfterValidator(rules.bucket_location)] | None,
        Field(
            description="the bucket's location: a region, `US`, `EU`, `ASIA` or a predefined dual-region; the "
            "stack's region if left out",
            examples=["EU"],
        ),
    ] = None
    soft_delete_days: Annotated[
        int,
        AfterValidator(rules.soft_delete_days),
        Field(
            description="for how many days a deleted file can be restored: 0, or 7 to 90; a restored file is a new "
            "event"
        ),
    ] = 7

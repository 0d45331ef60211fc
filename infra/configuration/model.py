"""The base of every block of a stack file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Base of every block: unknown keys are errors, and nothing is coerced or changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

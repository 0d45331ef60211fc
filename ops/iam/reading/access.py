"""All that a resource does to access: the permissions that it gives, or what else it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ops.iam.reading.permissions import Permission, given_by, gives_access, permissions_of
from ops.iam.reading.ways import ways_of

PROVIDER = "pulumi:providers:gcp"
OF_PROVIDER = "gcp:"


def access_of(
    type_token: str, inputs: Mapping[str, Any], urn: str, *, project: str, apart: str = "", state_id: str = ""
) -> list[Permission]:
    """The permissions that a resource gives, at least one; of one that gives none what else it does, if anything."""
    if gives_access(type_token):
        return permissions_of(type_token, inputs, urn, project=project, apart=apart, state_id=state_id)
    name = urn.rsplit("::", 1)[-1]
    return [given_by(found, urn, apart) for found in ways_of(type_token, inputs, name, project)]


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """What tells apart two states of a resource that is not read; archives by their kind alone."""
    text = json.dumps(inputs, sort_keys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def access_of_config(config: Mapping[str, Any]) -> list[Permission]:
    """What the stack's configuration makes of its provider: a preview says nothing of how that was before."""
    inputs = {
        key.removeprefix(OF_PROVIDER): value
        for key, value in config.items()
        if key.startswith(OF_PROVIDER) and key not in ("gcp:project", "gcp:region", "gcp:zone")
    }
    return access_of(PROVIDER, inputs, "(the stack's configuration)", project="") if inputs else []

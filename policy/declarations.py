"""What a stack's configuration declares, so that a rule can hold it to that."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .resources import Properties, is_known, kind_of

PROJECT = "event-triggered-pipelines"


def is_production(config: Mapping[str, str]) -> bool:
    """Whether a stack's configuration, as the engine hands it over, marks it as production."""
    return config.get(f"{PROJECT}:production") == "true"


def declared_access(config: Mapping[str, str]) -> frozenset[str]:
    """The kinds of ``access:`` of a stack's triggers; none of a configuration that cannot be read."""
    try:
        targets = [trigger["target"] for trigger in json.loads(config.get(f"{PROJECT}:triggers", "[]"))]
        return frozenset(str(target["access"]) for target in targets if "access" in target)
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset()


def explaining_access(type_token: str, properties: Properties) -> str | None:
    """The kind of ``access:`` that would explain a basic role: Viewer, for an account, in one of two places.

    The place tells the two apart: Viewer of a service account shows that account and no data, Viewer of the project
    shows nearly all in it. Without the declaration neither passes, and no other basic role ever does.
    """
    member = properties.get("member")
    account = not is_known(member) or str(member).startswith("serviceAccount:")
    if properties.get("role") != "roles/viewer" or not account:
        return None
    places = {"serviceaccount/IAMMember": "viewer", "projects/IAMMember": "project-viewer"}
    return places.get(kind_of(type_token))

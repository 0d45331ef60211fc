"""Custom roles that are defined beside what is granted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ops.iam.reading.permissions import CUSTOM_ROLE, Permission


def custom_roles(permissions: Iterable[Permission]) -> Mapping[str, set[str]]:
    """The custom roles that are defined beside what is granted, with what each holds."""
    found: dict[str, set[str]] = defaultdict(set)
    hidden = {p.resource for p in permissions if p.kind == CUSTOM_ROLE and p.hidden}
    for permission in permissions:
        if permission.kind == CUSTOM_ROLE and permission.resource not in hidden:
            found[permission.resource].add(permission.role)
    return found

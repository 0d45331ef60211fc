"""Where a launcher's tokens are sent: a permission is worth what its holder's token is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ops.iam.reading.permissions import DESTINATION, Permission, shown

ACCESS_TOKEN = "access-token"  # noqa: S105 what kind is shown, and none itself
GOOGLE = ".googleapis.com"


def tokens_of(target: Mapping[str, Any], account: str) -> Iterator[Permission]:
    """Each host that a target's launcher shows a token to, with whose and of what kind; but for Google's own APIs."""
    member = f"serviceAccount:{shown(target.get('impersonate', account))}"
    for host, role in _shown(target):
        if not _is_google(host):
            yield Permission(role, member, DESTINATION, host)


def _shown(target: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    credentials = target.get("credentials")
    if "host" in target and credentials != "none":
        kind = f"id-token:{shown(target.get('audience'))}" if credentials == "id-token" else ACCESS_TOKEN
        yield shown(target["host"]), kind
    if "api_endpoint" in target:
        yield shown(target["api_endpoint"]), ACCESS_TOKEN
    if workflows := target.get("workflows"):
        yield shown(workflows.get("endpoint") if isinstance(workflows, Mapping) else workflows), ACCESS_TOKEN


def _is_google(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(GOOGLE) and not parts.username

"""What a resource says: its kind, how it gives permissions, and its values, known or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

Properties = Mapping[str, Any]
# How a resource gives: adds a member, sets a role's members, sets a whole policy, adds an entry to an access list,
# sets a whole access list, takes a member away.
GrantKind = Literal["member", "binding", "policy", "entry", "list", "removal"]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's word for what a provider will compute
# Two more: a secret in `pulumi preview --json`, and the rehearsal's own word.
UNKNOWNS = frozenset({UNKNOWN, "[secret]", "<known after apply>"})

# The provider spells it IamMember and IAMMember, with any prefix: BucketIAMMember, V2OrganizationSourceIamBinding.
ENDINGS: dict[str, GrantKind] = {"iammember": "member", "iambinding": "binding", "iampolicy": "policy"}
NAMES: dict[str, GrantKind] = {
    "bigquery/DatasetAccess": "entry",
    "storage/BucketAccessControl": "entry",
    "storage/DefaultObjectAccessControl": "entry",
    "storage/ObjectAccessControl": "entry",
    "storage/BucketACL": "list",
    "storage/DefaultObjectACL": "list",
    "storage/ObjectACL": "list",
    "projects/IamMemberRemove": "removal",
}
WIDE = ("projects/", "folder/", "organizations/")


def kind_of(type_token: str) -> str:
    """``gcp:storage/bucket:Bucket`` as ``storage/Bucket``; empty for what is not Google Cloud's."""
    provider, _, rest = type_token.partition(":")
    module, _, name = rest.rpartition(":")
    return f"{module.split('/')[0]}/{name}" if provider == "gcp" else ""


def grant_kind(type_token: str) -> GrantKind | None:
    """How a resource gives permissions, by any of the provider's spellings; None for one that gives none."""
    kind = kind_of(type_token)
    return NAMES.get(kind) or next((ENDINGS[end] for end in ENDINGS if kind.lower().endswith(end)), None)


def is_wide(type_token: str) -> bool:
    """Whether it gives a role on a project, a folder or an organisation: on all that is in there."""
    return kind_of(type_token).startswith(WIDE) and grant_kind(type_token) in ("member", "binding", "policy")


def roles_of(type_token: str, properties: Properties) -> list[Any]:
    """The roles that a resource gives; with None for those of a policy that cannot be read."""
    match grant_kind(type_token):
        case "member" | "binding":
            return [properties.get("role")]
        case "policy":
            try:
                return [binding["role"] for binding in json.loads(properties["policyData"]).get("bindings", [])]
            except (ValueError, TypeError, KeyError, AttributeError):
                return [None]
        case _:
            return []


def is_known(value: Any) -> bool:
    """Whether a value stands there and is no placeholder for one."""
    return value is not None and not (isinstance(value, str) and value in UNKNOWNS)


def value_at(value: Any, *path: str) -> Any:
    """What stands at a path; None where the way ends, and the placeholder where it is not known."""
    for key in path:
        if not isinstance(value, Mapping):
            return None if is_known(value) else value
        value = value.get(key)
    return value


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)

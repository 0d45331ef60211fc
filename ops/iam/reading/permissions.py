"""A permission, and how it is read out of a resource: of the evaluated program and of a recorded preview alike.

A permission is compared by what it allows, to whom, on what and under which condition, never by the URN of the
resource that gives it: a renamed or replaced resource is no change of access, and two resources can give one access.
What is an IAM resource, and which ones break a rule, is `policy`'s to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from policy.resources import UNKNOWN as UNKNOWN_SENTINEL
from policy.resources import grant_kind, kind_of
from policy.rules import KEYS, violations

UNKNOWN = "(unknown until applied)"
SECRET = "(secret)"  # noqa: S105 it is what is shown in place of one
MISSING = "(not in the preview)"
NOBODY = "(nobody)"
HIDDEN = {UNKNOWN, SECRET, MISSING}
# What the engine writes in place of secrets: pulumi/pulumi pkg/backend/display/json.go, sdk/go/common/resource.
SECRET_SENTINEL = "[secret]"  # noqa: S105 nor is this one
SIGNATURE = "4dabf18193072939515e22adb298388d"

WIDE = {
    "projects": "project",
    "folder": "folder",
    "organizations": "organization",
    "billing/account": "billing account",
}
CUSTOM_ROLE = "custom role"
DESTINATION = "endpoint"  # the kind of what is no grant, and gives as much: where an account's tokens are sent
UNREAD = "access that is not read here"
NOT_READ = "not-read"  # an input of a type that is known otherwise
TWO_SIDED = (NOT_READ, "made-in", "selects")  # of these, what goes may have been a guard
# Give or withhold access in ways of their own, which are not read: any change of one counts as broadened.
OTHER_ACCESS = re.compile(
    r"iam/(\w*PolicyBinding|DenyPolicy|(Principal)?AccessBoundaryPolicy|WorkloadIdentityPool(Provider|ManagedIdentity|Namespace)?"
    r"|WorkforcePool(Provider)?)"
    r"|privilegedaccessmanager/[Ee]ntitlement"
)
# Inputs that do not say on what: the rest does.
NOT_SCOPE = {"role", "member", "members", "condition", "policyData", "etag"}
# What is named without its project where that is the stack's own: with and without it the inputs say the same.
OF_THE_STACK = {"artifactregistry/repository", "cloudrunv2/service", "pubsub/subscription", "pubsub/topic"}
SCOPE_ORDER = ("orgId", "folder", "project", "location", "region", "zone")


@dataclass(frozen=True)
class Permission:
    """``role`` on ``resource`` for ``member``. ``kind`` is what the resource is: ``storage/bucket``.

    ``apart`` keeps permissions that cannot be compared from being equal: those with a hidden value, and keys.
    """

    role: str
    member: str
    kind: str
    resource: str
    condition: str = ""
    apart: str = ""
    two_sided: bool = field(default=False, compare=False)  # what goes may have been a guard
    authoritative: bool = field(default=False, compare=False)
    violations: tuple[str, ...] = field(default=(), compare=False)  # the names of the rules that it breaks
    given_by: frozenset[str] = field(default=frozenset(), compare=False)  # the resources that do

    @property
    def hidden(self) -> bool:
        """Whether a value of it is unknown, secret or missing."""
        values = (self.role, self.member, self.resource, self.condition)
        return any(hidden in value for hidden in HIDDEN for value in values)


def gives_access(type_token: str) -> bool:
    """Whether a resource of this type is read here, or at least counted."""
    kind = kind_of(type_token)
    return bool(grant_kind(type_token) or kind in KEYS or _is_custom_role(kind) or OTHER_ACCESS.fullmatch(kind))


def withholds(type_token: str) -> bool:
    """Whether a resource of this type takes access away: to make one narrows, and to delete one broadens."""
    kind = kind_of(type_token)
    return grant_kind(type_token) == "removal" or kind.endswith(("/DenyPolicy", "AccessBoundaryPolicy"))


def permissions_of(
    type_token: str, inputs: Mapping[str, Any], urn: str, *, project: str, apart: str = "", state_id: str = ""
) -> list[Permission]:
    """The permissions that a resource gives, at least one: an empty binding takes a role from everybody else.

    What cannot be compared is equal only to what has the same ``apart``. ``inputs`` may lack anything. ``project`` is
    the stack's own; empty where it is not known.
    """
    found = []
    for permission, its_inputs in _read(type_token, inputs, urn, project, state_id):
        broken = tuple(violation.rule for violation in violations(type_token, its_inputs, production=False))
        found.append(replace(given_by(permission, urn, apart), violations=broken))
    return found


def given_by(permission: Permission, urn: str, apart: str) -> Permission:
    """As a resource gives it: what cannot be compared is kept apart."""
    cannot_compare = permission.hidden or permission.role == UNREAD
    kept = f"{urn} {apart}" if cannot_compare else permission.apart
    return replace(permission, apart=kept, given_by=frozenset({urn}))


def kind_or_token(type_token: str) -> str:
    """``storage/Bucket``; of what is not Google Cloud's, the whole token."""
    return kind_of(type_token) or type_token


def _read(
    type_token: str, inputs: Mapping[str, Any], urn: str, project: str, state_id: str
) -> Iterator[tuple[Permission, Mapping[str, Any]]]:
    """Each permission with the inputs that would give it alone: of a list, one member is public and not all."""
    kind = kind_of(type_token)
    match grant_kind(type_token):
        case "member" | "binding" | "policy" as shape:
            yield from _granted(_place(kind), shape, inputs, project)
        case "removal":
            yield from _granted("projects", "member", inputs, project)
        case _ if _is_custom_role(kind):
            role = _custom_role(inputs)
            for name in _listed(inputs.get("permissions")):
                permission = Permission(name, f"whoever holds {role}", CUSTOM_ROLE, role)
                yield permission, {**inputs, "permissions": [name]}
        case _ if kind in KEYS:
            account = shown(inputs.get("serviceAccountId", inputs.get("serviceAccountEmail")))
            key = Permission("a key", "whoever has it", "serviceaccount", account, apart=state_id or f"new {urn}")
            yield key, inputs
        case _:
            yield Permission(UNREAD, "(see its diff)", kind, urn.rsplit("::", 1)[-1]), inputs


def _custom_role(inputs: Mapping[str, Any]) -> str:
    """A custom role's name, as it is granted by: ``projects/acme-ml-dev/roles/startsRuns``."""
    parents = {"organizations": inputs.get("orgId"), "projects": inputs.get("project")}
    named = [f"{parent}/{shown(found)}/" for parent, found in parents.items() if found]
    return f"{''.join(named)}roles/{shown(inputs.get('roleId'))}"


def _is_custom_role(kind: str) -> bool:
    return kind.endswith("/IAMCustomRole")


def _place(kind: str) -> str:
    """What is granted on: ``storage/bucket`` for ``storage/BucketIAMMember``, its binding and its policy."""
    module, name = kind.split("/")
    thing = re.sub(r"(?i)iam(member|binding|policy)$", "", name)
    return f"{module.lower()}/{thing[:1].lower()}{thing[1:]}".rstrip("/")


def _granted(
    place: str, shape: str, inputs: Mapping[str, Any], project: str
) -> Iterator[tuple[Permission, Mapping[str, Any]]]:
    own = place in OF_THE_STACK and inputs.get("project") == project
    resource = _scope({key: value for key, value in inputs.items() if key != "project"} if own else inputs)
    if shape == "policy":
        for role, members, condition in _bindings(inputs.get("policyData")):
            for member in members:
                alone = json.dumps({"bindings": [{"role": role, "members": [member]}]})
                permission = Permission(role, member, place, resource, condition, authoritative=True)
                yield permission, {**inputs, "policyData": alone}
        return
    role, condition = shown(inputs.get("role")), _expression(inputs.get("condition"))
    if shape == "member":
        yield Permission(role, shown(inputs.get("member")), place, resource, condition), inputs
        return
    for member in _listed(inputs.get("members")):
        permission = Permission(role, member, place, resource, condition, authoritative=True)
        yield permission, {**inputs, "members": [member]}


def _bindings(policy: Any) -> list[tuple[str, list[str], str]]:
    """The bindings of a policy, which stands in the state as JSON text. What cannot be read is hidden."""
    text = shown(policy)
    try:
        bindings = json.loads(text).get("bindings") or []
        read = [(shown(b["role"]), _listed(b.get("members", [])), _expression(b.get("condition"))) for b in bindings]
    except (ValueError, KeyError, TypeError, AttributeError):
        hidden = text if text in HIDDEN else MISSING
        return [(hidden, [hidden], "")]
    return read or [("(every role)", [NOBODY], "")]


def _scope(inputs: Mapping[str, Any]) -> str:
    """On what, as a path: ``us-central1/launchers``. Hidden as a whole where a part of it is."""
    keys = [key for key in inputs if key not in NOT_SCOPE and not key.startswith("__")]
    keys.sort(key=lambda key: (SCOPE_ORDER.index(key) if key in SCOPE_ORDER else len(SCOPE_ORDER), key))
    values = [shown(inputs[key]) for key in keys]
    return next((value for value in values if value in HIDDEN), "/".join(values)) or MISSING


def _expression(condition: Any) -> str:
    """A condition's expression; its title and description do not narrow anything."""
    if isinstance(condition, Mapping) and SIGNATURE not in condition:
        return shown(condition.get("expression"))
    return "" if condition is None else shown(condition)


def _listed(values: Any) -> list[str]:
    return [shown(value) for value in values] or [NOBODY] if isinstance(values, list) else [shown(values)]


def shown(value: Any) -> str:
    """A value as it may be shown: unknown and secret ones by a placeholder, whatever else stands beside them."""
    if isinstance(value, str):
        if UNKNOWN_SENTINEL in value:
            return UNKNOWN
        return SECRET if value == SECRET_SENTINEL else value
    if isinstance(value, Mapping) and SIGNATURE in value:
        return SECRET
    return MISSING if value is None else json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """A value for JSON, with placeholders in it for what is not to be shown."""
    if isinstance(value, Mapping) and SIGNATURE not in value:
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else shown(value)

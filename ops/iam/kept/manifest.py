"""The manifest: every permission that a stack's program gives, each with its reason and the triggers that need it.

It is made from the evaluated program, without a cloud, and kept in git: `iam/dev.json` to compare and `iam/dev.md`
to read. A pull request that changes a permission changes both, or `make verify` fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from ops.iam.reading.access import access_of, fingerprint
from ops.iam.reading.permissions import DESTINATION, TWO_SIDED, UNREAD, Permission, gives_access
from ops.iam.reading.ways import WAYS, meaning
from rehearsal.program import PROJECT_NUMBER, Plan, Resource, evaluate, read_stack

MANIFESTS = "iam"
TRIGGER_COMPONENT = ":index:PipelineTrigger"
GRANT_COMPONENT = ":iam:Grant"
ACCOUNT = "serviceAccount:"
TOKEN = "The launcher sends it there to start runs, and to look for them"  # noqa: S105 a sentence


class Entry(BaseModel):
    """One permission of the manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    principal: str  # its name for people
    member: str
    role: str
    kind: str
    resource: str
    condition: str = ""
    condition_title: str = ""
    reason: str
    triggers: tuple[str, ...]  # those that need it
    authoritative: bool = False
    violations: tuple[str, ...] = ()  # rules that it breaks

    @property
    def is_way(self) -> bool:
        """Whether it is no grant, and says what a thing does."""
        return self.role in WAYS and not self.member.startswith(ACCOUNT)

    @property
    def permission(self) -> Permission:
        """What is compared of it."""
        return Permission(
            self.role,
            self.member,
            self.kind,
            self.resource,
            self.condition,
            two_sided=self.role in (*TWO_SIDED, UNREAD),
            authoritative=self.authoritative,
            violations=self.violations,
        )


class Manifest(BaseModel):
    """The permissions of one stack, sorted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    project: str
    grants: tuple[Entry, ...]

    def to_json(self) -> str:
        """As it is kept in git."""
        return self.model_dump_json(indent=2) + "\n"


def manifest_of(stack: str) -> Manifest:
    """Evaluates a stack's program, and lists the permissions that it gives."""
    name, config = read_stack(stack)
    return from_plan(evaluate(name, config), config.get("gcp:project", ""))


def from_plan(plan: Plan, project: str) -> Manifest:
    """Lists the permissions of an evaluated program, and what else it does to access."""
    tidy = _Tidy(plan.resources)
    given = {entry for resource in plan.resources for entry in _grants(plan, resource, project, tidy)}
    entries = given | set(_ways(plan, given, project, tidy))
    order = sorted(entries, key=lambda e: (e.is_way, e.principal, e.member, e.kind, e.resource, e.model_dump_json()))
    return Manifest(stack=plan.stack, project=project, grants=tuple(order))


def _grants(plan: Plan, resource: Resource, project: str, tidy: _Tidy) -> Iterable[Entry]:
    if not resource.custom or not gives_access(resource.type):
        return
    grants = (found for found in plan.of_type(GRANT_COMPONENT) if found.urn == resource.parent)
    grant = next(grants, None)
    condition = resource.inputs.get("condition") or {}
    for found in _access(resource, project):
        yield Entry(
            principal=grant.inputs["principal"] if grant else tidy(found.member),
            member=tidy(found.member),
            role=tidy(found.role),
            kind=found.kind,
            resource=tidy(found.resource),
            condition=tidy(found.condition),
            condition_title=condition.get("title", ""),
            reason=grant.inputs["reason"] if grant else resource.inputs.get("title", ""),
            triggers=tuple(sorted(_triggers(plan, resource))),
            authoritative=found.authoritative,
            violations=found.violations,
        )


def _ways(plan: Plan, given: Iterable[Entry], project: str, tidy: _Tidy) -> Iterable[Entry]:
    """What is no grant: whom things run and call as, and where they send. What several triggers do alike is one."""
    names = {entry.member: entry.principal for entry in given}
    found: dict[Permission, set[str]] = {}
    for resource in plan.resources:
        if resource.in_cloud and not gives_access(resource.type):
            for way in _access(resource, project):
                found.setdefault(way, set()).update(_triggers(plan, resource))
    for way, triggers in found.items():
        member = tidy(way.member)
        yield Entry(
            principal=names.get(member, member),
            member=member,
            role=way.role,
            kind=way.kind,
            resource=tidy(way.resource),
            condition=tidy(way.condition),
            reason=TOKEN if way.kind == DESTINATION and member.startswith(ACCOUNT) else meaning(way.role),
            triggers=tuple(sorted(triggers)),
        )


def _access(resource: Resource, project: str) -> Iterable[Permission]:
    """All that a resource does to access; with a fingerprint of one that is not read, so that its changes show."""
    for found in access_of(resource.type, resource.inputs, resource.urn, project=project):
        unread = found.role == UNREAD
        yield replace(found, resource=f"{found.resource}#{fingerprint(resource.inputs)}") if unread else found


def _triggers(plan: Plan, resource: Resource) -> set[str]:
    """The triggers that a permission is for: the one whose component holds it, or each that waits for it.

    What several triggers need alike belongs to the foundation; whose resources wait for it is in the plan.
    """
    by_urn = {found.urn: found for found in plan.resources}

    def owner(found: Resource | None) -> str | None:
        while found and not found.type.endswith(TRIGGER_COMPONENT):
            found = by_urn.get(found.parent)
        return found.name if found else None

    if own := owner(resource):
        return {own}
    waiting = [other for other in plan.resources if resource.urn in other.dependencies]
    through = [_triggers(plan, other) for other in waiting if gives_access(other.type)]  # a custom role is granted
    return {name for other in waiting if (name := owner(other))}.union(*through)


class _Tidy:
    """Writes what an evaluation makes up as what it stands for: the project's number, and the ends of names."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._made_up = {
            str(resource.outputs["name"]): f"{resource.name}-*"
            for resource in resources
            if resource.custom and re.fullmatch(rf"{re.escape(resource.name)}-[0-9a-f]{{7}}", _name(resource))
        }
        addresses = ((r.name, _address(r)) for r in resources if r.type.endswith("/function:Function"))
        self._made_up = {address: f"function:{name}" for name, address in addresses if address} | self._made_up

    def __call__(self, text: str) -> str:
        for made_up, written in self._made_up.items():
            text = text.replace(made_up, written)
        return text.replace(PROJECT_NUMBER, "PROJECT_NUMBER")


def _name(resource: Resource) -> str:
    return "" if "name" in resource.inputs else str(resource.outputs.get("name", ""))


def _address(function: Resource) -> str:
    return str((function.outputs.get("serviceConfig") or {}).get("uri") or "")

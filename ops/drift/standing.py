"""What a stack has made, by Pulumi's state: real names where the manifest leaves them open, and what is its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import OperationError
from ops.iam.catalogue.roles import is_role
from ops.iam.kept.manifest import Entry, Manifest
from ops.pulumi import ask_pulumi


@dataclass(frozen=True)
class Scope:
    """What a policy is on. ``name`` is its real one; of an account its address."""

    kind: str
    name: str


@dataclass(frozen=True)
class Grant:
    """One binding of a policy, to one member."""

    scope: Scope
    role: str
    member: str
    condition: str = ""


@dataclass(frozen=True)
class Standing:
    """``names`` has the real name for each that a manifest writes as ``NAME-*``; ``own`` is what the stack made, and
    ``accounts`` the members that it made."""

    names: Mapping[str, str]
    own: frozenset[Scope]
    accounts: frozenset[str]

    def real(self, text: str) -> str:
        """A text of the manifest with the real names in it."""
        for written, name in self.names.items():
            text = text.replace(written, name)
        return text

    def expected(self, manifest: Manifest, number: str) -> Iterator[Grant]:
        """The grants of a manifest, as they should stand; what is no grant of a role is left out."""
        for entry in manifest.grants:
            if is_role(entry.role):
                yield self._grant(entry, number)

    def _grant(self, entry: Entry, number: str) -> Grant:
        resource, role, member, condition = (
            self.real(text).replace("PROJECT_NUMBER", number)
            for text in (entry.resource, entry.role, entry.member, entry.condition)
        )
        return Grant(scope(entry.kind, resource), role, member, condition)


def scope(kind: str, name: str) -> Scope:
    """An account by its address, however it is written."""
    return Scope(kind, name.rpartition("/serviceAccounts/")[2] if kind == "serviceaccount" else name)


def read_standing(stack: str) -> Standing:
    """Asks the Pulumi CLI for a stack's state.

    Raises:
        OperationError: the CLI is missing or refuses, or the stack has never been deployed.
    """
    state = ask_pulumi("stack", "export", "--stack", stack)
    resources = ((state or {}).get("deployment") or {}).get("resources") or []
    found = [one for one in resources if one.get("custom") and not one.get("delete") and one.get("outputs")]
    if not found:
        raise OperationError(
            f"stack {stack} has made nothing that could have drifted; deploy it: make up STACK={stack}"
        )
    return standing_of(found)


def standing_of(resources: Iterable[Mapping[str, Any]]) -> Standing:
    """What a state's resources say."""
    names, own, accounts = {}, set(), set()
    for resource in resources:
        kind, outputs = str(resource["type"]), resource["outputs"]
        logical, name = str(resource["urn"]).rpartition("::")[2], str(outputs.get("name", ""))
        if name.startswith(f"{logical}-"):
            names[f"{logical}-*"] = name
        match kind:
            case "gcp:storage/bucket:Bucket":
                own.add(Scope("storage/bucket", name))
            case "gcp:pubsub/topic:Topic":
                own.add(Scope("pubsub/topic", name))
            case "gcp:pubsub/subscription:Subscription":
                own.add(Scope("pubsub/subscription", name))
            case "gcp:serviceaccount/account:Account":
                own.add(Scope("serviceaccount", str(outputs["email"])))
                accounts.add(f"serviceAccount:{outputs['email']}")
            case "gcp:cloudfunctionsv2/function:Function":
                own.add(Scope("cloudrunv2/service", f"{outputs['location']}/{name}"))
            case "gcp:artifactregistry/repository:Repository":
                own.add(Scope("artifactregistry/repository", f"{outputs['location']}/{outputs['repositoryId']}"))
    return Standing(names, frozenset(own), frozenset(accounts))

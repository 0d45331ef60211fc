"""What a stack has made, by Pulumi's state: real names where the manifest leaves them open, and what is its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import OperationError
from ops.iam.catalogue.roles import is_role
from ops.iam.kept.manifest import Entry, Manifest
from ops.pulumi import ask_pulumi

BUCKET = "storage/bucket"
KINDS = {  # of resources that stacks make and that have a policy of their own; a function's is its service's
    "gcp:artifactregistry/repository:Repository": "artifactregistry/repository",
    "gcp:cloudfunctionsv2/function:Function": "cloudrunv2/service",
    "gcp:pubsub/subscription:Subscription": "pubsub/subscription",
    "gcp:pubsub/topic:Topic": "pubsub/topic",
    "gcp:serviceaccount/account:Account": "serviceaccount",
    "gcp:storage/bucket:Bucket": BUCKET,
}


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
    """``names`` has the real name for each that a manifest writes as ``NAME-*``, by the kind of resource: a topic and
    a subscription of one name end differently. ``own`` is what the stack made, ``accounts`` the members among it."""

    names: Mapping[tuple[str, str], str]
    own: frozenset[Scope]
    accounts: frozenset[str]

    def real(self, text: str, kind: str) -> str:
        """A text of the manifest with the real names in it: of that kind of resource, and longer ones first."""
        for of, written in sorted(self.names, key=lambda known: -len(known[1])):
            if of == kind:
                text = text.replace(written, self.names[of, written])
        return text

    def expected(self, manifest: Manifest, number: str) -> Iterator[Grant]:
        """The grants of a manifest, as they should stand; what is no grant of a role is left out."""
        for entry in manifest.grants:
            if is_role(entry.role):
                yield self._grant(entry, number)

    def _grant(self, entry: Entry, number: str) -> Grant:
        def known(text: str, kind: str) -> str:
            return self.real(text, kind).replace("PROJECT_NUMBER", number)

        where, condition = known(entry.resource, entry.kind), known(entry.condition, BUCKET)
        return Grant(scope(entry.kind, where), entry.role, known(entry.member, entry.kind), condition)


def scope(kind: str, name: str) -> Scope:
    """An account by its address, however it is written."""
    return Scope(kind, name.rpartition("/serviceAccounts/")[2] if kind == "serviceaccount" else name)


def read_standing(stack: str) -> Standing:
    """Asks the Pulumi CLI for a stack's state.

    Raises:
        OperationError: the CLI is missing or refuses, or the stack has never been deployed.
    """
    state = ask_pulumi("stack", "export", "--stack", stack)
    standing = standing_of(((state or {}).get("deployment") or {}).get("resources") or [])
    if not standing.own:
        raise OperationError(
            f"stack {stack} has made nothing that could have drifted; deploy it: make up STACK={stack}"
        )
    return standing


def standing_of(resources: Iterable[Mapping[str, Any]]) -> Standing:
    """What a state's resources say."""
    names, own, accounts = {}, set(), set()
    made = [one for one in resources if one.get("custom") and one.get("outputs") and not one.get("delete")]
    for resource in made:
        kind, outputs = KINDS.get(str(resource["type"])), resource["outputs"]
        if kind is None:
            continue
        logical, name = str(resource["urn"]).rpartition("::")[2], str(outputs.get("name", ""))
        names[kind, f"{logical}-*"] = name
        match kind:
            case "serviceaccount":
                own.add(Scope(kind, str(outputs["email"])))
                accounts.add(f"serviceAccount:{outputs['email']}")
            case "cloudrunv2/service":
                own.add(Scope(kind, f"{outputs['location']}/{name}"))
            case "artifactregistry/repository":
                own.add(Scope(kind, f"{outputs['location']}/{outputs['repositoryId']}"))
            case _:
                own.add(Scope(kind, name))
    return Standing(names, frozenset(own), frozenset(accounts))

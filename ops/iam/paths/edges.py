"""What leads from one to another: grants that let somebody become an account, and what runs as one.

Two strengths: who *becomes* an account may do all that it may; who *starts* only makes something run as it, as
whoever publishes an event does. From there no grant of the account leads on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ops.iam.catalogue.roles import Catalogue
from ops.iam.reading.permissions import WIDE, Permission

ACCOUNT = "serviceAccount:"
MADE_UP = re.compile(r"-(\*|[0-9a-f]{7})$")  # the end that a name gets when it is made
BECOMES = {
    "iam.serviceAccounts.actAs": "may run things as",
    "iam.serviceAccounts.getAccessToken": "may make tokens of",
    "iam.serviceAccounts.getOpenIdToken": "may make tokens of",
    "iam.serviceAccounts.implicitDelegation": "may make tokens of",
    "iam.serviceAccounts.setIamPolicy": "may let itself in as",
    "iam.serviceAccounts.signBlob": "may sign as",
    "iam.serviceAccounts.signJwt": "may sign as",
    "iam.serviceAccountKeys.create": "may make keys of",
}
CHANGES = {
    "cloudfunctions.functions.sourceCodeSet": "may change the code of",
    "cloudfunctions.functions.update": "may change",
    "run.services.update": "may change",
}
CALLS = {"cloudfunctions.functions.invoke": "may call", "run.routes.invoke": "may call"}
WRITES = {"storage.objects.create": "may write to", "storage.objects.update": "may write to"}
PUSHES = {"artifactregistry.repositories.uploadArtifacts": "may push to"}
PUBLISHES = {"pubsub.topics.publish": "may publish to"}
# By what a grant is on: which permissions lead there, and whether through them one becomes it.
LEADS: Mapping[str, tuple[tuple[Mapping[str, str], bool], ...]] = {
    "account": ((BECOMES, True),),
    "function": ((CHANGES, True), (CALLS, False)),
    "bucket": ((WRITES, True),),
    "repository": ((PUSHES, True),),
    "topic": ((PUBLISHES, False),),
}
THINGS = {
    "serviceaccount": "account",
    "cloudfunctionsv2/function": "function",
    "cloudfunctions/function": "function",
    "cloudrunv2/service": "function",
    "cloudrun/service": "function",
    "storage/bucket": "bucket",
    "artifactregistry/repository": "repository",
    "pubsub/subscription": "subscription",
    "pubsub/topic": "topic",
}
# By the word of a way, how it is said: what a thing runs as, and what makes a thing.
BUILT, IMAGE = "is built as", "holds the image of"
RUNS = {
    "runs-as": "runs as",
    "builds-as": BUILT,
    "runs-jobs-as": "starts pipelines as",
    "impersonates": "makes tokens of",
}
MAKES = {"reads-code-from": "holds the code of", "image-in": IMAGE}


@dataclass(frozen=True, order=True)
class Edge:
    """One step. ``becomes`` is whether who is at its source may do all that its target may."""

    source: str
    target: str
    how: str
    becomes: bool = True
    granted: bool = False  # to a principal, which must have become it to use it


def edges_of(permissions: Iterable[Permission], catalogue: Catalogue) -> list[Edge]:
    """Every step that permissions make, each once."""
    listed = [p for p in permissions if not p.hidden]  # two that are not known are not one
    found = set(_through(listed))
    nodes = {node for edge in found for node in (edge.source, edge.target)}
    nodes |= {node_of(p) for p in listed if THINGS.get(p.kind) == "account"}
    found |= {edge for p in listed for edge in _granted(p, nodes, catalogue)}
    return sorted(found)


def node_of(permission: Permission) -> str:
    """What a permission is on, as a node: ``topic echo-events``; an account by its member."""
    if permission.resource.startswith("function:"):  # as a manifest names an address
        return _thing(permission.resource)
    thing = THINGS.get(permission.kind, permission.kind)
    name = MADE_UP.sub("", permission.resource.rsplit("/", 1)[-1])
    return f"{ACCOUNT}{name}" if thing == "account" else f"{thing} {name}"


def _through(permissions: Iterable[Permission]) -> Iterator[Edge]:
    """What things do by themselves: run, take code and images, pass on what is written and published."""
    by_word: dict[str, list[Permission]] = defaultdict(list)
    for permission in permissions:
        by_word[permission.role].append(permission)
    functions = {_thing(p.member) for p in by_word["runs-as"]}
    for word, how in RUNS.items():
        yield from (Edge(_thing(p.member), node_of(p), how) for p in by_word[word])
    for word, how in MAKES.items():
        yield from (Edge(node_of(p), _thing(p.member), how) for p in by_word[word])
    called = {p.member: function for p in by_word["calls"] if (function := _called(p.resource, functions))}
    for delivers in by_word["delivers"]:
        if delivers.member in called:
            yield Edge(node_of(delivers), called[delivers.member], "is delivered to", becomes=False)
    topics = {p.member: node_of(p) for p in by_word["publishes-to"]}
    for watches in by_word["watches"]:
        if watches.member in topics:
            yield Edge(node_of(watches), topics[watches.member], "is announced on", becomes=False)


def _thing(member: str) -> str:
    return member.replace(":", " ", 1)


def _called(address: str, functions: Iterable[str]) -> str:
    """The function behind an address: as a manifest names it, or by the name that its host starts with."""
    if (named := _thing(address)) in functions:
        return named
    host = address.split("://", 1)[-1]
    return max((f for f in functions if host.startswith(f"{f.split(' ', 1)[1]}-")), key=len, default="")


def _granted(permission: Permission, nodes: Iterable[str], catalogue: Catalogue) -> Iterator[Edge]:
    held = catalogue.at_least(permission.role)
    if not held:
        return
    there = nodes if permission.kind in WIDE else [node_of(permission)]
    condition = ", under a condition," if permission.condition else ""
    for node in there:
        thing = "account" if node.startswith(ACCOUNT) else node.split(" ", 1)[0]
        for verbs, becomes in LEADS.get(thing, ()):
            for how in sorted({verbs[name] for name in held & verbs.keys()}):
                yield Edge(permission.member, node, f"{how}{condition}", becomes, granted=True)

"""Puts a stack right after an update that was killed: its lock, what was being made, and what no state knows.

Nothing is done before it is shown. Only what is provably the stack's own is touched (kinds.py), never a ledger, and
no bucket that holds a file.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from infra.configuration.stack_file import find_stack
from ops.deploy.kinds import KINDS
from ops.deploy.leftovers import locks_of
from ops.deploy.pulumi_cli import export, pending_of, pulumi, resources_of
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.errors import OperationError

# What the program calls things, and what the engine adds to it: `echo-events-0f0e0d0`.
OWN_NAME = re.compile(r"(?P<trigger>[a-z][a-z0-9-]*)-(?:events|dead-letters|launcher|bucket)-[0-9a-f]{7}")
SOURCES = re.compile(r"launcher-sources-[0-9a-f]{7}")
HALF_BUILT = "made by an update that was killed, so nobody knows what it runs"


@dataclass(frozen=True)
class Step:
    """One thing to do, or to leave: ``done`` in a word, to what, and why. ``do`` does it."""

    done: str
    what: str
    why: str
    do: Callable[[], object] = field(default=lambda: None, compare=False)


def steps_for(stack: str, config: Mapping[str, str], apis: GoogleApis) -> list[Step]:
    """All there is to do for a stack, in order.

    Raises:
        OperationError: an update is at work on it; or its state, or its project, cannot be read.
    """
    locks = list(locks_of(stack))
    if alive := [lock for lock in locks if lock.alive]:
        raise OperationError(f"stack {stack}: {alive[0].in_words}; wait for it, or end it with Ctrl-C")
    exported = export(stack)
    try:
        return [
            *_of_locks(stack, [lock.in_words for lock in locks]),
            *_of_pending(stack, exported, apis),
            *_of_orphans(stack, config.get("gcp:project", ""), exported, apis),
        ]
    except RefusedError as refused:
        raise OperationError(f"{refused}: {refused.fix}") from None


def _of_locks(stack: str, locks: list[str]) -> Iterator[Step]:
    if locks:
        lift = partial(pulumi, "cancel", "--yes", "--stack", stack)
        yield Step("cancel", f"the update of stack {stack}", "; ".join(locks), lift)


def _of_pending(stack: str, exported: dict[str, Any], apis: GoogleApis) -> Iterator[Step]:
    """Of each thing that was being made: whether it is there, whose it is, and whether another was made since."""
    stands = {resource["urn"]: resource.get("id") for resource in resources_of(exported)}
    for resource in pending_of(exported):
        urn = resource["urn"]
        what = f"{resource['type'].rsplit(':', 1)[-1]} {urn.rsplit('::', 1)[-1]}"
        found = _find(resource, stands.get(urn), apis)
        if found is None:
            yield Step("forget", what, "it was not made, or can be made again", partial(_settle, stack, urn, ""))
        elif not found.own:
            why = f"{found.identifier} is there, and nothing shows that it is this stack's"
            yield Step("leave", what, f"{why}: ask whose it is, or give the stack another name")
        elif urn not in stands:
            why = f"{found.identifier} is there, and is this stack's"
            yield Step("adopt", what, why, partial(_settle, stack, urn, found.identifier))
        elif resource["type"].endswith(":Bucket") and _holds_something(apis, found.identifier):
            yield Step("leave", what, f"{found.identifier} is not this stack's bucket any more, and holds files")
        else:
            why = f"{found.identifier} is there, and this stack has another by now"
            yield Step("delete", what, why, partial(_delete_and_forget, stack, urn, found, apis))


@dataclass(frozen=True)
class _Found:
    identifier: str
    own: bool
    service: str
    path: str


def _find(resource: Mapping[str, Any], stands: str | None, apis: GoogleApis) -> _Found | None:
    """What an operation that was not finished has made, if it is not what stands in the state by now."""
    inputs = resource["inputs"]
    if resource["type"].endswith(":Notification"):
        return _find_notification(inputs, stands, apis)
    kind = KINDS.get(resource["type"])
    if not kind or (identifier := kind.id_of(inputs)) == stands:
        return None
    path = kind.path(identifier)
    thing = _get(apis, kind.service, path)
    if thing is None or thing.get("deleted"):  # a role's name stays for a while, and is taken back
        return None
    return _Found(identifier, kind.proves(inputs, thing), kind.service, path)


def _find_notification(inputs: Mapping[str, Any], stands: str | None, apis: GoogleApis) -> _Found | None:
    """A notification to the trigger's own topic, which nobody else would make."""
    parent = f"/storage/v1/b/{inputs['bucket']}/notificationConfigs"
    for item in (_get(apis, "storage", parent) or {}).get("items", []):
        identifier = f"{inputs['bucket']}/notificationConfigs/{item['id']}"
        if str(item.get("topic", "")).endswith(f"/{inputs['topic']}") and identifier != stands:
            return _Found(identifier, own=True, service="storage", path=f"{parent}/{item['id']}")
    return None


def _delete_and_forget(stack: str, urn: str, found: _Found, apis: GoogleApis) -> None:
    apis.delete(found.service, found.path)
    _settle(stack, urn, "")


def _settle(stack: str, urn: str, identifier: str) -> None:
    """Takes an operation that was not finished out of the state; where it made something, that is put in."""
    exported = export(stack)
    deployment = exported["deployment"]
    operations = deployment["pending_operations"]
    resource = next(operation["resource"] for operation in operations if operation["resource"]["urn"] == urn)
    deployment["pending_operations"] = [each for each in operations if each["resource"]["urn"] != urn]
    function = resource["type"].endswith(":Function")
    if identifier:
        outputs = {name: value for name, value in resource["inputs"].items() if name != "__defaults"}
        made = {**resource, "id": identifier, "outputs": outputs} | ({"initErrors": [HALF_BUILT]} if function else {})
        deployment["resources"] = [*deployment["resources"], made]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "state.json"
        file.write_text(json.dumps(exported))
        pulumi("stack", "import", "--stack", stack, "--file", str(file))
    if identifier and not function:  # which the next `up` replaces, and a refresh would take for whole
        config = str(find_stack(stack).resolve())
        pulumi("refresh", "--yes", "--skip-preview", "--stack", stack, "--config-file", config, "--target", urn)


def _of_orphans(stack: str, project: str, exported: dict[str, Any], apis: GoogleApis) -> Iterator[Step]:
    """What bears the stack's labels and names, and stands neither in its state nor among what was being made."""
    known = {resource.get("id") for resource in resources_of(exported)}
    known |= {KINDS[r["type"]].id_of(r["inputs"]) for r in pending_of(exported) if r["type"] in KINDS}
    parent = f"projects/{project}"
    for service, path, items in (
        ("pubsub", f"/v1/{parent}/subscriptions", "subscriptions"),
        ("cloudfunctions", f"/v2/{parent}/locations/-/functions", "functions"),
        ("pubsub", f"/v1/{parent}/topics", "topics"),
        ("storage", f"/storage/v1/b?project={project}", "items"),
    ):
        for thing in _listed(apis, service, path, items):
            name = str(thing["name"])
            if name in known or not _is_own(stack, name.rsplit("/", 1)[-1], thing.get("labels") or {}):
                continue
            bucket = service == "storage"
            if bucket and _holds_something(apis, name):
                yield Step("leave", name, "the stack's state does not know it, and it holds files: they are yours")
                continue
            at = f"/storage/v1/b/{name}" if bucket else f"/{path.split('/')[1]}/{name}"
            why = f"it bears the names of stack {stack}, whose state does not know it"
            yield Step("delete", name, why, partial(apis.delete, service, at))


def _is_own(stack: str, name: str, labels: Mapping[str, str]) -> bool:
    if labels.get("stack") != stack:
        return False
    named = OWN_NAME.fullmatch(name)
    return bool(named and named["trigger"] == labels.get("trigger")) or bool(SOURCES.fullmatch(name))


def _holds_something(apis: GoogleApis, bucket: str) -> bool:
    listed = _get(apis, "storage", f"/storage/v1/b/{bucket}/o?maxResults=1&versions=true") or {}
    return bool(listed.get("items"))


def _listed(apis: GoogleApis, service: str, path: str, items: str) -> Iterator[Mapping[str, Any]]:
    page = ""
    while True:
        found = _get(apis, service, path, **({"pageToken": page} if page else {})) or {}
        yield from found.get(items, [])
        page = found.get("nextPageToken", "")
        if not page:
            return


def _get(apis: GoogleApis, service: str, path: str, **params: Any) -> Mapping[str, Any] | None:
    """What is at a path; None where nothing is, or where its API is not even enabled."""
    try:
        return apis.get(service, path, **params)
    except RefusedError as refused:
        if refused.status == 404 or refused.disabled:
            return None
        raise

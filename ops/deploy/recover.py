"""Puts a stack right after an update that was killed: its lock, what was being made, and what no state knows.

Nothing is done before it is shown. Only what is provably the stack's own is touched (kinds.py), never a ledger, and
no bucket that holds a file. What a stack of the same name in another state has made (another login, another machine's
files) looks the same: where there is a ledger that this state does not know, everything is left.
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
from ops.deploy.found import Found, find, holds_something, listed
from ops.deploy.kinds import KINDS
from ops.deploy.leftovers import Lock, locks_of
from ops.deploy.pulumi_cli import export, pending_of, pulumi, resources_of
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.errors import OperationError
from rehearsal.program import Plan, evaluate

# What the program calls things, and what the engine adds to it: `echo-events-0f0e0d0`.
OWN_NAME = re.compile(r"(?P<trigger>[a-z][a-z0-9-]*)-(?:events|dead-letters|launcher|bucket)-[0-9a-f]{7}")
SOURCES = re.compile(r"launcher-sources-[0-9a-f]{7}")
NAMED_BY_US = (":Account", ":IAMCustomRole", ":Repository")  # the engine adds nothing to these names
LEDGER = re.compile(r"launch-ledger-[0-9a-f]{7}")
HALF_BUILT = "made by an update that was killed, so nobody knows what it runs"


@dataclass(frozen=True)
class Step:
    """One thing to do, or to leave: ``done`` in a word, to what, and why. ``do`` does it, where anything is to do.

    A person has to ``ask`` themselves about it first: no `--yes` answers that.
    """

    done: str
    what: str
    why: str
    do: Callable[[], object] | None = field(default=None, compare=False)
    ask: bool = False


def steps_for(stack: str, config: Mapping[str, str], apis: GoogleApis, file: Path | None = None) -> list[Step]:
    """All there is to do for a stack, in order. ``file`` is its stack file, where that is not in the checkout's root.

    Raises:
        OperationError: an update is at work on it; or its state cannot be read.
        ConfigurationError: the stack file is wrong, so what it names cannot be told.
    """
    locks = list(locks_of(stack))
    if alive := [lock for lock in locks if lock.alive]:
        raise OperationError(f"stack {stack}: {alive[0].in_words}; wait for it, or end it with Ctrl-C")
    exported, project = export(stack), config.get("gcp:project", "")
    found = [*_of_pending(stack, file, exported, apis), *_of_orphans(stack, project, exported, apis)]
    found += _of_names(evaluate(stack, config), exported, apis)
    if any(step.done in ("adopt", "delete") for step in found) and (doubt := _doubt(stack, project, exported, apis)):
        found = [_leave(step.what, doubt) if step.done in ("adopt", "delete") else step for step in found]
    return [*_of_locks(stack, locks), *found]


def _leave(what: str, why: str, do: Callable[[], object] | None = None) -> Step:
    return Step("leave", what, why, do)


def _doubt(stack: str, project: str, exported: Mapping[str, Any], apis: GoogleApis) -> str:
    """Why what bears the stack's names may be another's; empty where it is not.

    A stack has one ledger, from its first minute to its last.
    """
    known = _known(exported)
    try:
        buckets = list(listed(apis, "storage", f"/storage/v1/b?project={project}", "items"))
    except RefusedError as refused:
        return f"whether another state has a stack {stack} cannot be told: {refused}: {refused.fix}"
    for bucket in buckets:
        name, labels = str(bucket["name"]), bucket.get("labels") or {}
        if LEDGER.fullmatch(name) and labels.get("stack") == stack and name not in known:
            return (
                f"{name} is a ledger of a stack {stack} that this state does not know, so this may be another "
                "state's, at work: look who else deploys it (pulumi whoami --verbose). If nobody does: "
                f"gcloud storage buckets update gs://{name} --clear-labels, and recover again"
            )
    return ""


def _of_locks(stack: str, locks: list[Lock]) -> Iterator[Step]:
    if locks:
        lift = partial(pulumi, "cancel", "--yes", "--stack", stack)
        why = "; ".join(lock.in_words for lock in locks)
        elsewhere = any(lock.alive is None for lock in locks)
        why = f"{why}: make sure there that it is gone" if elsewhere else why
        yield Step("cancel", f"the update of stack {stack}", why, lift, ask=elsewhere)


def _of_pending(stack: str, file: Path | None, exported: dict[str, Any], apis: GoogleApis) -> Iterator[Step]:
    for resource in pending_of(exported):
        what = f"{resource['type'].rsplit(':', 1)[-1]} {resource['urn'].rsplit('::', 1)[-1]}"
        try:
            yield _of_one_pending(stack, file, resource, what, exported, apis)
        except RefusedError as refused:
            yield _leave(what, f"whether it was made cannot be told: {refused}: {refused.fix}")


def _of_one_pending(
    stack: str,
    file: Path | None,
    resource: Mapping[str, Any],
    what: str,
    exported: Mapping[str, Any],
    apis: GoogleApis,
) -> Step:
    """Of a thing that was being made: whether it is there, whose it is, and whether another was made since.

    Of what is left the state forgets that it was being made, which would else keep every later `up` from its work.
    """
    stands, urn = {known["urn"]: known.get("id") for known in resources_of(exported)}, resource["urn"]
    found, forget = find(resource, stands.get(urn), apis), partial(_settle, stack, urn)
    if found is None:
        return Step("forget", what, "it was not made, or can be made again", forget)
    if not found.own:
        why = f"{found.identifier} is there, and nothing shows that it is this stack's"
        return _leave(what, f"{why}: ask whose it is, or give the stack another name", forget)
    if urn not in stands:
        why = f"{found.identifier} is there, and is this stack's"
        return Step("adopt", what, why, partial(_settle, stack, urn, found.identifier, file))
    if resource["type"].endswith(":Bucket") and holds_something(apis, found.identifier):
        return _leave(what, f"{found.identifier} is not this stack's bucket any more, and holds files", forget)
    why = f"{found.identifier} is there, and this stack has another by now"
    return Step("delete", what, why, partial(_delete_and_forget, stack, urn, found, apis))


def _delete_and_forget(stack: str, urn: str, found: Found, apis: GoogleApis) -> None:
    apis.delete(found.service, found.path)
    _settle(stack, urn)


def _settle(stack: str, urn: str, identifier: str = "", file: Path | None = None) -> None:
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
        (state := Path(directory) / "state.json").write_text(json.dumps(exported))
        pulumi("stack", "import", "--stack", stack, "--file", str(state))
    if identifier and not function:  # which the next `up` replaces, and a refresh would take for whole
        config = str(file or find_stack(stack).resolve())
        pulumi("refresh", "--yes", "--skip-preview", "--stack", stack, "--config-file", config, "--target", urn)


def _known(exported: Mapping[str, Any]) -> set[str | None]:
    """What stands in the state, and what was being made."""
    pending = [resource for resource in pending_of(exported) if resource["type"] in KINDS]
    return {
        *(resource.get("id") for resource in resources_of(exported)),
        *(KINDS[resource["type"]].id_of(resource["inputs"]) for resource in pending),
    }


def _of_orphans(stack: str, project: str, exported: dict[str, Any], apis: GoogleApis) -> Iterator[Step]:
    """What bears the stack's labels and names, and stands neither in its state nor among what was being made."""
    known, parent = _known(exported), f"projects/{project}"
    for service, path, items in (
        ("pubsub", f"/v1/{parent}/subscriptions", "subscriptions"),
        ("cloudfunctions", f"/v2/{parent}/locations/-/functions", "functions"),
        ("pubsub", f"/v1/{parent}/topics", "topics"),
        ("storage", f"/storage/v1/b?project={project}", "items"),
    ):
        try:
            for thing in listed(apis, service, path, items):
                name = str(thing["name"])
                if name not in known and _is_own(stack, name.rsplit("/", 1)[-1], thing.get("labels") or {}):
                    yield _of_orphan(stack, service, path, name, apis)
        except RefusedError as refused:
            what = "buckets" if service == "storage" else items
            yield _leave(f"{what} of {project}", f"they cannot be looked through: {refused}: {refused.fix}")


def _of_orphan(stack: str, service: str, path: str, name: str, apis: GoogleApis) -> Step:
    bucket = service == "storage"
    if bucket and holds_something(apis, name):
        return _leave(name, "the stack's state does not know it, and it holds files: they are yours")
    at = f"/storage/v1/b/{name}" if bucket else f"/{path.split('/')[1]}/{name}"
    why = f"it bears the names of stack {stack}, whose state does not know it"
    return Step("delete", name, why, partial(apis.delete, service, at))


def _of_names(plan: Plan, exported: Mapping[str, Any], apis: GoogleApis) -> Iterator[Step]:
    """What has a name that the next `up` would give, and that this state does not know: it would answer 409 for ever.

    Such is what was being made when an update was killed, once somebody has cleared that away
    (`pulumi refresh --clear-pending-creates`); or a stranger's.
    """
    known = _known(exported)
    for resource in plan.resources:
        kind = KINDS.get(resource.type)
        if not kind or not resource.type.endswith(NAMED_BY_US) or kind.id_of(resource.inputs) in known:
            continue
        what = f"{resource.type.rsplit(':', 1)[-1]} {resource.name}"
        try:
            found = find({"type": resource.type, "inputs": resource.inputs}, None, apis)
        except RefusedError as refused:
            yield _leave(what, f"whether its name is taken cannot be told: {refused}: {refused.fix}")
            continue
        if found and found.own and not found.holds:
            why = f"{found.identifier} is this stack's by name and description, and its state does not know it"
            yield Step("delete", what, why, partial(apis.delete, found.service, found.path))
        elif found:
            why = "holds images" if found.own else "nothing shows that it is this stack's"
            yield _leave(
                what, f"{found.identifier} is there, and {why}: ask whose it is, or name the stack otherwise"
            )


def _is_own(stack: str, name: str, labels: Mapping[str, str]) -> bool:
    if labels.get("stack") != stack:
        return False
    named = OWN_NAME.fullmatch(name)
    return bool(named and named["trigger"] == labels.get("trigger")) or bool(SOURCES.fullmatch(name))

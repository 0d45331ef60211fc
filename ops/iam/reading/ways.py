"""What is no grant and gives access all the same: whom a thing runs, calls and sends as, and the guards that are off.

The default is the careful one. `known.yaml` lists the types whose every input is known, and what each input does to
access; a type that is not there is not read at all, an input that is not there is shown with its value, and both
count as broadened, whether they come, change or go: what goes may have been a guard.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ops.iam.reading.permissions import (
    DESTINATION,
    NOT_READ,
    SIGNATURE,
    TWO_SIDED,
    UNREAD,
    Permission,
    kind_or_token,
    shown,
)
from ops.iam.reading.sends import ACCESS_TOKEN, tokens_of

DEFAULT_ACCOUNT = "(a default account)"
GUARD_OFF, MADE_IN = "guard-off", "made-in"
# What a thing does, by the word of known.yaml: on what kind of thing it does so, and what that means.
WAYS: Mapping[str, tuple[str, str]] = {
    "runs-as": ("serviceaccount", "what runs there may do all that this account may, and so may whoever changes it"),
    "builds-as": ("serviceaccount", "what is built there may do all that this account may"),
    "runs-jobs-as": ("serviceaccount", "the steps of its pipelines may do all that this account may"),
    "impersonates": ("serviceaccount", "it makes tokens of this account, and may do all that the account may"),
    "calls-as": ("serviceaccount", "it calls with a token of this account"),
    "makes-in": ("projects", "what it makes is made in this project"),
    "scope": ("scope", "the account's token is good for this much"),
    "calls": (DESTINATION, "its calls, with what is in them and the token that they carry, go there"),
    "sends-to": (DESTINATION, "what it passes on is copied there"),
    "goes-through": ("network", "it reaches what can be reached from there"),
    "selects": ("filter", "which entries it passes on"),
    "notifies": (DESTINATION, "what it tells is told there"),
    "publishes-to": ("pubsub/topic", "what it sends is read by whoever reads this topic"),
    "watches": ("storage/bucket", "whoever writes there causes what it announces"),
    "delivers": ("pubsub/topic", "whoever may publish there is who calls"),
    "reads-code-from": ("storage/bucket", "whoever writes there writes the code that runs at the next deployment"),
    "written-in": ("storage/bucket", "whoever reads there reads it"),
    "image-in": ("artifactregistry/repository", "whoever pushes there chooses what runs"),
    "runs-image": ("image", "this is the code that runs"),
    "runs-code": ("code", "this is the code that runs"),
    "keeps-records-in": ("storage/bucket", "whoever writes there decides which events start a run"),
    MADE_IN: ("projects", "whoever administers that project administers this"),
    GUARD_OFF: ("guard", "this guard is off"),
    ACCESS_TOKEN: (
        DESTINATION,
        "whoever answers there may do what the account may, for an hour: an access token cannot be narrowed",
    ),
    NOT_READ: ("setting", "what this does to access is not read here: review it"),
}
ANY_HOST = re.compile(r"(?i)(HOST|PROXY|ENDPOINT|URL|URI|SERVER|AUDIENCE)$")


@cache
def _known() -> Mapping[str, Any]:
    known: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("known.yaml").read_text())
    return known


def is_read(type_token: str) -> bool:
    """Whether every input of a type is known here."""
    kind = kind_or_token(type_token)
    return kind in _known()["harmless"] or kind in _known()["kinds"]


def ways_of(type_token: str, inputs: Mapping[str, Any], name: str, project: str) -> Iterator[Permission]:
    """What a resource that is no grant does to access; of a type that is not read, that it is there.

    ``project`` is the stack's own: in another one, others administer what is made.
    """
    kind = kind_or_token(type_token)
    if kind in _known()["harmless"]:
        return
    if (known := _known()["kinds"].get(kind)) is None:
        yield Permission(UNREAD, "(see its diff)", kind, name, two_sided=True)
        return
    thing = f"{kind.rsplit('/', 1)[-1].lower()}:{name}"
    for word, what in _read(known, inputs):
        if isinstance(what, Permission):
            yield what
        else:
            yield way(word, thing, what)
    if (made_in := shown(inputs.get("project", project))) != project and project:
        yield way(MADE_IN, thing, made_in)
    if kind == "bigquery/Dataset":
        yield from _accesses(inputs)


def meaning(word: str) -> str:
    """What a word of `WAYS` means, for the reader of a list; nothing for what is no such word."""
    return WAYS[word][1] if word in WAYS else ""


def way(word: str, thing: str, what: str) -> Permission:
    """That a thing runs, calls or sends as a word of `WAYS` says."""
    kind = WAYS[word][0]
    resource = what.rsplit("/serviceAccounts/", 1)[-1] if kind == "serviceaccount" else what
    return Permission(word, thing, kind, resource, two_sided=word in TWO_SIDED)


def _read(known: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    words = {path: word for word in WAYS for path in known.get(word, ())}
    found = set()
    for path, value in _leaves(inputs, (*words, *known.get("environment", ()), "accesses")):
        if word := words.get(path):
            found.add(word)
            yield from ((word, text) for text in _texts(value))
        elif path in known.get("environment", ()):
            yield from _variables(value, _account(known, inputs))
        elif path == "accesses" and "accesses" in known:
            continue
        elif not _is_harmless(path, known) and path not in known.get("guards", {}):
            yield NOT_READ, f"{path} = {shown(value)}"
    if known.get("default"):
        yield from ((word, DEFAULT_ACCOUNT) for word in ("runs-as",) if known.get(word) and word not in found)
    for path, safe in known.get("guards", {}).items():
        value = next((value for at, value in _leaves(inputs, ()) if at == path), None)
        if value not in safe:
            yield GUARD_OFF, f"{path} is {'left out' if value is None else shown(value)}"


def _is_harmless(path: str, known: Mapping[str, Any]) -> bool:
    listed = {*_known()["everywhere"], *known.get("harmless", ())}
    steps = path.split(".")
    return path.startswith("__") or any(".".join(steps[:end]) in listed for end in range(1, len(steps) + 1))


def _leaves(value: Any, whole: Iterable[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path, without the numbers of lists; what is at a path of ``whole`` is taken in one."""
    if value is None or value in ({}, []):
        return
    if path and path in whole:
        yield path, value
    elif isinstance(value, Mapping) and SIGNATURE not in value:
        for key, item in value.items():
            if not key.startswith("__"):
                yield from _leaves(item, whole, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, whole, path)
    else:
        yield path, value


def _texts(value: Any) -> list[str]:
    return [shown(item) for item in value] if isinstance(value, list) else [shown(value)]


def _account(known: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    at = known.get("runs-as", ())
    return next((shown(value) for path, value in _leaves(inputs, ()) if path in at), DEFAULT_ACCOUNT)


def _variables(value: Any, account: str) -> Iterator[tuple[str, Any]]:
    """What environment variables do: in a trigger's settings where its tokens go, and in others what they say."""
    if not isinstance(value, Mapping | list) or SIGNATURE in value:
        yield NOT_READ, f"environment = {shown(value)}"
        return
    if isinstance(value, Mapping):
        pairs: Iterable[tuple[str, Any]] = [(name, text) for name, text in value.items() if not name.startswith("__")]
    else:
        pairs = [(str(one.get("name")), one.get("value", one)) for one in value if isinstance(one, Mapping)]
    for name, text in pairs:
        if name == "TRIGGER":
            yield from _trigger(shown(text), account)
        elif name not in _known()["variables"]:
            word = "calls" if ANY_HOST.search(name) else NOT_READ
            yield word, f"{name} = {shown(text)}"


def _trigger(text: str, account: str) -> Iterator[tuple[str, Any]]:
    try:
        settings = json.loads(text)
        target = dict(settings["target"])
    except (ValueError, KeyError, TypeError):
        yield NOT_READ, f"TRIGGER = {text}"
        return
    yield from ((ACCESS_TOKEN, sent) for sent in tokens_of(target, account))
    words = {"service_account": "runs-jobs-as", "impersonate": "impersonates"}
    words |= {"pipeline_root": "sends-to", "project": "makes-in", "network": "goes-through"}
    for key in ("host", "api_endpoint", "workflows"):
        target.pop(key, None)
    for key, value in sorted(target.items()):
        if key in words:
            yield words[key], shown(value)
        elif key not in _known()["target"]:
            yield NOT_READ, f"TRIGGER.target.{key} = {shown(value)}"
    for key, value in sorted(settings.items()):
        if key == "ledger":
            yield "keeps-records-in", shown(value)
        elif key != "target" and key not in _known()["trigger"]:
            yield NOT_READ, f"TRIGGER.{key} = {shown(value)}"


def _accesses(inputs: Mapping[str, Any]) -> Iterator[Permission]:
    """A dataset's own list of who may read it: as much as a grant, and each with its role."""
    accesses = inputs.get("accesses")
    dataset = shown(inputs.get("datasetId"))
    for one in accesses if isinstance(accesses, list) else [accesses] * (accesses is not None):
        entry = one if isinstance(one, Mapping) and SIGNATURE not in one else {"access": one}
        members = {key: value for key, value in entry.items() if key not in ("role", "condition") and key[:2] != "__"}
        member = ", ".join(f"{key}:{shown(value)}" for key, value in sorted(members.items()))
        condition = shown(entry["condition"]) if entry.get("condition") else ""
        yield Permission(shown(entry.get("role", "a view")), member, "bigquery/dataset", dataset, condition)

"""What in a project can be a stack's, by the type of its resource: where Google Cloud has it, and what proves it.

A proof is what only this program writes: labels with the names of stack and trigger, or a description. What has the
same name and no proof is a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """``id_of`` is what the provider calls a thing, from its inputs; ``path`` where ``service`` has it."""

    service: str
    id_of: Callable[[Fields], str]
    path: Callable[[str], str]
    proves: Callable[[Fields, Fields], bool]


def _labelled(inputs: Fields, found: Fields) -> bool:
    wanted = inputs.get("labels") or {}
    return bool(wanted) and wanted.items() <= (found.get("labels") or {}).items()


def _same(*names: str) -> Callable[[Fields, Fields], bool]:
    return lambda inputs, found: all(inputs.get(name) and inputs[name] == found.get(name) for name in names)


def _in_region(collection: str, name: str = "name") -> Callable[[Fields], str]:
    def id_of(inputs: Fields) -> str:
        return f"projects/{inputs['project']}/locations/{_location(inputs)}/{collection}/{inputs[name]}"

    return id_of


def _location(inputs: Fields) -> str:
    return str(inputs.get("location") or inputs["region"])


def _in_project(collection: str, name: str = "name") -> Callable[[Fields], str]:
    return lambda inputs: f"projects/{inputs['project']}/{collection}/{inputs[name]}"


def _account(inputs: Fields) -> str:
    domain = ".".join(reversed(str(inputs["project"]).split(":")))
    return f"projects/{inputs['project']}/serviceAccounts/{inputs['accountId']}@{domain}.iam.gserviceaccount.com"


def _version(version: str) -> Callable[[str], str]:
    return lambda identifier: f"/{version}/{identifier}"


KINDS: Mapping[str, Kind] = {
    "gcp:artifactregistry/repository:Repository": Kind(
        "artifactregistry", _in_region("repositories", "repositoryId"), _version("v1"), _labelled
    ),
    "gcp:cloudfunctionsv2/function:Function": Kind(
        "cloudfunctions", _in_region("functions"), _version("v2"), _labelled
    ),
    "gcp:cloudscheduler/job:Job": Kind("cloudscheduler", _in_region("jobs"), _version("v1"), _same("description")),
    "gcp:logging/projectSink:ProjectSink": Kind(
        "logging", _in_project("sinks"), _version("v2"), _same("destination", "filter")
    ),
    "gcp:projects/iAMCustomRole:IAMCustomRole": Kind(
        "iam", _in_project("roles", "roleId"), _version("v1"), _same("title")
    ),
    "gcp:pubsub/subscription:Subscription": Kind("pubsub", _in_project("subscriptions"), _version("v1"), _labelled),
    "gcp:pubsub/topic:Topic": Kind("pubsub", _in_project("topics"), _version("v1"), _labelled),
    "gcp:serviceaccount/account:Account": Kind("iam", _account, _version("v1"), _same("displayName", "description")),
    "gcp:storage/bucket:Bucket": Kind(
        "storage", lambda inputs: str(inputs["name"]), lambda name: f"/storage/v1/b/{name}", _labelled
    ),
}

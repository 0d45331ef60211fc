"""Takes roles into the catalogue as Google says that they are, and shows what changed."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OperationError
from ops.iam.catalogue.roles import FILE, pinned

LONGEST_LINE = 110
Describe = Callable[[str], str]


@dataclass(frozen=True)
class Updated:
    """What an update did to a role."""

    role: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


def update(names: Iterable[str], describe: Describe | None = None, file: Path = FILE) -> list[Updated]:
    """Asks what each role holds, writes it as complete, and returns what is other than it was.

    Raises:
        OperationError: gcloud is not there, or does not know a role; nothing is written then.
    """
    text = file.read_text()
    comment = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    document = yaml.safe_load(text)
    before, found = pinned(file), []
    for name in names or sorted(document["roles"]):
        permissions = _permissions(name, (describe or gcloud)(name))
        held = before.at_least(name)
        found.append(Updated(name, tuple(sorted(permissions - held)), tuple(sorted(held - permissions))))
        read = datetime.now(UTC).date().isoformat()
        document["roles"][name] = {"known": "complete", "read": read, "holds": _families(permissions)}
    document["roles"] = dict(sorted(document["roles"].items()))
    file.write_text(comment + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=LONGEST_LINE))
    pinned.cache_clear()
    return found


def gcloud(role: str) -> str:
    """What `gcloud iam roles describe` says of a role, predefined or of a project."""
    _, _, rest = role.rpartition("projects/")
    project, _, name = rest.partition("/roles/")
    which = [name, f"--project={project}"] if role.startswith("projects/") else [role]
    command = ["gcloud", "iam", "roles", "describe", *which, "--format=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OperationError("gcloud is not installed, and says what a role holds; install the gcloud CLI") from None
    if done.returncode:
        raise OperationError(f"gcloud does not say what {role} holds: {done.stderr.strip()}; check the role's name")
    return done.stdout


def _permissions(role: str, said: str) -> frozenset[str]:
    try:
        return frozenset(map(str, json.loads(said)["includedPermissions"]))
    except (ValueError, KeyError, TypeError):
        raise OperationError(
            f"what gcloud says of {role} has no includedPermissions; check it: gcloud iam roles describe {role}"
        ) from None


def _families(permissions: Iterable[str]) -> Mapping[str, Any]:
    families: dict[str, list[str]] = defaultdict(list)
    for permission in sorted(permissions):
        thing, _, verb = permission.rpartition(".")
        families[thing].append(verb)
    return dict(families)

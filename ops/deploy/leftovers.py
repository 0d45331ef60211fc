"""What an update that was killed leaves behind: its lock, and what it was making."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.exceptions import GoogleCloudError

from ops.deploy.pulumi_cli import export, pending_of, pulumi, pulumi_json, resources_of
from ops.errors import OperationError
from rehearsal.program import ROOT

LOCKS = ".pulumi/locks/organization"  # pulumi/pulumi pkg/backend/diy/lock.go


@dataclass(frozen=True)
class Lock:
    """Who is at work on a stack, or was. ``alive`` is None where it cannot be told: it is another machine's."""

    who: str
    since: str
    alive: bool | None

    @property
    def in_words(self) -> str:
        """Whose it is."""
        state = {True: "at work", False: "gone", None: "on another machine, where it may be at work"}[self.alive]
        return ", ".join(filter(None, [f"the lock of {self.who}", state, self.since and f"since {self.since}"]))


def leftovers_of(stack: str) -> str:
    """What is left, in words; nothing where nothing is, or where an update is at work."""
    locks = list(locks_of(stack))
    if any(lock.alive for lock in locks):
        return ""  # the CLI says so itself, and waits for nobody
    pending = pending_of(_state_of(stack))
    names = ", ".join(resource["urn"].rsplit("::", 1)[-1] for resource in pending)
    made = [f"half-made, perhaps: {names}"] if pending else []
    return "; ".join([*(lock.in_words for lock in locks), *made])


def has_init_errors(stack: str) -> bool:
    """Whether the state has something half-made, which a refresh would take for whole."""
    return any(resource.get("initErrors") for resource in resources_of(_state_of(stack)))


def locks_of(stack: str) -> Iterator[Lock]:
    """The locks of a stack whose state is in files or in Cloud Storage; or what Pulumi Cloud says in place of one."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    try:
        url = urlsplit(str(pulumi_json("whoami", "--verbose", "--json").get("url", "")))
    except OperationError:
        return  # the CLI says why, when it is asked to do something
    where = f"{LOCKS}/{project}/{stack}/"
    if url.scheme == "file":
        folder = Path(url.netloc + url.path).expanduser() / where
        texts = [path.read_text() for path in sorted(folder.glob("*.json"))]
    elif url.scheme == "gs":
        texts = _in_cloud_storage(url.netloc, "/".join(filter(None, [url.path.strip("/"), where])))
    else:
        texts = []
        if url.scheme == "https" and _is_in_progress(stack):
            yield Lock("an update that Pulumi Cloud knows of", "", None)
    for text in texts:
        yield _lock(json.loads(text))


def _is_in_progress(stack: str) -> bool:
    """What only Pulumi Cloud says: pulumi/pulumi pkg/cmd/pulumi/stack/stack_list.go, stackSummaryJSON."""
    stacks = json.loads(pulumi("stack", "ls", "--json"))
    return any(each["name"].rsplit("/", 1)[-1] == stack and each.get("updateInProgress") for each in stacks)


def _in_cloud_storage(bucket: str, prefix: str) -> list[str]:
    try:
        blobs = storage.Client(project="-").list_blobs(bucket, prefix=prefix)
        return [blob.download_as_text() for blob in blobs if blob.name.endswith(".json")]
    except (GoogleAuthError, GoogleCloudError):
        return []  # the CLI has credentials of its own, and says what is wrong


def _lock(found: dict[str, Any]) -> Lock:
    host, number = str(found.get("hostname", "")), int(found.get("pid") or 0)
    alive = _is_alive(number) if host == socket.gethostname() else None
    return Lock(f"{found.get('username')}@{host} (pid {number})", str(found.get("timestamp", ""))[:19], alive)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state_of(stack: str) -> dict[str, Any]:
    try:
        return export(stack)
    except OperationError:
        return {}  # there is no such stack yet, or the CLI will say why it cannot be read

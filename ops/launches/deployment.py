"""What a stack that stands is made of, as far as replaying needs it: its outputs, from the Pulumi CLI.

Who has no login to Pulumi's backend can name the ledger instead, which says less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.errors import OperationError
from ops.launches.cloud import Cloud
from ops.pulumi import ask_pulumi
from rehearsal.program import read_stack

NOTIFICATION = "gcp:storage/notification:Notification"
WITHOUT_PULUMI = "launches list, launches show and replay also take --ledger gs://BUCKET, which needs no Pulumi"
RECORDS = ("outcomes", "claims", "rejected")  # the ledger's directories, each with one for every trigger
REQUIRED = ("id", "source", "topic", "dead_letters")


@dataclass(frozen=True)
class DeployedTrigger:
    """A trigger that stands. ``source`` is what its launcher knows of it; the next two are full Pub/Sub names.

    ``backoff`` is the subscription's, in seconds: the first wait, which doubles, and the longest. The endpoint
    deletes runs after ``runs_retention_days``, never if that is None. What the outputs of an older version do not say
    is None; what the ledger alone does not say is empty.
    """

    name: str
    id: str
    source: Mapping[str, Any]
    topic: str
    dead_letters: str
    attempts: int | None = None
    backoff: tuple[int, int] | None = None
    runs_retention_days: int | None = None

    @property
    def project(self) -> str | None:
        """The project that it is in."""
        return self.id.split("/")[0] if "/" in self.id else None

    @property
    def kind(self) -> str | None:
        """Its kind of source."""
        return self.source.get("kind")

    @property
    def watched(self) -> str | None:
        """Where it looks for objects, for people; None for another kind of source."""
        if "bucket" not in self.source:
            return None
        glob = f" for names that match {self.source['glob']}" if "glob" in self.source else ""
        return f"gs://{self.source['bucket']}/{self.source['prefix']}{glob}"


@dataclass(frozen=True)
class Deployment:
    """A stack that stands. ``ledger`` is a bucket, which forgets after ``ledger_days``.

    Where only the ledger was looked at, there is no ``stack``, and ``ledger_days`` is 0: nobody says when it forgets.
    """

    stack: str | None
    ledger: str
    ledger_days: int
    triggers: tuple[DeployedTrigger, ...]

    @property
    def called(self) -> str:
        """What it is called in sentences."""
        return f"stack {self.stack}" if self.stack else f"the ledger gs://{self.ledger}"

    @property
    def project(self) -> str | None:
        """The project that the triggers are in."""
        return self.triggers[0].project

    def choose(self, trigger: str | None) -> tuple[DeployedTrigger, ...]:
        """The one trigger of that name, or all of them.

        Raises:
            OperationError: there is none of that name.
        """
        if trigger is None:
            return self.triggers
        chosen = tuple(found for found in self.triggers if found.name == trigger)
        if not chosen:
            names = ", ".join(found.name for found in self.triggers)
            raise OperationError(f"{self.called} has no trigger {trigger!r}; it has: {names}")
        return chosen

    def name_bucket(self, reference: str) -> str:
        """Puts a bucket in the place of the output that names it: ``echo-bucket/a.csv``, with or without gs://."""
        output, slash, name = reference.removeprefix("gs://").partition("/")
        buckets = {f"{trigger.name}-bucket": trigger.source.get("bucket") for trigger in self.triggers}
        bucket = None if output in buckets.values() else buckets.get(output)
        return f"gs://{bucket}{slash}{name}" if bucket else reference


def read_deployment(stack: str) -> Deployment:
    """Asks the Pulumi CLI for a stack's outputs.

    Raises:
        OperationError: the CLI is missing or refuses, or the stack has no such outputs.
        ConfigurationError: there is no such stack file.
    """
    name, _ = read_stack(stack)
    return deployment(name, ask_pulumi("stack", "output", "--json", "--stack", name, instead=WITHOUT_PULUMI))


def deployment(stack: str, outputs: Mapping[str, Any]) -> Deployment:
    """The deployment that a stack's outputs describe.

    Raises:
        OperationError: it has never been deployed, or by an older version of the program.
    """
    try:
        triggers = tuple(_deployed(name, values) for name, values in sorted(outputs["triggers"].items()))
        return Deployment(stack, outputs["ledger"], int(outputs["ledger_days"]), triggers)
    except (KeyError, TypeError):
        raise OperationError(
            f"stack {stack} has no outputs that say what stands; deploy it: make up STACK={stack}"
        ) from None


def read_ledger(cloud: Cloud, ledger: str) -> Deployment:
    """What a ledger, ``gs://BUCKET``, says by itself of the stack that keeps it: its triggers, and of which kind.

    Raises:
        OperationError: it is no ledger, or holds nothing yet.
    """
    bucket = ledger.removeprefix("gs://").rstrip("/")
    names = {name for kind in RECORDS for name in _directories(cloud, bucket, f"{kind}/")}
    if not names:
        raise OperationError(
            f"gs://{bucket} holds no records of launches; a stack's ledger is a bucket called launch-ledger-…, and "
            "its output `ledger` names it"
        )
    return Deployment(None, bucket, 0, tuple(_recorded(cloud, bucket, name) for name in sorted(names)))


def announced_since(stack: Deployment, trigger: DeployedTrigger) -> datetime | None:
    """When the notification was made by which Cloud Storage tells a trigger of new objects; None if nobody says.

    Cloud Storage itself does not: Pulumi notes it in its state.
    """
    if stack.stack is None:
        return None
    try:
        state = ask_pulumi("stack", "export", "--stack", stack.stack)
        resources = state["deployment"]["resources"]
    except (OperationError, KeyError, TypeError):
        return None
    made = [
        resource["created"]
        for resource in resources
        if resource["type"] == NOTIFICATION
        and resource["urn"].endswith(f"::{trigger.name}-new-objects")
        and "created" in resource
        and not resource.get("delete")
    ]
    return datetime.fromisoformat(made[0]) if made else None


def _deployed(name: str, values: Mapping[str, Any]) -> DeployedTrigger:
    """Fields that a newer version added are passed over, and those that an older one lacks are unknown."""
    backoff = tuple(values["backoff"]) if "backoff" in values else None
    known = {key: values[key] for key in REQUIRED}
    kept = values.get("runs_retention_days")
    return DeployedTrigger(name, **known, attempts=values.get("attempts"), backoff=backoff, runs_retention_days=kept)


def _directories(cloud: Cloud, bucket: str, prefix: str) -> Iterator[str]:
    listing = cloud.storage.list_blobs(bucket, prefix=prefix, delimiter="/")
    for page in listing.pages:
        yield from (name.removeprefix(prefix).rstrip("/") for name in page.prefixes)


def _recorded(cloud: Cloud, bucket: str, name: str) -> DeployedTrigger:
    """What one of its outcomes says of a trigger, if it has any."""
    for blob in cloud.storage.list_blobs(bucket, prefix=f"outcomes/{name}/", max_results=1):
        record = json.loads(blob.download_as_bytes())
        kind, colon, _ = str(record["event"]).partition(":")
        source = {"kind": "gcs" if kind == "gs" else kind} if colon else {}
        return DeployedTrigger(name, record["trigger"], source, "", "")
    return DeployedTrigger(name, name, {}, "", "")

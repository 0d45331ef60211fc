"""Why nothing is known of an object: from the triggers that stand, and from what the bucket holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from google.cloud.storage import Blob

from function_src.launcher.mapping.glob import Glob
from ops.errors import OperationError
from ops.launches.cloud import Cloud
from ops.launches.deployment import DeployedTrigger, Deployment, announced_since
from ops.launches.events import notification, passed_over_because
from ops.launches.history import Launch
from ops.launches.sweep import read_memory, unheard_of
from ops.launches.words import GENERATION
from ops.printing import show_moment

URI = re.compile(rf"gs://(?P<bucket>[^/]+)/(?P<name>.+?)(?:#(?P<generation>{GENERATION}))?", re.DOTALL)
TO_BEGIN = timedelta(seconds=30)  # that a new notification may take (docs: storage/docs/pubsub-notifications)


@dataclass(frozen=True)
class Absence:
    """An object that was no event, and why; ``trigger`` is the one whose doing that is, if it is one's."""

    event: str
    why: str
    trigger: DeployedTrigger | None = None


def explain_absence(
    cloud: Cloud, deployment: Deployment, uri: str, trigger: str | None = None
) -> Iterator[Launch | Absence]:
    """Why no event of an object is known, for each trigger that watches its bucket.

    A :class:`Launch` is missing: it should have been an event, and can be replayed. Or it is unknown.

    Raises:
        OperationError: it names no object, there is no such trigger, or Google Cloud refuses.
    """
    if not (wanted := URI.fullmatch(uri)):
        raise OperationError(_no_object(deployment, uri))
    chosen = deployment.choose(trigger)
    if deployment.stack is None:
        live = _look(cloud, wanted)
        yield Absence(uri, live if isinstance(live, str) else _unknown(wanted["bucket"]))
        return
    watching = [one for one in chosen if one.source.get("bucket") == wanted["bucket"]]
    if not watching:
        yield Absence(uri, _unwatched(deployment, wanted["bucket"], chosen, trigger))
    misfits = {one.name: _misfit(one, wanted["name"]) for one in watching}
    yield from (Absence(uri, why, one) for one in watching if (why := misfits[one.name]))
    if fitting := [one for one in watching if not misfits[one.name]]:
        live = _look(cloud, wanted)
        if isinstance(live, str):
            yield Absence(uri, live)
        else:
            yield from (_unannounced(cloud, deployment, one, live) for one in fitting)


def _no_object(deployment: Deployment, uri: str) -> str:
    bucket = uri.removeprefix("gs://").strip("/")
    watching = [one.name for one in deployment.triggers if one.source.get("bucket") == bucket]
    lists = f". pipeline-trigger launches list --trigger {watching[0]} lists its events" if watching else ""
    return f"{uri} is a bucket; name a file in it, gs://{bucket}/NAME{lists}"


def _unwatched(deployment: Deployment, bucket: str, chosen: Sequence[DeployedTrigger], trigger: str | None) -> str:
    nobody = f"trigger {trigger} does not watch" if trigger else f"no trigger of {deployment.called} watches"
    others = [
        f"trigger {one.name} " + (f"watches {one.watched}" if one.watched else f"takes events of kind {one.kind}")
        for one in chosen
    ]
    return f"{nobody} gs://{bucket}; {', '.join(others)}"


def _misfit(trigger: DeployedTrigger, name: str) -> str | None:
    """Why a trigger does not take up an object of its bucket: Cloud Storage or the launcher passed it over."""
    prefix, glob = trigger.source["prefix"], trigger.source.get("glob")
    if not name.startswith(prefix):
        return f"its name does not begin with {prefix}"
    if glob and not Glob(glob).matches(name):
        return f"its name does not match the glob {glob}"
    return None


def _look(cloud: Cloud, wanted: re.Match[str]) -> Blob | str:
    """The object, in the generation that is wanted if one is, or why it is not to be had."""
    live = cloud.storage.bucket(wanted["bucket"]).get_blob(wanted["name"])
    if live is None:
        what = "that generation" if wanted["generation"] else "it"
        return f"there is no such object: {what} was deleted and left no record, or never was"
    if wanted["generation"] in (None, str(live.generation)):
        return live
    return (
        "no such generation is there: it was overwritten and left no record, or never was; the live one is "
        f"#{live.generation} of {show_moment(live.time_created)}"
    )


def _unknown(bucket: str) -> str:
    return (
        f"the ledger has no record of it; whether a trigger watches gs://{bucket}, and whether it is a dead letter, "
        "only the stack's outputs say: leave out --ledger"
    )


def _unannounced(cloud: Cloud, deployment: Deployment, trigger: DeployedTrigger, blob: Blob) -> Launch | Absence:
    uri, written = f"gs://{blob.bucket.name}/{blob.name}#{blob.generation}", blob.time_created
    launch = unheard_of(trigger, blob)
    if launch is None:
        return Absence(
            uri, f"the launcher passes it over: {passed_over_because(trigger, notification(blob))}", trigger
        )
    memory = read_memory(cloud, deployment)
    if written < memory.since:
        return memory.unknown(launch)
    since = announced_since(deployment, trigger)
    if since is None or written > since + TO_BEGIN:
        return launch
    return replace(
        launch,
        why=f"It was written {show_moment(written)}, and the trigger's notification was made {show_moment(since)}: "
        f"what was there before is not announced, nor may be what came in the first {TO_BEGIN.seconds} s. "
        f"To launch it: pipeline-trigger replay {shlex.quote(uri)}",
    )

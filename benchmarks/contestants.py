"""The functions that are measured: what is deployed of each, what it is told, and what it is sent."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.standins import ACCOUNT, BUCKET, LEDGER, LOCATION, PROJECT, Addresses
from infra.package.packaging import compile_pipeline, launcher_archive
from rehearsal.function import install
from rehearsal.program import ROOT

CACHE = ROOT / ".cache"
FUNCTIONS = Path(__file__).with_name("functions")
TOOLS = ("pip", "setuptools")  # are in every environment, and in no image
PREFIX = "incoming/"
CREATED = (
    "2126-11-22T10:00:00.000Z"  # fresh, however long this takes: an old event is looked for at the endpoint first
)
Request = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True)
class Installed:
    """A function as it would be built: its sources with their byte code, and an environment of its requirements."""

    python: Path
    source: Path
    packages: int
    mebibytes: float


@dataclass(frozen=True)
class Contestant:
    """A function. ``code`` writes what is deployed of it into a directory, ``told`` is its environment, and ``event``
    the request that brings it the event of an object, by the resource of that."""

    name: str
    what: str
    code: Callable[[Path], None]
    told: Callable[[Addresses], Mapping[str, str]]
    event: Callable[[Mapping[str, Any]], Request]

    def install(self, directory: Path) -> Installed:
        """Builds it in a directory, with Cloud Build's steps: its requirements, and byte code of all."""
        self.code(directory)
        python = install(directory, CACHE)
        subprocess.run([python, "-m", "compileall", "-q", directory], check=True)
        site = next((python.parent.parent / "lib").glob("python*/site-packages"))
        mine = [path for path in site.iterdir() if path.name.split("-")[0] not in (*TOOLS, "_distutils_hack")]
        files = (file for path in mine for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
        size = sum(file.stat().st_size for file in files)
        return Installed(python, directory, len([p for p in mine if p.suffix == ".dist-info"]), size / 2**20)


def an_object(name: str, size: int = 10, generation: int = 1) -> dict[str, Any]:
    """The resource of an object in the trigger bucket."""
    return {
        "kind": "storage#object",
        "bucket": BUCKET,
        "name": name,
        "generation": str(generation),
        "size": str(size),
        "contentType": "application/json",
        "timeCreated": CREATED,
    }


def pushed(resource: Mapping[str, Any]) -> Request:
    """As Pub/Sub pushes a notification of Cloud Storage."""
    attributes = {"eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1"}
    data = base64.b64encode(json.dumps(resource).encode()).decode()
    message = {"data": data, "attributes": attributes, "messageId": "1", "publishTime": CREATED}
    return {"Content-Type": "application/json"}, json.dumps({"message": message, "subscription": "s"}).encode()


def triggered(resource: Mapping[str, Any]) -> Request:
    """As Eventarc brings it to a function with a trigger."""
    about = {
        "ce-id": "1",
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{BUCKET}",
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.storage.object.v1.finalized",
    }
    return {"Content-Type": "application/json", **about}, json.dumps(resource).encode()


def launcher(directory: Path) -> None:
    """Writes what the program deploys of the launcher."""
    archive = launcher_archive(compile_pipeline("echo")[1])
    for name, path in archive.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, directory / name)
    for name, text in archive.texts.items():
        (directory / name).write_text(text)


def function(name: str) -> Callable[[Path], None]:
    """Writes a function of these benchmarks, with the same package beside it."""

    def code(directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for part in ("main.py", "requirements.txt"):
            shutil.copyfile(FUNCTIONS / name / part, directory / part)
        (directory / "pipeline.json").write_text(compile_pipeline("echo")[1])

    return code


def trigger(target: Mapping[str, Any], parameter: str = "object.uri") -> str:
    """The launcher's settings."""
    settings = {
        "id": f"{PROJECT}/dev/echo",
        "source": {"kind": "gcs", "bucket": BUCKET, "prefix": PREFIX},
        "parameters": {"filename": parameter},
        "content_limit": 2**21,
        "ledger": LEDGER,
        "lease_seconds": 300,
        "timeout_seconds": 300,
        "target": dict(target),
    }
    return json.dumps(settings)


def told(at: Addresses, **more: str) -> dict[str, str]:
    """What every function is told. The threads are those that a launcher is deployed with."""
    metadata = at.metadata.removeprefix("http://")
    here = {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata, "STORAGE_EMULATOR_HOST": at.storage}
    return {"PATH": os.environ["PATH"], "THREADS": "16", **here, **more}


def on_kfp(at: Addresses) -> dict[str, Any]:
    """The launcher's target at KFP."""
    return {"kind": "kfp", "host": at.kfp, "credentials": "access-token", "experiment": "gcs-triggered"}


def on_vertex(at: Addresses) -> dict[str, Any]:
    """The launcher's target at Vertex AI."""
    where = {"api_endpoint": at.vertex, "project": PROJECT, "location": LOCATION}
    about = {"pipeline_root": "gs://acme-pipelines", "service_account": ACCOUNT, "labels": {}}
    return {"kind": "vertex", **where, **about}


FLOOR, AGAIN = "floor", "floor, again"
OURS, OURS_ON_VERTEX = "launcher, KFP", "launcher, Vertex AI"
WALKTHROUGH, SDK = "walk-through", "Vertex AI's SDK"
CONTESTANTS = (
    Contestant(FLOOR, "a function that does nothing", function("floor"), told, pushed),
    Contestant(OURS, "ours", launcher, lambda at: told(at, TRIGGER=trigger(on_kfp(at))), pushed),
    Contestant(
        WALKTHROUGH,
        "imports kfp, compiles on each event",
        function("walkthrough"),
        lambda at: told(at, HOST=at.kfp),
        triggered,
    ),
    Contestant(OURS_ON_VERTEX, "ours", launcher, lambda at: told(at, TRIGGER=trigger(on_vertex(at))), pushed),
    Contestant(
        SDK,
        "google-cloud-aiplatform, a compiled package",
        function("vertex_sdk"),
        lambda at: told(at, API_ENDPOINT=at.vertex),
        triggered,
    ),
    Contestant(AGAIN, "the same, which shows the machine's noise", function("floor"), told, pushed),
)

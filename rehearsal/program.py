"""Evaluates the Pulumi program for a stack, with no cloud and no Pulumi CLI, and returns its plan.

It runs `infra/` the way the CLI does (working directory, path, configuration in PULUMI_CONFIG) against a monitor
that records each registration: inputs, parent, dependencies and hooks, which `pulumi.runtime.Mocks` does not see.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import runpy
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime import stack as pulumi_stack

from infra.configuration.stack_file import ROOT, read_stack
from infra.errors import ConfigurationError

__all__ = [
    "PROJECT_NUMBER",
    "ROOT",
    "UNKNOWN",
    "Plan",
    "Resource",
    "as_the_cli_runs_it",
    "evaluate",
    "read_stack",
    "run_program",
]

PROJECT_NUMBER = "123456789012"
GENERATION = 1_790_000_000_000_000
UNKNOWN = "<known after apply>"


@dataclass(frozen=True)
class Resource:
    """One registration. ``inputs`` are resolved, ``dependencies`` and ``parent`` URNs, ``hooks`` named by moment."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    parent: str
    dependencies: tuple[str, ...]
    hooks: Mapping[str, tuple[str, ...]]
    custom: bool
    id: str
    outputs: Mapping[str, Any]

    @property
    def in_cloud(self) -> bool:
        """Whether it is something of Google Cloud's, not a component and not something that the engine keeps."""
        return self.custom and self.type.startswith("gcp:")


@dataclass(frozen=True)
class Plan:
    """What the program declared for a stack, in the order of registration, and what it advises against."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    exports: Mapping[str, Any]
    advice: tuple[str, ...] = ()

    def of_type(self, suffix: str) -> list[Resource]:
        """The resources whose type ends so: ``:Function``, ``pubsub/topic:Topic``."""
        return [resource for resource in self.resources if resource.type.endswith(suffix)]

    def named(self, name: str, suffix: str = "") -> Resource:
        """The one resource of that name, and of that type where the name is not enough."""
        (found,) = [resource for resource in self.of_type(suffix) if resource.name == name and resource.custom]
        return found

    def archive_of(self, function: Resource) -> pulumi.AssetArchive:
        """What a planned function is built from."""
        wanted = function.inputs["buildConfig"]["source"]["storageSource"]["object"]
        (found,) = [item for item in self.of_type(":BucketObject") if item.inputs["name"] == wanted]
        archive: pulumi.AssetArchive = found.inputs["source"]
        return archive


def evaluate(stack: str, config: Mapping[str, str], *, preview: bool = False) -> Plan:
    """Runs the program. With ``preview``, what a provider would compute is unknown, as in a first `pulumi preview`.

    Raises:
        ConfigurationError: the program refuses the configuration.
    """
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    warnings = _Warnings()
    monitor = _Recorder(_Cloud(config.get("gcp:project", ""), preview=preview))
    try:
        with _event_loop() as loop, as_the_cli_runs_it(config):
            settings.SETTINGS.outputs.clear()
            settings.set_root_resource(None)  # type: ignore[arg-type]  # forgets the last evaluation's; typed for setting one
            settings.configure(
                mocks.MockSettings(
                    monitor=monitor,
                    engine=mocks.MockEngine(warnings.logger),
                    project=project,
                    stack=stack,
                    dry_run=preview,
                    organization="rehearsal",
                    callbacks=None,
                )
            )
            loop.run_until_complete(pulumi_stack.run_in_stack(run_program))
    except pulumi.RunError as error:
        raise ConfigurationError(str(error)) from error
    return Plan(project, stack, tuple(monitor.registered), monitor.exports, tuple(warnings.said))


def run_program() -> None:
    """Runs `infra/`, within :func:`as_the_cli_runs_it`."""
    runpy.run_path(".", run_name="__main__")


@contextlib.contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop whose worker threads have loops of their own, all closed at the end.

    The mock monitor would make one in each worker and leave it open, which the interpreter reports when it exits.
    """
    loops = [asyncio.new_event_loop()]

    def start_worker() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    workers = ThreadPoolExecutor(initializer=start_worker)
    loops[0].set_default_executor(workers)
    asyncio.set_event_loop(loops[0])
    try:
        yield loops[0]
    finally:
        workers.shutdown()
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()


@contextlib.contextmanager
def as_the_cli_runs_it(config: Mapping[str, str]) -> Iterator[None]:
    """The working directory, the path and the environment of a program of a stack with this configuration."""
    before, path, environment = Path.cwd(), list(sys.path), os.environ.get("PULUMI_CONFIG")
    os.chdir(ROOT / "infra")
    os.environ["PULUMI_CONFIG"] = json.dumps(dict(config))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        if environment is None:
            del os.environ["PULUMI_CONFIG"]
        else:
            os.environ["PULUMI_CONFIG"] = environment


class _Warnings(logging.Handler):
    """Keeps what a program warns of; nothing else is logged here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self.logger = logging.Logger("program")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one."""
        self.said.append(record.getMessage())


class _Recorder(mocks.MockMonitor):
    """A mock monitor that keeps what was registered."""

    def __init__(self, cloud: _Cloud) -> None:
        super().__init__(cloud)
        self.registered: list[Resource] = []
        self.exports: Mapping[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types
        if request.type != "pulumi:pulumi:Stack":
            self.registered.append(
                Resource(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    inputs=_plain(rpc.deserialize_properties(request.object, keep_unknowns=True)),
                    parent=request.parent,
                    dependencies=tuple(sorted(request.dependencies)),
                    hooks={kind.name: tuple(names) for kind, names in request.hooks.ListFields()},
                    custom=request.custom,
                    id=response.id,
                    outputs=_plain(rpc.deserialize_properties(response.object)),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "pulumi:pulumi:Stack::" in request.urn:
            self.exports = _plain(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]  # nor here


class _Cloud(mocks.Mocks):
    """Computes what Google Cloud and the engine's autonaming would: names, ids, addresses, URIs."""

    def __init__(self, project: str, *, preview: bool) -> None:
        self._project = project
        self._preview = preview

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        agent = f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
        answers = {
            "gcp:organizations/getProject:getProject": {"number": PROJECT_NUMBER},
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {"emailAddress": agent},
        }
        return answers[args.token], []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:index:Stash":  # which the engine computes, in a preview too
            return f"{args.name}-id", {**args.inputs, "output": args.inputs["input"]}
        if self._preview or not args.custom:
            return None, dict(args.inputs)
        name = args.inputs.get("name") or f"{args.name}-{hashlib.sha256(args.name.encode()).hexdigest()[:7]}"
        project = args.inputs.get("project") or self._project
        match args.typ.rsplit(":", 1)[-1]:
            case "Topic":
                identifier, computed = f"projects/{project}/topics/{name}", {"name": name}
            case "Subscription":
                identifier, computed = f"projects/{project}/subscriptions/{name}", {"name": name}
            case "Bucket":
                identifier, computed = name, {"name": name, "url": f"gs://{name}"}
            case "Account":
                email = f"{args.inputs['accountId']}@{project}.iam.gserviceaccount.com"
                identifier = f"projects/{project}/serviceAccounts/{email}"
                computed = {"name": identifier, "email": email, "member": f"serviceAccount:{email}"}
            case "ServiceIdentity":
                service = args.inputs["service"].removesuffix(".googleapis.com")
                email = f"service-{PROJECT_NUMBER}@gcp-sa-{service}.iam.gserviceaccount.com"
                identifier, computed = email, {"email": email, "member": f"serviceAccount:{email}"}
            case "ProjectSink":
                writer = f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-logging.iam.gserviceaccount.com"
                identifier, computed = f"projects/{project}/sinks/{name}", {"name": name, "writerIdentity": writer}
            case "Job":
                identifier = f"projects/{project}/locations/{args.inputs['region']}/jobs/{name}"
                computed = {"name": name}
            case "Repository":
                name = args.inputs["repositoryId"]
                identifier = f"projects/{project}/locations/{args.inputs['location']}/repositories/{name}"
                computed = {"name": name}
            case "Function":
                identifier = f"projects/{project}/locations/{args.inputs['location']}/functions/{name}"
                uri = f"https://{name}-abcdefghij-uc.a.run.app"
                service = {**args.inputs["serviceConfig"], "uri": uri}
                computed = {"name": name, "state": "ACTIVE", "serviceConfig": service}
            case "BucketObject":
                identifier, computed = f"{args.inputs['bucket']}-{name}", {"generation": GENERATION}
            case _:
                identifier, computed = f"{args.name}-id", {}
        return identifier, {**args.inputs, **computed}


def _plain(value: Any) -> Any:
    """Unknowns and whole floats as plain data: protobuf knows no integers."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, pulumi.output.Unknown):
        return UNKNOWN
    return value

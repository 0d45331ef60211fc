"""What a stack file asks for, checked as a whole before the first resource is made.

A mistake does not hide the next: where a trigger's target cannot be read, its pipeline is compiled all the same, and
so are those of the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from function_src.launcher.mapping.fitting import KFP, VERTEX
from function_src.launcher.mapping.glob import BadGlobError, Glob
from function_src.launcher.package import FENCE, Package, read_package
from infra.configuration.capacity import too_little_memory
from infra.configuration.settings import TRIGGERS, StackSettings, TriggerSettings, in_stack_file, read_settings
from infra.configuration.source_settings import GcsSource
from infra.configuration.target_settings import KfpTarget
from infra.errors import ConfigurationError
from infra.mapping.contract import check_condition, check_given, check_once, check_parameters
from infra.mapping.documents import DOCUMENTS, Document, document_of
from infra.mapping.limits import check_storable
from infra.mapping.schemas import ContentSchema, read_content_schema
from infra.package.caching import override_caching
from infra.package.fence import raise_fence
from infra.package.packaging import Archive, compile_pipeline, launcher_archive


@dataclass(frozen=True)
class CheckedTrigger:
    """A trigger whose pipeline compiled and whose mapping fits it."""

    settings: TriggerSettings
    package: Package
    archive: Archive
    reads_content: bool


def check_stack(stack: str, config: Mapping[str, str]) -> tuple[StackSettings, list[CheckedTrigger]]:
    """Reads a stack's configuration, and compiles and checks each of its triggers.

    Raises:
        ConfigurationError: the problems of all of it, one line for each.
    """
    try:
        settings = read_settings(stack, config)
    except ConfigurationError as error:
        raise ConfigurationError("\n  ".join([str(error), *_problems_of_mappings(config)])) from None
    checked, problems = [], []
    for number, trigger in enumerate(settings.triggers):
        try:
            checked.append(_check(f"{TRIGGERS}[{number}]", trigger))
        except ConfigurationError as error:
            problems += str(error).splitlines()
    if problems:
        raise ConfigurationError(in_stack_file(settings.stack, problems))
    return settings, checked


def loop(bucket: str | None, root: str | None) -> str | None:
    """What is wrong with output that goes to ``root``, if that is in the trigger bucket."""
    if not bucket or not f"{root}/".startswith(f"gs://{bucket}/"):
        return None
    return f"{root} is in the trigger bucket {bucket}, where each output would be an event; use another bucket"


def _check(where: str, settings: TriggerSettings) -> CheckedTrigger:
    package, text = _compile(where, settings.pipeline)
    source = settings.source
    document = document_of(source.kind, getattr(source, "payload", None), getattr(source, "glob", None))
    schema, problems = _read_schema(where, settings.content_schema)
    if schema:
        document = {**document, "content": schema.kind}
    reads_content, unfit = _check_mapping(
        where, settings.parameters, settings.when, settings.once_per, package, document, settings.target.kind
    )
    problems += unfit or check_given(f"{where}.parameters", settings.parameters, package.inputs, schema)
    reads_content |= schema is not None
    if problem := package.unfit_for(settings.target.kind):
        problems.insert(0, f"{where}.pipeline: pipeline {settings.pipeline!r}: {problem}")
    if isinstance(settings.target, KfpTarget):
        problems += check_storable(where, settings.parameters, package, settings.target.database)
    if problem := too_little_memory(settings, reads_content=reads_content):
        problems.append(f"{where}.function.memory: {problem}")
    if package.fenced:
        name = f"pipeline {settings.pipeline!r} has an input {FENCE!r}"
        problems.insert(0, f"{where}.pipeline: {name}, which is what a fence takes; give it another name")
    bucket = settings.source.bucket if isinstance(settings.source, GcsSource) else None
    if problem := loop(bucket, settings.target.pipeline_root or package.pipeline_root):
        problems.append(f"{where}.target.pipeline_root: {problem}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    if isinstance(settings.target, KfpTarget):
        text = _rewritten(where, settings.target, text)
        package = read_package(text.encode())
    return CheckedTrigger(
        settings, package, launcher_archive(text, schema=schema.text if schema else None), reads_content
    )


def _read_schema(where: str, file: str | None) -> tuple[ContentSchema | None, list[str]]:
    try:
        return read_content_schema(file) if file else None, []
    except ConfigurationError as error:
        return None, [f"{where}.schema: {error}"]


def _rewritten(where: str, target: KfpTarget, package: str) -> str:
    """The package as the target wants it, which is then what is deployed."""
    package = override_caching(package, target.enable_caching)
    try:
        return raise_fence(package) if target.fence else package
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.pipeline: {error}") from None


def _compile(where: str, pipeline: str) -> tuple[Package, str]:
    try:
        return compile_pipeline(pipeline)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.pipeline: {error}") from None


def _check_mapping(
    where: str,
    parameters: Mapping[str, Any],
    when: str | None,
    once_per: str | None,
    package: Package,
    document: Document,
    target: str,
) -> tuple[bool, list[str]]:
    """Whether content is read, and what is wrong with a trigger's parameters, its condition and its ``once_per``."""
    reads_content, problems = False, []
    for check in (
        partial(check_parameters, f"{where}.parameters", parameters, package.inputs, document, target),
        partial(check_condition, f"{where}.when", when, document),
        partial(check_once, f"{where}.once_per", once_per, document),
    ):
        try:
            reads_content |= check()
        except ConfigurationError as error:
            problems += str(error).splitlines()
    return reads_content, problems


def _problems_of_mappings(config: Mapping[str, str]) -> Iterator[str]:
    """The problems of pipelines and mappings in a stack file that has others: as far as it can be read."""
    try:
        triggers = json.loads(config.get(TRIGGERS, ""))
    except (ValueError, RecursionError):
        return
    for number, trigger in enumerate(triggers if isinstance(triggers, list) else []):
        where = f"{TRIGGERS}[{number}]"
        match trigger:
            case {"pipeline": str(pipeline), "source": {"kind": str(kind)} as source}:
                parameters, when, once = trigger.get("parameters", {}), trigger.get("when"), trigger.get("once_per")
            case _:
                continue
        try:
            package, _ = _compile(where, pipeline)
        except ConfigurationError as error:
            yield from str(error).splitlines()
            continue
        if (
            kind in DOCUMENTS
            and isinstance(parameters, dict)
            and all(isinstance(x, str | None) for x in (when, once))
        ):
            document = document_of(kind, source.get("payload"), _glob_of(source))
            yield from _check_mapping(where, parameters, when, once, package, document, _kind_of_target(trigger))[1]


def _glob_of(source: Mapping[str, Any]) -> str | None:
    """The glob of a source, if it is one."""
    try:
        return Glob(source["glob"]).text
    except (KeyError, TypeError, BadGlobError):
        return None


def _kind_of_target(trigger: Mapping[str, Any]) -> str:
    """The kind that a target says it is; where it does not, the one that refuses less."""
    target = trigger.get("target")
    return KFP if isinstance(target, dict) and target.get("kind") == KFP else VERTEX

"""Rules of reviewers: which permissions nobody of some principals may ever hold, by grants or by becoming another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ops.errors import OperationError
from ops.iam.catalogue.roles import is_role
from ops.iam.kept.document import roles_of
from ops.iam.kept.manifest import MANIFESTS, Entry, Manifest
from ops.iam.paths.paths import Path, paths_of

FILE = f"{MANIFESTS}/never.yaml"
EVERYTHING = "*"


class Rule(BaseModel):
    """One rule. The globs are of whole names: ``*`` is any text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    never: str  # permissions
    to: str = EVERYTHING  # members
    resource: str = EVERYTHING  # resources, with their kind before: projects:acme-ml-dev
    unless: tuple[str, ...] = ()  # members that may
    why: str = Field(min_length=1)


_RULES = TypeAdapter(tuple[Rule, ...])


def rules_of(text: str, name: str) -> tuple[Rule, ...]:
    """Reads a file of rules.

    Raises:
        OperationError: it is none.
    """
    try:
        return _RULES.validate_python(tuple(yaml.safe_load(text) or ()))
    except (yaml.YAMLError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise OperationError(
            f"{name} is no list of rules: {reason}; each has `never`, a permission or a glob, and `why`; "
            "`to`, `resource` and `unless` narrow it"
        ) from None


def broken(rules: Iterable[Rule], manifest: Manifest) -> list[str]:
    """A sentence for each permission in a manifest that a rule forbids, or that nobody can tell."""
    listed = [entry for entry in manifest.grants if not entry.is_way]
    paths = paths_of([entry.permission for entry in manifest.grants])
    roles = roles_of(manifest)
    holding = [(e, roles.at_least(e.role) or _itself(e), roles.at_most(e.role) is None) for e in listed]
    found = [said for rule in rules for said in _broken(rule, holding, paths)]
    return [f"{manifest.stack}: {said}" for said in dict.fromkeys(found)]


def _itself(entry: Entry) -> frozenset[str]:
    """A permission that stands for itself, as those of a custom role do."""
    return frozenset() if is_role(entry.role) else frozenset({entry.role})


def _broken(
    rule: Rule, holding: Iterable[tuple[Entry, frozenset[str], bool]], paths: Iterable[Path]
) -> Iterator[str]:
    becoming = [path for path in paths if path.becomes]
    for entry, holds, open_ended in holding:
        if not fnmatchcase(f"{entry.kind}:{entry.resource}", rule.resource):
            continue
        forbidden = sorted(name for name in holds if fnmatchcase(name, rule.never))
        unknown = open_ended and not forbidden and not _itself(entry)
        if not (forbidden or unknown):
            continue
        what = f"{', '.join(forbidden)} by {entry.role}" if forbidden else f"{entry.role}, of which not all is known,"
        said = f"{what} on {entry.kind} {entry.resource}: never {rule.never}, {rule.why}"
        if _is_meant(rule, entry.member):
            yield f"{entry.member} has {said}"
        elif forbidden:
            others = (path for path in becoming if path.whom == entry.member and _is_meant(rule, path.who))
            yield from (f"{path.starts} {path.verb} {entry.member}, which has {said}" for path in others)


def _is_meant(rule: Rule, member: str) -> bool:
    return fnmatchcase(member, rule.to) and not any(fnmatchcase(member, one) for one in rule.unless)

"""Compares what stands with what was reviewed.

On what the stack made, every member is looked at; on what others have too, such as the project, only the grants of
the manifest and the accounts that the stack made. Left out are the members that a bucket has from its project
(``projectOwner:`` and such) and Google's own agents in the project, unless the manifest names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.doctor.project import check_project
from ops.doctor.web import Web
from ops.drift import fixes
from ops.drift.policies import PERMISSIONS, REVIEWER, grants_on, permissions_of
from ops.drift.standing import Grant, Scope, Standing, read_standing
from ops.errors import OperationError
from ops.findings import Finding, ok, problem, unchecked
from ops.google import LOGIN, default_credentials
from ops.iam.catalogue.roles import pinned
from ops.iam.kept.manifest import MANIFESTS, Manifest

GRANT, ROLE = "grant", "role"
CUSTOM = "custom role"
OF_A_PROJECT = ("projectOwner:", "projectEditor:", "projectViewer:")


def find_drift(stack: str, root: Path, web: Web | None = None) -> list[Finding]:
    """Looks at everything that a stack's reviewed manifest is about.

    Raises:
        ConfigurationError: there is no such stack file.
        OperationError: the stack has no manifest or nothing stands, or there are no credentials.
    """
    manifest = read_manifest(stack, root)
    standing = read_standing(stack)
    apis = GoogleApis(web or Web(_credentials(manifest.project)), manifest.project)
    number, found = check_project(apis)
    if not number:  # then nothing can be told of the rest, and nothing is known to have drifted
        return [unchecked(found.check, found.what, found.fix)]
    wanted = list(dict.fromkeys(standing.expected(manifest, number)))
    return [found, *_of_grants(apis, standing, wanted, number), *_of_roles(apis, manifest, wanted)]


def read_manifest(stack: str, root: Path) -> Manifest:
    """The manifest of a stack as it is kept in git.

    Raises:
        OperationError: there is none, or it is none.
    """
    path = root / MANIFESTS / f"{stack}.json"
    if not path.is_file():
        raise OperationError(f"stack {stack} has no {MANIFESTS}/{stack}.json to compare with; write it: make iam")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValueError:
        raise OperationError(f"{MANIFESTS}/{stack}.json is no manifest; write it anew: make iam") from None


def _of_grants(apis: GoogleApis, standing: Standing, wanted: Iterable[Grant], number: str) -> Iterator[Finding]:
    expected = list(wanted)
    for scope in dict.fromkeys([*(grant.scope for grant in expected), *sorted(standing.own, key=str)]):
        where = _where(scope)
        try:
            stands = grants_on(apis, scope, number)
        except RefusedError as refused:
            yield _unread(apis, scope.kind, where, refused)
            continue
        except LookupError:
            yield unchecked(GRANT, f"{where}: policies on {scope.kind} are not read here", "look at it by hand")
            continue
        mine = [grant for grant in expected if grant.scope == scope]
        gone = [grant for grant in mine if grant not in stands]
        extra = [grant for grant in stands if grant not in mine and _is_looked_at(grant, standing, number)]
        yield from (problem(GRANT, f"{where}: {_said(grant)} is gone", fixes.AGAIN) for grant in gone)
        yield from (
            problem(GRANT, f"{where}: {_said(grant)} is in no manifest", fixes.take_away(apis.project, grant))
            for grant in extra
        )
        if not gone and not extra:
            yield ok(GRANT, f"{where}: as reviewed, {len(mine)} of {len(stands)} members and roles")


def _of_roles(apis: GoogleApis, manifest: Manifest, wanted: Iterable[Grant]) -> Iterator[Finding]:
    """Whether roles hold what they held when they were reviewed."""
    catalogue = pinned()
    custom: dict[str, set[str]] = {}
    for entry in manifest.grants:
        if entry.kind == CUSTOM:
            custom.setdefault(entry.resource, set()).add(entry.role)
    for role in dict.fromkeys(grant.role for grant in wanted):
        reviewed = frozenset(custom[role]) if role in custom else catalogue.at_most(role)
        if reviewed is None:
            continue
        try:
            holds = permissions_of(apis, role)
        except RefusedError as refused:
            yield _unread(apis, ROLE, role, refused)
            continue
        more, less = sorted(holds - reviewed), sorted(reviewed - holds)
        if more:
            said = f"{role} holds {', '.join(more)}, and did not when it was reviewed"
            yield problem(ROLE, said, fixes.instead(apis.project, role, reviewed))
        if less:
            yield problem(ROLE, f"{role} no longer holds {', '.join(less)}", fixes.less(role, custom=role in custom))
        if not more and not less:
            yield ok(ROLE, f"{role} holds what was reviewed")


def _is_looked_at(grant: Grant, standing: Standing, number: str) -> bool:
    if grant.scope not in standing.own:
        return grant.member in standing.accounts
    return not grant.member.startswith((*OF_A_PROJECT, f"serviceAccount:service-{number}@"))


def _said(grant: Grant) -> str:
    return f"{grant.role} of {grant.member}" + (f" if {grant.condition}" if grant.condition else "")


def _where(scope: Scope) -> str:
    return f"{scope.kind} {scope.name}"


def _unread(apis: GoogleApis, kind: str, what: str, refused: RefusedError) -> Finding:
    check = ROLE if kind == ROLE else GRANT
    if refused.status == 403:
        return unchecked(check, f"{what}: you lack {PERMISSIONS[kind]}", apis.grant(REVIEWER))
    return unchecked(check, f"{what}: {refused}", refused.fix)


def _credentials(project: str) -> Credentials:
    try:
        credentials = default_credentials(project)
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise OperationError(f"the credentials do not work: {error}; {LOGIN}") from None
    return credentials

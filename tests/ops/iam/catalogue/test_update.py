"""A role is taken from Google as it is there, and what changed is shown."""

import json
import os
from pathlib import Path

import pytest

from ops.errors import OperationError
from ops.iam.catalogue.roles import FILE, pinned
from ops.iam.catalogue.update import Updated, gcloud, update


@pytest.fixture
def file(tmp_path: Path) -> Path:
    copy = tmp_path / "roles.yaml"
    copy.write_text(FILE.read_text())
    return copy


def says(*permissions: str) -> str:
    return json.dumps({"name": "x", "includedPermissions": permissions})


def test_a_role_that_is_asked_for_is_complete_then_and_what_is_other_is_shown(file: Path) -> None:
    [found] = update(["roles/run.invoker"], lambda _: says("run.routes.invoke", "run.instances.invoke"), file)
    assert found == Updated("roles/run.invoker", ("run.instances.invoke",), ("run.jobs.run",))
    assert pinned(file).at_most("roles/run.invoker") == frozenset({"run.routes.invoke", "run.instances.invoke"})


def test_a_role_that_was_not_there_is_added_and_the_others_stay(file: Path) -> None:
    before = pinned(file)
    [found] = update(["roles/dns.reader"], lambda _: says("dns.changes.get", "dns.changes.list"), file)
    assert found.added == ("dns.changes.get", "dns.changes.list")
    after = pinned(file)
    assert after.roles.keys() - before.roles.keys() == {"roles/dns.reader"}
    assert {name: after.roles[name] for name in before.roles} == before.roles
    assert file.read_text().startswith(FILE.read_text()[:200])


def test_without_names_every_role_is_asked_for(file: Path) -> None:
    asked: list[str] = []

    def describe(role: str) -> str:
        asked.append(role)
        return says(*pinned().at_least(role))

    assert {(one.added, one.removed) for one in update([], describe, file)} == {((), ())}
    assert asked == list(pinned().roles)


def test_what_gcloud_does_not_say_changes_nothing(file: Path) -> None:
    before = file.read_text()
    with pytest.raises(OperationError, match=r"^what gcloud says of roles/x has no includedPermissions"):
        update(["roles/x"], lambda _: "{}", file)
    assert file.read_text() == before


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gcloud that prints its arguments, and fails when it is asked for what is not there."""
    path = tmp_path / "gcloud"
    path.write_text('#!/bin/sh\ncase "$*" in *absent*) echo "NOT_FOUND: absent" >&2; exit 1;; esac\necho "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return path


@pytest.mark.usefixtures("stand_in")
def test_gcloud_is_asked_for_the_roles_of_google_and_of_a_project() -> None:
    assert gcloud("roles/run.invoker").split() == ["iam", "roles", "describe", "roles/run.invoker", "--format=json"]
    assert gcloud("projects/p/roles/own").split() == [
        "iam",
        "roles",
        "describe",
        "own",
        "--project=p",
        "--format=json",
    ]


@pytest.mark.usefixtures("stand_in")
def test_a_role_that_google_does_not_know_is_named() -> None:
    with pytest.raises(OperationError, match="gcloud does not say what roles/absent holds: NOT_FOUND: absent"):
        gcloud("roles/absent")


def test_without_gcloud_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError, match="gcloud is not installed"):
        gcloud("roles/run.invoker")

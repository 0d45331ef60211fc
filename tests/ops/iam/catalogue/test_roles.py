"""The catalogue is whole, knows what the product names, and concludes no more than it knows."""

from pathlib import Path

import pytest
import yaml

from ops.iam.catalogue.roles import FILE, Catalogue, Role, pinned
from ops.iam.deployer.needs import NEEDS
from ops.iam.kept.manifest import Manifest
from policy.rules import BASIC_ROLES
from tests.plans import STACKS

LISTED = yaml.safe_load(FILE.read_text())["roles"]
RECORDED = Path(__file__).parent.parent / "deployer" / "predefined_roles.yaml"
SMALL = Catalogue(
    {
        "roles/all": Role("complete", frozenset({"a.b.get", "a.b.set"})),
        "roles/reads": Role("complete", frozenset({"a.b.get"})),
        "roles/more": Role("extract", frozenset({"a.b.get"}), ("roles/reads",)),
        "roles/most": Role("extract", frozenset({"a.b.set"}), ("roles/more",)),
    }
)


@pytest.mark.parametrize("role", LISTED)
def test_an_entry_says_what_is_known_of_it_and_is_sorted(role: str) -> None:
    entry = LISTED[role]
    assert entry["known"] in ("complete", "extract")
    assert entry["holds"]
    assert list(entry["holds"]) == sorted(entry["holds"])
    assert all(verbs == sorted(set(verbs)) for verbs in entry["holds"].values())
    assert {*entry.get("includes", ())} <= LISTED.keys() - {role}
    assert not (entry["known"] == "complete" and "includes" in entry)


def test_its_roles_are_sorted_and_it_says_of_when_they_are() -> None:
    assert list(LISTED) == sorted(LISTED)
    assert pinned().as_of == "2026-11"
    assert "nobody asked\n# Google itself" in FILE.read_text()


def test_every_role_that_the_product_names_is_in_it() -> None:
    manifests = [Manifest.model_validate_json(path.read_text()) for path in (STACKS / "iam").glob("*.json")]
    granted = {entry.role for manifest in manifests for entry in manifest.grants if entry.role.startswith("roles/")}
    needed = {need.role for need in NEEDS.values()}
    basic = BASIC_ROLES - {"roles/admin", "roles/writer", "roles/reader"}  # the newer forms
    assert granted | needed | basic <= pinned().roles.keys()


def test_every_role_that_a_manifest_grants_is_complete_but_for_basic_ones() -> None:
    manifests = [Manifest.model_validate_json(path.read_text()) for path in (STACKS / "iam").glob("*.json")]
    granted = {entry.role for manifest in manifests for entry in manifest.grants if entry.role.startswith("roles/")}
    assert {role for role in granted if pinned().at_most(role) is None} == {"roles/viewer"}


def test_it_holds_what_was_recorded_of_the_deployer_s_roles() -> None:
    recorded = yaml.safe_load(RECORDED.read_text())
    for role in recorded.keys() & LISTED.keys():
        most = pinned().at_most(role)
        if most is not None:
            held = {f"{thing}.{verb}" for thing, verbs in recorded[role].items() for verb in verbs}
            assert held <= most, role


def test_what_is_certain_of_a_role_includes_what_is_within_it() -> None:
    assert SMALL.at_least("roles/most") == {"a.b.get", "a.b.set"}
    assert SMALL.at_least("roles/unheard-of") == frozenset()


def test_only_of_a_complete_role_all_is_known() -> None:
    assert SMALL.at_most("roles/reads") == frozenset({"a.b.get"})
    assert SMALL.at_most("roles/more") is None
    assert SMALL.at_most("roles/unheard-of") is None


@pytest.mark.parametrize(
    ("held", "role", "contained"),
    [
        (["roles/all"], "roles/reads", True),
        (["roles/reads"], "roles/all", False),
        (["roles/more"], "roles/reads", True),
        (["roles/all"], "roles/more", False),  # an extract: it holds more than is listed
        (["roles/most"], "roles/more", True),  # unless it is known to be within
        (["roles/unheard-of"], "roles/reads", False),
        (["roles/all"], "roles/unheard-of", False),
        ([], "roles/reads", False),
    ],
)
def test_a_role_is_contained_only_where_that_is_certain(held: list[str], role: str, contained: bool) -> None:
    assert SMALL.contain(held, role) is contained


@pytest.mark.parametrize(("held", "role"), [("owner", "editor"), ("editor", "viewer"), ("owner", "viewer")])
def test_the_basic_roles_are_within_each_other(held: str, role: str) -> None:
    assert pinned().contain([f"roles/{held}"], f"roles/{role}")
    assert not pinned().contain([f"roles/{role}"], f"roles/{held}")


def test_the_owner_s_role_does_not_make_tokens() -> None:
    """Of a basic role nothing is concluded that is not listed: owner has no getAccessToken."""
    assert not pinned().contain(["roles/owner"], "roles/iam.serviceAccountTokenCreator")

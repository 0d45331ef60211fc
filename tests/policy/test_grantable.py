"""What may be held on a whole project leads to nothing more, by what it allows and not by what it is called."""

from __future__ import annotations

import re

import pytest

from ops.iam.catalogue.roles import pinned
from policy.grantable import OWNING, PERMISSIONS, ROLES, UNDER_A_CONDITION, objection_to_permission

WITHOUT_BOUNDS = re.compile(r".*\.setIamPolicy|iam\.serviceAccounts\.(actAs|get\w*Token|sign\w+|implicitDelegation)")


def leads_to_owner(permission: str) -> bool:
    return bool(WITHOUT_BOUNDS.fullmatch(permission)) or any(re.fullmatch(one, permission) for one in OWNING)


@pytest.mark.parametrize("role", [*ROLES, *UNDER_A_CONDITION])
def test_a_role_that_may_be_held_on_a_project_leads_to_no_owner(role: str) -> None:
    held = pinned().at_least(role)
    assert held, "the catalogue knows of it"
    assert not [permission for permission in held if leads_to_owner(permission)]


def test_a_permission_that_a_custom_role_may_have_leads_to_no_owner() -> None:
    assert not [permission for permission in PERMISSIONS if leads_to_owner(permission)]


@pytest.mark.parametrize(
    "role",
    ["roles/editor", "roles/compute.admin", "roles/cloudbuild.builds.editor", "roles/cloudfunctions.developer"],
)
def test_an_owner_by_another_name_is_found_by_what_it_allows(role: str) -> None:
    leading = [permission for permission in pinned().at_least(role) if leads_to_owner(permission)]
    assert leading
    assert all(objection_to_permission(permission) for permission in leading)

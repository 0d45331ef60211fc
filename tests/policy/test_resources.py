"""What gives permissions is recognised by any of the provider's spellings, and an unknown value is seen as one."""

import pytest

from policy.resources import UNKNOWN, UNKNOWNS, grant_kind, is_known, is_wide, kind_of, roles_of, texts_in, value_at
from rehearsal import program
from tests.policy.provider import resource_inputs

# It says who has some access level, and gives nothing.
NO_GRANT = {"gcp:accesscontextmanager/accessLevelCondition:AccessLevelCondition"}


def gives(inputs: frozenset[str]) -> bool:
    """Whether the inputs are those of a grant: somebody, and what they may do."""
    return bool(inputs & {"member", "members", "policy_data", "role_entities", "iam_member"}) or inputs >= {
        "entity",
        "role",
    }


def test_every_resource_of_the_provider_that_gives_permissions_is_recognised() -> None:
    giving = {token for token, inputs in resource_inputs().items() if gives(inputs)} - NO_GRANT
    assert len(giving) > 450
    assert {token for token in resource_inputs() if grant_kind(token)} == giving


def test_every_iam_resource_of_the_provider_is_recognised_or_gives_nothing() -> None:
    named = {token for token in resource_inputs() if "iam" in token.rsplit(":", 1)[-1].lower()}
    others = {token.rsplit(":", 1)[-1] for token in named if not grant_kind(token)}
    assert others == {"IAMCustomRole", "IAMAuditConfig", "IamAuditConfig"}


def test_a_resource_is_of_the_kind_that_its_inputs_show() -> None:
    shapes = {"member": {"member", "role"}, "binding": {"members", "role"}, "policy": {"policy_data"}}
    for token, inputs in resource_inputs().items():
        if (kind := grant_kind(token)) in shapes:
            assert inputs >= shapes[str(kind)], token


def test_what_gives_on_a_whole_project_folder_or_organisation_is_wide() -> None:
    wide = {token for token in resource_inputs() if is_wide(token)}
    assert wide == {
        f"gcp:{place}/iAM{kind}:IAM{kind}"
        for place in ("projects", "folder", "organizations")
        for kind in ("Member", "Binding", "Policy")
    }


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("gcp:storage/bucket:Bucket", "storage/Bucket"),
        ("gcp:projects:IAMMember", "projects/IAMMember"),
        ("aws:iam/policy:Policy", ""),
        ("event-triggered-pipelines:iam:Grant", ""),
        ("pulumi:providers:gcp", ""),
        ("", ""),
    ],
)
def test_a_type_is_told_by_its_module_and_name(token: str, kind: str) -> None:
    assert kind_of(token) == kind


def test_the_roles_of_a_policy_are_read_from_its_text() -> None:
    policy = '{"bindings": [{"role": "roles/owner", "members": ["user:a@b.c"]}]}'
    assert roles_of("gcp:projects/iAMPolicy:IAMPolicy", {"policyData": policy}) == ["roles/owner"]
    assert roles_of("gcp:projects/iAMPolicy:IAMPolicy", {"policyData": UNKNOWN}) == [None]
    assert roles_of("gcp:storage/bucketACL:BucketACL", {"roleEntities": ["OWNER:user-a"]}) == []


def test_placeholders_and_gaps_are_not_known() -> None:
    assert program.UNKNOWN in UNKNOWNS
    assert [is_known(value) for value in (*UNKNOWNS, None)] == [False] * 4
    assert [is_known(value) for value in ("", False, 0, "roles/viewer")] == [True] * 4


def test_a_value_inside_something_unknown_is_unknown() -> None:
    assert value_at({"a": {"b": 1}}, "a", "b") == 1
    assert value_at({"a": UNKNOWN}, "a", "b") == UNKNOWN
    assert value_at({"a": "text"}, "a", "b") is None
    assert value_at({}, "a", "b") is None


def test_texts_are_found_at_any_depth() -> None:
    assert list(texts_in({"a": ["b", {"c": ("d", 1, None)}]})) == ["b", "d"]

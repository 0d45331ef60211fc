"""Broadened, narrowed or unchanged: a small model that errs to one side only."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.iam.catalogue.roles import pinned
from ops.iam.comparing.compare import compare
from ops.iam.comparing.words import unlisted
from ops.iam.reading.permissions import Permission
from ops.iam.reading.preview import read_preview
from tests.ops.iam.previews import BUCKET_MEMBER, PROJECT_MEMBER, state, step

UNTIMED = settings(deadline=None)  # a busy machine is no failure
RUNS = Permission("roles/run.invoker", "user:a", "cloudrunv2/service", "launcher")
INVOKES = "broadened by exactly these 2 permissions: run.jobs.run, run.routes.invoke"
permissions = st.builds(
    Permission,
    role=st.sampled_from(["roles/viewer", "roles/run.invoker", "projects/p/roles/own"]),
    member=st.sampled_from(["user:a", "allUsers"]),
    kind=st.sampled_from(["projects", "storage/bucket"]),
    resource=st.sampled_from(["one", "two", "three"]),
    condition=st.sampled_from(["", "x", "y"]),
    authoritative=st.booleans(),
)
several = st.lists(permissions, max_size=8)
inputs = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["roles/viewer", "roles/run.invoker", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"]),
        "member": st.sampled_from(["user:a", "user:b", "[secret]"]),
        "bucket": st.sampled_from(["one", "two"]),
    },
    optional={"condition": st.fixed_dictionaries({"expression": st.sampled_from(["x", "y"])})},
)
operations = st.sampled_from(
    ["same", "create", "update", "delete", "replace", "create-replacement", "delete-replaced", "read", "import"]
)


def effects(before: list[Permission], after: list[Permission]) -> list[tuple[str, str]]:
    return [(change.effect, change.what) for change in compare(before, after)]


def like(**changes: Any) -> Permission:
    return Permission(**{**vars(RUNS), **changes})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [RUNS], [("broadened", INVOKES)]),
        ([RUNS], [], [("narrowed", "removed")]),
        ([like(condition="x")], [RUNS], [("broadened", "condition removed: x")]),
        ([RUNS], [like(condition="x")], [("narrowed", "condition added")]),
        ([like(condition="x")], [like(condition="y")], [("broadened", "condition changed from x")]),
        ([RUNS], [like(resource="other")], [("broadened", f"moved from launcher; {INVOKES}")]),
        ([RUNS], [like(given_by=frozenset({"another-urn"}))], [("unchanged", "")]),
        ([RUNS], [like(authoritative=True)], [("unchanged", "now given by an authoritative resource")]),
        (
            [RUNS],
            [like(role="roles/new")],
            [
                (
                    "broadened",
                    f"role replaces roles/run.invoker; {unlisted('roles/new')}",
                ),
                ("narrowed", "removed"),
            ],
        ),
        (
            [RUNS],
            [like(kind="projects", resource="p")],
            [("broadened", f"role added on a parent of launcher; {INVOKES}"), ("narrowed", "removed")],
        ),
        ([RUNS], [like(member="user:b")], [("broadened", INVOKES), ("narrowed", "removed")]),
        (
            [RUNS],
            [like(resource="(unknown until applied)", apart="x")],
            [("broadened", INVOKES), ("narrowed", "removed")],
        ),
    ],
)
def test_the_model(before: list[Permission], after: list[Permission], said: list[tuple[str, str]]) -> None:
    assert effects(before, after) == said


def test_what_one_of_several_resources_gives_authoritatively_is_authoritative() -> None:
    both = [RUNS, like(authoritative=True)]
    for after in (both, both[::-1]):
        assert effects([RUNS], after) == [("unchanged", "now given by an authoritative resource")]


def test_what_is_gone_is_no_risk_and_what_stays_is_none_of_this_change() -> None:
    public = like(member="allUsers", violations=("no-public-member",))
    assert not [change for change in compare([public], []) if change.high]
    assert not [change for change in compare([public], [public]) if change.high]
    assert [change.high for change in compare([], [public])] == [True]
    moved = like(member="allUsers", resource="other", violations=("no-public-member",))
    assert [change.high for change in compare([public], [moved])] == [True]


@UNTIMED
@given(several)
def test_nothing_changes_between_a_thing_and_itself(same: list[Permission]) -> None:
    assert {change.effect for change in compare(same, same)} <= {"unchanged"}


@UNTIMED
@given(several, several)
def test_every_permission_is_in_exactly_one_change(before: list[Permission], after: list[Permission]) -> None:
    changes = compare(before, after)
    for side, there in (([c.before for c in changes], before), ([c.after for c in changes], after)):
        found = [permission for permission in side if permission]
        assert len(found) == len(set(found))
        assert set(found) == set(there)


@UNTIMED
@given(several, several)
def test_what_one_direction_adds_the_other_narrows_or_moves(
    before: list[Permission], after: list[Permission]
) -> None:
    back = {c.before: c for c in compare(after, before) if c.before}
    added = [c.after for c in compare(before, after) if c.effect == "broadened" and c.after and not c.before]
    for undone in (back[one] for one in added):
        assert undone.effect == "narrowed" or undone.what.startswith(("moved from", "condition"))


@UNTIMED
@given(several, several)
def test_nothing_that_nobody_had_before_is_called_narrower(before: list[Permission], after: list[Permission]) -> None:
    """By the plainest model of it: what a member may do on a thing, under a condition or under none."""

    def held(of: list[Permission], like: Permission) -> frozenset[str]:
        there = [p for p in of if (p.member, p.kind, p.resource) == (like.member, like.kind, like.resource)]
        roles = [p.role for p in there if p.condition in ("", like.condition)]
        return pinned().union(roles) | frozenset(roles)

    for change in compare(before, after):
        if change.after and change.effect != "broadened":
            holds = pinned().at_most(change.after.role)
            assert change.after.role in held(before, change.after) or (holds and holds <= held(before, change.after))


@UNTIMED
@given(several, several)
def test_the_order_in_which_things_are_found_does_not_matter(
    before: list[Permission], after: list[Permission]
) -> None:
    assert [(c.effect, c.what, c.permission) for c in compare(before, after)] == [
        (c.effect, c.what, c.permission) for c in compare(before[::-1], after[::-1])
    ]


@UNTIMED
@given(st.lists(st.tuples(operations, st.booleans(), inputs, inputs, st.sampled_from(["x", "y", "z"]))))
def test_every_step_of_a_preview_is_in_the_comparison_or_counted_as_something_else(
    drawn: list[tuple[str, bool, dict[str, Any], dict[str, Any], str]],
) -> None:
    steps = []
    for operation, iam, old, new, name in drawn:
        kind = BUCKET_MEMBER if iam else "gcp:pubsub/topic:Topic"
        sides = ({"labels": inputs} if not iam else inputs for inputs in (old, new))
        steps.append(step(operation, *(state(kind, name, inputs) for inputs in sides)))
    preview = read_preview({"steps": steps}, "p")
    others = sum(not iam or operation == "read" for operation, iam, *_ in drawn)
    assert (preview.iam_steps, preview.other_steps) == (len(steps) - others, others)
    changes = compare(preview.before, preview.after)
    for one, found in ((preview.before, [c.before for c in changes]), (preview.after, [c.after for c in changes])):
        for permission in one:
            assert found.count(permission) == 1


@UNTIMED
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["[secret]", "allUsers"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "member", "members", "condition", "policyData", "x"]), inner)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            PROJECT_MEMBER,
            "gcp:projects/iAMBinding:IAMBinding",
            "gcp:projects/iAMPolicy:IAMPolicy",
            "gcp:projects/iAMCustomRole:IAMCustomRole",
            "gcp:serviceaccount/key:Key",
            "gcp:projects/iamMemberRemove:IamMemberRemove",
            "gcp:storage/bucketACL:BucketACL",
        ]
    ),
)
def test_no_state_however_odd_is_dropped_or_breaks_the_reading(odd: Any, kind: str) -> None:
    drawn = {"op": "update", "urn": state(kind, "x", {})["urn"], "oldState": odd, "newState": {"inputs": odd}}
    preview = read_preview({"steps": [drawn]}, "p")
    assert preview.before
    assert preview.after

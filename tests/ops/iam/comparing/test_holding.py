"""A change of roles is said in permissions: exactly those that come in, or those that go."""

import pytest

from ops.iam.catalogue.roles import Catalogue, Role
from ops.iam.comparing.compare import Change, compare
from ops.iam.reading.permissions import CUSTOM_ROLE, Permission

ROLES = Catalogue(
    {
        "roles/admin": Role("complete", frozenset({"a.b.get", "a.b.set", "a.b.delete"})),
        "roles/reader": Role("complete", frozenset({"a.b.get"})),
        "roles/setter": Role("complete", frozenset({"a.b.set"})),
        "roles/some": Role("extract", frozenset({"a.b.get"})),
    }
)
OWN = "projects/p/roles/own"


def grant(role: str, kind: str = "storage/bucket", on: str = "b", condition: str = "") -> Permission:
    return Permission(role, "user:a", kind, on, condition)


def of_custom(*permissions: str) -> list[Permission]:
    return [Permission(name, f"whoever holds {OWN}", CUSTOM_ROLE, OWN) for name in permissions]


def only(before: list[Permission], after: list[Permission]) -> Change:
    [found] = [c for c in compare(before, after, ROLES) if c.effect != "unchanged" or c.what]
    return found


def test_a_role_within_another_narrows_by_what_goes() -> None:
    found = only([grant("roles/admin")], [grant("roles/reader")])
    assert (found.effect, found.lost) == ("narrowed", ("a.b.delete", "a.b.set"))
    assert found.what == "in the place of roles/admin: narrowed by these 2 permissions: a.b.delete, a.b.set"


def test_a_role_that_holds_more_is_broadened_by_exactly_that() -> None:
    before = [grant("roles/reader")]
    found = compare(before, [grant("roles/admin")], ROLES)[0]
    assert (found.effect, found.gained, found.exact) == ("broadened", ("a.b.delete", "a.b.set"), True)
    assert "broadened by exactly these 2 permissions: a.b.delete, a.b.set" in found.what


def test_two_roles_together_hold_a_third() -> None:
    before = [grant("roles/reader"), grant("roles/setter")]
    custom = of_custom("a.b.get", "a.b.set")
    found = only([*before, *custom], [*before, *custom, grant(OWN)])
    assert (found.effect, found.what) == ("unchanged", "held already by roles/reader, roles/setter")


@pytest.mark.parametrize("after", ["roles/some", "roles/unlisted"])
def test_nothing_that_is_not_known_whole_is_narrower(after: str) -> None:
    found = compare([grant("roles/admin")], [grant(after)], ROLES)[0]
    assert (found.effect, found.exact) == ("broadened", False)


def test_an_extract_that_lists_all_of_a_complete_role_contains_it() -> None:
    assert only([grant("roles/some")], [grant("roles/reader")]).effect == "narrowed"


def test_what_is_held_on_the_project_is_held_on_what_names_it() -> None:
    project = grant("roles/admin", "projects", "p")
    topic = grant("roles/reader", "pubsub/topic", "projects/p/topics/t")
    assert only([project], [project, topic]).effect == "unchanged"
    other = grant("roles/reader", "pubsub/topic", "projects/q/topics/t")
    assert only([project], [project, other]).effect == "broadened"


def test_what_is_held_under_a_condition_is_not_held_without_it() -> None:
    kept = grant("roles/admin", condition="x")
    assert only([kept], [kept, grant("roles/reader")]).effect == "broadened"
    assert only([kept], [kept, grant("roles/reader", condition="x")]).effect == "unchanged"
    assert only([kept], [kept, grant("roles/reader", condition="y")]).effect == "broadened"


def test_a_custom_role_is_what_it_is_defined_as_on_each_side() -> None:
    wide, narrow = of_custom("a.b.get", "a.b.set", "a.b.delete"), of_custom("a.b.get")
    found = [c for c in compare([*wide, grant(OWN)], [*narrow, grant(OWN)], ROLES) if c.effect != "unchanged"]
    assert {(c.effect, c.permission.role) for c in found} == {("narrowed", "a.b.set"), ("narrowed", "a.b.delete")}
    back = [c for c in compare([*narrow, grant(OWN)], [*wide, grant(OWN)], ROLES) if c.effect != "unchanged"]
    assert {(c.effect, c.gained) for c in back} == {("broadened", ("a.b.set",)), ("broadened", ("a.b.delete",))}


def test_a_custom_role_with_a_permission_that_is_not_known_is_not_known() -> None:
    hidden = of_custom("(unknown until applied)")
    assert compare([grant("roles/admin"), *hidden], [grant(OWN), *hidden], ROLES)[0].effect == "broadened"


def test_an_authoritative_grant_is_never_only_held_already() -> None:
    public = Permission("roles/reader", "user:a", "storage/bucket", "b", authoritative=True)
    assert only([grant("roles/admin")], [grant("roles/admin"), public]).effect == "broadened"

"""What `iam diff` says of a real preview: every step is read, and nothing that is not known passes for harmless."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi_gcp
import pytest

from ops.errors import OperationError
from ops.iam.comparing.report import to_markdown
from ops.iam.reading.permissions import gives_access
from ops.iam.reading.preview import read_preview
from tests.ops.iam.previews import BUCKET_MEMBER, PREVIEWS, PROJECT_MEMBER, change, effects, recorded, state, step

ALL_OPERATIONS = ["same", "create", "update", "delete", "replace", "create-replacement", "delete-replaced", "import"]
READER = {"bucket": "b", "role": "roles/storage.objectViewer", "member": "user:a@example.com"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.mark.parametrize("path", PREVIEWS, ids=lambda path: path.stem)
def test_what_is_said_of_a_recorded_preview_is_the_reviewed_text(path: Path) -> None:
    said = to_markdown([recorded(path)])
    assert said == path.with_suffix(".md").read_text(), "the text changed: read `make golden; git diff`"


def test_a_replacement_reads_the_same_with_and_without_its_steps() -> None:
    logical, physical = (recorded(path) for path in PREVIEWS if path.stem in ("replaced", "replaced-in-steps"))
    assert logical.changes == physical.changes
    assert logical.caveats == physical.caveats


def test_every_spelling_of_an_iam_resource_in_the_provider_is_read() -> None:
    """159 members, as many bindings and policies, and what else gives access."""
    listed = (Path(pulumi_gcp.__file__).parent / "__init__.py").read_text()
    tokens = set(re.findall(r'"(gcp:\w+/\w+:\w+)": "', listed))
    iam = {token for token in tokens if re.search(r"(?i)iam(member|binding|policy)$", token)}
    assert len(iam) > 470
    assert {token for token in iam if not gives_access(token)} == set()
    for token in iam:
        inputs: dict[str, Any] = {"name": "x", "role": "roles/a", "member": "user:a@b.c", "members": ["user:a@b.c"]}
        inputs["policyData"] = json.dumps({"bindings": [{"role": "roles/a", "members": ["user:a@b.c"]}]})
        assert effects(change(step("create", None, state(token, "x", inputs)))) == [
            ("broadened", "roles/a", "user:a@b.c")
        ], token


def test_a_member_a_binding_and_a_policy_of_one_place_give_the_same_permission() -> None:
    policy = json.dumps({"bindings": [{"role": READER["role"], "members": [READER["member"]]}]})
    before = state(BUCKET_MEMBER, "a", READER)
    alike: dict[str, dict[str, Any]] = {
        "BucketIAMBinding": {"role": READER["role"], "members": [READER["member"]]},
        "BucketIAMPolicy": {"policyData": policy},
    }
    for kind, inputs in alike.items():
        after = state(f"gcp:storage/bucket{kind[6:]}:{kind}", "b", {"bucket": "b", **inputs})
        comparison = change(step("delete", before), step("create", None, after))
        assert effects(comparison) == [("unchanged", READER["role"], READER["member"])]
        assert comparison.high, "authoritative: it removes what others added"


@pytest.mark.parametrize("operation", ALL_OPERATIONS)
def test_each_operation_changes_the_side_that_it_should(operation: str) -> None:
    grant = state(BUCKET_MEMBER, "x", READER)
    preview = read_preview({"steps": [step(operation, grant, grant)]}, "p")
    assert bool(preview.before) == (operation not in ("create", "import"))
    assert bool(preview.after) == (operation not in ("delete", "delete-replaced"))


@pytest.mark.parametrize("operation", ["read", "refresh", "discard", "remove-pending-replace"])
def test_what_changes_nothing_in_the_cloud_is_counted_apart(operation: str) -> None:
    grant = state(BUCKET_MEMBER, "x", READER)
    comparison = change(step(operation, grant, grant))
    assert (len(comparison.changes), comparison.other_steps) == (0, 1)


def test_an_operation_that_is_new_to_us_is_not_taken_for_harmless() -> None:
    grant = state(BUCKET_MEMBER, "x", READER)
    assert effects(change(step("conjure", None, grant)))[0] == ("broadened", READER["role"], READER["member"])


@pytest.mark.parametrize("value", [UNKNOWN, "[secret]", {"4dabf18193072939515e22adb298388d": "x", "plaintext": "p"}])
@pytest.mark.parametrize("key", ["bucket", "role", "member", "condition"])
def test_what_is_hidden_is_broadened_and_never_equal_to_what_was_hidden_before(key: str, value: Any) -> None:
    """An unknown before an update and one after it may be two things; only the engine's own `same` says otherwise."""
    hidden = state(BUCKET_MEMBER, "x", {**READER, key: value})
    assert [effect for effect, *_ in effects(change(step("update", hidden, hidden)))] == ["broadened", "narrowed"]
    assert [effect for effect, *_ in effects(change(step("same", hidden, hidden)))] == ["unchanged"]
    assert "plaintext" not in to_markdown([change(step("create", None, hidden))])


def test_the_words_of_a_secret_are_never_shown() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hush"'}
    grant = state(BUCKET_MEMBER, "x", {**READER, "member": secret})
    assert "hush" not in to_markdown([change(step("create", None, grant))])


def test_a_state_that_the_engine_left_out_is_broadened() -> None:
    urn = state(PROJECT_MEMBER, "x", {})["urn"]
    comparison = change({"op": "create", "urn": urn, "detailedDiff": None})
    assert [change.effect for change in comparison.changes] == ["broadened"]


def test_a_preview_without_steps_changes_nothing() -> None:
    preview = read_preview({"changeSummary": {"same": 4}}, "p")
    assert (preview.iam_steps, preview.other_steps) == (0, 0)


@pytest.mark.parametrize("first", ["deleted", "kept"])
def test_deleting_one_of_two_resources_that_give_the_same_is_said(first: str) -> None:
    """To Pulumi the other still gives it; to Google Cloud it is gone."""
    deleted, kept = (state(BUCKET_MEMBER, name, READER) for name in ("deleted", "kept"))
    steps = [step("delete", deleted), step("same", kept, kept)]
    comparison = change(*(steps if first == "deleted" else steps[::-1]))
    assert [effect for effect, *_ in effects(comparison)] == ["unchanged"]
    assert "takes the permission away from both" in " ".join(comparison.caveats)


@pytest.mark.parametrize(
    ("others", "partial"),
    [([], True), ([("same", "pulumi:pulumi:Stack")], True), ([("create", "pulumi:pulumi:Stack")], False),
     ([("same", "gcp:pubsub/topic:Topic")], False)],
)  # fmt: skip
def test_a_preview_without_what_stays_is_said_to_be_one(others: list[tuple[str, str]], partial: bool) -> None:
    steps = [step(operation, *([state(kind, "x", {})] * 2)) for operation, kind in others]
    comparison = change(step("create", None, state(BUCKET_MEMBER, "x", READER)), *steps)
    assert ("--show-sames" in " ".join(comparison.caveats)) == partial


def test_a_custom_role_is_named_as_it_is_granted() -> None:
    inputs = {"project": "p", "roleId": "starts", "permissions": ["run.jobs.run"]}
    comparison = change(step("create", None, state("gcp:projects/iAMCustomRole:IAMCustomRole", "x", inputs)))
    assert effects(comparison) == [("broadened", "run.jobs.run", "whoever holds projects/p/roles/starts")]


def test_what_is_kept_in_the_cloud_on_delete_is_not_narrowed() -> None:
    kept = state(BUCKET_MEMBER, "x", READER, retainOnDelete=True)
    assert [effect for effect, *_ in effects(change(step("delete", kept)))] == ["unchanged"]


def test_a_key_that_is_replaced_is_a_new_key() -> None:
    inputs = {"serviceAccountId": "a@p.iam.gserviceaccount.com"}
    old, new = (state("gcp:serviceaccount/key:Key", "k", inputs, id=i) for i in ("keys/1", ""))
    comparison = change(step("replace", old, new))
    assert [effect for effect, *_ in effects(comparison)] == ["broadened", "narrowed"]
    assert comparison.high
    assert not change(step("same", old, old)).high


def test_of_a_binding_only_the_public_member_is_public() -> None:
    binding = {"bucket": "b", "role": "roles/storage.objectViewer", "members": ["allUsers", "user:a@example.com"]}
    comparison = change(step("create", None, state("gcp:storage/bucketIAMBinding:BucketIAMBinding", "x", binding)))
    public = {c.permission.member for c in comparison.changes if "public member" in [r.text for r in c.risks]}
    assert public == {"allUsers"}


def test_a_deny_policy_that_goes_broadens_and_one_that_comes_narrows() -> None:
    deny = state("gcp:iam/denyPolicy:DenyPolicy", "x", {"name": "x"})
    assert [effect for effect, *_ in effects(change(step("delete", deny)))] == ["broadened"]
    assert [effect for effect, *_ in effects(change(step("create", None, deny)))] == ["narrowed"]


def test_a_production_stack_s_other_resources_are_held_to_the_rules_too() -> None:
    bucket = state("gcp:storage/bucket:Bucket", "open", {"name": "open"})
    comparison = change(step("create", None, bucket))
    assert comparison.high
    assert [line for line in comparison.violations if line.startswith("open: uniformBucketLevelAccess")]
    own = {"serviceConfig": {"ingressSettings": "ALLOW_INTERNAL_ONLY"}}
    function = state("gcp:cloudfunctionsv2/function:Function", "f", own)
    assert not change(step("create", None, function)).high
    assert change(step("create", None, function), config={"event-triggered-pipelines:production": "true"}).high


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "has no `steps`"),
        ({"version": 3, "deployment": {}}, "has no `steps`"),
        ({"steps": "many"}, "`steps` is no list"),
        ({"steps": [{"op": "create"}]}, r"steps\[0\] has no `op` and `urn`"),
        ({"steps": ["create"]}, r"steps\[0\] has no `op` and `urn`"),
        (
            {"steps": [], "diagnostics": [{"severity": "error", "message": "error: boom\nmore"}]},
            "a preview that failed, so steps are missing from it: error: boom",
        ),
    ],
)
def test_what_is_no_preview_is_refused_with_what_to_do(document: Any, said: str) -> None:
    with pytest.raises(OperationError, match=said) as refused:
        read_preview(document, "p.json")
    assert "p.json" in str(refused.value)
    assert "pulumi preview --json" in str(refused.value)

"""A pull request that gives more access, or breaks a rule of its reviewers, fails the check."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops import cli
from ops.errors import OperationError
from ops.iam.kept import document
from ops.iam.kept.manifest import Entry, Manifest
from ops.iam.review import checking
from ops.iam.review.never import Rule, broken, rules_of
from rehearsal.program import ROOT

EVE = "user:eve@acme.example"


def entry(role: str, member: str = EVE, kind: str = "projects", resource: str = "p") -> Entry:
    return Entry(principal=member, member=member, role=role, kind=kind, resource=resource, reason="", triggers=())


def manifest(*grants: Entry) -> Manifest:
    return Manifest(stack="dev", project="p", grants=grants)


def rule(never: str, **narrowed: object) -> Rule:
    return Rule.model_validate({"never": never, "why": "we said so", **narrowed})


@pytest.mark.parametrize(
    ("narrowed", "violated"),
    [
        ({}, True),
        ({"to": "user:*"}, True),
        ({"to": "serviceAccount:*"}, False),
        ({"resource": "projects:*"}, True),
        ({"resource": "storage/bucket:*"}, False),
        ({"unless": ("user:eve@*",)}, False),
        ({"unless": ("user:ada@*",)}, True),
    ],
)
def test_a_rule_is_about_a_permission_somebody_and_something(narrowed: dict[str, object], violated: bool) -> None:
    found = broken([rule("storage.objects.*", **narrowed)], manifest(entry("roles/storage.objectCreator")))
    assert bool(found) == violated
    for said in found:
        assert said.startswith(
            f"dev: {EVE} has storage.objects.create, storage.objects.createContext by roles/storage"
        )
        assert said.endswith("on projects p: never storage.objects.*, we said so")


def test_a_role_of_which_not_all_is_known_breaks_every_rule_that_is_about_its_holder() -> None:
    for role in ("roles/viewer", "roles/unheard-of"):
        [said] = broken([rule("secretmanager.versions.access")], manifest(entry(role)))
        assert f"{EVE} has {role}, of which not all is known," in said
    assert not broken([rule("secretmanager.versions.access")], manifest(entry("roles/pubsub.publisher")))


def test_who_can_become_the_holder_breaks_the_rule_too() -> None:
    runner = "serviceAccount:runner@x"
    grants = [
        entry("roles/storage.objectUser", runner),
        entry("roles/iam.serviceAccountUser", EVE, "serviceaccount", "runner@x"),
    ]
    [said] = broken([rule("storage.objects.delete", to="user:*")], manifest(*grants))
    assert said.startswith(f"dev: {EVE} can become {runner}, which has storage.objects.delete by")


def test_a_permission_of_a_custom_role_counts_where_the_role_is_granted() -> None:
    own = "projects/p/roles/own"
    grants = [entry("run.jobs.run", f"whoever holds {own}", "custom role", own), entry(own)]
    found = broken([rule("run.jobs.run", to="user:*")], manifest(*grants))
    assert [said.split(" on ")[0] for said in found] == [f"dev: {EVE} has run.jobs.run by {own}"]


@pytest.mark.parametrize("text", ["- never: a", "- 1", "x: [", "just text", "- {never: a, why: b, whom: c}"])
def test_what_is_no_list_of_rules_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match=r"^iam/never\.yaml is no list of rules: "):
        rules_of(text, "iam/never.yaml")


def test_the_rules_in_the_documents_are_rules() -> None:
    [shown] = re.findall(r"```\n(- never: .*?)```", (ROOT / "docs" / "iam.md").read_text(), re.DOTALL)
    tokens, _ = rules_of(shown, "docs/iam.md")
    assert broken([tokens], manifest(entry("roles/iam.serviceAccountTokenCreator")))
    assert not broken([tokens], manifest(entry("roles/iam.serviceAccountTokenCreator", "user:oncall@acme.example")))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A reviewed revision, with a rule."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    (tmp_path / "iam").mkdir()
    write(tmp_path, entry("roles/pubsub.publisher"))
    (tmp_path / "iam" / "never.yaml").write_text("- {never: 'iam.serviceAccounts.*', why: nobody becomes another}\n")
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        who = ["-c", "user.name=Ada", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *who, *command], check=True)
    return tmp_path


def write(root: Path, *grants: Entry) -> None:
    (root / "iam" / "dev.json").write_text(manifest(*grants).to_json())


def test_what_stays_as_it_was_passes(repository: Path) -> None:
    assert checking.held("main", None, repository).passes


def test_more_access_than_at_a_revision_does_not_pass(repository: Path) -> None:
    write(repository, entry("roles/pubsub.publisher"), entry("roles/logging.logWriter"))
    assert not checking.held("main", None, repository).passes
    assert checking.held(None, None, repository).passes


def test_less_access_passes(repository: Path) -> None:
    write(repository)
    assert checking.held("main", None, repository).passes


def test_a_rule_that_a_pull_request_takes_out_holds_all_the_same(repository: Path) -> None:
    (repository / "iam" / "never.yaml").unlink()
    write(repository, entry("roles/iam.serviceAccountUser", EVE, "serviceaccount", "a@x"))
    assert "nobody becomes another" in " ".join(checking.held("main", None, repository).broken)


def test_rules_of_another_file_hold_where_it_is_given(repository: Path) -> None:
    (repository / "rules.yaml").write_text("- {never: pubsub.topics.publish, why: no events}\n")
    assert not checking.held(None, "rules.yaml", repository).passes
    with pytest.raises(OperationError, match=r"absent\.yaml is not there: write the rules, or leave out --never"):
        checking.held(None, "absent.yaml", repository)


@pytest.mark.parametrize(("broken_rules", "status"), [([], 0), (["dev: eve has all"], 3)])
@pytest.mark.parametrize("written", [[], ["--json"]])
def test_the_exit_code_of_the_check_says_so(
    broken_rules: list[str],
    status: int,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(document, "check", lambda: None)
    monkeypatch.setattr(checking, "held", lambda *_: checking.Held([], broken_rules))
    monkeypatch.setattr(sys, "argv", ["pipeline-trigger", "iam", "check", *written])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert int(ended.value.code or 0) == status
    out = capsys.readouterr().out
    assert (json.loads(out)["never"] == broken_rules) if written else ("eve has all" in out) == bool(broken_rules)

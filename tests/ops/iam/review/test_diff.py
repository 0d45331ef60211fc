"""`pipeline-trigger iam diff`: between manifests, revisions and previews, written three ways, with an exit code."""

import io
import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops import cli
from ops.errors import OperationError
from ops.iam.comparing.report import Comparison, cell, code, to_json, to_markdown, to_terminal
from ops.iam.kept import document
from ops.iam.kept.manifest import Entry, Manifest
from ops.iam.review import inputs
from tests.ops.iam.previews import BUCKET_MEMBER, PREVIEWS, change, recorded, roles, state, step
from tests.plans import DEV, STACKS

PREVIEW_DIRECTORY = PREVIEWS[0].parent
PUSH = Entry(
    principal="echo-push",
    member="serviceAccount:push@p.iam.gserviceaccount.com",
    role="roles/run.invoker",
    kind="cloudrunv2/service",
    resource="us-central1/echo-launcher-*",
    reason="Only Pub/Sub may call",
    triggers=("echo",),
)


def manifest(*grants: Entry, stack: str = "dev") -> str:
    return Manifest(stack=stack, project="p", grants=grants).to_json()


def also(**changes: Any) -> Entry:
    return PUSH.model_copy(update=changes)


class Repository:
    """A git repository with manifests in it."""

    def __init__(self, root: Path) -> None:
        if not shutil.which("git"):
            pytest.skip("git is not installed")
        self.root = root
        (root / "iam").mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", self.root, *identity, *arguments], check=True, capture_output=True)

    def commit(self, stack: str, *grants: Entry) -> None:
        (self.root / "iam" / f"{stack}.json").write_text(manifest(*grants, stack=stack))
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", stack)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path)
    found.commit("dev", PUSH)
    return found


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The command as it is run from a shell."""
    monkeypatch.setattr(sys, "argv", ["pipeline-trigger", "iam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_commit_that_adds_a_grant_shows_as_broadened(repository: Repository) -> None:
    repository.commit("dev", PUSH, also(role="roles/run.admin"))
    found = inputs.compared("HEAD~1", "HEAD", None, repository.root)
    assert [comparison.title for comparison in found] == ["iam/dev: HEAD~1 → HEAD"]
    assert roles(found, "broadened") == ["roles/run.admin"]
    assert roles(found, "unchanged") == ["roles/run.invoker"]
    assert roles(inputs.compared("HEAD", "HEAD~1", None, repository.root), "narrowed") == ["roles/run.admin"]


def test_one_revision_is_compared_with_the_working_tree(repository: Repository) -> None:
    (repository.root / "iam" / "dev.json").write_text(manifest(also(condition="x")))
    (comparison,) = inputs.compared("main", None, None, repository.root)
    assert comparison.title == "iam/dev: main → the working tree"
    assert roles([comparison], "narrowed") == ["roles/run.invoker"]


def test_a_stack_that_is_new_or_gone_is_compared_with_nothing(repository: Repository) -> None:
    (repository.root / "iam" / "dev.deployer.json").write_text("{}")  # no manifest
    repository.commit("prod", PUSH)
    found = inputs.compared("HEAD~1", "HEAD", None, repository.root)
    assert [comparison.title.split(":")[0] for comparison in found] == ["iam/dev", "iam/prod"]
    assert roles(found[1:], "broadened") == ["roles/run.invoker"]
    assert roles(inputs.compared("HEAD", "HEAD~1", "prod", repository.root), "narrowed") == ["roles/run.invoker"]


def test_two_files_are_compared_by_what_they_allow(tmp_path: Path) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(manifest(PUSH))
    after.write_text(manifest(also(reason="Reworded", principal="pusher", triggers=())))
    (comparison,) = inputs.compared(str(before), str(after), None)
    assert roles([comparison], "unchanged") == ["roles/run.invoker"]


@pytest.mark.parametrize(
    ("preview", "fail_on", "status"),
    [
        ("nothing", "broadened", 0),
        ("removed", "broadened", 0),
        ("condition-removed", "never", 0),
        ("condition-removed", "broadened", 3),
        ("condition-removed", "high", 3),
        ("replaced", "broadened", 3),
        ("role-widened", "high", 3),
        ("authoritative-binding", "high", 3),
        ("custom-role", "broadened", 3),
        ("unknown-member", "broadened", 3),
    ],
)
@pytest.mark.parametrize("written", [[], ["--markdown"], ["--json"]])
def test_the_exit_code_says_what_fail_on_asks(
    preview: str, fail_on: str, status: int, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(PREVIEW_DIRECTORY / f"{preview}.json")
    assert run("diff", path, "--fail-on", fail_on, *written, monkeypatch=monkeypatch) == status


def test_a_preview_is_read_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO((PREVIEW_DIRECTORY / "added.json").read_text()))
    assert run("diff", "-", "--json", monkeypatch=monkeypatch) == 0
    (document,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert document["summary"] == {"broadened": 2, "narrowed": 0, "unchanged": 0, "high": True}
    assert {change["after"]["role"] for change in document["changes"]} == {
        "roles/viewer",
        "roles/storage.objectUser",
    }


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "preview.json"
    path.write_text((PREVIEW_DIRECTORY / "removed.json").read_text(), encoding="utf-8-sig")
    assert roles(inputs.compared(str(path), None, None), "narrowed") == ["roles/storage.objectViewer"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory; make a preview with: pulumi preview --json"),
        (b"Previewing update (dev)\n", "is not JSON: Expecting value"),
        (b"", "is not JSON: Expecting value"),
        (b'{"sequence":0}\n{"sequence":1}\n', "unset that"),
        (b"\xff\xfe{\x00}\x00", "is not text"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"steps": [}', "is not JSON"),
        (b"{}", "is not the output of a preview"),
        (b'"text"', "is not the output of a preview"),
        (manifest(PUSH).encode(), "pipeline-trigger iam diff BEFORE AFTER"),
    ],
)
def test_bad_input_is_one_message_that_names_the_file_and_the_fix(
    content: bytes | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "preview.json"
    if content is not None:
        path.write_bytes(content)
    assert run("diff", str(path), monkeypatch=monkeypatch) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"error: {path}")
    assert said in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope", None, None), "nope is neither a file nor a git revision"),
        (("main", "--upload-pack=x", None), "--upload-pack=x is neither a file nor a git revision"),
        (("broken", "preview", "prod"), r"neither side has iam/prod\.json; there: dev"),
        (("main", "x.json", None), "give one preview, two manifests, or one or two git revisions"),
        (("x.json", None, "dev"), "--stack chooses among the manifests of revisions"),
        (("empty", None, None), "neither side has a manifest in iam/; make them with: make iam"),
        (("broken", None, None), "iam/dev.json at broken is no manifest: grants: Field required"),
        (("preview", None, None), "a preview is compared alone: pipeline-trigger iam diff PREVIEW.json"),
    ],
)
def test_a_wrong_revision_or_manifest_is_one_message_that_says_what_to_do(
    arguments: tuple[str, str | None, str | None], said: str, repository: Repository
) -> None:
    for tag, text in {"broken": '{"stack": "dev", "project": "p"}', "preview": '{"steps": []}'}.items():
        (repository.root / "iam" / "dev.json").write_text(text)
        repository.git("commit", "--quiet", "-am", tag)
        repository.git("tag", tag)
    repository.git("rm", "--quiet", "-r", "iam")
    repository.git("commit", "--quiet", "-m", "empty")
    repository.git("tag", "empty")
    with pytest.raises(OperationError, match=said):
        inputs.compared(*arguments, repository.root)


def test_a_name_cannot_break_out_of_its_cell_in_a_comment() -> None:
    odd = "user:a|b`c\n| x | <img src=x>@team"
    grant = state(BUCKET_MEMBER, "x", {"bucket": "b", "role": "roles/x", "member": odd})
    said = to_markdown([change(step("create", None, grant))]).splitlines()
    (row,) = [line for line in said if line.startswith("| **broadened**")]
    assert r"`user:a\|b'c \| x \| <img src=x>@team`" in row
    assert row.replace(r"\|", "").count("|") == 7


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_terminal_shows_addresses_in_full(width: int) -> None:
    """An address that is cut off could be anybody's."""
    output = io.StringIO()
    comparison: Comparison = recorded(PREVIEW_DIRECTORY / "condition-removed.json")
    to_terminal([comparison], Console(file=output, force_terminal=True, color_system=None, width=width))
    words = output.getvalue().split()
    assert "2 broadened, 1 narrowed" in " ".join(words)
    assert {text for one in comparison.changes for text in (one.permission.member, one.permission.role)} <= {*words}


def test_in_a_pipe_each_change_is_one_line() -> None:
    output = io.StringIO()
    comparison: Comparison = recorded(PREVIEW_DIRECTORY / "condition-removed.json")
    to_terminal([comparison], Console(file=output))
    _, _, *lines = output.getvalue().splitlines()
    for one, line in zip(comparison.shown, lines, strict=False):
        p = one.permission
        assert all(text in line for text in (one.effect, p.member, p.role, p.condition, one.what))


def test_what_cannot_be_seen_is_said_under_the_table() -> None:
    said = {path.stem: " ".join(recorded(path).caveats) for path in PREVIEWS}
    assert "equal grants are one" in said["removed"]
    assert "removes every other member, also those that no preview knows" in said["authoritative-binding"]
    assert "service agents" in said["added"]
    assert "unknown until applied, or secret, is counted as broadened" in said["unknown-member"]
    assert "takes the permission away" in said["replaced"]
    assert "equal grants" not in said["nothing"]


def test_json_lists_what_is_unchanged_too() -> None:
    (document,) = json.loads(to_json([recorded(PREVIEW_DIRECTORY / "replaced.json")]))["comparisons"]
    assert [change["effect"] for change in document["changes"]] == ["broadened", "unchanged"]


OF_DEV = ("--stack", str(DEV))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("show", *OF_DEV, "--markdown"), "## echo-push"),
        (("show", *OF_DEV, "--json"), '"principal": "echo-push"'),
        (("show", *OF_DEV), "Permissions of stack dev"),
        (("check",), "the files in iam/ are up to date"),
    ],
)
def test_the_verbs_answer(
    arguments: tuple[str, ...],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(document, "check", partial(document.check, STACKS))
    assert run(*arguments, monkeypatch=monkeypatch) == 0
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)\\>"),
        ("[click](https://evil.example)", "\\[click\\](https://evil.example)"),
        ("`x` *y*", "`x` \\*y\\*"),
        ("@acme/owners", "&#64;acme/owners"),
        ("a\nb\r\n| c", "a b \\| c"),
        ("\x1b[2J\u202e", "\\\\x1b\\[2J\\\\u202e"),
    ],
)
def test_a_name_in_markdown_is_no_more_than_its_letters(name: str, shown: str) -> None:
    """A pull request's author chooses names; the comment is read by who approves it."""
    assert cell(name) == shown
    assert code(name).count("`") == 2
    assert "\n" not in code(name)
    assert not re.search(r"(?<!\\)\|", code(name))

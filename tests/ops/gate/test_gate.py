"""A malicious pull request against the steps of preview.yml, as they stand there."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.gate import claim
from ops.gate.claim import read_claim
from ops.gate.pull_request import approvals
from ops.gate.verdict import HELD, LONGEST, beyond_data, shortened
from tests.ops.gate.runner import BEFORE, HEAD, JOBS, RECORDED, Play, review

BROADENED = RECORDED / "added.json"


def test_a_change_of_data_that_broadens_nothing_is_let_through(tmp_path: Path) -> None:
    play = Play(tmp_path / "play", changes=("Pulumi.dev.yaml", "docs/stacks.md", "pipelines/orders.yaml"))
    assert play.run() == 0
    assert "Let through" in play.comment


def test_what_broadens_is_held_until_that_commit_is_approved(tmp_path: Path) -> None:
    held = Play(tmp_path / "held", preview=BROADENED)
    assert held.run() == HELD
    assert "its preview broadens permissions" in held.comment
    assert "**broadened**" in held.comment
    approved = Play(tmp_path / "approved", preview=BROADENED, reviews=(review(),))
    assert approved.run() == 0
    assert f"**Reviewed** at commit `{HEAD}` by `olga`" in approved.comment


def test_a_push_makes_an_approval_void(tmp_path: Path) -> None:
    play = Play(tmp_path / "play", preview=BROADENED, reviews=(review(commit_id=BEFORE),))
    assert play.run() == HELD


def test_a_label_says_nothing(tmp_path: Path) -> None:
    assert Play(tmp_path / "play", preview=BROADENED, labels=("iam-reviewed",)).run() == HELD


@pytest.mark.parametrize(
    "path",
    [
        "ops/iam/compare.py",
        "ops/gate/verdict.py",
        "policy/rules.py",
        ".github/workflows/preview.yml",
        ".github/CODEOWNERS",
        "iam/dev.json",
        "infra/program.py",
        "pipelines/echo.py",
        "requirements-dev.txt",
        "Makefile",
        "Pulumi.yaml",
        "Pulumi.prod.yaml",
        "docs/run.py",
        "comment.md/x",
    ],
)
def test_what_judges_or_runs_or_is_not_previewed_is_more_than_data(path: str) -> None:
    assert beyond_data(frozenset({path, "Pulumi.dev.yaml", "README.md"}), "dev") == [path]


def test_code_that_writes_its_own_preview_is_held_by_what_it_changes(tmp_path: Path) -> None:
    """Its code runs beside the engine, so it can say that nothing is broadened. That it is code, it cannot hide."""
    forged = f"cp {RECORDED / 'nothing.json'} ../preview.json"
    play = Play(tmp_path / "play", preview=BROADENED, changes=("infra/program.py",), evil=forged)
    assert play.run() == HELD
    assert "`infra/program.py`" in play.comment


def test_code_that_rewrites_the_tool_the_rules_and_the_comment_changes_none_of_the_gate_s(tmp_path: Path) -> None:
    evil = """
        for file in ../ops/gate/verdict.py ../ops/iam/cli.py ../policy/rules.py ../Makefile; do
          echo 'raise SystemExit(0)' > $file
        done
        echo 'nothing to see' > ../comment.md
        printf '#!/bin/sh\\nexit 0\\n' > ../.venv/bin/python
    """
    play = Play(tmp_path / "play", preview=BROADENED, changes=("ops/iam/cli.py", "comment.md"), evil=evil)
    assert play.run() == HELD
    assert "nothing to see" not in play.comment
    assert "**broadened**" in play.comment


def test_what_is_uploaded_beside_the_preview_is_never_looked_at(tmp_path: Path) -> None:
    """The job's own token can upload more than the step does."""
    artifact = tmp_path / "play" / "artifact"
    (artifact / "ops" / "gate").mkdir(parents=True)
    (artifact / "ops" / "gate" / "__main__.py").write_text("raise SystemExit(0)")
    (artifact / "comment.md").write_text("nothing to see")
    (artifact / "preview.json").write_text(BROADENED.read_text())
    play = Play(tmp_path / "play", fork=True)  # so that nothing else writes the artifact
    assert play.run() == HELD
    assert "nothing to see" not in play.comment


def test_a_move_out_of_guarded_code_is_seen(tmp_path: Path) -> None:
    assert Play(tmp_path / "play", changes=("docs/old.md",), moved_from="policy/rules.py").run() == HELD


def test_a_pull_request_with_more_files_than_are_listed_is_held(tmp_path: Path) -> None:
    assert Play(tmp_path / "play", more_files=1).run() == HELD


def test_a_push_while_it_is_judged_fails_the_run(tmp_path: Path) -> None:
    play = Play(tmp_path / "play", reviews=(review(),), pushed="d" * 40)
    assert play.run() == 1
    assert "were not judged" in play.comment


def test_a_pull_request_for_another_branch_is_judged_by_nothing_here(tmp_path: Path) -> None:
    assert Play(tmp_path / "play", base="a-branch-of-mine").run() == 1


def test_a_fork_is_held_since_it_has_no_preview(tmp_path: Path) -> None:
    play = Play(tmp_path / "play", fork=True)
    assert play.run() == HELD
    assert "there is no preview of it" in play.comment


APPROVES_NOTHING: dict[str, list[dict[str, Any]]] = {
    "another commit": [review(commit_id=BEFORE)],
    "other words": [review("looks good")],
    "part of a word": [review("not-iam-reviewed-yet")],
    "no approval": [review(state="COMMENTED")],
    "taken back": [review(), review(state="CHANGES_REQUESTED")],
    "dismissed": [review(state="DISMISSED")],
    "a program": [review(login="github-actions[bot]", type="Bot")],
    "an account that is gone": [{**review(), "user": None}],
}


@pytest.mark.parametrize("reviews", APPROVES_NOTHING.values(), ids=APPROVES_NOTHING)
def test_nothing_but_a_person_s_last_word_on_this_commit_approves(reviews: list[dict[str, Any]]) -> None:
    assert approvals(reviews, HEAD) == []


def test_a_remark_after_an_approval_leaves_it() -> None:
    assert approvals([review("iam-reviewed\r\n"), review("thanks", state="COMMENTED")], HEAD) == ["olga"]


@pytest.mark.parametrize("login", ["mallory", "reader"])
def test_neither_the_author_nor_who_may_only_read_approves(tmp_path: Path, login: str) -> None:
    assert Play(tmp_path / "play", preview=BROADENED, reviews=(review(login=login),)).run() == HELD


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"steps": 3}'], ids=["empty", "cut", "deep", "no-preview"])
def test_a_preview_that_is_none_is_an_objection(tmp_path: Path, text: str) -> None:
    (tmp_path / "preview.json").write_text(text)
    found = read_claim(tmp_path / "preview.json")
    assert (found.markdown, found.objection) == ("", "its preview cannot be read: the log of this job says why")


def test_a_preview_that_is_too_large_or_points_elsewhere_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(RECORDED / "nothing.json")
    assert "was not read" in read_claim(link).objection
    monkeypatch.setattr(claim, "LARGEST", 100)
    assert "was not read" in read_claim(RECORDED / "nothing.json").objection


def test_what_a_resource_or_a_file_is_called_is_no_markup(tmp_path: Path) -> None:
    hostile = "x`](https://evil.example) @acme/owners <img src=https://evil.example/p.png>\n\n# Let through |"
    document = json.loads(BROADENED.read_text())
    changed = 0
    for step in document["steps"]:
        inputs = step.get("newState", {}).get("inputs", {})
        if "member" in inputs:
            inputs["member"] = hostile
            changed += 1
    assert changed
    (tmp_path / "preview.json").write_text(json.dumps(document))
    play = Play(tmp_path / "play", preview=tmp_path / "preview.json", changes=(f"docs/{hostile}",))
    assert play.run() == HELD
    outside_code = "".join(play.comment.split("`")[::2])
    for markup in ("@acme", "<img", "](", "\n# Let"):
        assert markup not in outside_code
    assert "evil.example" in play.comment  # it is shown, and is code


def test_a_comment_is_one_that_github_takes() -> None:
    short = shortened("a line\n" * LONGEST)
    assert len(short) < 65_536
    assert "Cut here" in short
    assert shortened("as it is\n") == "as it is\n"


def test_the_gate_takes_nothing_from_the_pull_request_but_one_file_in_a_folder_of_its_own() -> None:
    gate = JOBS["gate"]["steps"]
    assert [step["with"]["ref"] for step in gate if "checkout@" in step.get("uses", "")] == ["${{ github.sha }}"]
    (download,) = [step["with"] for step in gate if "download-artifact@" in step.get("uses", "")]
    assert download == {"name": "preview", "path": "${{ runner.temp }}/claimed"}
    assert not any("proposed" in step.get("run", "") for step in gate)

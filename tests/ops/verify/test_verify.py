"""`make verify` finds every mistake in what a user owns, and says of each the file, the key and the fix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.errors import ConfigurationError
from infra.package import packaging
from ops.cli import app
from ops.iam.kept import document
from ops.verify import show, stacks
from ops.verify.stacks import Mistake, Verdict, verify, verify_file
from policy.rules import Violation
from rehearsal.program import ROOT, UNKNOWN
from tests.plans import DEV, EXAMPLES, PROD, STACKS
from tests.somebody import FILES

TRIGGER = "event-triggered-pipelines:triggers[0]"
EVERYTHING = ("configuration", "pipelines", "mappings", "rules", "manifests")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the two stacks that the product comes with, and their manifests."""
    shutil.copytree(STACKS, tmp_path, dirs_exist_ok=True)
    return tmp_path


def edit(path: Path, changes: Mapping[str, str]) -> None:
    text = path.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


def verdicts(project: Path) -> dict[str, Verdict]:
    return {verdict.file: verdict for verdict in verify(root=project)}


def test_the_samples_are_right_and_all_of_them_is_looked_at(project: Path) -> None:
    assert verdicts(project) == {path.name: Verdict(path.name, EVERYTHING, ()) for path in (DEV, PROD)}


def test_three_mistakes_are_three_errors_each_with_file_key_and_fix(project: Path) -> None:
    edit(
        project / "Pulumi.dev.yaml",
        {"prefix: incoming/": "prefx: incoming/", "https://1234": "http://1234", "echo  #": "ecco  #"},
    )
    found = verdicts(project)
    prefix, host, pipeline = found["Pulumi.dev.yaml"].mistakes
    assert (prefix.file, prefix.key, prefix.what) == ("Pulumi.dev.yaml", f"{TRIGGER}.source.prefx", "unknown key")
    assert prefix.fix.startswith("did you mean prefix?")
    assert (host.file, host.key) == ("Pulumi.dev.yaml", f"{TRIGGER}.target.host")
    assert host.fix.startswith("start it with https://")
    assert (pipeline.file, pipeline.key) == ("Pulumi.dev.yaml", f"{TRIGGER}.pipeline")
    assert pipeline.what == "pipeline 'ecco': there is no pipelines/ecco.py"
    assert pipeline.fix.startswith("did you mean echo?")
    assert found["Pulumi.dev.yaml"].looked_at == EVERYTHING[:3]


@pytest.mark.parametrize("text", ["config: [", "config: {gcp:project: UPPER}", "\xff", "- a", ""])
def test_a_bad_stack_file_hides_no_other(project: Path, text: str) -> None:
    (project / "Pulumi.a-bad-one.yaml").write_bytes(text.encode("latin-1"))
    edit(project / "Pulumi.prod.yaml", {"pipeline: echo": "pipeline: ecco"})
    found = verdicts(project)
    assert found["Pulumi.a-bad-one.yaml"].mistakes
    assert found["Pulumi.dev.yaml"].mistakes == ()
    assert [mistake.key for mistake in found["Pulumi.prod.yaml"].mistakes] == [f"{TRIGGER[:-2]}1].pipeline"]


def test_a_stack_whose_manifests_were_not_made_anew_is_told_to_run_make_iam(project: Path) -> None:
    edit(project / "Pulumi.dev.yaml", {"access: viewer": "access: project-viewer"})
    (mistake,) = verdicts(project)["Pulumi.dev.yaml"].mistakes
    assert mistake.file == "iam/dev.deployer.md, iam/dev.json, iam/dev.md"
    assert mistake.what == "not what Pulumi.dev.yaml gives"
    assert mistake.fix == "write what it gives with `make iam`, and read `git diff iam`"
    document.update(project)
    assert verdicts(project)["Pulumi.dev.yaml"].mistakes == ()


def test_a_manifest_that_is_not_there_is_not_current(project: Path) -> None:
    (project / "iam" / "prod.md").unlink()
    assert [mistake.file for mistake in verdicts(project)["Pulumi.prod.yaml"].mistakes] == ["iam/prod.md"]


def test_manifests_of_a_stack_that_is_gone_are_to_be_deleted(project: Path) -> None:
    (project / "Pulumi.dev.yaml").unlink()
    (project / "iam" / "README.md").write_text("ours")
    found = verdicts(project)["iam/"].mistakes
    assert [mistake.file for mistake in found] == [
        "iam/dev.deployer.md",
        "iam/dev.deployer.yaml",
        "iam/dev.json",
        "iam/dev.md",
    ]
    assert {mistake.fix for mistake in found} == {"delete it"}


def test_a_stack_file_that_pulumi_does_not_look_for_is_no_stack_file(project: Path) -> None:
    (project / "Pulumi.other.yml").write_text("config: {}\n")
    (mistake,) = [mistake for verdict in verify(root=project) for mistake in verdict.mistakes]
    assert mistake.in_words == "Pulumi.other.yml: Pulumi looks for stack files that end in .yaml; rename it"


def test_make_iam_writes_the_manifests_of_the_stacks_that_a_bad_one_is_among(project: Path) -> None:
    (project / "Pulumi.a-bad-one.yaml").write_text("config: {}")
    shutil.rmtree(project / "iam")
    with pytest.raises(ConfigurationError, match=r"Pulumi\.a-bad-one\.yaml:\n(.*\n)+what the other stacks"):
        document.update(project)
    assert verdicts(project)["Pulumi.dev.yaml"].mistakes == verdicts(project)["Pulumi.prod.yaml"].mistakes == ()


def test_a_rule_that_a_stack_breaks_is_named_with_the_resource(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stack file breaks one alone; a program that somebody changed may."""
    monkeypatch.setattr(stacks, "declared_access", lambda config: frozenset())
    (mistake,) = verify_file(project / "Pulumi.dev.yaml", project).mistakes
    assert mistake.key.endswith("/viewer/app-engine")
    assert mistake.what.startswith("breaks the rule no-basic-role: role roles/viewer is a basic role")
    assert mistake.fix.startswith("grant a predefined one")


def test_rules_are_asked_about_a_first_preview_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be known there is known later whatever the program does."""

    def unknown(type_token: str, inputs: Mapping[str, Any], **_: Any) -> list[Violation]:
        return [Violation("all-known", "is not known; write it out")] if UNKNOWN in inputs.values() else []

    monkeypatch.setattr(stacks, "violations", unknown)
    assert verify_file(project / "Pulumi.dev.yaml", project).mistakes


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_stack_file_elsewhere_needs_no_manifests(path: Path) -> None:
    assert [*verify(str(path))] == [Verdict(path.name, EVERYTHING[:4], ())]


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's pipelines in the place of the samples."""
    directory = tmp_path / "theirs" / "pipelines"
    directory.mkdir(parents=True)
    for name, text in FILES.items():
        if name.startswith("pipelines/"):
            (tmp_path / "theirs" / name).write_text(text)
    monkeypatch.setattr(packaging, "PIPELINES", directory)
    return directory


def of_somebody(stack: str, tmp_path: Path) -> tuple[Mistake, ...]:
    path = tmp_path / f"Pulumi.{stack}.yaml"
    path.write_text(FILES[path.name].replace("pipeline: echo", "pipeline: sort_scans").replace("filename", "scan"))
    return verify_file(path, ROOT).mistakes


def test_a_pipeline_of_bad_style_is_as_good_as_any(pipelines: Path, tmp_path: Path) -> None:
    (missing,) = of_somebody("dev", tmp_path)
    assert (missing.key, missing.fix) == (f"{TRIGGER[:-2]}1].parameters", "add size: EXPRESSION")


def test_a_pipeline_that_imports_what_is_not_there_names_it_and_the_fix(pipelines: Path, tmp_path: Path) -> None:
    (mistake,) = of_somebody("staging", tmp_path)
    assert mistake.key == f"{TRIGGER}.pipeline"
    assert "pipelines/compare_models.py, line 1 does not compile: ModuleNotFoundError" in mistake.what
    assert "'umbrella_models'" in mistake.what
    assert mistake.fix == (
        "import it inside the components that need it, or name its package in pipelines/requirements.txt, with which "
        "pipelines are then compiled"
    )


def test_an_error_of_several_lines_is_one_mistake(pipelines: Path, tmp_path: Path) -> None:
    (pipelines / "compare_models.py").write_text("raise ValueError('first; second\\nthird')")
    (mistake,) = of_somebody("staging", tmp_path)
    assert mistake.what.endswith("does not compile: ValueError: first; second third")
    assert mistake.fix == "mend pipelines/compare_models.py"


def test_what_a_pipeline_prints_is_no_answer(
    pipelines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pipelines / "sort_scans.py").write_text("print('hello')\n" + (pipelines / "sort_scans.py").read_text())
    of_somebody("dev", tmp_path)
    said = capsys.readouterr()
    assert (said.out, "hello" in said.err) == ("", True)


def test_a_line_has_all_of_a_mistake_and_a_script_gets_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Mistake("Pulumi.dev.yaml", "gcp:region", "is [red]", "choose another")
    found = [Verdict("Pulumi.dev.yaml", EVERYTHING[:3], (wrong,)), Verdict("Pulumi.prod.yaml", EVERYTHING, ())]
    monkeypatch.setattr(show, "verify", lambda stack: found)
    said = CliRunner().invoke(app, ["verify"])
    assert said.exit_code == 1
    assert said.stdout.splitlines() == [
        "✗ Pulumi.dev.yaml: gcp:region: is [red]; choose another",
        "? Pulumi.dev.yaml: rules and manifests are looked at once it evaluates",
        "✓ Pulumi.prod.yaml: configuration, pipelines, mappings, rules and manifests are right",
    ]
    as_json = CliRunner().invoke(app, ["verify", "--json"])
    assert as_json.exit_code == 1
    first, second = json.loads(as_json.stdout)
    assert first["mistakes"] == [
        {"file": "Pulumi.dev.yaml", "key": "gcp:region", "what": "is [red]", "fix": "choose another"}
    ]
    assert second == {"file": "Pulumi.prod.yaml", "looked_at": [*EVERYTHING], "mistakes": [], "advice": []}


def test_what_is_seldom_meant_is_shown_and_is_no_mistake(tmp_path: Path) -> None:
    stack = tmp_path / "Pulumi.odd.yaml"
    stack.write_text(DEV.read_text().replace("kind: gcs, prefix: incoming/", "kind: schedule, cron: '*/45 * * * *'"))
    stack.write_text(stack.read_text().replace("object.uri", "event.id"))
    said = CliRunner().invoke(app, ["verify", "--stack", str(stack)])
    assert said.exit_code == 0, said.stdout
    assert said.stdout.startswith("i Pulumi.odd.yaml: event-triggered-pipelines:triggers[0].source.cron: '*/45 * * *")
    assert "It fires next at" in said.stdout


def test_one_stack_alone_is_looked_at_when_it_is_named(project: Path) -> None:
    assert CliRunner().invoke(app, ["verify", "--stack", str(DEV)]).exit_code == 0
    assert [verdict.file for verdict in verify("prod", project)] == ["Pulumi.prod.yaml"]


def test_a_stack_that_is_not_there_is_an_error_and_so_is_a_project_without_any(tmp_path: Path) -> None:
    for stack, said in (("nope", "there is no stack file Pulumi.nope.yaml"), (None, "there is no stack file Pulumi")):
        with pytest.raises(ConfigurationError, match=said):
            [*verify(stack, tmp_path)]

"""What runs on GitHub: least rights, nothing of worth within a pull request's reach, verbs that exist."""

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plans import DEV

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / ".github").rglob("*.yml"))
BASE, PROPOSED = "${{ github.sha }}", "${{ github.event.pull_request.head.sha }}"
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a key like any other."""

    yaml_implicit_resolvers = {  # noqa: RUF012 the name is PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), Loader)
    return document


WORKFLOWS = {path.stem: read(path) for path in FILES if path.parent.name == "workflows"}
JOBS = [
    pytest.param(name, job, id=f"{name}-{key}")
    for name, flow in WORKFLOWS.items()
    for key, job in flow["jobs"].items()
]


def steps() -> Iterator[Mapping[str, Any]]:
    for path in FILES:
        document = read(path)
        owners = document["jobs"].values() if "jobs" in document else [document["runs"]]
        for owner in owners:
            yield from owner.get("steps", [])


SCRIPTS = [step["run"] for step in steps() if "run" in step]


def secrets_in(job: Mapping[str, Any]) -> bool:
    return "secrets." in yaml.safe_dump(dict(job)) or "secrets" in job


def writes(job: Mapping[str, Any]) -> set[str]:
    return {name for name, right in job.get("permissions", {}).items() if right == "write"}


def test_the_workflows_are_these() -> None:
    triggers = {name: set(flow["on"]) for name, flow in WORKFLOWS.items()}
    assert triggers == {
        "test": {"push", "pull_request"},
        "verify": {"push", "pull_request", "workflow_call"},
        "preview": {"pull_request_target"},
        "deploy": {"push"},
    }
    assert WORKFLOWS["deploy"]["on"]["push"] == {"tags": ["v*"]}


def test_ci_is_what_anyone_runs() -> None:
    for name, verbs in {"test": ["engine", "test"], "verify": ["verify"]}.items():
        scripts = [step["run"] for step in WORKFLOWS[name]["jobs"][name]["steps"] if "run" in step]
        assert scripts == [f"make {verb}" for verb in verbs]
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    # Without `make engine`, the tests that run the program on the real engine would be skipped.
    assert lines[-3:] == ["make engine", "make test", "exec make verify"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_one_action_is_one_version_everywhere() -> None:
    used = {pin for path in FILES for pin in re.findall(r"uses: ([\w-]+/[\w-]+)@(\w+)", path.read_text())}
    assert len({name for name, _ in used}) == len(used)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_is_put_together_from_what_others_wrote(script: str) -> None:
    """A title or a branch's name would be run as shell. What a script needs comes through its environment."""
    assert "${{" not in script


def test_rights_are_given_to_jobs_and_each_job_has_at_most_one_that_writes() -> None:
    reading = {"contents": "read"}
    rights = {name: flow["permissions"] for name, flow in WORKFLOWS.items()}
    assert rights == {"deploy": {}, "preview": {}, "test": reading, "verify": reading}
    given = {f"{name}.{key}": writes(job) for name, flow in WORKFLOWS.items() for key, job in flow["jobs"].items()}
    assert {job: rights for job, rights in given.items() if rights} == {
        "preview.evaluate": {"id-token"},
        "preview.gate": {"pull-requests"},
        "deploy.plan": {"id-token"},
        "deploy.deploy": {"id-token"},
    }


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_pull_request_s_code_meets_no_secret_and_no_right_to_write(workflow: str, job: Mapping[str, Any]) -> None:
    events = set(WORKFLOWS[workflow]["on"])
    if not events & {"pull_request", "pull_request_target"}:
        assert not secrets_in(job) or job["environment"] in ("plan", "production")
        return
    assert not secrets_in(job)
    refs = {step["with"].get("ref") for step in job.get("steps", ()) if "checkout@" in step.get("uses", "")}
    runs_its_code = "pull_request" in events or PROPOSED in refs
    assert refs <= ({None} if "pull_request" in events else {BASE, PROPOSED})
    assert writes(job) <= ({"id-token"} if runs_its_code else {"pull-requests"})
    if "id-token" in writes(job):
        assert SAME_REPOSITORY in job["if"]
        assert job["env"]["PULUMI_CONFIG_PASSPHRASE"] == ""
        assert job["environment"] == "preview"


def test_nothing_is_taken_from_a_cache_that_a_pull_request_s_code_could_fill() -> None:
    assert not any("cache" in str(step).lower() for step in steps())


def test_code_owners_have_what_judges_a_pull_request_and_what_runs_in_its_preview() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    owned = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert owned >= {"/.github/", "/iam/", "/policy/", "/ops/gate/", "/ops/iam/", "/infra/"}
    for path in owned:
        assert list(ROOT.glob(path.strip("/"))), path


def test_the_cli_of_a_workflow_is_the_one_that_the_tests_run_on() -> None:
    (version,) = [step["with"]["pulumi-version"] for step in steps() if "pulumi/actions@" in step.get("uses", "")]
    assert f"github.com/pulumi/pulumi/pkg/v3 v{version} " in (ROOT / "tools" / "engine" / "go.mod").read_text()


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in steps() if "actions/checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_accounts_are_entered_without_a_key() -> None:
    entries = [step["with"] for step in steps() if "google-github-actions/auth@" in step.get("uses", "")]
    assert len(entries) == 3
    assert all(set(entry) == {"workload_identity_provider", "service_account"} for entry in entries)


def test_what_is_deployed_is_the_plan_that_was_approved() -> None:
    jobs = WORKFLOWS["deploy"]["jobs"]
    assert (jobs["plan"]["needs"], jobs["deploy"]["needs"]) == ("verify", "plan")
    assert (jobs["plan"]["environment"], jobs["deploy"]["environment"]) == ("plan", "production")
    commands = [line for script in SCRIPTS for line in script.splitlines() if line.startswith("pulumi")]
    up, preview = (f'pulumi {verb} --stack "$STACK" ${{refresh:-}}' for verb in ("up", "preview"))
    assert [command for command in commands if "pulumi up " in command] == [
        f"{up} --policy-pack policy --plan plan.json --skip-preview --yes"
    ]
    assert f"{preview} --diff --policy-pack policy --save-plan plan.json" in commands


def test_no_workflow_refreshes_away_that_a_build_has_failed() -> None:
    asks = 'pulumi stack export --stack "$STACK" | grep initErrors > /dev/null || refresh=--refresh'
    refreshing = [script for script in SCRIPTS if "refresh" in script]
    assert len(refreshing) == 2  # of a deployment; a pull request's account may read the state, and nothing else
    assert all(asks in script.splitlines() for script in refreshing)


def test_a_deployment_waits_for_what_guards_it_and_for_no_test_of_the_product() -> None:
    """Else a user who edits a stack file could not deploy it, because of tests that are about something else."""
    jobs = WORKFLOWS["deploy"]["jobs"]
    called = {name: job["uses"] for name, job in jobs.items() if "uses" in job}
    assert called == {"verify": "./.github/workflows/verify.yml"}
    assert jobs["verify"]["permissions"] == {"contents": "read"}
    assert jobs["plan"]["needs"] == "verify"


def test_every_verb_that_a_workflow_runs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-C \S+ )?(\S+)", "\n".join(SCRIPTS))) <= targets
    assert {re.sub(r"^#.*\n", "", script).split()[0] for script in SCRIPTS} <= {
        "make",
        "pulumi",
        "gh",
        ".venv/bin/python",
    }


def test_the_previewed_stack_holds_no_secret() -> None:
    """A pull request previews with an empty passphrase, which opens no secret."""
    assert WORKFLOWS["preview"]["jobs"]["evaluate"]["env"]["STACK"] == "${{ vars.PREVIEW_STACK || 'dev' }}"
    assert "secure:" not in DEV.read_text()

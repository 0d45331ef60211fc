"""The manifest holds every permission of a stack, with its reason and who needs it, and is never stale."""

import io
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from infra.configuration.stack_file import stack_names
from infra.resources import grants
from ops.errors import OperationError
from ops.iam.catalogue.roles import pinned
from ops.iam.comparing.report import place
from ops.iam.kept import document
from ops.iam.kept.manifest import Entry, Manifest, from_plan
from ops.iam.reading.permissions import DESTINATION
from ops.iam.review.inputs import of_manifests
from rehearsal.program import PROJECT_NUMBER, Plan, Resource, evaluate, read_stack
from tests.ops.iam.previews import change, state, step
from tests.plans import DEV, PROD, STACKS, TRIGGERS, dev_config, plan


@pytest.fixture(scope="module")
def dev() -> Plan:
    return plan()


@pytest.fixture(scope="module")
def two_triggers() -> Plan:
    """The dev stack with a trigger beside its own: the same identity, and another way in."""
    (echo,) = json.loads(dev_config()[TRIGGERS])
    other = {**echo, "name": "another", "target": {**echo["target"], "access": "service-account-user"}}
    return evaluate("dev", {**dev_config(), TRIGGERS: json.dumps([other, echo])})


def is_grant(entry: Entry) -> bool:
    return not entry.is_way and entry.kind != DESTINATION


def entries(of: Plan) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """The triggers by principal, role and place."""
    return {(e.principal, e.role, e.resource): e.triggers for e in from_plan(of, "acme-ml-dev").grants}


@pytest.mark.parametrize("file", [DEV, PROD], ids=lambda path: path.name)
def test_the_manifests_are_what_the_program_gives(file: Path) -> None:
    name, config = read_stack(str(file))
    stale = document.stale_files(evaluate(name, config), config["gcp:project"], STACKS)
    assert list(stale) == [], "the permissions changed: read `make golden; git diff`"


def test_every_stack_file_has_manifests_and_every_manifest_a_stack_file() -> None:
    kept = {path.stem for path in (STACKS / "iam").glob("*.json") if "." not in path.stem}
    assert kept == set(stack_names(STACKS)) == {"dev", "prod"}


def test_every_iam_resource_of_the_program_is_in_the_manifest_once(dev: Plan) -> None:
    given = [r for r in dev.resources if r.custom and r.type.lower().endswith("iammember")]
    listed = [entry for entry in from_plan(dev, "acme-ml-dev").grants if is_grant(entry)]
    assert len(listed) == len(given) > 5
    assert sorted(e.role for e in listed) == sorted(r.inputs["role"] for r in given)
    assert all(e.reason and e.triggers for e in listed)


def test_nothing_that_an_evaluation_makes_up_is_in_it(dev: Plan) -> None:
    text = from_plan(dev, "acme-ml-dev").to_json()
    assert PROJECT_NUMBER not in text
    assert not [bucket for bucket in dev.of_type(":Bucket") if bucket.outputs["name"] in text]
    assert "launch-ledger-*" in text


def test_the_order_of_registration_does_not_matter(two_triggers: Plan) -> None:
    shuffled = list(two_triggers.resources)
    random.Random(5).shuffle(shuffled)
    same = replace(two_triggers, resources=tuple(shuffled))
    assert from_plan(same, "p").to_json() == from_plan(two_triggers, "p").to_json()


def test_what_two_triggers_give_alike_is_listed_for_both_in_one_order(two_triggers: Plan) -> None:
    """The program gives no such thing today; a review of one that does must not be stale at random."""
    names = (f"{trigger}-push/iam.serviceAccountTokenCreator/pubsub-agent" for trigger in ("another", "echo"))
    first, second = (two_triggers.named(name) for name in names)
    others = [resource for resource in two_triggers.resources if resource not in (first, second)]
    alike = [first, replace(second, inputs=first.inputs)]
    for order in (alike, alike[::-1]):
        listed = from_plan(replace(two_triggers, resources=(*others, *order)), "p").grants
        found = [e.triggers for e in listed if e.role == first.inputs["role"] and "another-push" in e.resource]
        assert found == [("another",), ("echo",)]


def test_each_permission_names_the_triggers_that_need_it(two_triggers: Plan) -> None:
    found = entries(two_triggers)
    both = ("another", "echo")
    compute = "projects/-/serviceAccounts/PROJECT_NUMBER-compute@developer.gserviceaccount.com"
    assert found["echo-push", "roles/run.invoker", "us-central1/echo-launcher-*"] == ("echo",)
    assert found["storage-agent", "roles/pubsub.publisher", "another-events-*"] == ("another",)
    assert found["app-engine", "roles/storage.legacyBucketReader", "launch-ledger-*"] == both
    assert found["app-engine", "roles/viewer", compute] == ("echo",)
    assert found["app-engine", "roles/iam.serviceAccountUser", compute] == ("another",)
    assert found["build", "roles/logging.logWriter", "acme-ml-dev"] == both


def test_a_custom_role_is_for_the_triggers_that_its_grant_is_for(dev: Plan) -> None:
    """One that the foundation makes, and grants to a launcher whose trigger waits for the grant."""
    grant = dev.named("launch-ledger/storage.legacyBucketReader/app-engine", ":BucketIAMMember")
    inputs = {"project": "p", "roleId": "starts", "permissions": ["run.jobs.run"], "title": "Starts runs"}
    kind = "gcp:projects/iAMCustomRole:IAMCustomRole"
    role = replace(grant, urn=f"urn:pulumi:dev::p::{kind}::r", type=kind, name="r", inputs=inputs, parent="")
    waiting = replace(grant, dependencies=(*grant.dependencies, role.urn))
    rest = [resource for resource in dev.resources if resource is not grant]
    manifest = from_plan(replace(dev, resources=(*rest, role, waiting)), "p")
    (entry,) = [entry for entry in manifest.grants if entry.role == "run.jobs.run"]
    assert (entry.triggers, entry.reason) == (("echo",), "Starts runs")


def test_the_page_says_all_that_a_reviewer_asks(dev: Plan) -> None:
    page = document.to_markdown(from_plan(dev, "acme-ml-dev"))
    (viewer,) = [line for line in page.splitlines() if line.startswith("| `roles/viewer`")]
    assert "**high: basic role**" in viewer
    (reads,) = [line for line in page.splitlines() if "roles/storage.objectViewer" in line]
    assert "gcf-v2-sources-" in reads
    assert "project-wide, narrowed by the condition" in reads
    assert "impersonation: may act as this account" in page
    assert {line for line in page.splitlines() if line.startswith("## ")} == {
        *(f"## {name}" for name in ("app-engine", "build", "echo-push", "pubsub-agent", "storage-agent")),
        "## What things do by themselves",
        "## Who can become whom",
    }


def test_in_a_pipe_each_grant_is_one_line_with_all_that_is_known_of_it(dev: Plan) -> None:
    manifest, out = from_plan(dev, "acme-ml-dev"), io.StringIO()
    document.to_terminal(manifest, Console(file=out))
    _, heading, *lines = out.getvalue().splitlines()
    assert heading.split() == ["who", "for", "member", "role", "on", "condition", "why", "risk", "resource", "holds"]
    for entry, line in zip(manifest.grants, lines, strict=True):
        names = (entry.principal, entry.member, entry.role, place(entry.permission), entry.resource)
        known = (*names, entry.condition, entry.reason, *sorted(pinned().at_least(entry.role)))
        assert all(text in line for text in (*known, *entry.triggers))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_on_a_terminal_no_address_is_cut(dev: Plan, width: int) -> None:
    manifest, out = from_plan(dev, "acme-ml-dev"), io.StringIO()
    document.to_terminal(manifest, Console(file=out, force_terminal=True, color_system=None, width=width))
    words = out.getvalue().split()
    for entry in manifest.grants:
        assert {entry.member, entry.role, place(entry.permission).split(" ")[-1]} <= {*words}


def test_an_iam_resource_that_is_no_grant_is_listed_all_the_same(dev: Plan) -> None:
    public = Resource(
        urn="urn:pulumi:dev::p::gcp:storage/bucketIAMBinding:BucketIAMBinding::open",
        type="gcp:storage/bucketIAMBinding:BucketIAMBinding",
        name="open",
        inputs={"bucket": "b", "role": "roles/storage.objectViewer", "members": ["allUsers"]},
        parent="",
        dependencies=(),
        hooks={},
        custom=True,
        id="x",
        outputs={},
    )
    manifest = from_plan(replace(dev, resources=(*dev.resources, public)), "p")
    (entry,) = [entry for entry in manifest.grants if entry.member == "allUsers"]
    assert entry.authoritative
    assert set(entry.violations) == {"no-public-member", "no-authoritative-grant"}
    assert not entry.reason


@pytest.mark.parametrize("type_token", ["gcp:compute/firewall:Firewall", "gcp:iam/denyPolicy:DenyPolicy"])
def test_a_change_of_what_is_not_read_is_one_of_the_manifest_too(dev: Plan, type_token: str) -> None:
    urn = f"urn:pulumi:dev::p::{type_token}::x"
    like = replace(dev.of_type(":Bucket")[0], type=type_token, name="x", urn=urn, inputs={"allows": 1})
    before, after = (
        from_plan(replace(dev, resources=(*dev.resources, one)), "acme-ml-dev")
        for one in (like, replace(like, inputs={"allows": 2}))
    )
    for old, new in ((before, after), (before, from_plan(dev, "acme-ml-dev"))):
        assert of_manifests("x", old, new).broadened


def test_of_a_manifest_from_before_only_what_it_could_not_list_is_new(dev: Plan) -> None:
    """Its format is as it was: what was reviewed is read, and each thing that is no grant shows once as added."""
    now = from_plan(dev, "acme-ml-dev")
    older = Manifest.model_validate_json(
        now.model_copy(update={"grants": tuple(entry for entry in now.grants if not entry.is_way)}).to_json()
    )
    changes = [c for c in of_manifests("x", older, now).changes if c.effect != "unchanged"]
    assert {(c.effect, c.permission) for c in changes} == {
        ("broadened", entry.permission) for entry in now.grants if entry.is_way
    }


def test_a_bar_in_a_condition_does_not_end_its_cell(dev: Plan) -> None:
    manifest = from_plan(dev, "p")
    odd = manifest.grants[0].model_copy(update={"condition": "a || b", "condition_title": "x"})
    page = document.to_markdown(manifest.model_copy(update={"grants": (odd,)}))
    assert r"`a \|\| b`" in page


FILES = [f"iam/dev.{suffix}" for suffix in ("deployer.md", "deployer.yaml", "json", "md")]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stack file and a program that is evaluated already."""
    shutil.copy(DEV, tmp_path)
    kept = plan()
    monkeypatch.setattr(document, "evaluate", lambda *_: kept)
    return tmp_path


def test_check_says_what_to_do_until_update_has_done_it(project: Path) -> None:
    with pytest.raises(OperationError, match=r"iam/dev\.deployer\.md, .*; read `make iam; git diff iam`$"):
        document.check(project)
    assert document.update(project) == FILES
    document.check(project)
    assert document.update(project) == []


def test_check_names_the_files_of_a_stack_that_is_gone(project: Path) -> None:
    document.update(project)
    (project / "iam" / "gone.json").write_text("{}")
    with pytest.raises(OperationError, match=r"^there is no stack file for iam/gone\.json; delete what is"):
        document.check(project)


def test_a_grant_that_is_added_makes_the_manifest_stale(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program with one grant more, as a pull request would have it."""
    document.update(project)
    before = Manifest.model_validate_json((project / "iam" / "dev.json").read_text())
    monkeypatch.undo()
    original = grants.Grant.__init__

    def doubled(self: grants.Grant, role: str, **how: object) -> None:
        original(self, role, **how)  # type: ignore[arg-type]  # as it was called
        if role == "roles/run.invoker":
            original(grants.Grant.__new__(grants.Grant), "roles/run.admin", **how)  # type: ignore[arg-type]  # as above

    monkeypatch.setattr(grants.Grant, "__init__", doubled)
    with pytest.raises(OperationError, match="the permissions changed"):
        document.check(project)
    document.update(project)
    after = Manifest.model_validate_json((project / "iam" / "dev.json").read_text())
    assert [entry.role for entry in after.grants if entry not in before.grants] == ["roles/run.admin"]


def test_a_first_preview_of_the_program_says_what_the_manifest_says(dev: Plan) -> None:
    """The same permissions by both ways, what else is done to access, and the same rules broken."""
    steps = [step("create", None, state(r.type, r.name, r.inputs)) for r in dev.resources if r.in_cloud]
    comparison = change(*steps, config={"gcp:project": "acme-ml-dev"})
    listed = from_plan(dev, "acme-ml-dev").grants
    assert {c.effect for c in comparison.changes} == {"broadened"}
    assert sorted(c.permission.role for c in comparison.changes) == sorted(entry.role for entry in listed)
    high = sorted(c.permission.role for c in comparison.changes if c.high)
    assert high == sorted(entry.role for entry in listed if entry.violations)
    assert not comparison.violations


def destinations(plan: Plan) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    found = [
        entry for entry in from_plan(plan, "acme-ml-dev").grants if entry.kind == DESTINATION and not entry.is_way
    ]
    return {entry.resource: (entry.member, entry.role, entry.triggers) for entry in found}


def test_where_a_launcher_s_token_is_sent_stands_among_what_it_may(dev: Plan) -> None:
    host = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
    launcher = "serviceAccount:acme-ml-dev@appspot.gserviceaccount.com"
    assert destinations(dev) == {host: (launcher, "access-token", ("echo",))}
    [line] = [line for line in document.to_markdown(from_plan(dev, "acme-ml-dev")).splitlines() if host in line]
    assert "whoever answers there may do what the account may" in line


def test_an_endpoint_that_is_shown_nothing_is_no_destination() -> None:
    inside = plan(target={"kind": "kfp", "host": "http://localhost:8888", "access": "none"})
    assert destinations(inside) == {}


def test_of_an_account_that_stands_in_for_the_launcher_it_is_that_one_s_token() -> None:
    found = destinations(
        plan(
            target__host="https://kfp.example.com",
            target__access="iap",
            target__iap_backend_service="kfp-backend",
            target__audience="123-abc.apps.googleusercontent.com",
            target__impersonate="kfp@acme-gke.iam.gserviceaccount.com",
        )
    )
    assert found["https://kfp.example.com"][:2] == (
        "serviceAccount:kfp@acme-gke.iam.gserviceaccount.com",
        "id-token:123-abc.apps.googleusercontent.com",
    )


def test_another_host_for_a_token_is_broadened(dev: Plan) -> None:
    typo = plan(target__host="https://1234abce-dot-us-central1.pipelines.googleusercontent.com")
    before, after = (from_plan(found, "acme-ml-dev") for found in (dev, typo))
    changes = of_manifests("x", before, after).changes
    [changed] = [change for change in changes if change.effect != "unchanged"]
    assert (changed.effect, changed.what[:32]) == ("broadened", "moved from https://1234abcd-dot-")

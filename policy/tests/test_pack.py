"""The policy pack as the engine runs it: a process that is asked over gRPC. Needs the pack's own environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policy.pack import POLICIES
from policy.resources import UNKNOWN
from policy.rules import RULES
from rehearsal.leash import leashed

PACK = Path(__file__).resolve().parent.parent
TRIGGERS = "event-triggered-pipelines:triggers"
BUCKET = "gcp:storage/bucket:Bucket"
ON_PROJECT = "gcp:projects/iAMMember:IAMMember"
FUNCTION = "gcp:cloudfunctionsv2/function:Function"
ACCOUNT = "serviceAccount:runs@acme.iam.gserviceaccount.com"
VIEWER = {"project": "acme", "role": "roles/viewer", "member": ACCOUNT}
PRIVATE_FUNCTION = {
    "serviceConfig": {
        "ingressSettings": "ALLOW_INTERNAL_ONLY",
        "serviceAccountEmail": "acme@appspot.gserviceaccount.com",
    }
}

Ask = Callable[[str, Mapping[str, Any]], dict[str, str]]


@contextmanager
def engine(config: Mapping[str, str], pack: Path = PACK) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """Starts the pack as the engine has it started, connects to the port that it prints, and tells of the stack."""
    with started(os.environ, sys.executable, "-u", str(pack), "127.0.0.1:0") as stub:
        stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="dev", config=config, dry_run=True))
        yield stub


@contextmanager
def older_engine(config: Mapping[str, str]) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The same, as pulumi-analyzer-policy-python did it: what there is to tell is in the environment."""
    environment = {
        **os.environ,
        "PULUMI_CONFIG": json.dumps(config),
        "PULUMI_PROJECT": "event-triggered-pipelines",
        "PULUMI_STACK": "dev",
        "PULUMI_DRY_RUN": "true",
    }
    with started(environment, sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:0", ".") as stub:
        yield stub


@contextmanager
def started(environment: Mapping[str, str], *arguments: str) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    command, on_leash = leashed(*arguments)
    with subprocess.Popen(
        command, **on_leash, cwd=PACK, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the pack did not start"
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def asking(stub: analyzer_pb2_grpc.AnalyzerStub) -> Ask:
    """Asks the pack about a resource: the message of each policy that complains. Each must be mandatory."""

    def ask(type_token: str, inputs: Mapping[str, Any]) -> dict[str, str]:
        properties = struct_pb2.Struct()
        properties.update(inputs)
        urn = f"urn:pulumi:dev::event-triggered-pipelines::{type_token}::asked"
        request = analyzer_pb2.AnalyzeRequest(type=type_token, properties=properties, urn=urn, name="asked")
        found = stub.Analyze(request).diagnostics
        assert {item.enforcementLevel for item in found} <= {analyzer_pb2.MANDATORY}
        return {item.policyName: item.message for item in found}

    return ask


@pytest.fixture(scope="module")
def stub() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack in a stack that declares nothing."""
    with engine({"gcp:project": "acme"}) as running:
        yield running


@pytest.fixture(scope="module")
def production() -> Iterator[Ask]:
    """The pack in a production stack whose trigger declares access: project-viewer."""
    triggers = json.dumps([{"name": "echo", "target": {"kind": "kfp", "access": "project-viewer"}}])
    with engine({TRIGGERS: triggers, "event-triggered-pipelines:production": "true"}) as running:
        yield asking(running)


def test_the_engine_finds_a_policy_for_each_rule_with_its_reason(stub: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = stub.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == "event-triggered-pipelines"
    assert [(p.name, p.description) for p in info.policies] == [(r.name, r.description) for r in RULES]
    assert [policy.name for policy in POLICIES] == [rule.name for rule in RULES]


# One for each rule: the same rules are tried out at length in tests/policy, in the project's own environment.
VIOLATING: dict[str, tuple[str, Mapping[str, Any]]] = {
    "no-basic-role": (ON_PROJECT, {**VIEWER, "role": "roles/editor"}),
    "no-public-member": ("gcp:cloudrunv2/serviceIamMember:ServiceIamMember", {"member": "allUsers", "role": "x"}),
    "no-authoritative-grant": ("gcp:storage/bucketIAMBinding:BucketIAMBinding", {"role": "x", "members": [ACCOUNT]}),
    "no-project-wide-impersonation": (ON_PROJECT, {**VIEWER, "role": "roles/iam.serviceAccountUser"}),
    "no-project-wide-storage-admin": (ON_PROJECT, {**VIEWER, "role": "roles/storage.admin"}),
    "no-unlisted-role-on-project": (ON_PROJECT, {**VIEWER, "role": "roles/compute.admin"}),
    "no-service-account-key": ("gcp:serviceaccount/key:Key", {"serviceAccountId": "runs"}),
    "own-account-in-production": (FUNCTION, PRIVATE_FUNCTION),
    "private-bucket": (BUCKET, {"uniformBucketLevelAccess": True}),
    "dead-letter": (
        "gcp:pubsub/subscription:Subscription",
        {"pushConfig": {"pushEndpoint": "https://x"}, "expirationPolicy": {"ttl": ""}},
    ),
    "kept-subscription": ("gcp:pubsub/subscription:Subscription", {"topic": "x"}),
    "private-function": (FUNCTION, {"serviceConfig": {"serviceAccountEmail": "runs@acme.iam.gserviceaccount.com"}}),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_policy_stops_a_resource_that_breaks_its_rule(rule: Any, production: Ask) -> None:
    complaints = production(*VIOLATING[rule.name])
    assert set(complaints) == {rule.name}
    assert complaints[rule.name].startswith(rule.description)
    assert len(complaints[rule.name].splitlines()) == 2  # the description, and what is wrong with this resource


def test_a_resource_that_breaks_no_rule_passes(production: Ask) -> None:
    assert production(BUCKET, {"uniformBucketLevelAccess": True, "publicAccessPrevention": "enforced"}) == {}


def test_what_a_stack_declares_reaches_the_pack(stub: analyzer_pb2_grpc.AnalyzerStub, production: Ask) -> None:
    undeclared = asking(stub)
    assert set(undeclared(ON_PROJECT, VIEWER)) == {"no-basic-role"}
    assert production(ON_PROJECT, VIEWER) == {}
    assert undeclared(FUNCTION, PRIVATE_FUNCTION) == {}
    assert set(production(FUNCTION, PRIVATE_FUNCTION)) == {"own-account-in-production"}


def test_an_older_engine_tells_the_pack_what_a_stack_declares_in_its_environment() -> None:
    with older_engine({"event-triggered-pipelines:production": "true"}) as running:
        assert set(asking(running)(FUNCTION, PRIVATE_FUNCTION)) == {"own-account-in-production"}


def test_an_unknown_value_keeps_no_rule_from_being_asked(production: Ask) -> None:
    """The SDK would report that it cannot run the policy, as an advice, and let the resource pass."""
    shown = {"bucket": UNKNOWN, "members": [UNKNOWN, "allUsers"], "role": "x"}
    complaints = production("gcp:storage/bucketIAMBinding:BucketIAMBinding", shown)
    assert set(complaints) == {"no-public-member", "no-authoritative-grant"}
    assert set(production(BUCKET, {"uniformBucketLevelAccess": UNKNOWN})) == {"private-bucket"}


def test_a_copy_under_another_name_still_runs(tmp_path: Path) -> None:
    copy = tmp_path / "our-rules"
    copy.mkdir()
    for path in PACK.glob("*.*"):
        if path.is_file():
            (copy / path.name).write_text(path.read_text())
    with engine({}, copy) as running:
        assert set(asking(running)(BUCKET, {})) == {"private-bucket"}


def test_the_engine_looks_for_the_environment_that_make_installs() -> None:
    runtime = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())["runtime"]
    assert runtime["name"] == "python"
    assert PACK / runtime["options"]["virtualenv"] == Path(sys.prefix)


def test_the_adapter_stays_thin() -> None:
    assert sum(len((PACK / name).read_text().splitlines()) for name in ("__main__.py", "pack.py")) < 60

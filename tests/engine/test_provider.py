"""The substitute knows what the SDK of the real provider knows, and refuses everything else."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from ops.iam.deployer.needs import NEEDS
from rehearsal.engine.cloud import Cloud
from rehearsal.engine.kinds.kind import Kind
from rehearsal.engine.kinds.table import KINDS
from rehearsal.engine.provider import VERSION, SubstituteProvider
from rehearsal.engine.values import differences, from_struct, to_struct
from tests.policy.provider import resource_inputs

TOPIC = "gcp:pubsub/topic:Topic"


class RefusedError(Exception):
    """What the engine would be told."""


class Context:
    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise RefusedError(details)


def check(
    inputs: dict[str, Any], kind: str = TOPIC, olds: dict[str, Any] | None = None, seed: bytes = b"seed"
) -> Any:
    urn = f"urn:pulumi:dev::event-triggered-pipelines::{kind}::events"
    request = provider_pb2.CheckRequest(urn=urn, news=to_struct(inputs), olds=to_struct(olds or {}), randomSeed=seed)
    return SubstituteProvider(Cloud("acme")).Check(request, Context())


def camel(name: str) -> str:
    return re.sub(r"_+(\w)", lambda letter: letter[1].upper(), name)


def test_it_stands_in_for_the_provider_that_is_installed() -> None:
    assert importlib.metadata.version("pulumi_gcp") == VERSION


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.type)
def test_a_type_has_the_properties_that_the_sdk_has(kind: Kind) -> None:
    known = {camel(name) for name in resource_inputs()[kind.type]}
    assert kind.required | kind.optional == known
    assert kind.replaces - {"project"} <= known  # which not every grant has
    assert kind.defaults.keys() <= known


def test_it_has_every_type_whose_deployment_has_needs() -> None:
    assert KINDS.keys() == NEEDS.keys()


def test_what_is_unknown_is_refused() -> None:
    assert [failure.property for failure in check({"name": "x", "nmae": "y"}).failures] == ["nmae"]
    with pytest.raises(RefusedError, match="nobody has said what a gcp:pubsub/schema:Schema is"):
        check({}, "gcp:pubsub/schema:Schema")


def test_what_is_demanded_and_missing_is_refused() -> None:
    failures = check({"name": "x"}, "gcp:storage/bucket:Bucket").failures
    assert [failure.property for failure in failures] == ["location"]


def test_a_name_that_was_made_up_stays_and_is_noted() -> None:
    first = from_struct(check({}).inputs)
    assert re.fullmatch("events-[0-9a-f]{7}", first["name"])
    assert first["__defaults"] == ["name"]
    assert from_struct(check({}, olds=first, seed=b"another").inputs)["name"] == first["name"]
    assert from_struct(check({"name": "mine"}, olds=first).inputs) == {"name": "mine", "__defaults": []}


def test_a_difference_is_told_by_its_path() -> None:
    old = {
        "labels": {"team": "a", "gone": "x"},
        "__defaults": ["name"],
        "rules": [{"age": 1}],
        "archive": {"hash": 1},
    }
    new = {"labels": {"team": "b"}, "rules": [{"age": 2}], "archive": {"hash": 1}, "filter": "f"}
    assert dict(differences(old, new)) == {
        "labels.team": "update",
        "labels.gone": "delete",
        "rules[0].age": "update",
        "filter": "add",
    }

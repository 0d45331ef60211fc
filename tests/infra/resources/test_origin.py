"""A stack stays what it was made as."""

import json

import pytest

from infra.errors import ConfigurationError
from rehearsal.program import evaluate
from tests.infra.conftest import Answering
from tests.plans import dev_config, plan


def launch_id(stack: str) -> str:
    planned = evaluate(stack, dev_config())
    function = planned.named("echo-launcher", ":Function")
    told = json.loads(function.inputs["serviceConfig"]["environmentVariables"]["TRIGGER"])["id"]
    assert planned.exports["triggers"]["echo"]["id"] == told
    return str(told)


def test_a_renamed_stack_gives_the_same_event_the_same_launch_key(answering: Answering) -> None:
    before = launch_id("dev")
    answering(Stash={"output": {"project": "acme-ml-dev", "stack": "dev"}})
    assert launch_id("renamed") == before == "acme-ml-dev/dev/echo"


def test_another_stack_gives_it_another(answering: Answering) -> None:
    assert launch_id("staging") == "acme-ml-dev/staging/echo"


def test_another_project_is_refused_before_anything_is_touched(answering: Answering) -> None:
    answering(Stash={"output": {"project": "acme-ml-old", "stack": "dev"}})
    with pytest.raises(ConfigurationError, match="gcp:project: stack dev was made in acme-ml-old"):
        plan()


def test_everything_says_its_project_that_can() -> None:
    """Else it would follow the provider's, which another gcp:project changes."""
    without = {
        resource.type.rsplit(":", 1)[-1]
        for resource in plan().resources
        if resource.in_cloud and "project" not in resource.inputs
    }
    # A bucket's name and an account's address are enough to Google Cloud.
    assert without == {"BucketIAMMember", "BucketObject", "IAMMember", "Notification"}

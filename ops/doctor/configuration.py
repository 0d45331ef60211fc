"""The stack file: that it is yours, and that the program takes it."""

from __future__ import annotations

from collections.abc import Mapping

from infra.errors import ConfigurationError
from ops.findings import Finding, ok, problem
from rehearsal.program import Plan, evaluate

SAMPLES = {"acme-ml-dev": "gcp:project", "1234abcd-dot-us-central1": "target.host"}


def check_configuration(name: str, config: Mapping[str, str]) -> tuple[Plan | None, list[Finding]]:
    """Evaluates the program for a stack; the plan is None unless all is well.

    Nobody is asked about the samples: they are somebody else's project and endpoint, if anybody's.
    """
    check, text = "configuration", " ".join(config.values())
    problems = [
        problem(check, f"Pulumi.{name}.yaml still has the sample {key}, {value}", "put in yours")
        for value, key in SAMPLES.items()
        if value in text
    ]
    try:
        plan = evaluate(name, config)
    except ConfigurationError as error:
        return None, [*problems, problem(check, str(error), "")]
    return (None, problems) if problems else (plan, [ok(check, f"Pulumi.{name}.yaml is what the program takes")])

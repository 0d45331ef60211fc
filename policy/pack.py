"""The rules as policies: mandatory, each under its own name, so that a platform team can configure or disable it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.proxy import UnknownValueError

from .declarations import declared_access, is_production
from .resources import UNKNOWN
from .rules import RULES, Rule, complaint
from .stack import configuration


def policy(rule: Rule) -> ResourceValidationPolicy:
    """A rule as the engine asks it: for each resource, before it is made or changed."""

    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        config = configuration()
        production, declared = is_production(config), declared_access(config)
        if message := complaint(rule, args.resource_type, plain(args.props), production, declared):
            report_violation(message)

    return ResourceValidationPolicy(rule.name, rule.description, validate)


def plain(value: Any) -> Any:
    """Inputs with a word where a value is unknown. The SDK raises there, and would let the whole rule go unasked."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, number) for number in range(len(value))]
    return value


def _item(values: Any, key: Any) -> Any:
    try:
        return plain(values[key])
    except UnknownValueError:
        return UNKNOWN


POLICIES = [policy(rule) for rule in RULES]

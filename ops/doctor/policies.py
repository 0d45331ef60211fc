"""Organisation policies that a deployment of the plan would run into.

What is asked is the effective policy, so inheritance and conditions are Google's to work out. Constraints and their
values: docs.cloud.google.com/organization-policy/reference/org-policy-constraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.configuration.rules import DEFAULT_ACCOUNTS
from ops.doctor.google_apis import GoogleApis, RefusedError
from ops.findings import Finding, ok, problem, unchecked
from ops.iam.deployer.needs import accounts_relied_on, is_own
from rehearsal.program import Plan

DEFAULT_GRANTS = "iam.automaticIamGrantsForDefaultServiceAccounts"
MEMBER_DOMAINS = "iam.allowedPolicyMemberDomains"
LOCATIONS = "gcp.resourceLocations"
# What is refused where such a constraint is enforced.
REFUSALS = {
    "iam.disableServiceAccountCreation": "the service accounts that the stack makes",
    "cloudfunctions.requireVPCConnector": "the launchers, which have no VPC connector",
}


@dataclass(frozen=True)
class Trap:
    """A constraint on values, and the values that the plan comes with."""

    constraint: str
    values: tuple[str, ...]
    refused: str


def traps_of(plan: Plan) -> list[Trap]:
    """The constraints on values that a plan can run into."""
    located = [resource.inputs.get("location") for resource in plan.resources if resource.custom]
    functions = [function.inputs["serviceConfig"] for function in plan.of_type("cloudfunctionsv2/function:Function")]
    services = {str(service.inputs["service"]) for service in plan.of_type("projects/service:Service")}
    kept = {f"{name}.googleapis.com" for name in ("artifactregistry", "cloudfunctions", "pubsub", "run", "storage")}
    return [
        Trap(LOCATIONS, _sorted(str(location).lower() for location in located if location), "what is in"),
        Trap("gcp.restrictServiceUsage", _sorted(services), "the use of"),
        Trap("gcp.restrictNonCmekServices", _sorted(services & kept), "whatever is not encrypted with your key in"),
        Trap("cloudfunctions.restrictAllowedGenerations", ("2ndGen",), "functions of generation"),
        Trap(
            "cloudfunctions.allowedIngressSettings",
            _sorted(str(config["ingressSettings"]) for config in functions),
            "functions with the ingress setting",
        ),
        Trap("run.allowedIngress", ("internal",), "the functions' services, with ingress"),
    ]


def check_values(apis: GoogleApis, trap: Trap) -> list[Finding]:
    """Whether a constraint lets the plan's values through."""
    check = _check(trap.constraint)
    try:
        rules = _effective_rules(apis, trap.constraint)
    except RefusedError as refused:
        return [refused.as_finding(check)]
    verdicts = {value: _allows(rules, value) for value in trap.values}
    if refused_values := [value for value, allowed in verdicts.items() if allowed is False]:
        what = f"it refuses {trap.refused} {', '.join(refused_values)}; {_listed(rules)}"
        return [problem(check, what, _how_to_mend(apis, trap.constraint))]
    if open_values := [value for value, allowed in verdicts.items() if allowed is None]:
        what = (
            f"whether {', '.join(open_values)} is among what it allows is not to be seen from here; {_listed(rules)}"
        )
        return [unchecked(check, what, _describe(apis, trap.constraint))]
    return [ok(check, f"lets {', '.join(trap.values)} through")]


def check_enforced(apis: GoogleApis, constraint: str) -> list[Finding]:
    """Whether a constraint is enforced that refuses something outright."""
    check = _check(constraint)
    try:
        enforced = _enforced(_effective_rules(apis, constraint))
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if enforced:
        return [problem(check, f"it refuses {REFUSALS[constraint]}", _how_to_mend(apis, constraint))]
    return [ok(check, "is not enforced")]


def check_default_grants(apis: GoogleApis, plan: Plan) -> list[Finding]:
    """Whether default accounts hold Editor, which the stack neither needs nor can take away."""
    check = _check(DEFAULT_GRANTS)
    runtimes = {
        str(function.inputs["serviceConfig"]["serviceAccountEmail"])
        for function in plan.of_type("cloudfunctionsv2/function:Function")
    }
    users = sorted(account for account in runtimes if account.endswith(DEFAULT_ACCOUNTS))
    if not users:
        return [ok(check, "does not matter: no launcher runs as a default account")]
    try:
        enforced = _enforced(_effective_rules(apis, DEFAULT_GRANTS))
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if enforced:
        return [ok(check, f"is enforced: {', '.join(users)} holds only what the stack grants")]
    what = f"is not enforced: {', '.join(users)} may hold Editor on the project; identity: dedicated holds less"
    return [ok(check, what)]


def check_members(apis: GoogleApis, plan: Plan) -> list[Finding]:
    """Whether accounts of other projects may be granted roles in this one."""
    check = _check(MEMBER_DOMAINS)
    members = {str(item.inputs["member"]).partition(":")[2] for item in plan.resources if "member" in item.inputs}
    strangers = [a for a in accounts_relied_on(plan) if a in members and not is_own(a, plan)]
    if not strangers:
        return [ok(check, "does not matter: the stack grants to accounts of this project and to its service agents")]
    try:
        rules = _effective_rules(apis, MEMBER_DOMAINS)
    except RefusedError as refused:
        return [refused.as_finding(check)]
    if all(rule.get("allowAll") for rule in rules):
        return [ok(check, "lets every account through")]
    what = f"lets in only accounts of certain organisations, and {', '.join(strangers)} may be of another; "
    return [unchecked(check, what + _listed(rules), _describe(apis, MEMBER_DOMAINS))]


def _effective_rules(apis: GoogleApis, constraint: str) -> Sequence[Mapping[str, Any]]:
    found = apis.get("orgpolicy", f"/v2/projects/{apis.project}/policies/{constraint}:getEffectivePolicy")
    rules: Sequence[Mapping[str, Any]] = found.get("spec", {}).get("rules", [])
    return rules


def _enforced(rules: Iterable[Mapping[str, Any]]) -> bool:
    return any(rule.get("enforce") for rule in rules)


def _allows(rules: Iterable[Mapping[str, Any]], value: str) -> bool | None:
    """Whether the rules allow a value; None where it may be in a group whose members only Google knows."""
    verdict: bool | None = True
    for rule in rules:
        if rule.get("denyAll"):
            return False
        allowed, denied = (rule.get("values", {}).get(key, []) for key in ("allowedValues", "deniedValues"))
        matches = [_matches(pattern, value) for pattern in denied]
        if True in matches:
            return False
        listed = [_matches(pattern, value) for pattern in allowed]
        if allowed and True not in listed:
            if None not in listed:
                return False
            verdict = None
        elif None in matches:
            verdict = None
    return verdict


def _matches(pattern: str, value: str) -> bool | None:
    """A value, or a group of locations: ``in:us-locations`` has us and us-central1, and others that are not told."""
    kind, _, name = pattern.rpartition(":")
    if kind not in ("in", "under"):
        return name.lower() == value.lower()
    place = name.removesuffix("-locations")
    return True if value == place or value.startswith(f"{place}-") else None


def _listed(rules: Sequence[Mapping[str, Any]]) -> str:
    values = {
        word: [value for rule in rules for value in rule.get("values", {}).get(f"{word}Values", [])]
        for word in ("allowed", "denied")
    }
    return "; ".join(f"{word}: {', '.join(found)}" for word, found in values.items() if found) or "nothing is allowed"


def _check(constraint: str) -> str:
    return f"policy {constraint}"


def _describe(apis: GoogleApis, constraint: str) -> str:
    return f"gcloud org-policies describe {constraint} --effective --project={apis.project}"


def _how_to_mend(apis: GoogleApis, constraint: str) -> str:
    if constraint == LOCATIONS:
        return f"set gcp:region and the sources' location to an allowed one; {_describe(apis, constraint)}"
    return f"ask an administrator of the organisation's policies for an exception; {_describe(apis, constraint)}"


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))

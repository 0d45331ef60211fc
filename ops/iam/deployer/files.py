"""What a stack's deployer needs, as files for review: a page, and a custom role that gcloud creates from its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from ops.iam.deployer.needs import (
    ACT_AS,
    ONLY_LOGGED,
    SERVICE_ACCOUNT_USER,
    Needs,
    grant_command,
    needs_of,
    role_with,
)
from rehearsal.program import Plan

SUFFIXES = (".deployer.md", ".deployer.yaml")
LONGEST_LIST = 10  # values that hasOnly takes in a condition


def deployer_files(plan: Plan) -> Mapping[str, str]:
    """The text of each file about a plan's deployer, by file name."""
    needs = needs_of(plan)
    page, role = (f"{plan.stack}{suffix}" for suffix in SUFFIXES)
    return {page: _page(plan, needs, role), role: _custom_role(plan, needs)}


def role_id(stack: str) -> str:
    """What the custom role is called: ids of roles have no dashes."""
    return f"pipeline_deployer_{re.sub('[^a-z0-9]', '_', stack)}"


def _custom_role(plan: Plan, needs: Needs) -> str:
    definition = {
        "title": f"Pipeline deployer, stack {plan.stack}",
        "description": f"What `pulumi up` of stack {plan.stack} of {plan.project} needs",
        "stage": "GA",
        "includedPermissions": needs.permissions,
    }
    return "# Written by `make iam`.\n" + yaml.safe_dump(definition, sort_keys=False, width=110)


def _page(plan: Plan, needs: Needs, role_file: str) -> str:
    sections = [_roles(plan, needs, role_file), _reach(plan, needs), _by_resource(needs)]
    if needs.elsewhere:
        sections.insert(1, _elsewhere(needs))
    return "\n\n".join([f"# What the deployer of stack {plan.stack} needs", *sections]) + "\n"


def _roles(plan: Plan, needs: Needs, role_file: str) -> str:
    project, role = needs.project, role_id(plan.stack)
    rows = "\n".join(f"| `{name}` | {', '.join(_used_for(name, needs))} |" for name in needs.roles)
    return f"""Written by `make iam` from the plan; `make verify` fails when it is stale. This is what the identity
that runs `pulumi up`, `preview`, `refresh` and `destroy` takes on project `{project}`; what Pulumi keeps its state in
comes on top. Either these {len(needs.roles)} predefined roles, each the smallest that covers what stands beside it:

| role | for |
|---|---|
{rows}

or a custom role with exactly the {len(needs.permissions)} permissions below:

```sh
gcloud iam roles create {role} --project={project} --file=iam/{role_file}
gcloud projects add-iam-policy-binding {project} --member=MEMBER \\
  --role=projects/{project}/roles/{role} --condition-from-file=condition.yaml
```

`pipeline-trigger doctor --stack {plan.stack}` says what is missing of it."""


def _used_for(role: str, needs: Needs) -> Iterator[str]:
    if role == SERVICE_ACCOUNT_USER:
        yield "acting as the accounts below"
    yield from (_short(name) for name, need in needs.types.items() if need.role == role)


def _elsewhere(needs: Needs) -> str:
    commands = "\n".join(
        grant_command(place, "MEMBER", role)
        for place, permissions in needs.elsewhere.items()
        for role in sorted({role_with(permission) for permission in permissions})
    )
    return f"""## In other projects

A custom role counts in its own project only, so for what is in others it takes predefined ones, on the account or the
project itself:

```sh
{commands}
```"""


def _reach(plan: Plan, needs: Needs) -> str:
    granted = sorted({str(item.inputs["role"]) for item in plan.resources if item.custom and "role" in item.inputs})
    accounts = "\n".join(f"- `{account}`" for account in needs.runs_as)
    lists = (", ".join(map(repr, granted[at : at + LONGEST_LIST])) for at in range(0, len(granted), LONGEST_LIST))
    attribute = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
    limits = " ||\n".join(f"  {attribute}.hasOnly(\n  [{roles}])" for roles in lists)
    return f"""## How far this reaches

`resourcemanager.projects.setIamPolicy` can give anybody any role on the project, the deployer itself among them. This
condition.yaml for the binding leaves only the roles that the stack grants
([limits on granting roles](https://cloud.google.com/iam/docs/setting-limits-on-granting-roles)):

```yaml
title: Only the roles that stack {plan.stack} grants
expression: >-
{limits}
```

`{ACT_AS}` on the project is the right to run code as any of its accounts, the default ones with their
roles among them. The stack needs it on these, of which it makes some itself, so on the project before the first
deployment; afterwards `{SERVICE_ACCOUNT_USER}` on each of them is enough:

{accounts}"""


def _by_resource(needs: Needs) -> str:
    edits = needs.only_for_edits
    rows = "\n".join(f"| {_short(name)} | {_listed(need.permissions, edits)} |" for name, need in needs.types.items())
    return f"""## Permissions by resource

| resource | permissions |
|---|---|
{rows}
| whatever runs or calls as an account | `{ACT_AS}` |

(e): for edits only. Neither a first deployment nor a destroy asks for it.

The provider asks for {" and ".join(f"`{permission}`" for permission in ONLY_LOGGED)} too. It goes on without them and
logs the refusal, so they are not in the role."""


def _listed(permissions: tuple[str, ...], edits: frozenset[str]) -> str:
    return ", ".join(f"`{permission}`{' (e)' if permission in edits else ''}" for permission in permissions)


def _short(type_name: str) -> str:
    """``pubsub.Topic`` for ``gcp:pubsub/topic:Topic``: as the program calls it."""
    return f"{type_name.split(':')[1].split('/', 1)[0]}.{type_name.rsplit(':', 1)[-1]}"

"""What a stack's deployer needs, as files for review: a page, and a custom role that gcloud creates from its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from ops.iam.deployer.needs import (
    ACT_AS,
    ONLY_LOGGED,
    OWNER_IN_THE_END,
    SERVICE_ACCOUNT_USER,
    Needs,
    grant_command,
    needs_of,
    role_with,
)
from rehearsal.program import Plan

SUFFIXES = (".deployer.md", ".deployer.yaml")
ON_PROJECT = "gcp:projects/iAMMember:IAMMember"
PROJECT_TYPE = "cloudresourcemanager.googleapis.com/Project"  # as conditions call it
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
for condition in on-project on-resources; do
  gcloud projects add-iam-policy-binding {project} --member=MEMBER \\
    --role=projects/{project}/roles/{role} --condition-from-file=$condition.yaml
done
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
    accounts = "\n".join(f"- `{account}`" for account in needs.runs_as)
    held = [permission for permission in OWNER_IN_THE_END if permission in needs.permissions]
    without = "|".join(permission.replace(".", "\\.") for permission in held)
    return f"""## How far this reaches

**Held on the project, this is the owner in the end**, with the conditions too, by each of
{", ".join(f"`{permission}`" for permission in held)}: to act as any account of the project, the
default ones with their roles among them, or to give oneself that right on one; or to write a role that it may
grant. Give it to whom you would give Owner, for a first deployment. A deployer that is less takes three things:

1. Somebody else deploys the stack first, or makes its accounts and its own roles and imports them (`pulumi import`):
   custom roles are made out of band, and so is every change of them.
2. The role is made without those permissions: it deploys what changes, and neither new accounts that something runs
   as nor grants on accounts; these are asked of whoever did the first step.

   ```sh
   grep -vE '({without})$' iam/{plan.stack}.deployer.yaml > limited.yaml
   ```

3. `{SERVICE_ACCOUNT_USER}` on each of these alone:

{accounts}

It still reads and writes every bucket, topic and function of the project, where it may act as the function's account:
where other teams' things are in there, give the stack a project of its own.

`resourcemanager.projects.setIamPolicy` can give anybody any role on the project, the deployer itself among them. So
the role is bound twice, each time under a condition
([limits on granting roles](https://cloud.google.com/iam/docs/setting-limits-on-granting-roles)): on the project it
grants what the stack grants there, which is no way to be another account; on what is in it, the rest. A service
that does not tell a condition which roles a request changes is not limited by it; whether service accounts tell it
was not tried, and nothing here relies on that. Nor was it tried whether a service that knows no `resource.type` takes
`!=` for true: where a grant on a resource is refused, take that line out of on-resources.yaml. on-project.yaml:

{_condition(plan, f"Grants of stack {plan.stack} on the project", on_project=True)}

on-resources.yaml:

{_condition(plan, f"Grants of stack {plan.stack} on resources", on_project=False)}"""


def _condition(plan: Plan, title: str, *, on_project: bool) -> str:
    granted = sorted(
        {
            str(item.inputs["role"])
            for item in plan.resources
            if item.custom and "role" in item.inputs and (item.type == ON_PROJECT) is on_project
        }
    )
    lists = (", ".join(map(repr, granted[at : at + LONGEST_LIST])) for at in range(0, len(granted), LONGEST_LIST))
    attribute = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
    limits = " ||\n".join(f"  {attribute}.hasOnly(\n  [{roles}])" for roles in lists)
    return f"""```yaml
title: {title}
expression: >-
  resource.type {"==" if on_project else "!="} '{PROJECT_TYPE}' && (
{limits})
```"""


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
